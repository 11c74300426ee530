"""The drawing engine alone on a page, without a server: what is picked on the map is noted."""

import re
from typing import Any

from core import figures, web
from tests.browser.helpers import DRAWN

ADDRESS = "http://localhost/engine/"
_PAGE = """<!doctype html><html><head><meta charset="utf-8"><style>{style}
html, body {{ margin: 0; height: 100%; color-scheme: light dark; background: Canvas; color: CanvasText; }}
#map {{ height: 100vh; }}</style></head><body><div id="map"></div><script>{script}
async function runPlotly() {{
  const element = document.createElement("script");
  element.src = "plotly.js";
  await new Promise((done) => {{ element.onload = done; document.head.append(element); }});
  return window.Plotly;
}}
window.picks = [];
const map = mountMap(document.getElementById("map"), {{
  plotly: runPlotly, sheet: (page) => `sheet/${{page}}`, select: (pick) => picks.push({{ ...pick, at: performance.now() }}),
}});
const noted = new MutationObserver(() => (window.paintedAt ??= performance.now()));
noted.observe(document.getElementById("map"), {{ attributeFilter: ["data-drawn"] }});
fetch("first").then((response) => response.arrayBuffer()).then((bytes) => {{
  window.bytesAt = performance.now();
  map.draw(decodeFrame(new Uint8Array(bytes)));
}});
</script></body></html>"""


def open_map(page: Any, spec: figures.MapSpec, **further: figures.MapSpec) -> None:
    """Open a page with a map, wait until it is drawn; the page has the further ones as files of their names."""
    files = {
        "plotly.js": web.plotly_js().read_bytes(),
        "": _PAGE.format(style=web.style(), script=web.script()).encode(),
    }
    files |= {name: figures.encode(each) for name, each in {"first": spec, **further}.items()}

    def answer(route: Any) -> None:
        name = route.request.url.removeprefix(ADDRESS)
        kind = "text/html" if name == "" else "text/javascript" if name.endswith("js") else "application/octet-stream"
        if name in files:
            route.fulfill(body=files[name], content_type=kind)
        else:
            route.fulfill(status=404)

    page.route(re.compile(re.escape(ADDRESS)), answer)
    page.goto(ADDRESS)
    page.wait_for_selector(DRAWN)

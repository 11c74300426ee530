"""How soon is a map there, at what price on the wire? `python -m tests.bench.first_paint [--json FILE] [--rounds N]`.

Two plain Streamlit pages of the same 70,000 dots in ten groups, `st.plotly_chart` with one trace a group and the dashboard's
map, are opened in the same Chromium in turn, each time by a browser that has nothing yet, and coloured otherwise. A map
counts as painted in the second frame after Plotly has it, ours only once it has fitted its opacity to what is in view, too.
Bytes are those of the web socket and of files, as they cross the wire, without Streamlit's own pages, which are the same
for both; with plotly.js, which Streamlit brings inside `PlotlyChart`, and without it.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.bench import runner
from tests.bench.map_page import POINTS
from tests.browser.helpers import ROOT, browser_page, new_page, served

ROUNDS = 3
SIDES = ("plotly", "ours")
MEASURES = {
    "bytes": "bytes until painted, without plotly.js",
    "with_plotly": "bytes until painted, with plotly.js",
    "seconds": "seconds from navigation to painted",
    "recolour_bytes": "bytes of other colours",
    "recolour_seconds": "seconds from the click to other colours painted",
}
# Looks in every frame whether all dots of some colouring are on the plot; notes when a frame after that begins.
_WATCH = """() => {
  window.seen = {};
  const look = () => {
    const plot = document.querySelector('.js-plotly-plot'), traces = plot?._fullData ?? [];
    const names = traces.map((trace) => trace.name).join('');
    const dots = traces.reduce((sum, trace) => sum + (trace.x?.length ?? 0), 0);
    const root = document.querySelector('.ee-map'), fitted = !root || root.dataset.opacity !== undefined;
    if (dots === POINTS && plot.querySelector('canvas') && fitted && window.seen[names] === undefined) {
      window.seen[names] = null;
      requestAnimationFrame(() => requestAnimationFrame(() => (window.seen[names] = performance.now())));
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  window.addEventListener('pointerdown', () => (window.clickedAt = performance.now()), true);
}"""


@dataclass
class Traffic:
    """Bytes that a page receives: over the web socket, in files of plotly.js, and in others but Streamlit's own."""

    page: Any
    socket: int = 0
    plotly: int = 0
    files: int = 0
    _urls: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        session = self.page.context.new_cdp_session(self.page)
        session.send("Network.enable")
        session.on("Network.webSocketFrameReceived", self._framed)
        session.on(
            "Network.requestWillBeSent",
            lambda event: self._urls.update({event["requestId"]: event["request"]["url"]}),
        )
        session.on("Network.loadingFinished", self._loaded)

    def _framed(self, event: Any) -> None:
        text = event["response"]["payloadData"]
        self.socket += len(text) * 3 // 4 if event["response"]["opcode"] == 2 else len(text)  # 2: base64

    def _loaded(self, event: Any) -> None:
        url = self._urls.get(event["requestId"], "")
        if "PlotlyChart" in url or "plotly.min" in url:
            self.plotly += int(event["encodedDataLength"])
        elif "/static/" not in url and ("/component/" in url or "/media/" in url):
            self.files += int(event["encodedDataLength"])


def measure(page: Any, url: str) -> dict[str, float]:
    """Open a map with a browser that has nothing yet, colour it otherwise, and return each of `MEASURES`."""
    fresh = new_page(page.context.browser)
    traffic = Traffic(fresh)
    fresh.add_init_script(f"({_WATCH.replace('POINTS', str(POINTS))})()")
    fresh.goto(url)
    found = {"seconds": _painted(fresh, "0123456789") / 1000}
    found["bytes"] = traffic.socket + traffic.files
    found["with_plotly"] = found["bytes"] + traffic.plotly
    fresh.get_by_role("button", name="Other colours").click()
    at = _painted(fresh, "abcdefghij")
    found["recolour_seconds"] = (at - fresh.evaluate("window.clickedAt")) / 1000
    found["recolour_bytes"] = traffic.socket + traffic.files - found["bytes"]
    fresh.context.close()
    return found


def _painted(page: Any, names: str) -> float:
    """Wait until a colouring is painted and what belongs to it has come, and return when it was, in ms of the page."""
    page.wait_for_function("(names) => window.seen[names]", arg=names)
    page.wait_for_timeout(1500)
    return float(page.evaluate("(names) => window.seen[names]", names))


@contextmanager
def pages(folder: Path) -> Iterator[dict[str, str]]:
    """Serve both pages; yield their addresses."""
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    for side in SIDES:
        (folder / side).mkdir()
    with (
        served("tests/bench/map_page.py", folder / "plotly", environment, "plotly") as (plotly, _),
        served("tests/bench/map_page.py", folder / "ours", environment, "ours") as (ours, _),
    ):
        yield {"plotly": plotly, "ours": ours}


def report(rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Print each measure: the median of the ratios theirs / ours with their range, and the medians of both."""
    told: dict[str, Any] = {}
    for name, title in MEASURES.items():
        ratios = [each["plotly"][name] / each["ours"][name] for each in rounds]
        theirs, ours = (statistics.median(each[side][name] for each in rounds) for side in SIDES)
        told[name] = {"ratio": statistics.median(ratios), "ratios": ratios, "theirs": theirs, "ours": ours}
        shown = "{:.2f} s against {:.2f} s" if "seconds" in name else "{:,.0f} against {:,.0f}"
        print(
            f"{title}: 1/{told[name]['ratio']:.2f} of st.plotly_chart's "
            f"({min(ratios):.2f} to {max(ratios):.2f}): {shown.format(ours, theirs)}"
        )
    return told


def main() -> None:
    """Measure both pages in turn, print and perhaps write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="times that each page is opened")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, pages(Path(folder)) as urls, browser_page() as page:
        for side in SIDES:  # what a server does for its first visitor only
            measure(page, urls[side])
        rounds = [{side: measure(page, urls[side]) for side in SIDES} for _ in range(arguments.rounds)]
    told = report(rounds)
    if arguments.json:
        found = {"points": POINTS, "machine": runner.machine(), "measures": told, "rounds": rounds}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

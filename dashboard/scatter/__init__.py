"""The map as a Streamlit component: frames go to the browser as bytes, a selection comes back."""

import gzip
import json
import struct
from pathlib import Path
from tempfile import mkdtemp

import streamlit as st
from streamlit.components.v1 import declare_component

from core import web
from core.figures import Selection, selection_from

_HTML = '<div class="ee-root"></div>'
# The map fills what the page's header and the numbers leave of the window.
_CSS = ".ee-root { height: calc(100vh - 190px); min-height: 460px; }"


@st.cache_resource
def _plotly_folder() -> Path:
    """Return a folder with plotly.js compressed: Streamlit sends these files as they are, and it has 5 MB."""
    folder = Path(mkdtemp(prefix="embedding-explorer-plotly-"))
    (folder / "plotly.min.js.gz").write_bytes(gzip.compress(web.plotly_js().read_bytes(), 9, mtime=0))
    return folder


def _route(name: str, folder: Path) -> str:
    """Return the address, relative to the page, under which Streamlit serves a folder's files."""
    return f"component/{declare_component(name, path=str(folder)).name}/"


def scatter(frame: bytes, *, sheets: Path, key: str) -> Selection | None:
    """Draw a map and return what is selected on it.

    Parameters
    ----------
    frame : what `core.figures.encode` returns.
    sheets : folder of sprite sheets `0.webp`, `1.webp`, …
    """
    javascript = web.script() + "\n" + (Path(__file__).with_name("scatter.js")).read_text("utf-8")
    component = st.components.v2.component(
        "embedding_explorer_map", html=_HTML, css=web.style() + _CSS, js=javascript, isolate_styles=False
    )
    addresses = {
        "plotly": _route("plotly", _plotly_folder()) + "plotly.min.js.gz",
        "sheets": _route(f"sheets_{sheets.name}", sheets),
    }
    result = component(data=_envelope(addresses, frame), key=key, on_selection_change=_ignore)
    return selection_from(result.get("selection"))


def _envelope(addresses: dict[str, str], frame: bytes) -> bytes:
    """Put addresses before a frame, as `[u32 length][JSON][frame]`: only bytes alone reach the browser unencoded."""
    head = json.dumps(addresses).encode()
    head += b" " * (-len(head) % 4)
    return struct.pack("<I", len(head)) + head + frame


def _ignore() -> None:
    """Do nothing: the callback only makes Streamlit run the page again."""

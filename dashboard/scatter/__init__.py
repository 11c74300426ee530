"""The map as a Streamlit component: its numbers are files the browser fetches once, a pick comes back."""

import base64
import gzip
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import streamlit as st

from core import figures, web
from core.figures import MapSpec
from core.selection import Mode, Pick, packed, pick_from
from dashboard.caches import cached
from dashboard.scatter.loading import component, drop_old, route, write

_HTML = '<div class="ee-root" data-ee></div>'
# The map fills what the page's header and the numbers leave of the window.
_CSS = ".ee-root { height: calc(100vh - 250px); min-height: 420px; } .ee-root.ee-small { height: 440px; }"
_LINKS = " .ee-links { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; z-index: 2; }"
MAX_BYTES = 400_000_000  # of the files of maps drawn before


@st.cache_resource
def _plotly_folder() -> Path:
    """Return a folder with plotly.js compressed: Streamlit sends these files as they are, and it has 5 MB."""
    folder = Path(mkdtemp(prefix="embedding-explorer-plotly-"))
    (folder / "plotly.min.js.gz").write_bytes(gzip.compress(web.plotly_js().read_bytes(), 9, mtime=0))
    return folder


@st.cache_resource
def _arrays_folder() -> Path:
    return Path(mkdtemp(prefix="embedding-explorer-maps-"))


def scatter(
    spec: MapSpec,
    *,
    sheets: Path,
    key: str,
    selected: np.ndarray,
    on_pick: Callable[[Pick], None],
    mode: Mode = "replace",
    radius: float = 0.0,
    turn: int = 0,
    mark: tuple[float, ...] | None = None,
    view: Mapping[str, Any] | None = None,
    on_view: Callable[[Any], None] = lambda value: None,
    small: bool = False,
    link: tuple[int, bool] | None = None,
) -> None:
    """Draw a map.

    Parameters
    ----------
    sheets : folder of sprite sheets `0.webp`, `1.webp`, …
    selected : bool (n,) over all images; the others are faint when there are any.
    on_pick : called before the page runs again with what was drawn on the map.
    mode : of a pick without a held key. radius : above 0, a click picks all points so near, in map units.
    mark : a place on the map that gets a star.
    view : the place on the map to begin with, as `on_view` was told it after the last zoom or turn.
    small : lower, for maps side by side.
    link : of the first two maps: 0 or 1, and whether lines lead from dots of the one to the same images on the other.
    turn : another number makes the browser mark the selection anew.
    """
    own = [Path(__file__).with_name(name).read_text("utf-8") for name in ("links.js", "scatter.js")]
    javascript = "\n".join([web.script(), *own])
    mount = component("embedding_explorer_map", html=_HTML, css=web.style() + _CSS + _LINKS, script=javascript)
    data = {
        "plotly": route("plotly", _plotly_folder()) + "plotly.min.js.gz",
        "sheets": route(f"sheets_{sheets.name}", sheets),
        "arrays": route("maps", _arrays_folder()),
        "header": served(spec, _arrays_folder()),
        "selected": base64.b64encode(packed(selected).tobytes()).decode() if selected.any() else "",
        "mode": mode,
        "radius": radius,
        "turn": turn,
        "mark": mark,
        "small": small,
        "link": None if link is None else {"place": link[0], "on": link[1]},
        "view": None if view is None else dict(view),
    }

    def picked() -> None:
        pick = pick_from(st.session_state[key].get("pick"))
        if pick is not None:
            on_pick(pick)

    def moved() -> None:
        on_view(st.session_state[key].get("view"))

    mount(data=data, key=key, on_pick_change=picked, on_view_change=moved)


def served_bytes(content: bytes, kind: str) -> str:
    """Serve some bytes as a file of this ending, and return its address."""
    return route("maps", _arrays_folder()) + write(_arrays_folder(), content, kind)


def served(spec: MapSpec, folder: Path) -> dict[str, Any]:
    """Write a map's arrays as files named after their content, and return its header with these names.

    A browser that has a file does not ask for it again: another colour of the same dots is only that colour's numbers.
    """
    _, header, files = _written(id(spec), folder, spec)
    if not all((folder / name).exists() for name in files):
        _written.clear()
        _, header, files = _written(id(spec), folder, spec)
    for name in files:
        with suppress(
            FileNotFoundError
        ):  # another session has just dropped it; the browser asks for it in vain and says so
            os.utime(folder / name)
    drop_old(folder, MAX_BYTES)
    return header


@cached(max_entries=16, show_spinner=False)
def _written(identity: int, folder: Path, _spec: MapSpec) -> tuple[MapSpec, dict[str, Any], list[str]]:
    """Write a map's arrays, and return the map, which so keeps its identity, its header and the files' names."""
    header, arrays = figures.parts(_spec)
    there: dict[str, Any] = {
        name: {"dtype": array.dtype.name, "length": len(array), "file": write(folder, array.tobytes(), "bin")}
        for name, array in arrays.items()
    }
    files = [item["file"] for item in there.values()]
    if header["ids"] is not None:
        header["ids"] = {"file": write(folder, json.dumps(header["ids"]).encode(), "json")}
        files.append(header["ids"]["file"])
    return _spec, header | {"arrays": there}, files

"""Atlas: browse a run of millions of images, without any of its tables ever being loaded."""

from typing import Any

import streamlit as st

from core.atlas.columns import PICTURES
from core.atlas.table import Atlas, View
from core.errors import ExplorerError
from dashboard import components, door, sessions, state
from dashboard.atlas import (
    answers,
    asked,
    atlas_map,
    filters,
    legend,
    opening,
    panels,
    served,
    served_pictures,
)
from dashboard.atlas.answers import Looked, Shown

HOW = """
An **atlas** is the map of a set that is too large for one computer's memory: a run encodes all images shard by shard, places
them on one map, finds clusters and suspects, and sorts everything by its place, so that a look at a part reads only that part.

Make one on the command line, then open its folder in the sidebar:
"""
COMMAND = "python -m core run --data s3://bucket/images --engine ray --out RESULTS"
KEYS = "Arrows move it, plus and minus zoom, 0 shows all, n and p go from point to point."


def show() -> None:
    """Draw the page."""
    with st.sidebar:
        path = opening.choose()
    if not path:
        _empty()
        return
    try:
        atlas = opening.opened(path)
    except ExplorerError as error:
        components.problem(error)
        _empty()
        return
    with st.sidebar:
        drawing = filters.choose(atlas)
        told = st.empty()
        filters.clear_button(drawing)
        matching = answers.count(atlas, None, drawing.filters)
        told.caption(f"{matching:,} of {atlas.n:,} images match.")
    if state.atlas_seen(atlas.key) is None:
        state.remember_atlas_seen(_first(atlas))
    door.part(_part)(atlas, drawing, matching)


def _empty() -> None:
    st.markdown(HOW)
    st.code(COMMAND, language="bash")
    st.caption(
        "The data may be a folder of Parquet files with encoded images, of WebDataset tars or of pictures, or lie in a bucket. "
        "With `--engine local` one computer does the work, shard by shard; a run that was stopped goes on where it was."
    )


def _first(atlas: Atlas) -> state.Seen:
    """Return what is seen at first: the view of the page's address, else everything."""
    state.setting("atlas.view", None)
    kept, bounds = state.value("atlas.view"), atlas.bounds
    everything = (bounds.x0, bounds.x1, bounds.y0, bounds.y1)
    if isinstance(kept, dict) and kept.get("key") == atlas.key:
        edges = asked.edges_of([*kept.get("x", ()), *kept.get("y", ())], bounds)
        if edges is not None:
            return state.Seen(atlas.key, edges, edges)
    return state.Seen(atlas.key, everything, everything)


def _part(atlas: Atlas, drawing: filters.Drawing, matching: int) -> None:
    """Draw the map and the panels; runs alone when the map has moved."""
    seen = state.atlas_seen(atlas.key)
    if seen is None:
        st.rerun()  # another atlas was opened in this session meanwhile
    maps_place, panels_place = components.workbench()
    with maps_place:
        st.markdown(legend.heading(atlas))
        _map(atlas, seen, drawing, matching)
        st.caption(legend.axes(atlas))
    with panels_place:
        door.part(panels.show)(atlas, seen, drawing)
    sessions.write_address()


def _map(atlas: Atlas, seen: state.Seen, drawing: filters.Drawing, matching: int) -> None:
    shown, problem = _shown(atlas, seen, drawing)
    looked, of_look = _looked(atlas, seen)
    data: dict[str, Any] = {
        "key": atlas.key,
        "bounds": [atlas.bounds.x0, atlas.bounds.x1, atlas.bounds.y0, atlas.bounds.y1],
        "view": list(seen.view) if seen.turn or _moved(seen, atlas) else None,
        "turn": seen.turn,
        "mark": None if seen.mark is None else list(seen.mark),
        "asked": seen.number,
        "answer": None if shown is None else served(seen, shown),
        "look": of_look,
        "pictures": PICTURES in atlas.fetched,
        "legend": legend.legend(drawing, shown, "" if looked is None else looked.note),
        "status": legend.status(shown, matching, atlas.n) if problem is None else "",
        "label": f"Map of {atlas.n:,} images. {KEYS}",
        "problem": problem,
    }

    def ask(value: Any) -> None:
        now = state.atlas_seen(atlas.key)
        found = None if now is None else asked.taken(now, value, atlas.bounds)
        if found is None:
            return
        state.remember_atlas_seen(found)
        x0, x1, y0, y1 = found.rested
        state.change("atlas.view", {"key": atlas.key, "x": [x0, x1], "y": [y0, y1]})

    atlas_map(data, key="atlas.map", on_ask=ask)


def _moved(seen: state.Seen, atlas: Atlas) -> bool:
    bounds = atlas.bounds
    return seen.view != (bounds.x0, bounds.x1, bounds.y0, bounds.y1)


def _shown(atlas: Atlas, seen: state.Seen, drawing: filters.Drawing) -> tuple[Shown | None, str | None]:
    """Return what is to be seen, None before the browser has said how large its canvas is, and what went wrong."""
    if not seen.width:
        return None, None
    try:
        return answers.shown(atlas, View(*seen.view), asked.size(seen), drawing, seen.dark), None
    except ExplorerError as error:
        return None, str(error)


def _looked(atlas: Atlas, seen: state.Seen) -> tuple[Looked | None, dict[str, Any] | None]:
    if not seen.look:
        return None, None
    try:
        looked = answers.looked(atlas, seen.look)
    except ExplorerError as error:
        return None, {"problem": str(error)}
    return looked, served_pictures(seen, looked)

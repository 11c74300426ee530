"""Images whose label may be wrong, the likeliest first; a click on one shows it on the map."""

from dataclasses import replace

import pyarrow as pa
import streamlit as st

from core.atlas import queries
from core.atlas.columns import PICTURES
from core.atlas.table import Atlas, Filter, View
from dashboard import state
from dashboard.atlas import answers, asked, pictures
from dashboard.caches import cached
from dashboard.gallery import Item, gallery

MOST = 48
SCORE = "suspect"
TOLD = ("label", "looks_like", "cluster")
GO = "atlas.go"


def show(atlas: Atlas, view: View | None, rules: tuple[Filter, ...], words: str) -> None:
    """Draw the images that are most suspect."""
    if SCORE not in {column.name for column in atlas.columns}:
        st.info("The run looked for no suspects: that needs labels, or clusters.", icon=":material/rule:")
        return
    found = _top(atlas.key, view, rules, atlas)
    if not found.num_rows:
        st.info(f"No image {words} matches.", icon=":material/rule:")
        return
    st.caption(
        f"The {found.num_rows} most suspect images {words}. Press one to see it on the map, among its neighbours."
    )
    side = st.slider("Picture size", 32, 160, key=state.setting("atlas.side", 96), step=8, help="Pixels.", width=150)
    gallery(_items(found), side=side, key="atlas.suspects", on_open=lambda at: _go(atlas, found, at))
    if state.taken(GO):
        st.rerun()  # the map is drawn by another part of the page


@cached(max_entries=16)
def _top(key: str, view: View | None, rules: tuple[Filter, ...], _atlas: Atlas) -> pa.Table:
    wanted = [name for name in ("id", *TOLD, SCORE, "x", "y", PICTURES) if name in _atlas.fetched]
    return queries.top(_atlas, SCORE, MOST, view, rules, wanted)


def _items(found: pa.Table) -> list[Item]:
    rows = found.to_pylist()
    images = pictures.thumbnails([row.get(PICTURES) for row in rows])
    return [Item(int(row["at"]), [image], _lines(row)) for row, image in zip(rows, images, strict=True)]


def _lines(row: dict[str, object]) -> list[str]:
    label, looks, cluster = (row.get(name) for name in TOLD)
    lines = [f"{answers.text(label)} → {answers.text(looks)}" if looks is not None else answers.text(label)]
    lines.append(f"suspect {answers.text(row[SCORE])}" + (f", cluster {cluster}" if cluster is not None else ""))
    return [*lines, answers.text(row["id"])]


def _go(atlas: Atlas, found: pa.Table, at: int) -> None:
    """Let the map show a row of the table, with a ring around it."""
    seen = state.atlas_seen(atlas.key)
    place = found.column("at").to_pylist().index(at)
    x, y = (float(found.column(name)[place].as_py()) for name in ("x", "y"))
    if seen is None:
        return
    edges = asked.around(x, y, atlas.bounds, atlas.n)
    state.remember_atlas_seen(replace(seen, view=edges, turn=seen.turn + 1, mark=(x, y), look=()))
    state.note(GO, "1")

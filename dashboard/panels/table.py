"""The selected images as a table of all columns, in pages; rows are picked there."""

import streamlit as st

from core.plans import Results
from dashboard import chosen, components, drawn, state
from dashboard.panels import toolbar

PAGE = 500


def show(shown: Results) -> None:
    """Draw the table."""
    images = shown.images.value
    some_selected = chosen.mask(images).any()
    frame = drawn.table(shown).iloc[chosen.rows(images)]
    line = components.control_line()
    options = ("row", *map(str, frame.columns))
    name = line.selectbox("Sort all rows by", options, key=state.setting("table.by", "row", options), width=210)
    upwards = not line.toggle("Largest first", key=state.setting("table.down", False))
    if name != "row":
        frame = frame.sort_values(name, ascending=upwards, kind="stable")
    elif not upwards:
        frame = frame.iloc[::-1]
    at = components.page_of(line, "table.page", len(frame), PAGE)
    pick = line.container(width="content")
    part = frame.iloc[at]
    event = st.dataframe(
        part.reset_index(drop=True), hide_index=True, on_select="rerun", selection_mode="multi-row", height=420,
        key=f"table.{state.turn()}.{name}.{upwards}.{at.start}",
    )  # fmt: skip
    ticked = part.index.to_numpy()[[i for i in event["selection"]["rows"] if i < len(part)]]
    pick.button(
        f"Select {len(ticked):,} ticked rows", disabled=not len(ticked), on_click=chosen.pick,
        args=(images, ticked, toolbar.mode()), key="table.pick", help="Tick rows at their left edge.",
    )  # fmt: skip
    st.caption(
        f"Rows {at.start + 1:,} to {at.stop:,} of {len(frame):,} "
        + ("selected images." if some_selected else "images.")
    )

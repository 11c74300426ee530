"""How many images are selected, and every way to select that needs no mouse on the map."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import streamlit as st

from core.figures import Category, Number
from core.plans import Results
from core.selection import Mode
from dashboard import chosen, drawn, state

MODES: dict[Mode, str] = {"replace": "only these", "add": "add", "remove": "take away"}


def mode() -> Mode:
    """Return what becomes of the selection when a pick has no held key."""
    found: Mode = state.value("pick.mode", "replace")
    return found if found in get_args(Mode) else "replace"


def radius() -> float:
    """Return within which distance a click selects, in map units; 0 selects the point alone."""
    return float(state.value("pick.radius", 0.0) or 0.0)


def show(shown: Results) -> None:
    """Draw the line above the map."""
    images = shown.images.value
    count, there = int(chosen.mask(images).sum()), int(chosen.scope(images).sum())
    back, forward = chosen.can_undo(images)
    line = st.container(horizontal=True, vertical_alignment="center", gap="small")
    of = f"{there:,}" if there == len(images) else f"{there:,} shown"
    line.markdown(
        f"**{count:,} of {of} selected**" if count else f"None of {of} {'images ' * (there == len(images))}selected",
        help="Click a dot, or draw around several with lasso or box; in 3-D with the lasso at the upper right. A held shift "
        "adds to the selection, alt takes away. All panels below show the selection.",
    )
    with line.popover("Select…", icon=":material/filter_alt:"):
        _ways(shown)
    _button(line, "Clear", "backspace", count > 0, lambda: chosen.clear(images), "Select nothing.")
    _button(line, "Invert", "flip", True, lambda: chosen.invert(images), "Select the others.")
    _button(
        line, "Only these", "filter_list", count > 0, lambda: chosen.narrow(images),
        "Leave the others out: map, pictures, table and histograms show the selected images alone.",
    )  # fmt: skip
    if there < len(images):
        _button(
            line, "Show all", "filter_list_off", True, lambda: chosen.widen(images),
            f"Show all {len(images):,} images again; {len(images) - there:,} are left out now.",
        )  # fmt: skip
    _button(line, "Undo", "undo", back, lambda: chosen.undo(images), "Go back to the selection before.")
    _button(line, "Redo", "redo", forward, lambda: chosen.undo(images, -1), "Go forward again.")


def _button(place, name: str, icon: str, enabled: bool, action: Callable[[], None], text: str) -> None:  # type: ignore[no-untyped-def]
    place.button(
        name, key=f"selection.{name}", icon=f":material/{icon}:", disabled=not enabled, on_click=action, help=text,
    )  # fmt: skip


def _ways(shown: Results) -> None:
    images = shown.images.value
    st.segmented_control(
        "A pick without a held key", tuple(MODES), format_func=MODES.__getitem__,
        key=state.setting("pick.mode", "replace", tuple(MODES)),
    )  # fmt: skip
    st.number_input(
        "A click takes all within (map units)", 0.0, key=state.setting("pick.radius", 0.0),
        help="0: the dot alone. In 2-D and in 3-D.",
    )  # fmt: skip
    text = st.text_input(
        "Search ids, labels and other columns", key=state.setting("pick.text", ""), placeholder="cat 0012"
    )
    found = drawn.found(text, shown)
    st.button(
        f"Select {int(found.sum()):,} found", key="pick.search", disabled=not found.any(),
        on_click=chosen.pick, args=(images, found, mode()), width="stretch",
    )  # fmt: skip
    columns = {column.title: column for column in drawn.columns(shown)}
    title = st.selectbox("By column", tuple(columns), key=state.setting("pick.column", next(iter(columns)), columns))
    column = columns[title]
    found = _by_group(column) if isinstance(column, Category) else _by_number(column)
    st.button(
        f"Select {int(found.sum()):,} images", key="pick.values", disabled=not found.any(),
        on_click=chosen.pick, args=(images, found, mode()), width="stretch",
    )  # fmt: skip


def _by_group(column: Category) -> np.ndarray:
    there = [name for i, name in enumerate(column.names) if (column.codes == i).any()]
    key = f"pick.groups.{column.title}.{len(column.names)}"
    names = st.multiselect("is one of", there, key=state.setting(key, []))
    return np.isin(column.codes, [column.names.index(name) for name in names])


def _by_number(column: Number) -> np.ndarray:
    finite = column.values[np.isfinite(column.values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    left, right = st.columns(2)
    least = left.number_input("from", format="%g", key=state.setting(f"pick.from.{column.title}", low))
    most = right.number_input("to", format="%g", key=state.setting(f"pick.to.{column.title}", high))
    # What people type has fewer digits than the values: one rounding step does not leave the ends out.
    slack = 1e-6 * max(abs(low), abs(high))
    return (column.values >= least - slack) & (column.values <= most + slack)

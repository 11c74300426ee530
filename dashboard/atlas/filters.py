"""What an atlas is coloured by, and which of its rows are looked at: chosen in the sidebar."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core import palettes
from core.atlas.table import Atlas, Column, Filter
from dashboard import components, state

DENSITY = "how many"
NONE = "(none)"
USUAL = ("label", "cluster", "suspect")  # filters that are offered at first
PREFIX = "atlas.only."
RANGE = "atlas.range."


@dataclass(frozen=True)
class Drawing:
    """How an atlas is drawn: the column that colours it, None for how many there are, and filters that all must hold."""

    color: Column | None
    filters: tuple[Filter, ...]


def choose(atlas: Atlas) -> Drawing:
    """Draw the widgets of colour and filters."""
    columns = {column.name: column for column in atlas.columns if column.kind != "text" and has_values(column)}
    options = (DENSITY, *columns)
    first = "label" if "label" in columns else "cluster" if "cluster" in columns else DENSITY
    name = st.selectbox(
        "Colour by", options, key=state.setting("atlas.color", first, options), format_func=components.printable,
        help="A class has the same colour everywhere. “how many” shows alone how dense the images lie.",
    )  # fmt: skip
    st.subheader("Only images with")
    usual = [name for name in USUAL if name in columns]
    by = st.multiselect(
        "Filter by", list(columns), key=state.kept("atlas.by", usual, columns), format_func=components.printable,
        help="All filters must hold. Taking a column away takes its filter away.",
    )  # fmt: skip
    found = [filter_of(columns[name]) for name in by]
    return Drawing(columns.get(name), tuple(each for each in found if each is not None))


def clear_button(drawing: Drawing) -> None:
    """Draw the button that takes all filters away."""
    st.button(
        "Clear all filters", key="atlas.clear", icon=":material/filter_alt_off:", on_click=_clear, width="stretch",
        disabled=not drawing.filters,
    )  # fmt: skip


def filter_of(column: Column) -> Filter | None:
    """Draw the widget of a column, and return the filter that was chosen, None where it keeps everything."""
    if column.kind == "category":
        kept = st.multiselect(
            components.plain(column.name), column.values, key=state.kept(PREFIX + column.name, [], column.values),
            format_func=named, placeholder="all",
        )  # fmt: skip
        return Filter(column.name, tuple(kept)) if kept else None
    low, high, step = ends_of(column)
    if column.low == column.high:
        return None
    chosen: Any = st.slider(components.plain(column.name), low, high, key=_range(column), step=step, format="%.10g")
    ends = (chosen[0] if chosen[0] > low else None, chosen[1] if chosen[1] < high else None)
    return None if ends == (None, None) else Filter(column.name, low=ends[0], high=ends[1])


def ends_of(column: Column) -> tuple[float, float, float]:
    """Return the ends of a number's slider and its step: round numbers, between which all values lie."""
    assert column.low is not None and column.high is not None
    extent = (column.high - column.low) or 1.0
    size = 10.0 ** math.floor(math.log10(extent / 100))
    step = next(times * size for times in (1, 2, 5, 10) if times * size >= extent / 200)
    digits = max(0, -math.floor(math.log10(step)))
    low, high = math.floor(column.low / step) * step, math.ceil(column.high / step) * step
    return round(low, digits), round(high, digits), round(step, digits)


def named(value: str) -> str:
    """Return a value of a category as it is shown."""
    return components.printable(value) or NONE


def has_values(column: Column) -> bool:
    """Say whether there is anything to be coloured or filtered by."""
    return bool(column.values) if column.kind == "category" else column.low is not None


def colors_of(column: Column) -> Mapping[str, str]:
    """Return the colour of each value of a category: by its place among all of them, so that no view changes it."""
    there = [value for value in column.values if value]
    colors = palettes.categorical(min(len(there), palettes.MAX_COLORS))
    found = dict(zip(there, colors, strict=False))
    return {value: found.get(value, palettes.MISSING) for value in column.values}


def category_names(columns: Sequence[Column]) -> list[str]:
    """Return the names of the categories."""
    return [column.name for column in columns if column.kind == "category" and column.values]


def _range(column: Column) -> str:
    """Return the widget key of a range, brought back into the column's own."""
    low, high, _ = ends_of(column)
    key = state.setting(RANGE + column.name, (low, high))
    found = state.value(RANGE + column.name)
    good = isinstance(found, list | tuple) and len(found) == 2 and all(isinstance(end, int | float) for end in found)
    first, last = (max(low, float(found[0])), min(high, float(found[1]))) if good else (low, high)
    state.change(RANGE + column.name, (first, last) if first <= last else (low, high))
    return key


def _clear() -> None:
    for name in state.changed():
        if name.startswith(PREFIX):
            state.change(name, [])
        elif name.startswith(RANGE):
            state.change(name, None)  # the widget takes the whole range then

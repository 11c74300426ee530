"""Histograms as a Streamlit component: bars of all images and of the selected ones; a brush or a click comes back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import streamlit as st

from core import palettes
from core.figures import Category, Column
from core.selection import Mode
from dashboard.scatter.loading import component

BINS = 30
MOST = 40  # bars of groups; the most frequent are drawn


@dataclass(frozen=True, eq=False)
class Bars:
    """A column in bars: the bar of each image, int32 (n,), -1 for none, and what stands below each bar."""

    title: str
    bar: np.ndarray
    names: tuple[str, ...]
    numbers: bool


def bars(column: Column) -> Bars:
    """Part a column into bars: its groups, the most frequent 40, or 30 equal steps of its numbers."""
    if isinstance(column, Category):
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.names))
        kept = np.sort(np.argsort(-counts, kind="stable")[:MOST])
        number = np.full(len(column.names) + 1, -1, np.int32)
        number[kept] = np.arange(len(kept))
        return Bars(column.title, number[column.codes], tuple(column.names[i] for i in kept), False)
    values = np.asarray(column.values, np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return Bars(column.title, np.full(len(values), -1, np.int32), (), True)
    low, high = float(values[finite].min()), float(values[finite].max())
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    bar = np.clip(np.searchsorted(edges, np.where(finite, values, low), side="right") - 1, 0, BINS - 1)
    names = tuple(f"{edges[i]:.4g} to {edges[i + 1]:.4g}" for i in range(BINS))
    return Bars(column.title, np.where(finite, bar, -1).astype(np.int32), names, True)


def histograms(
    columns: Sequence[Bars],
    selected: np.ndarray,
    shown: np.ndarray,
    *,
    key: str,
    on_pick: Callable[[np.ndarray, Mode | None], None],
) -> None:
    """Draw a histogram a column.

    Parameters
    ----------
    selected, shown : bool (n,); what is not shown is not counted.
    on_pick : called with the mask, bool (n,), of what was brushed, and the held key's mode, before the page runs again.
    """
    folder = Path(__file__).parent
    mount = component(
        "embedding_explorer_histograms",
        html='<div class="ee-histograms" data-ee></div>',
        css=(folder / "histograms.css").read_text("utf-8"),
        script=(folder / "histograms.js").read_text("utf-8"),
    )
    drawn: list[dict[str, Any]] = []
    for column in columns:
        there = (column.bar >= 0) & shown
        drawn.append(
            {
                "title": column.title,
                "names": list(column.names),
                "numbers": column.numbers,
                "all": np.bincount(column.bar[there], minlength=len(column.names)).tolist(),
                "selected": np.bincount(column.bar[there & selected], minlength=len(column.names)).tolist(),
            }
        )

    def brushed() -> None:
        value = st.session_state[key].get("brush")
        found = _checked(value, columns)
        if found is not None:
            on_pick(*found)

    data = {"columns": drawn, "any": bool(selected.any()), "color": palettes.categorical(1)[0]}
    mount(data=data, key=key, on_brush_change=brushed)


def _checked(value: Any, columns: Sequence[Bars]) -> tuple[np.ndarray, Mode | None] | None:
    if not hasattr(value, "get"):
        return None
    number, first, last, mode = (value.get(name) for name in ("column", "first", "last", "mode"))
    if not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in (number, first, last)):
        return None
    if number >= len(columns) or first > last or last >= len(columns[number].names):
        return None
    bar = columns[number].bar
    return (bar >= first) & (bar <= last), mode if mode in get_args(Mode) else None

"""What lies in view, counted: histograms, clusters against labels, suspects, and files to take away."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core import palettes
from core.atlas import queries
from core.atlas.results import Histogram, Matrix
from core.atlas.table import Atlas, Filter, View
from core.errors import ExplorerError
from dashboard import components, state
from dashboard.atlas import filters, suspects, taking
from dashboard.caches import cached

BINS = 40
MOST_BARS = 40
MOST_CELLS = 40  # rows and columns of a matrix that are drawn
WHERE = ("in view", "everywhere")
VALUES = ("Counts", "Shares of the row", "Shares of the column")


@dataclass(frozen=True, eq=False)
class Scope:
    """What the panels count: an atlas, a view of it or None for everywhere, filters, and the words for that."""

    atlas: Atlas
    view: View | None
    rules: tuple[Filter, ...]
    words: str


def show(atlas: Atlas, seen: state.Seen, drawing: filters.Drawing) -> None:
    """Draw the panel that is chosen."""
    line = components.control_line()
    name = line.pills(
        "Panel",
        tuple(PANELS),
        key=state.setting("atlas.panel", next(iter(PANELS)), PANELS),
        label_visibility="collapsed",
    )
    where = line.segmented_control(
        "Images", WHERE, key=state.setting("atlas.where", WHERE[0], WHERE), label_visibility="collapsed",
        help="Whether the panels count what is in view, once the map has come to rest, or all that matches.",
    )  # fmt: skip
    name, here = name or next(iter(PANELS)), where != WHERE[1]
    words = "in view" if here else "everywhere"
    scope = Scope(atlas, View(*seen.rested) if here else None, drawing.filters, words)
    # Each panel has a place of its own, so that nothing of another one stays on the page.
    places = {each: st.container() if each == name else st.empty() for each in PANELS}
    with places[name]:
        try:
            PANELS[name](scope)
        except ExplorerError as error:
            components.problem(error)


def histogram(scope: Scope) -> None:
    """Draw how often the values of a column occur."""
    columns = {
        column.name: column for column in scope.atlas.columns if column.kind != "text" and filters.has_values(column)
    }
    if not columns:
        st.info("The atlas has no column to count by.", icon=":material/bar_chart:")
        return
    first = "error" if "error" in columns else next(iter(columns))
    name = st.selectbox(
        "Column", list(columns), key=state.setting("atlas.histogram", first, columns), format_func=components.printable,
        width=260,
    )  # fmt: skip
    found = _histogram(scope.atlas.key, name, scope.view, scope.rules, scope.atlas)
    total = int(found.counts.sum())
    column = columns[name]
    if not total:
        st.info(f"No image {scope.words} has a value of it.", icon=":material/bar_chart:")
        return
    colors = filters.colors_of(column) if column.kind == "category" else {}
    st.plotly_chart(
        _bars(found, components.printable(name), colors),
        key="atlas.bars",
        theme="streamlit",
        config={"displayModeBar": False},
    )
    st.caption(f"{total:,} images {scope.words} have a value.")


@cached(max_entries=64)
def _histogram(key: str, name: str, view: View | None, rules: tuple[Filter, ...], _atlas: Atlas) -> Histogram:
    return queries.histogram(_atlas, name, BINS, view, rules)


def _bars(found: Histogram, title: str, colors: Mapping[str, str]) -> Any:
    from plotly.graph_objects import Bar, Figure

    if found.edges is None:
        kept = np.sort(np.argsort(-found.counts, kind="stable")[:MOST_BARS])
        kept = kept[found.counts[kept] > 0]
        names = [filters.named(found.names[i])[:60] for i in kept]
        shades = [colors.get(found.names[i], palettes.MISSING) for i in kept]
        # By number, so that two names that look the same are two bars, and none of them is read as markup.
        places, told = list(range(len(kept))), "%{y:,} images<extra></extra>"
        figure = Figure(Bar(x=places, y=found.counts[kept], marker={"color": shades}, hovertemplate=told))
        figure.update_xaxes(tickvals=places, ticktext=[_without_markup(name) for name in names])
    else:
        edges = found.edges
        ends = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
        figure = Figure(
            Bar(
                x=(edges[1:] + edges[:-1]) / 2, y=found.counts, width=np.diff(edges), customdata=ends,
                marker={"color": palettes.categorical(1)[0]}, hovertemplate="%{customdata}<br>%{y:,} images<extra></extra>",
            )
        )  # fmt: skip
        figure.update_xaxes(title=_without_markup(title))
    figure.update_layout(height=260, margin={"l": 10, "r": 10, "t": 10, "b": 10}, bargap=0.08, yaxis_title="Images")
    return figure


def _without_markup(name: str) -> str:
    """Return a name in which Plotly finds no tags."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def matrix(scope: Scope) -> None:
    """Draw how often values of two categories occur together."""
    names = filters.category_names(scope.atlas.columns)
    if len(names) < 2:
        st.info("A matrix needs two columns of classes, such as clusters and labels.", icon=":material/grid_on:")
        return
    line = components.control_line()
    first = "cluster" if "cluster" in names else names[0]
    rows = line.selectbox(
        "Rows", names, key=state.setting("atlas.rows", first, names), format_func=components.printable, width=200
    )
    rest = [name for name in names if name != rows]
    second = "label" if "label" in rest else rest[0]
    columns = line.selectbox(
        "Columns", rest, key=state.setting("atlas.columns", second, rest), format_func=components.printable, width=200
    )
    values = (
        line.segmented_control("Values", VALUES, key=state.setting("atlas.values", VALUES[0], VALUES)) or VALUES[0]
    )
    found = _matrix(scope.atlas.key, rows, columns, scope.view, scope.rules, scope.atlas)
    total = int(found.counts.sum())
    if not total:
        st.info(f"No image {scope.words} matches.", icon=":material/grid_on:")
        return
    kept = [_largest(found.counts.sum(axis=1 - axis)) for axis in (0, 1)]
    left_out = total - int(found.counts[np.ix_(*kept)].sum())
    st.dataframe(
        _styled(found, kept, values), height="content",
        column_config={str(i): st.column_config.Column(filters.named(found.columns[i])) for i in kept[1]},
    )  # fmt: skip
    st.caption(
        f"{total:,} images {scope.words}."
        + (f" The largest {MOST_CELLS} of each are drawn; {left_out:,} images are left out." if left_out else "")
    )


@cached(max_entries=32)
def _matrix(key: str, rows: str, columns: str, view: View | None, rules: tuple[Filter, ...], _atlas: Atlas) -> Matrix:
    return queries.matrix(_atlas, rows, columns, view, rules)


def _largest(sums: np.ndarray) -> np.ndarray:
    """Return the places of the largest sums above 0, in order."""
    found = np.sort(np.argsort(-sums, kind="stable")[:MOST_CELLS])
    kept: np.ndarray = found[sums[found] > 0]
    return kept


def _styled(found: Matrix, kept: list[np.ndarray], values: str) -> Any:
    of_all = found.counts.astype(np.float64)
    if values != VALUES[0]:
        whole = of_all.sum(axis=1 if values == VALUES[1] else 0, keepdims=True)
        of_all = np.divide(of_all, whole, out=np.zeros_like(of_all), where=whole > 0)
    frame = pd.DataFrame(
        of_all[np.ix_(*kept)],
        index=[filters.named(found.rows[i]) for i in kept[0]],
        columns=[str(i) for i in kept[1]],  # by number, so that no name can be taken for another
    )
    text = "{:,.0f}" if values == VALUES[0] else "{:.1%}"
    return frame.style.background_gradient("Blues", axis=None, vmin=0).format(text)


PANELS: Mapping[str, Callable[[Scope], None]] = MappingProxyType(
    {
        "Histogram": histogram,
        "Clusters × labels": matrix,
        "Suspects": lambda scope: suspects.show(scope.atlas, scope.view, scope.rules, scope.words),
        "Take away": lambda scope: taking.show(scope.atlas, scope.view, scope.rules, scope.words),
    }
)

"""Outliers: the images farthest from all others, or in emptier places than their neighbours, to be looked at and marked."""

from itertools import pairwise
from typing import Any

import numpy as np
import streamlit as st

from core import outliers, palettes, report
from core.findings import OutlierScore, outlying
from core.images import ImageSet
from core.neighbours import Graph, GraphConfig
from core.outliers import Isolation
from core.plans import Results
from dashboard import analysed, chosen, components, further, spreadsheet, state
from dashboard.panels import findings, pictures, toolbar

MEASURES = {"knn": "distance to its neighbours", "lof": "local outlier factor"}
TITLES = {"knn": "Mean distance", "lof": "Local outlier factor"}
BARS = 60


def show(shown: Results) -> None:
    """Draw the scores, where the fence lies, and the images by falling score."""
    images = shown.images.value
    graph = analysed.value_of(shown, GraphConfig())
    if graph is None:
        return
    line = components.control_line()
    by, k = _choices(line, graph)
    found = further.isolation(shown, graph, k)
    scores = found.lof if by == "lof" else found.knn_distance
    fence = outliers.fence(scores)
    if scores.min() == scores.max():
        findings.nothing("All images are equally far from their neighbours, so none is isolated.")
        return
    junk = findings.junk_rows(shown)
    among = chosen.scope(images)
    if junk.any() and line.toggle("Without junk", key=state.setting("outliers.open", True)):
        among = among & ~junk
    rows = outliers.ranked(scores)
    rows = rows[among[rows]]
    if not len(rows):
        findings.nothing("All images that are shown are marked as junk.")
        return
    beyond = rows[scores[rows] > fence]
    _told(by, k, fence, beyond, rows)
    st.plotly_chart(
        _figure(scores[rows], fence, TITLES[by]), key="outliers.chart", theme="streamlit", config={"displayModeBar": False}
    )  # fmt: skip
    parts = pictures.seen_parts(shown, line)
    at = components.page_of(line, "outliers.page", len(rows), pictures.PAGE)
    _actions(shown, found, by, rows[at], beyond)
    pictures.opening_gallery(
        shown,
        [
            pictures.item(
                shown, int(row), parts, None, f"{TITLES[by]} {scores[row]:.4g}", *(["junk"] if junk[row] else [])
            )
            for row in rows[at]
        ],
        "outliers.gallery",
    )


def _choices(line: Any, graph: Graph) -> tuple[OutlierScore, int]:
    by = line.selectbox(
        "Isolated by", tuple(MEASURES), format_func=MEASURES.__getitem__, width=230,
        key=state.setting("outliers.by", "knn", tuple(MEASURES)),
        help="The mean distance to the k nearest others in latent space finds what is far from everything. The local "
        "outlier factor compares how dense the images lie around one with how dense they lie around its neighbours: "
        "about 1 is usual, 2 is half as dense. It also finds an image at the edge of a dense group.",
    )  # fmt: skip
    k = line.number_input(
        "k neighbours", 1, graph.k, key=state.bounded("outliers.k", min(further.USUAL_K, graph.k), 1, graph.k), width=130,
        help="Take more than the largest group of copies has, as copies are each other's neighbours.",
    )  # fmt: skip
    return by, int(k)


def _told(by: str, k: int, fence: float, beyond: np.ndarray, rows: np.ndarray) -> None:
    st.markdown(
        f"**{len(beyond):,} of {len(rows):,} images lie beyond the fence**, {TITLES[by].lower()} {fence:.4g} "
        f"with {k} neighbours.",
        help="Tukey's outer fence: the third quartile of all images' scores and three times the range between the first "
        "and the third. What lies beyond is far out for these images; it need not be wrong.",
    )  # fmt: skip


def _actions(shown: Results, found: Isolation, by: OutlierScore, page: np.ndarray, beyond: np.ndarray) -> None:
    """Draw what can be done with the page, with what is beyond the fence, and with the selection."""
    images, scores = shown.images.value, found.lof if by == "lof" else found.knn_distance
    selected = np.flatnonzero(chosen.mask(images))
    line = components.control_line()
    for name, rows in (("on this page", page), ("beyond the fence", beyond)):
        line.button(
            f"Select {len(rows):,} {name}", key=f"outliers.select {name}", disabled=not len(rows), on_click=chosen.pick,
            args=(images, rows, toolbar.mode()), icon=":material/select_all:",
        )  # fmt: skip
    with line.popover("Mark as junk", icon=":material/delete:"):
        st.caption("One action, which one undo takes back. Your files stay as they are.")
        _junk(images, "on this page", page, scores, "person")
        _junk(images, "beyond the fence", beyond, scores, "rule")
        _junk(images, "selected", selected, scores, "person")
    if line.button("Colour the map by it", key="outliers.color", icon=":material/palette:", on_click=_color):
        st.rerun()  # the sidebar's list of columns is not in this fragment
    findings.download(
        line, "CSV", spreadsheet.csv(lambda: outlying(shown, found, True, by, every=True)),
        f"{report.file_stem(shown)}-outliers.csv", "Both scores of every image, the most isolated first.",
    )  # fmt: skip
    findings.undo_buttons(line, shown, "outliers")


def _color() -> None:
    state.change("outliers.column", True)
    state.change("color", further.ISOLATION)


def _junk(images: ImageSet, name: str, rows: np.ndarray, scores: np.ndarray, by: Any) -> None:
    st.button(
        f"The {len(rows):,} {name}", key=f"outliers.junk {name}", disabled=not len(rows), width="stretch",
        on_click=findings.mark_as_junk, args=(images, rows, scores, by),
    )  # fmt: skip


def _figure(scores: np.ndarray, fence: float, title: str) -> Any:
    """Draw how many images have each score, and the fence as a dashed line."""
    from plotly.graph_objects import Bar, Figure

    blue, orange = palettes.categorical(6)[0], palettes.categorical(6)[5]
    counts, edges = np.histogram(scores, BARS)
    middles = (edges[1:] + edges[:-1]) / 2
    ends = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    figure = Figure(
        Bar(
            x=middles, y=counts, width=np.diff(edges), customdata=ends, marker={"color": blue},
            hovertemplate="%{customdata}<br>%{y:,} images<extra></extra>",
        )
    )  # fmt: skip
    figure.add_vline(
        fence, line={"dash": "dash", "width": 2, "color": orange}, annotation_text="fence",
        annotation_position="top left", annotation_font_color=orange,
    )  # fmt: skip
    figure.update_xaxes(range=[edges[0], max(edges[-1], fence) + edges[1] - edges[0]])
    figure.update_layout(
        height=170, margin={"l": 10, "r": 10, "t": 18, "b": 10}, bargap=0, xaxis_title=title,
        yaxis={"title": "Images", "type": "log", "dtick": 1},
    )  # fmt: skip
    return figure

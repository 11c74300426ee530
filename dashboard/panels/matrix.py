"""Clusters against labels: the table of both, what each cluster stands for, and the scores; without labels, what needs none."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from core import arrangement, matching
from core.arrangement import Arrangement
from core.config import clusters_of
from core.matching import Agreement
from core.plans import Results, some
from core.sweep import EXPLANATIONS as WITHOUT_LABELS
from core.sweep import SweepConfig
from dashboard import analysed, chosen, drawn, state
from dashboard.panels import toolbar

NAME, NAME_WITHOUT = "Clusters × labels", "Cluster quality"
MOST = 40  # rows and columns that are drawn
VALUES = ("Counts", "Shares of the cluster", "Shares of the label")
TITLES: Mapping[str, str] = MappingProxyType(
    {
        "nmi": "NMI",
        "ari": "ARI",
        "homogeneity": "Homogeneity",
        "completeness": "Completeness",
        "v_measure": "V-measure",
        "purity": "Purity",
    }
)


def title(name: str, shown: Results) -> str:
    """Return the name of a panel as it is offered: this one's says nothing of labels where there are none."""
    return NAME_WITHOUT if name == NAME and _labels(shown) is None else name


def show(shown: Results) -> None:
    """Draw the table, whose cells select, the two matchings and the scores."""
    found, labels = shown.clustering, _labels(shown)
    if found is None:
        return
    if labels is None:
        _without_labels(shown)
        return
    y, classes = labels
    held = matching.agree(found.value.labels, y, len(found.value.centers), len(classes))
    _table(shown, held, y, classes)
    st.markdown("**What each cluster stands for**")
    one, many = st.columns(2)
    for column, name, match in ((one, "one-to-one", held.one_to_one), (many, "majority", held.majority)):
        right = f"{match.right:,} of {int(held.support.sum()):,} labelled images"
        column.metric(f"Accuracy, {name}", f"{100 * match.accuracy:.1f} %", help=matching.EXPLANATIONS["accuracy"])
        column.caption(f"{right} lie in a cluster that stands for their class.")
    st.caption(
        "One-to-one (Hungarian): each cluster has a class of its own, chosen so that most images agree; clusters left over "
        "stand for none. Majority: each cluster stands for its most frequent class; several may share one."
    )
    st.dataframe(_clusters(held, classes), hide_index=True, column_config=_percent("agree"))
    st.markdown("**Each class under both matchings**")
    st.dataframe(
        _per_class(held, classes), hide_index=True,
        column_config=_percent("precision", "recall", "F1") | {
            "Images": st.column_config.NumberColumn(help=matching.EXPLANATIONS["support"])
        },
    )  # fmt: skip
    if (held.majority.of_cluster >= 0).any() and np.isnan(held.majority.precision[held.support > 0]).any():
        st.caption("A precision of None: no cluster stands for the class.")
    _scores(held)


def _labels(shown: Results) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Return the labels of the images, else those known beforehand, with their classes; None without any."""
    images, known = shown.images.value, shown.known
    if images.y is not None and (images.y >= 0).any():
        return images.y, images.classes
    if known is not None and known.n:
        return known.y, known.classes
    return None


def _table(shown: Results, held: Agreement, y: np.ndarray, classes: tuple[str, ...]) -> None:
    values = st.segmented_control(
        "Values", VALUES, key=state.setting("matrix.values", VALUES[0]), label_visibility="collapsed"
    )
    laid = arrangement.arrange(held, MOST)
    st.caption(
        "Rows are clusters, columns labels. ● one-to-one match, ○ majority of its cluster where that is another. Click a cell "
        "to select its images."
    )
    if laid.clusters_left_out or laid.classes_left_out:
        st.caption(
            f"The largest {MOST} of each are drawn: {laid.clusters_left_out:,} clusters and {laid.classes_left_out:,} labels "
            f"with {laid.images_left_out:,} images are left out.",
        )
    key = f"matrix.{state.turn()}"

    def pick() -> None:
        for row, column in state.cells(key):
            mask = _members(shown, y, held, int(laid.rows[row]), int(column))
            if mask.any():
                chosen.pick(shown.images.value, mask, toolbar.mode())

    # Columns go by number, so that no name of a label can be taken for another.
    names = {str(c): st.column_config.Column(classes[c] if c < len(classes) else "(none)") for c in laid.columns}
    st.dataframe(
        _styled(held, laid, values or VALUES[0]), on_select=pick, selection_mode="single-cell", key=key,
        column_config=names, height="content",
    )  # fmt: skip


def _members(shown: Results, y: np.ndarray, held: Agreement, row: int, column: int) -> np.ndarray:
    """Return which images a cell counts, bool (n,)."""
    k, c = held.counts.shape[0] - 1, held.counts.shape[1] - 1
    labels = some(shown.clustering).value.labels
    of_cluster = labels < 0 if row == k else labels == row
    return np.asarray(of_cluster & (y < 0 if column == c else y == column))


def _styled(held: Agreement, laid: Arrangement, values: str) -> Styler:
    """Return the table with its matches marked, shaded by what it shows."""
    k, shares = len(held.counts) - 1, values != VALUES[0]
    of_all = held.counts.astype(np.float64)
    if shares:
        whole = of_all.sum(axis=1 if values == VALUES[1] else 0, keepdims=True)
        of_all = np.divide(of_all, whole, out=np.zeros_like(of_all), where=whole > 0)
    frame = pd.DataFrame(
        of_all[np.ix_(laid.rows, laid.columns)],
        index=["noise" if row == k else f"cluster {row}" for row in laid.rows],
        columns=[str(column) for column in laid.columns],
    )
    text = "{:.1%}" if shares else "{:,.0f}"
    style = frame.style.background_gradient("Blues", axis=None).format(text)
    for place, row in enumerate(laid.rows):
        if row == k:
            continue
        for of, mark in ((held.majority.of_cluster[row], "○"), (held.one_to_one.of_cluster[row], "●")):
            if of in laid.columns:
                style = style.format(f"{mark} {text}", subset=pd.IndexSlice[[frame.index[place]], [str(of)]])
    return style


def _clusters(held: Agreement, classes: tuple[str, ...]) -> pd.DataFrame:
    """Return a row for each cluster: its class under both matchings, and the share of its labelled images that agree."""
    counts = held.counts[:-1]
    labelled = counts[:, :-1].sum(axis=1)
    columns = {
        "Cluster": [f"cluster {i}" for i in range(len(counts))],
        "Images": counts.sum(axis=1),
        "Labelled": labelled,
    }
    for name, match in (("One-to-one", held.one_to_one), ("Majority", held.majority)):
        of = match.of_cluster
        hits = np.where(of >= 0, counts[np.arange(len(of)), of], np.nan)
        columns[name] = [classes[c] if c >= 0 else "–" for c in of]
        columns[f"{name}: agree"] = np.divide(hits, labelled, out=np.full(len(of), np.nan), where=labelled > 0)
    return pd.DataFrame(columns)


def _per_class(held: Agreement, classes: tuple[str, ...]) -> pd.DataFrame:
    there = np.flatnonzero(held.support)
    columns = {"Class": [classes[c] for c in there], "Images": held.support[there]}
    for name, match in (("One-to-one", held.one_to_one), ("Majority", held.majority)):
        columns[f"{name}: precision"] = match.precision[there]
        columns[f"{name}: recall"] = match.recall[there]
        columns[f"{name}: F1"] = match.f1[there]
    return pd.DataFrame(columns)


def _percent(*endings: str) -> dict[str, Any]:
    """Show the columns of both matchings with these endings as per cent, each with its meaning."""
    return {
        f"{name}: {ending}": st.column_config.NumberColumn(
            format="percent",
            help=matching.EXPLANATIONS.get(ending.lower(), "Share of the cluster's labelled images."),
        )
        for name in ("One-to-one", "Majority")
        for ending in endings
    }


def _scores(held: Agreement) -> None:
    for column, (name, text) in zip(st.columns(len(TITLES)), TITLES.items(), strict=True):
        value = getattr(held, name)
        column.metric(text, "–" if value is None else f"{value:.3f}", help=matching.EXPLANATIONS[name])
    noise, without = int(held.counts[-1, :-1].sum()), int(held.counts[:, -1].sum())
    if noise:
        st.caption(
            f"{noise:,} labelled images are in no cluster (noise): they count as wrong in accuracy, purity and recall, and are "
            "left out of the other scores."
        )
    if without:
        st.caption(f"{without:,} images have no label and count nowhere.")


def _without_labels(shown: Results) -> None:
    """Draw the scores that the images and clusters alone give."""
    plan, k = shown.plan, len(some(shown.clustering).value.centers)
    width = drawn.scores(shown).silhouette
    left, right = st.columns(2)
    left.metric("Silhouette", "–" if width is None else f"{width:.3f}", help=WITHOUT_LABELS["silhouette"])
    if plan is None or plan.others or k < 2 or clusters_of(plan.cluster.method) is None:
        right.metric("Stability", "–", help=WITHOUT_LABELS["stability"])
        st.caption("Stability under resampling is that of one method with a chosen k of at least 2.")
        return
    with right:
        found = analysed.value_of(shown, SweepConfig(plan.cluster.method, (k,)))
        if found is not None:
            st.metric("Stability", f"{found.stability[0]:.3f}", help=WITHOUT_LABELS["stability"])
            if found.fitted < found.n:
                st.caption(f"Of a random sample of {found.fitted:,} of the {found.n:,} images.")

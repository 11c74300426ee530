"""Histograms of every column, and clusters against labels; both select."""

import numpy as np
import pandas as pd
import streamlit as st

from core.plans import Results
from core.selection import Mode
from dashboard import chosen, drawn, state
from dashboard.histograms import histograms
from dashboard.panels import toolbar

MOST_CELLS = 40  # rows and columns of the matrix


def show(shown: Results) -> None:
    """Draw the histograms."""
    images = shown.images.value
    st.caption(
        "Drag across bars, or click one, to select; shift adds, alt takes away. Gray: all; colour: the selected."
    )

    def pick(mask: np.ndarray, mode: Mode | None) -> None:
        chosen.pick(images, mask, mode or toolbar.mode())

    histograms(
        drawn.histogram_bars(shown), chosen.mask(images), chosen.scope(images),
        key="histograms", on_pick=pick,
    )  # fmt: skip


def matrix(shown: Results) -> None:
    """Draw how many images of each label lie in each cluster; ticked rows and columns, or a cell, select."""
    images, clustering = shown.images.value, shown.clustering
    if images.y is None or clustering is None:
        st.info("These images have no labels, so there is nothing to hold the clusters against.")
        return
    k, names = len(clustering.value.centers), images.classes
    if k > MOST_CELLS or len(names) > MOST_CELLS:
        st.info(f"{k} clusters and {len(names)} labels are too many to draw; up to {MOST_CELLS} of each are.")
        return
    y = np.where(images.y < 0, len(names), images.y)
    counts = np.zeros((k, len(names) + 1), np.int64)
    np.add.at(counts, (clustering.value.labels, y), 1)
    columns = [*names, "(none)"] if counts[:, -1].any() else list(names)
    frame = pd.DataFrame(
        counts[:, : len(columns)], columns=pd.Index(columns), index=[f"cluster {i}" for i in range(k)]
    )
    st.caption("Rows are clusters, columns labels. Click a cell to select its images.")
    key = f"matrix.{state.turn()}"

    def pick() -> None:
        for row, column in state.cells(key):
            mask = (clustering.value.labels == row) & (y == columns.index(column))
            if mask.any():
                chosen.pick(images, mask, toolbar.mode())

    st.dataframe(
        frame.style.background_gradient("Blues", axis=None), on_select=pick, selection_mode="single-cell", key=key,
        height="content",
    )  # fmt: skip

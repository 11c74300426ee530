"""Histograms of every column, which select."""

import numpy as np
import streamlit as st

from core.plans import Results
from core.selection import Mode
from dashboard import chosen, drawn
from dashboard.histograms import histograms
from dashboard.panels import toolbar


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

"""What a first visitor reads, once: one screen that says what is where."""

import streamlit as st

from dashboard import server

STAGE, KEY = "seen", "welcome"
TEXT = """
An autoencoder has squeezed each of these images into a few numbers, its **latents**; the map puts images with like latents
near each other, and colours show the clusters.

- **Look**: point at a dot to see the image, what the model reconstructs, and the difference. Zoom in, and pictures take the
  place of dots.
- **Select**: click, or draw around dots; shift adds, alt takes away. The panels below the map show what is selected.
- **Change**: other maps, clusters and colours are in the sidebar; what takes long says so and waits for *Run*.
- **Your own pictures**: choose *Folder, file or data set…* at the top of the sidebar, then train a model with one press.
- **Take away**: maps as HTML, tables, latents and the model at the bottom of the sidebar; a selection in its panel.

Everything stays on the computer that runs this program.
"""


def show() -> None:
    """Open the explanation on the first visit to this store; a second one does not see it."""
    if not server.store().has(STAGE, KEY):
        _dialog()


def dismiss() -> None:
    """Do not show it again."""
    server.store().put(STAGE, KEY, {}, {}, 0.0)


@st.dialog("Welcome to Embedding Explorer", width="large", on_dismiss=dismiss)
def _dialog() -> None:
    st.markdown(TEXT)
    if st.button("Start", type="primary", key="welcome.start"):
        dismiss()
        st.rerun()

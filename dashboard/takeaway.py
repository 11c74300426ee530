"""What an analyst takes away from the map on screen: each file is made when its button is pressed."""

import streamlit as st

from core import report, tables
from core.models import TrainedModel
from core.pipeline import some
from core.plans import Results
from dashboard import controls


def panel(shown: Results, display: controls.Display) -> None:
    """Draw the download buttons."""
    st.subheader("Take away")
    name = report.file_stem(shown)
    files = (
        ("Map as offline HTML", f"{name}-map.html", "text/html",
         lambda: report.html(shown, display.color, display.symbol, display.point_size, display.opacity),
         "One file that opens without a network and keeps the pictures under the mouse."),
        ("Predictions CSV", f"{name}-predictions.csv", "text/csv", lambda: tables.predictions_csv(shown),
         "id,label: the class matched to each image's cluster, or the cluster when there are no labels."),
        ("Table CSV", f"{name}-table.csv", "text/csv", lambda: tables.csv(tables.table(shown)),
         "path, label, cluster, coordinates, error and every other column."),
        ("Latents .npy", f"{name}-latents.npy", "application/octet-stream", lambda: tables.latents_npy(shown),
         "float32 (n, latent_size), in the order of the table."),
        ("Model .safetensors", f"{name}-model.safetensors", "application/octet-stream",
         lambda: tables.model_bytes(shown), "The weights, with the settings in the file's metadata."),
    )  # fmt: skip
    for label, file_name, mime, data, text in files:
        if label.startswith("Model") and not isinstance(some(shown.model).value, TrainedModel):
            continue  # a classifier's weights lie in the file that was given
        st.download_button(
            label, data, file_name, mime, on_click="ignore", icon=":material/download:", help=text, width="stretch"
        )

"""What an analyst takes away from the map on screen: each file is made when its button is pressed."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, get_args

import streamlit as st

from core import illustrations, pictures, report, runs, tables
from core.models import TrainedModel
from core.plans import Plan, Results, some
from dashboard import chosen, reviewing, server, spreadsheet, state
from dashboard.caches import cached
from dashboard.sidebar.display import Display

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTHING = "choose…"


def panel(shown: Results, display: Display) -> None:
    """Draw the download buttons."""
    st.subheader("Take away")
    name = report.file_stem(shown)

    def now() -> Results:  # with what was decided since the button was drawn
        return reviewing.attached(shown)

    files = (
        ("Map as offline HTML", f"{name}-map.html", "text/html",
         lambda: report.html(now(), display.color, display.symbol, display.point_size, display.opacity),
         "One file that opens without a network and keeps the pictures under the mouse."),
        ("Predictions CSV", f"{name}-predictions.csv", "text/csv", lambda: tables.predictions_csv(now()),
         "id,label: the class matched to each image's cluster, or the cluster when there are no labels."),
        ("Table CSV", f"{name}-table.csv", "text/csv", spreadsheet.csv(lambda: tables.table(now())),
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
    spreadsheet.switch()


def nothing() -> None:
    """Say why an unfinished map is not taken away."""
    st.subheader("Take away")
    st.caption("The map is unfinished: make it again or dismiss it, then there are files to take away.")


def compare(plan: Plan, shown: Results, recipe: str) -> None:
    """Let this map be remembered as a run for the Compare page."""
    with st.popover("Add to Compare", icon=":material/compare_arrows:", width="stretch"):
        name = st.text_input("Name of this run", key=state.setting("compare.name", ""), placeholder=recipe)
        if st.button("Add", key="compare.add", type="primary"):
            with st.spinner("Scoring…"):
                runs.remember(server.store(), plan, name.strip()[:60] or recipe, runs.metrics(recipe, shown))
            st.success("Added. The Compare page shows it beside other runs.")


def pictures_panel(shown: Results) -> None:
    """Show a picture for a report, drawn when it is asked for, with buttons that save it."""
    with st.expander("Pictures for a report", icon=":material/image:"):
        selected = chosen.mask(shown.images.value)
        stands_out = selected.any() and st.toggle(
            "The selection stands out", key=state.setting("picture.selection", True),
            help="On maps: the selected images in colour, the others faint.",
        )  # fmt: skip
        drawn = illustrations.drawable(shown, selected if stands_out else None)
        name = st.selectbox(
            "Picture", (NOTHING, *drawn), key=state.setting("picture", NOTHING, (NOTHING, *drawn)),
            help="Reconstructions, loss curves, and the map with class names, with markers, or with a colour bar.",
        )  # fmt: skip
        if name == NOTHING:
            return
        of = " ".join(
            staged.key for staged in (shown.latents, shown.projection, shown.clustering, shown.model) if staged
        )
        shade = hashlib.blake2b(selected.tobytes()).hexdigest() if stands_out else ""
        figure, preview = _drawn(f"{of} {shown.known} {name} {shade}", drawn[name])
        st.image(preview)
        dpi = st.slider("Pixels an inch", 75, 600, step=25, key=state.setting("picture.dpi", 150), help="Of the PNG.")
        stem = f"{report.file_stem(shown)}-{name}"
        for column, kind in zip(st.columns([1, 1, 4]), get_args(pictures.Kind), strict=False):
            column.download_button(
                kind.upper(), partial(pictures.render, figure, kind, dpi), f"{stem}.{kind}", on_click="ignore",
                icon=":material/download:", width="stretch", key=f"picture.{kind}",
            )  # fmt: skip


@cached(max_entries=4, show_spinner="Drawing…")
def _drawn(key: str, _draw: "Callable[[], Figure]") -> "tuple[Figure, bytes]":
    figure = _draw()
    return figure, pictures.render(figure, "png", 110)

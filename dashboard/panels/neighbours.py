"""The images nearest in latent space: to one image, to the mean of the selection, to a picture that is uploaded."""

from dataclasses import replace

import numpy as np
import streamlit as st

from core import features, neighbours
from core.config import FeaturesConfig
from core.errors import DataError
from core.images import ImageSet, image_set, read_picture_bytes
from core.models import TrainedModel
from core.neighbours import Distance
from core.plans import Results, some
from core.projection import transform
from dashboard import chosen, components, state
from dashboard.gallery import gallery
from dashboard.panels import pictures, toolbar

METRICS: dict[Distance, str] = {"euclidean": "Euclidean", "cosine": "cosine"}
OF = ("the mean of the selection", "the first selected image", "a picture from a file")
MAX_BYTES = 50_000_000


def show(shown: Results) -> None:
    """Draw what the neighbours are of, and the neighbours, nearest first."""
    images = shown.images.value
    line = components.control_line()
    kind = line.selectbox("Neighbours of", OF, key=state.setting("near.of", OF[0], OF), width=260)
    most = min(1000, len(images))
    k = line.number_input("k", 1, most, key=state.bounded("near.k", 24, 1, most), width=120)
    name = line.selectbox(
        "Distance", tuple(METRICS), format_func=METRICS.__getitem__, key=state.setting("near.metric", "euclidean"), width=140,
    )  # fmt: skip
    parts = pictures.seen_parts(shown, line)
    rows = np.flatnonzero(chosen.mask(images))
    latents = some(shown.latents).value.latents
    if kind == OF[2]:
        point = _uploaded(shown)
        without = None
    elif not len(rows):
        st.info(
            "Select one image or several on the map; their nearest in latent space appear here.",
            icon=":material/near_me:",
        )
        return
    else:
        rows = rows if kind == OF[0] else rows[:1]
        point, without = latents[rows].mean(axis=0, dtype=np.float64), rows
        st.caption(
            f"Nearest to the mean of {len(rows):,} selected images, which are left out."
            if len(rows) > 1
            else f"Nearest to {components.plain(images.ids[rows[0]])}, which is left out."
        )
    if point is None:
        return
    found = neighbours.nearest(latents, point, int(k), name, without)
    if not len(found.rows):
        st.info("No other image is left: all are selected.")
        return
    st.button(
        f"Select these {len(found.rows):,}", key="near.select", on_click=chosen.pick,
        args=(images, found.rows, toolbar.mode()), icon=":material/select_all:",
    )  # fmt: skip
    items = [
        pictures.item(shown, int(row), parts, None, f"{METRICS[name]} distance {distance:.4g}")
        for row, distance in zip(found.rows[: pictures.PAGE], found.distances, strict=False)
    ]
    gallery(items, side=int(state.value("gallery.side", 64)), key="near.gallery", on_open=None)
    if len(found.rows) > len(items):
        st.caption(f"The nearest {len(items)} are shown; the button selects all {len(found.rows):,}.")


def _uploaded(shown: Results) -> np.ndarray | None:
    """Return the latents of a picture that was uploaded, and show it and where it belongs on the map."""
    file = st.file_uploader("Picture", ("png", "jpg", "jpeg", "bmp", "gif", "webp", "tiff"), key="near.file")
    if file is None:
        state.place_on_map(None)
        st.caption("Its latents are computed with this model; it is not added to the images.")
        return None
    model, images = some(shown.model).value, shown.images.value
    if not isinstance(model, TrainedModel):
        st.info("A picture can be placed with an autoencoder; a classifier reads whole folders on the Classify page.")
        return None
    if file.size > MAX_BYTES:
        raise DataError(f"The file has {file.size:,} bytes; {MAX_BYTES:,} is the limit.")
    try:
        x = read_picture_bytes(file.getvalue(), images.image_shape)
    except DataError as error:
        raise DataError(f"The picture {file.name!r} cannot be read: {error}.") from error
    latents, made = _encoded(model.fingerprint, file.getvalue(), images.originals is None, model, x, images)
    at = transform(some(shown.latents).value.latents, some(shown.projection).value.coordinates, latents[None])[0]
    left, middle, text = st.columns([1, 1, 6], vertical_alignment="center")
    left.html(f'<img class="ee-large" alt="uploaded" src="{components.data_uri([x])}">')
    middle.html(f'<img class="ee-large" alt="reconstruction" src="{components.data_uri([made])}">')
    place = ", ".join(f"{value:.3g}" for value in at)
    squared = float(np.square((x.astype(np.float64) - made) / 255).mean())
    text.markdown(
        f"**{components.plain(file.name)}** and its reconstruction: error {squared:.4f}; it belongs at ({place})."
    )
    text.caption(
        "Its place is the mean of its ten nearest images' places, near ones weighing more; the map is not made again."
    )
    state.place_on_map((model.fingerprint, tuple(map(float, at))))
    return latents


@st.cache_data(max_entries=20, show_spinner="Encoding the picture…")
def _encoded(
    model_key: str, content: bytes, small: bool, _model: TrainedModel, _x: np.ndarray, _like: ImageSet
) -> tuple[np.ndarray, np.ndarray]:
    from core.latents import encode  # torch

    pair: ImageSet = image_set(np.stack([_x, _x]))
    seen = None
    if isinstance(_model.autoencoder, FeaturesConfig):
        seen = np.stack([features.of_picture(_model.autoencoder, content, _x, _like)] * 2)
    found = encode(replace(_model), pair, features=seen)
    assert found.reconstructions is not None
    return found.latents[0], found.reconstructions[0]

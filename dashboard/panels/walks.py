"""Walks in latent space as film strips: what lies between images, around a cluster, along a direction."""

import io

import numpy as np
import streamlit as st
from PIL import Image

from core import neighbours, walks
from core.latents import decode
from core.models import TrainedModel
from core.plans import Results, some
from dashboard import chosen, components, state
from dashboard.gallery import Item, gallery

KINDS = ("between selected images", "around a cluster", "along a principal direction")
MOST_POINTS = 12
GIF_SIDE, GIF_MS = 256, 120


def show(shown: Results) -> None:
    """Draw the walk."""
    model = some(shown.model).value
    if not isinstance(model, TrainedModel):
        st.info("A classifier cannot turn latents back into pictures; choose an autoencoder as the model.")
        return
    kind, count = st.columns([3, 3], vertical_alignment="bottom")
    which = kind.selectbox("Walk", KINDS, key=state.setting("walk.kind", KINDS[0], KINDS))
    steps = count.slider("Steps", 3, 40, key=state.setting("walk.steps", 12))
    path = _path(shown, which, steps)
    if path is None:
        return
    made = decoded(model.fingerprint, path.tobytes(), model, path)
    latents = some(shown.latents).value.latents
    near = [neighbours.nearest(latents, point, 1) for point in path]
    side = int(state.value("gallery.side", 64))
    images = shown.images.value
    st.caption(
        "At each step: what the model decodes, beside the nearest real image and how far that is in latent space."
    )
    items = [
        Item(int(found.rows[0]), [made[i], np.asarray(images.x[int(found.rows[0])])], [
            f"step {i + 1}", images.ids[int(found.rows[0])], f"distance {found.distances[0]:.3g}",
        ])
        for i, found in enumerate(near)
    ]  # fmt: skip
    step = st.slider("Step", 1, len(path), key=state.bounded("walk.at", 1, 1, len(path)))
    left, right, text = st.columns([1, 1, 4], vertical_alignment="center")
    row = int(near[step - 1].rows[0])
    left.html(f'<img class="ee-large" alt="decoded step {step}" src="{components.data_uri([made[step - 1]])}">')
    right.html(f'<img class="ee-large" alt="nearest image" src="{components.data_uri([np.asarray(images.x[row])])}">')
    text.markdown(
        f"Step {step} of {len(path)}, decoded, beside the nearest image **{components.plain(images.ids[row])}**"
    )
    for place, name, data, kind_of in (
        (text, "Strip as PNG", lambda: strip_png(made), "png"),
        (text, "Film as GIF", lambda: film_gif(made), "gif"),
    ):
        place.download_button(
            name, data, f"walk.{kind_of}", f"image/{kind_of}", on_click="ignore", icon=":material/download:"
        )
    gallery(items, side=side, key="walk.gallery", on_open=None)


def _path(shown: Results, kind: str, steps: int) -> np.ndarray | None:
    images, latents = shown.images.value, some(shown.latents).value.latents
    mask = chosen.mask(images)
    rows = np.flatnonzero(mask)
    if kind == KINDS[0]:
        if len(rows) < 2:
            st.info(
                "Select two images or more on the map: the walk goes from one to the next.",
                icon=":material/timeline:",
            )
            return None
        rows = np.array(state.picked_in_order(images.fingerprint, rows.tolist()))
        if len(rows) > MOST_POINTS:
            st.caption(f"{len(rows):,} images are selected; the walk goes through the first {MOST_POINTS}.")
        return walks.between(latents[rows[:MOST_POINTS]], steps)
    if kind == KINDS[1]:
        labels = some(shown.clustering).value.labels
        k = len(some(shown.clustering).value.centers)
        number = st.selectbox("Cluster", range(k), key=state.setting("walk.cluster", 0, range(k)))
        inside = latents[labels == number]
        if len(inside) < 3:
            st.info("This cluster has too few images to walk around; choose another one.")
            return None
        axes, spreads = walks.directions(inside, 2)
        if len(axes) < 2:
            st.info("With one latent there is nothing to walk around.")
            return None
        return walks.around(inside.mean(axis=0), axes, spreads, steps)
    of = latents[rows] if len(rows) > 2 else latents
    most = min(10, latents.shape[1])
    number = st.number_input("Direction, by spread", 1, most, key=state.bounded("walk.direction", 1, 1, most))
    st.caption(
        f"Of {'the selected' if len(rows) > 2 else 'all'} {len(of):,} images, from -2 to +2 standard deviations."
    )
    axes, spreads = walks.directions(of, int(number))
    return walks.along(of.mean(axis=0), axes[number - 1], float(spreads[number - 1]), steps)


@st.cache_data(max_entries=30, show_spinner="Decoding…")
def decoded(model_key: str, content: bytes, _model: TrainedModel, _latents: np.ndarray) -> np.ndarray:
    """Return the pictures, uint8 (n, h, w, c), that latents (n, d) decode to."""
    return decode(_model, _latents)


def strip_png(images: np.ndarray) -> bytes:
    """Return pictures uint8 (n, h, w, c) side by side as one PNG."""
    joined = np.concatenate(list(images), axis=1)
    buffer = io.BytesIO()
    Image.fromarray(joined[..., 0] if joined.shape[2] == 1 else joined).save(buffer, "PNG")
    return buffer.getvalue()


def film_gif(images: np.ndarray) -> bytes:
    """Return pictures uint8 (n, h, w, c) as a GIF that plays forth and back for ever, 256 pixels wide."""
    scale = max(1, GIF_SIDE // images.shape[2])
    frames = []
    for image in [*images, *images[-2:0:-1]]:
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        frames.append(picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST))
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=GIF_MS, loop=0)
    return buffer.getvalue()

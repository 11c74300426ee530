"""Train: does a model learn these images, and which model do I keep?"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from core import layers
from core.architectures import ARCHITECTURES, DEFAULT
from core.config import AutoencoderConfig, LayersConfig, Loss, ModelConfig, Optimizer, TrainingConfig, ValueRange
from core.errors import ConfigError
from core.images import ImageSet, Source
from core.jobs import Job
from core.models import Epoch
from core.plans import Plan, TrainSpec, shape_text
from dashboard import components, controls, library, results, state

LOSSES: dict[Loss, str] = {"mse": "MSE (mean squared error)", "l1": "L1 (mean absolute error)", "huber": "Huber"}
RANGES: dict[ValueRange, str] = {"unit": "0 to 1", "symmetric": "-1 to 1"}
OPTIMIZERS: dict[Optimizer, str] = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}


def show() -> None:
    """Draw the page."""
    with st.sidebar:
        source = controls.data()
    if source is None:
        st.info("Type the path of your pictures in the sidebar, or choose a sample there.", icon=":material/image:")
        library.show(None)
        return
    read = results.images(source)
    if read is None:
        job = results.job_for(Plan(source), "images")
        if job is not None and job.state in ("failed", "cancelled"):
            components.job_ended(job)
        else:
            components.watch(results.jobs().start(Plan(source), "images"))
        return
    with st.sidebar:
        controls.described(read.value)
        spec = _settings(read.value)
    _training(source, read.value, spec)
    _layers(spec.autoencoder, read.value)
    library.show(read.value)


def _settings(found: ImageSet) -> TrainSpec:
    autoencoder = _autoencoder(found)
    st.subheader("Training")
    return TrainSpec(autoencoder, _training_settings())


def _autoencoder(found: ImageSet) -> ModelConfig:
    st.subheader("Autoencoder")
    names = (DEFAULT, *(name for name, known in ARCHITECTURES.items() if _fits(known.config, found)))
    name = st.selectbox(
        "architecture", names, key=state.setting("train.architecture", DEFAULT, names),
        help="The default one reads images of any size. Those of published systems are listed where they fit these images.",
    )  # fmt: skip
    if name != DEFAULT:
        config = ARCHITECTURES[name].config
        if not st.checkbox("Squeeze to latent_size", key=state.setting("train.squeeze", False)):
            return config
        size = st.slider("latent_size", 2, 256, key=state.setting("train.latent_size", 32))
        return replace(config, latent_size=size)
    return AutoencoderConfig(
        latent_size=st.slider(
            "latent_size", 2, 256, key=state.setting("train.latent_size", 32),
            help="Numbers an image is squeezed into: more keep more detail, fewer force it to find what is common.",
        ),
        width=st.select_slider(
            "width", (4, 8, 16, 24, 32, 48, 64), key=state.setting("train.width", 16),
            help="Channels of the first layer; the cost of training grows with its square.",
        ),
        value_range=st.selectbox(
            "value_range", tuple(RANGES), format_func=RANGES.__getitem__, key=state.setting("train.value_range", "unit"),
            help="Range of the pixels that the autoencoder reads and gives.",
        ),
    )  # fmt: skip


def _fits(config: LayersConfig, found: ImageSet) -> bool:
    try:
        layers.check_fit(layers.parse(config.encoder), layers.parse(config.decoder), found.image_shape)
    except ConfigError:
        return False
    return True


def _training_settings() -> TrainingConfig:
    return TrainingConfig(
        epochs=st.number_input("epochs", 1, 10_000, key=state.setting("train.epochs", 20)),
        loss=st.selectbox("loss", tuple(LOSSES), format_func=LOSSES.__getitem__, key=state.setting("train.loss", "mse")),
        optimizer=st.selectbox(
            "optimizer", tuple(OPTIMIZERS), format_func=OPTIMIZERS.__getitem__, key=state.setting("train.optimizer", "adam")
        ),
        learning_rate=st.select_slider(
            "learning_rate", (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
            format_func="{:g}".format, key=state.setting("train.learning_rate", 1e-3),
            help="Size of each step. If the loss jumps about or is not finite, lower it.",
        ),
        weight_decay=st.select_slider(
            "weight_decay", (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2), format_func="{:g}".format,
            key=state.setting("train.weight_decay", 0.0),
        ),
        batch_size=st.select_slider(
            "batch_size", (16, 32, 64, 128, 256, 512, 1024), key=state.setting("train.batch_size", 128)
        ),
        validation_share=st.slider(
            "validation_share", 0.0, 0.5, step=0.05, key=state.setting("train.validation_share", 0.1),
            help="Part of the images that is not learnt from, to see whether the model copes with new ones.",
        ),
        seed=st.number_input("seed", 0, 2**31, key=state.setting("train.seed", 0), help="Same seed, same weights."),
    )  # fmt: skip


def _layers(config: ModelConfig, found: ImageSet) -> None:
    """Show the layers, once asked for: they need torch, which takes seconds to load."""
    if not st.toggle("Show the layers", key=state.setting("train.layers", False)):
        return
    summary, rows = results.summary(config, found.image_shape)
    st.caption(
        f"{summary.n_parameters:,} parameters, {summary.n_trainable:,} of them trainable; "
        f"{math.prod(summary.latent_shape):,} latents an image; parameters take {summary.parameter_bytes / 1024:,.1f} KiB, "
        f"the outputs of all layers {summary.output_bytes / 1024:,.1f} KiB an image"
    )
    st.dataframe(rows, hide_index=True)


def _training(source: Source, found: ImageSet, spec: TrainSpec) -> None:
    plan = Plan(source, spec)
    job = _followed(source)
    active = job is not None and job.active
    left, right = st.columns([6, 1], vertical_alignment="center")
    left.markdown(
        f"Train an autoencoder on **{components.plain(found.name)}**: {len(found):,} images of "
        f"{shape_text(found.image_shape)}."
    )
    if right.button(
        "Train", type="primary", icon=":material/play_arrow:", disabled=active, width="stretch", key="start"
    ):
        job = results.jobs().start(plan, "model")
        st.rerun()
    if job is None:
        st.caption("Nothing is being trained. Choose the settings in the sidebar and press Train.")
        return
    active = job.active
    st.fragment(_watch, run_every=components.POLL_SECONDS if active else None)(job.id, active)


def _followed(source: Source) -> Job | None:
    """Return the newest training on these images, whoever started it: a reload of the page loses nothing."""
    jobs = [job for job in results.jobs().all() if job.upto == "model" and job.plan.source == source]
    return max(jobs, key=lambda job: (job.active, job.submitted), default=None)


def _watch(name: str, polling: bool) -> None:
    """Show a training job: its progress, its losses, and what the model makes of some images."""
    job = results.jobs().get(name)
    if job is None or (polling and not job.active):
        st.rerun()
        return
    if job.active:
        components.job_progress(job)
    elif job.state == "failed":
        st.error(components.plain(job.error or "Training failed."), icon=":material/error:")
    elif job.preview is None and job.state == "cancelled":
        st.info(
            "Stopped before the first epoch was complete; there is nothing to keep.", icon=":material/stop_circle:"
        )
    elif job.preview is None:
        st.success("This model was trained before; it is in the list below.", icon=":material/check_circle:")
    else:
        st.success(_outcome(job), icon=":material/check_circle:")
    if job.preview is not None:
        _curves(job.preview["history"])  # type: ignore[arg-type]
        _improvement(job)


def _outcome(job: Job) -> str:
    epochs = len((job.preview or {}).get("history", ()))  # type: ignore[arg-type]
    how = "Stopped" if job.state == "cancelled" else "Trained"
    return f"{how} after {epochs} epochs, {components.duration(job.seconds)}. Keep it under a name below."


def _curves(history: Sequence[Epoch]) -> None:
    rows = [
        {"epoch": item.epoch, "loss": loss, "loss of": kind}
        for item in history
        for kind, loss in (("training images", item.train_loss), ("validation images", item.validation_loss))
        if loss is not None
    ]
    st.line_chart(pd.DataFrame(rows), x="epoch", y="loss", color="loss of", height=280)


def _improvement(job: Job) -> None:
    rows = state.epochs_seen(job.id, job.preview)
    if not rows or job.preview is None:
        return
    st.markdown(
        "**Originals, and their reconstructions after each epoch** (images the model did not learn from, where there are any)"
    )
    _strip("original", np.asarray(job.preview["originals"]))
    for epoch, reconstructions in reversed(rows):
        _strip(f"epoch {epoch}", reconstructions)


def _strip(text: str, images: np.ndarray) -> None:
    left, right = st.columns([1, 11], vertical_alignment="center")
    left.caption(text)
    right.html(f'<img class="ee-strip" alt="{text}" src="{components.data_uri(list(images))}">')

"""Train: does a model learn these images, and which model do I keep?"""

import math
from dataclasses import replace

import streamlit as st

from core import architectures, trainings
from core.architectures import ARCHITECTURES, DEFAULT
from core.config import AutoencoderConfig, Loss, ModelConfig, Optimizer, Precision, TrainingConfig, ValueRange
from core.images import ImageSet, Source, parts_of
from core.jobs import Job
from core.plans import Plan, TrainSpec, shape_text
from core.trainings import Interrupted
from dashboard import components, door, learning, library, offers, server, state
from dashboard.sidebar import images

LOSSES: dict[Loss, str] = {"mse": "MSE (mean squared error)", "l1": "L1 (mean absolute error)", "huber": "Huber"}
RANGES: dict[ValueRange, str] = {"unit": "0 to 1", "symmetric": "-1 to 1"}
SHARE = "a share of these images"
PRECISIONS: dict[Precision, str] = {"auto": "automatic", "mixed": "mixed, 16 and 32 bits", "full": "full, 32 bits"}
OPTIMIZERS: dict[Optimizer, str] = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}


def show() -> None:
    """Draw the page."""
    opened = images.opened()
    if opened is None:
        library.show(None)
        return
    found = opened.read.value
    with st.sidebar:
        spec = _settings(opened)
    _training(opened.chosen.source, found, spec)
    _layers(spec.autoencoder, found)
    library.show(found)


def _settings(opened: images.Opened) -> TrainSpec:
    autoencoder = _autoencoder(opened.read.value)
    st.subheader("Training")
    others = {n: part for n, part in parts_of(opened.chosen.whole).items() if part != opened.chosen.source}
    validation = None
    if others:
        options = (SHARE, *others)
        name = st.selectbox(
            "Validate on", options, key=state.setting("train.validate_on", SHARE, options),
            help="Images it does not learn from, to see whether the model copes with new ones.",
        )  # fmt: skip
        validation = others.get(name)
    own = isinstance(autoencoder, AutoencoderConfig)  # a published system is trained plainly
    usual = offers.usual_of(opened.read.value).training if own else TrainingConfig()
    return TrainSpec(autoencoder, _training_settings(usual, validation is None), validation=validation)


def _autoencoder(found: ImageSet) -> ModelConfig:
    st.subheader("Autoencoder")
    names = (
        DEFAULT,
        *(name for name, known in ARCHITECTURES.items() if architectures.fits(known.config, found.image_shape)),
    )
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
    usual = offers.usual_of(found).autoencoder
    assert isinstance(usual, AutoencoderConfig)
    return AutoencoderConfig(
        latent_size=st.slider(
            "latent_size", 2, 256, key=state.following("train.latent_size", usual.latent_size),
            help="Numbers an image is squeezed into: more keep more detail, fewer force it to find what is common.",
        ),
        width=st.select_slider(
            "width", (4, 8, 16, 24, 32, 48, 64), key=state.setting("train.width", usual.width),
            help="Channels of the first layer; the cost of training grows with its square.",
        ),
        value_range=st.selectbox(
            "value_range", tuple(RANGES), format_func=RANGES.__getitem__, key=state.setting("train.value_range", "unit"),
            help="Range of the pixels that the autoencoder reads and gives.",
        ),
    )  # fmt: skip


def _training_settings(usual: TrainingConfig, share: bool) -> TrainingConfig:
    chosen = replace(
        usual,
        epochs=st.number_input(
            "epochs", 1, 10_000, key=state.following("train.epochs", usual.epochs),
            help="How often it sees every image. After a training, more epochs go on from where it ended.",
        ),
        loss=st.selectbox("loss", tuple(LOSSES), format_func=LOSSES.__getitem__, key=state.setting("train.loss", "mse")),
        optimizer=st.selectbox(
            "optimizer", tuple(OPTIMIZERS), format_func=OPTIMIZERS.__getitem__, key=state.setting("train.optimizer", "adam")
        ),
        learning_rate=st.select_slider(
            "learning_rate", (1e-5, 3e-5, 1e-4, 3e-4, 5e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
            format_func="{:g}".format, key=state.following("train.learning_rate", usual.learning_rate),
            help="Size of each step. If the loss jumps about or is not finite, lower it.",
        ),
        weight_decay=st.select_slider(
            "weight_decay", (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2), format_func="{:g}".format,
            key=state.setting("train.weight_decay", 0.0),
        ),
        decay=st.number_input(
            "decay of learning_rate", 0.01, 1.0, step=0.01, key=state.following("train.decay", usual.decay),
            help="Factor of the learning rate from one epoch to the next: smaller steps towards the end settle better.",
        ),
        batch_size=st.select_slider(
            "batch_size", (16, 32, 64, 100, 128, 256, 512, 1024), key=state.following("train.batch_size", usual.batch_size)
        ),
        validation_share=0.0 if not share else st.slider(
            "validation_share", 0.0, 0.5, step=0.05, key=state.following("train.validation_share", usual.validation_share),
            help="Part of the images that is not learnt from, to see whether the model copes with new ones.",
        ),
        seed=st.number_input("seed", 0, 2**31, key=state.setting("train.seed", 0), help="Same seed, same weights."),
        precision=st.selectbox(
            "precision", tuple(PRECISIONS), format_func=PRECISIONS.__getitem__,
            key=state.following("train.precision", usual.precision),
            help="Mixed computes the layers in 16 bits: the loss stays near that of 32 bits, and processors made for it are "
            "quicker. Automatic is mixed on a GPU and full on a CPU.",
        ),
    )  # fmt: skip
    jitter = st.slider(
        "jitter", 0.0, 2.0, step=0.25, key=state.following("train.jitter", usual.jitter),
        help="Each image is learnt from turned, moved and scaled a little, anew each time; 1 is up to 12°, 9 % of a side and "
        "12 %. For images in which that changes nothing that matters.",
    )  # fmt: skip
    if not jitter:
        return replace(chosen, jitter=0.0, contrast=0.0, self_label_clusters=0)
    return _self_labelled(_contrasted(replace(chosen, jitter=jitter), usual), usual)


def _contrasted(chosen: TrainingConfig, usual: TrainingConfig) -> TrainingConfig:
    """Choose how much a model learns that turned and moved pictures show the same."""
    contrast = st.select_slider(
        "contrast", (0.0, 0.005, 0.01, 0.02, 0.05, 0.1), format_func="{:g}".format,
        key=state.following("train.contrast", usual.contrast),
        help="Weight of a second loss, which draws the latents of two such pictures of one image together and those of "
        "others apart: clusters follow what is shown more than where it lies.",
    )  # fmt: skip
    if not contrast:
        return replace(chosen, contrast=0.0)
    temperature = st.select_slider(
        "temperature", (0.05, 0.1, 0.2, 0.3, 0.5, 1.0), format_func="{:g}".format,
        key=state.following("train.temperature", usual.temperature),
        help="Of the contrast: the lower, the more it looks at the nearest of the other images.",
    )  # fmt: skip
    return replace(chosen, contrast=contrast, temperature=temperature)


def _self_labelled(chosen: TrainingConfig, usual: TrainingConfig) -> TrainingConfig:
    """Choose whether a model learns from clusters of its own latents."""
    k = st.number_input(
        "self_label_clusters", 0, 1000, key=state.following("train.self_label_clusters", usual.self_label_clusters),
        help="After some epochs it looks for so many clusters among its own latents and learns from the images that surely "
        "belong to one, so that clusters come apart. It begins with the number of classes, if the images have labels, which "
        "are not looked at otherwise; 0 goes without.",
    )  # fmt: skip
    if not k:
        return replace(chosen, self_label_clusters=0)
    return replace(
        chosen,
        self_label_clusters=k,
        self_label_from=st.number_input(
            "self_label_from", 1, 10_000, key=state.following("train.self_label_from", usual.self_label_from),
            help="Epochs before it looks for clusters first: its latents must tell them apart already. "
            "With no more epochs it never looks.",
        ),
        self_label_every=st.number_input(
            "self_label_every", 1, 10_000, key=state.following("train.self_label_every", usual.self_label_every),
            help="Epochs until it looks again.",
        ),
        self_label_weight=st.select_slider(
            "self_label_weight", (0.03, 0.1, 0.3, 1.0, 3.0), format_func="{:g}".format,
            key=state.following("train.self_label_weight", usual.self_label_weight),
            help="Of what it learns from them, beside the loss of the reconstruction.",
        ),
    )  # fmt: skip


def _layers(config: ModelConfig, found: ImageSet) -> None:
    """Show the layers, once asked for: they need torch, which takes seconds to load."""
    if not st.toggle("Show the layers", key=state.setting("train.layers", False)):
        return
    summary, rows = offers.summary(config, found.image_shape)
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
    running = [other.plan.model for other in server.jobs().all() if other.active]
    left = [item for item in trainings.interrupted(server.store(), found) if item.spec not in running]
    stopped = next((item for item in left if job is not None and _is_of(job, item)), None)
    learning.interrupted(source, [item for item in left if item is not stopped])
    text, button = st.columns([6, 1], vertical_alignment="center")
    text.markdown(
        f"Train an autoencoder on **{components.plain(found.name)}**: {len(found):,} images of "
        f"{shape_text(found.image_shape)}."
    )
    if button.button(
        "Train", type="primary", icon=":material/play_arrow:", disabled=active, width="stretch", key="start"
    ):
        job = server.start(plan, "model")
        st.rerun()
    if job is None:
        st.caption("Nothing is being trained. Choose the settings in the sidebar and press Train.")
        return
    poll = components.POLL_SECONDS if job.active else None
    door.part(learning.watch, poll)(job.id, job.active, stopped)


def _is_of(job: Job, item: Interrupted) -> bool:
    """Say whether a training was interrupted because its job was stopped."""
    return job.state == "cancelled" and job.plan.model == item.spec


def _followed(source: Source) -> Job | None:
    """Return the newest training on these images, whoever started it: a reload of the page loses nothing."""
    jobs = [job for job in server.jobs().all() if job.upto == "model" and job.plan.source == source]
    return max(jobs, key=lambda job: (job.active, job.submitted), default=None)

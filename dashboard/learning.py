"""A training as it goes on: progress, losses, and what the model makes of some images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core import trainings
from core.architectures import name_of
from core.images import Source
from core.jobs import Job
from core.models import Epoch
from core.plans import Plan
from core.training_state import Position
from core.trainings import Interrupted
from dashboard import components, server, state

SHOWN = 3  # interrupted trainings at most, the newest


def interrupted(source: Source, left: Sequence[Interrupted]) -> None:
    """Offer the trainings that were interrupted: each can go on, or be forgotten."""
    for item in left[:SHOWN]:
        text, on, away = st.columns([8, 1, 1], vertical_alignment="center")
        size = item.spec.autoencoder.latent_size
        what = name_of(item.spec.autoencoder) + ("" if size is None else f", {size} latents")
        after = item.position.text(item.spec.training.epochs)
        text.warning(
            components.plain(f"Interrupted after {after} ({item.made[:16].replace('T', ' ')} UTC): {what}."),
            icon=":material/pause_circle:",
        )
        name = f"{item.of}.{item.spec.training.epochs}"
        if on.button("Go on", key=f"go on.{name}", type="primary", width="stretch"):
            go_on(source, item)
        if away.button("Discard", key=f"discard.{name}", width="stretch", help="Models that it left stay."):
            trainings.discard(server.store(), item.of)
            st.rerun()


def go_on(source: Source, item: Interrupted) -> None:
    """Start an interrupted training again; it goes on where it was."""
    server.start(Plan(source, item.spec), "model")
    st.rerun(scope="app")


def watch(name: str, polling: bool, stopped: Interrupted | None = None) -> None:
    """Show a training job: its progress, its losses, and what the model makes of some images.

    `stopped` is what it left, if it ended before its last epoch.
    """
    job = server.jobs().get(name)
    if job is None or (polling and not job.active):
        st.rerun()
        return
    if job.active:
        components.job_progress(job)
    elif job.state == "failed":
        st.error(components.plain(job.error or "Training failed."), icon=":material/error:")
    elif job.state == "cancelled":
        _stopped(job, stopped)
    elif job.preview is None:
        st.success("This model was trained before; it is in the list below.", icon=":material/check_circle:")
    else:
        epochs = _counted(len(_history(job)), "epoch", "epochs")
        st.success(
            f"Trained for {epochs}, {components.duration(job.seconds)}. Keep it under a name in the list of models. "
            "With more epochs it goes on from here.",
            icon=":material/check_circle:",
        )
    so_far(job)


def so_far(job: Job) -> None:
    """Show the losses of a training job, and what the model makes of some images, as far as it has come."""
    if job.preview is not None and "went_on" in job.preview:
        st.caption(components.plain(f"It went on after {job.preview['went_on']}."))
    if _history(job):
        _curves(_history(job))
        _improvement(job)


def _stopped(job: Job, left: Interrupted | None) -> None:
    position = Position(len(_history(job))) if left is None else left.position
    counts = ((position.epoch, "epoch", "epochs"), (position.batch, "batch", "batches"))
    done = " and ".join(_counted(*count) for count in counts if count[0])
    told = (
        f"Stopped after {done}, {components.duration(job.seconds)}." if done else "Stopped before it learnt anything."
    )
    if left is not None:
        told += " It can go on from there."
    elif position.epoch:
        told += " Complete epochs are a model in the list below."
    text, button = st.columns([8, 1], vertical_alignment="center")
    text.info(told, icon=":material/stop_circle:")
    if left is not None and button.button("Go on", key="go on", type="primary", width="stretch"):
        go_on(job.plan.source, left)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _history(job: Job) -> Sequence[Epoch]:
    found: Sequence[Epoch] = (job.preview or {}).get("history", ())  # type: ignore[assignment]
    return found


def _curves(history: Sequence[Epoch]) -> None:
    last = history[-1]
    held_out = "" if last.validation_loss is None else f", {last.validation_loss:.4g} on validation images"
    st.caption(f"Loss after epoch {last.epoch:,}: {last.train_loss:.4g} on training images{held_out}.")
    if len(history) < 2:
        return  # a curve of one point is none
    rows = [
        {"epoch": item.epoch, "loss": loss, "loss of": kind}
        for item in history
        for kind, loss in (("training images", item.train_loss), ("validation images", item.validation_loss))
        if loss is not None
    ]
    st.line_chart(pd.DataFrame(rows), x="epoch", y="loss", color="loss of", height=280)


def _improvement(job: Job) -> None:
    if job.preview is None or "reconstructions" not in job.preview:
        return
    rows = state.epochs_seen(job.id, job.preview)
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

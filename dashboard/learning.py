"""A training as it goes on: progress, losses, and what the model makes of some images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.jobs import Job
from core.models import Epoch
from dashboard import components, server, state


def watch(name: str, polling: bool) -> None:
    """Show a training job: its progress, its losses, and what the model makes of some images."""
    job = server.jobs().get(name)
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
    told = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    return f"{how} after {told}, {components.duration(job.seconds)}. Keep it under a name in the list of models."


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

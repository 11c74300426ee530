"""Classify: what does a trained classifier see in these images, and where is it wrong?"""

import numpy as np
import pandas as pd
import streamlit as st

from core import classifier, keys, report, review, tables
from core.config import ClassifierConfig
from core.images import ImageSet, Source
from core.plans import Plan, Results, Staged, TrainedClassifier
from core.review import Predicted
from dashboard import components, inputs, offers, results, server, spreadsheet, state
from dashboard.sidebar import images, places

MAX_CONFUSION = 100  # classes whose confusion is drawn


def show() -> None:
    """Draw the page."""
    opened = images.opened()
    if opened is None:
        return
    read = opened.read
    with st.sidebar:
        ref, top = _settings(read.value)
    if ref is None:
        st.info(
            "Give the file of a classifier's weights in the sidebar. Its predictions are compared with the labels, and the "
            "output of an inner layer becomes the latents of a map.",
            icon=":material/category:",
        )
        return
    _classified(opened.chosen.source, read, ref, top)


def _settings(found: ImageSet) -> tuple[TrainedClassifier | None, int]:
    st.subheader("Classifier")
    names = offers.classifier_names()
    model = st.selectbox(
        "Network", names, key=state.setting("classify.model", "vgg16", names),
        help="A torchvision classifier, or one that whoever started this program allows to be imported.",
    )  # fmt: skip
    weights = places.typed(
        "Weights", "classify.weights", ("safetensors", "pt", "pth"), placeholder="/models/vgg16.safetensors",
        help="A .safetensors file, or a PyTorch file of tensors. Nothing is unpickled.",
    )  # fmt: skip
    classes = places.typed(
        "Class names", "classify.classes", ("json",), placeholder="/models/names.json",
        help='A JSON file such as {"0": "cat", "1": "dog"}.',
    )  # fmt: skip
    layer = st.text_input("Layer", key=state.setting("classify.layer", ""), placeholder="what enters the last linear layer",
                          help="The inner layer whose output becomes the latents, such as classifier.4 of vgg16.")  # fmt: skip
    with st.expander("Preparation"):
        resize = st.number_input(
            "resize", 8, 1024, key=state.setting("classify.resize", 256), help="Shorter side, pixels."
        )
        crop = st.number_input(
            "crop", 8, 1024, key=state.setting("classify.crop", 224), help="Middle square, pixels."
        )
    compared = found.y is not None and st.checkbox(
        "The labels are its classes", key=state.setting("classify.compared", True),
        help="Compare its predictions with the images' labels.",
    )  # fmt: skip
    top = st.number_input("top n", 1, 10, key=state.setting("classify.top", 3))
    if not weights:
        return None, top
    config = ClassifierConfig(model, layer.strip() or None, resize, crop)
    return TrainedClassifier(config, weights, classes or None, compared), top


def _classified(source: Source, read: Staged[ImageSet], ref: TrainedClassifier, top: int) -> None:
    plan = Plan(source, ref)
    offers.check_allowed(ref)
    model = inputs.model(ref, read.value)
    if model is None:
        return
    job = server.job_for(plan, "latents")
    if job is not None and job.active:
        components.watch(job)
        return
    if not server.store().has("latents", keys.latents_key(model.value, read)):
        if job is not None and job.state in ("failed", "cancelled"):
            components.job_ended(job, "Try again" if job.state == "failed" else "Go on")
            return
        st.markdown(
            f"**{len(read.value):,} images** are not classified yet. A run that is stopped goes on where it was."
        )
        if st.button("Classify", type="primary", icon=":material/play_arrow:", key="classify"):
            server.start(plan, "latents")
            st.rerun()
        return
    encoded = results.latents_of(plan, model, read)
    if encoded is None:
        return
    state.remember_classifier(read.value.fingerprint, ref)
    found = Results(read, model, encoded)
    answers = review.predicted(found)
    if answers is not None:
        _answers(found, answers, min(top, len(answers.names)))


def _answers(found: Results, answers: Predicted, top: int) -> None:
    columns = st.columns(4)
    columns[0].metric("Images", f"{len(answers.labels):,}")
    columns[1].metric("Classes", f"{len(answers.names):,}")
    if answers.accuracy() is not None:
        columns[2].metric(
            "Accuracy", f"{100 * (answers.accuracy() or 0):.1f} %", help="Share whose likeliest class is the label."
        )
        columns[3].metric(f"Top-{top}", f"{100 * (answers.accuracy(top) or 0):.1f} %",
                          help=f"Share whose label is among the {top} likeliest classes.")  # fmt: skip
    if st.button("Explore what it sees", icon=":material/scatter_plot:", on_click=state.choose_model,
                 args=(found.images.value.fingerprint, state.classifier_of(found.images.value.fingerprint))):  # fmt: skip
        page = state.page("explore")
        if page is not None:
            st.switch_page(page)
    st.caption("A classifier makes no reconstructions; the map shows each image alone.")
    if answers.truth is not None:
        _confusion(answers)
    frame = tables.answers(found, top)
    st.subheader("Predictions")
    shown = [name for name in frame if not str(name).startswith("confidence ")]
    st.dataframe(frame[shown], hide_index=True)
    name = report.file_stem(found)
    left, right, _ = st.columns([1, 1, 2])
    left.download_button("All as CSV", spreadsheet.csv(lambda: frame), f"{name}-classes.csv", "text/csv", on_click="ignore",
                         help="With the confidence of every class.", width="stretch")  # fmt: skip
    right.download_button("Features .npy", lambda: tables.latents_npy(found), f"{name}-features.npy", on_click="ignore",
                          help="float32 (n, d), row for row.", width="stretch")  # fmt: skip


def _confusion(answers: Predicted) -> None:
    st.subheader("Confusion")
    assert answers.truth is not None
    table = classifier.confusion(answers.truth, answers.labels, len(answers.names))
    used = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1))
    if len(used) > MAX_CONFUSION:
        st.caption(f"{len(used)} classes occur, too many to draw; the CSV holds all predictions.")
        return
    names = [answers.names[i] for i in used]
    frame = pd.DataFrame(table[np.ix_(used, used)], index=pd.Index(names, name="true"), columns=names)
    st.caption("Rows: the true class. Columns: the predicted one. The diagonal is right.")
    st.dataframe(frame.style.background_gradient("Blues", axis=None))

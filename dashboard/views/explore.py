"""Explore: where do images lie, which belong together, and which lie in the wrong place?"""

from dataclasses import replace

import streamlit as st

from core import figures, report
from core.config import FeaturesConfig
from core.images import ImageSet
from core.plans import Plan, TrainSpec
from dashboard import (
    beside,
    components,
    door,
    drawn,
    further,
    inputs,
    learning,
    moves,
    offers,
    reviewing,
    saved,
    scenes,
    server,
    state,
    takeaway,
    workbench,
)
from dashboard.scenes import Scene
from dashboard.sidebar import clusters, display, images, maps, models, recipe, ways


def show() -> None:
    """Draw the page."""
    opened = images.opened()
    if opened is None:
        return
    source, found = opened.chosen.source, opened.read.value
    with st.sidebar:
        of_recipe = recipe.choose(opened)
        ref = None if of_recipe is not None and of_recipe.ref is None else models.model(found, of_recipe)
    if of_recipe is not None and of_recipe.ref is None:
        _no_weights()
        return
    if ref is None:
        _no_model(found)
        return
    trained = inputs.model(ref, found)
    if trained is None:
        _learn(Plan(source, ref))
        return
    with st.sidebar:
        n, d = len(found), inputs.n_latents(trained.value)
        reduction, projection = maps.projection(n, d, ways.reduction(n, d))
        cluster = clusters.cluster(found, None if of_recipe is None else of_recipe.recipe)
        told = st.empty()
        plan = Plan(source, ref, reduction, projection, cluster, clusters.known(found), metadata=opened.metadata)
        plan = moves.started(plan)
        texts = {choice.ref: choice.text for choice in offers.model_choices(found)}
        plan = replace(plan, others=clusters.ensemble(plan, tuple(texts), texts))
        maps_beside = beside.choose(plan, {ref: text for ref, text in texts.items() if ref != plan.model}, n)
    scene = scenes.find(plan)
    if scene is not None:
        ways.tell(told, scene.shown)
        _draw(replace(scene, beside=maps_beside), "default" if of_recipe is None else of_recipe.recipe.name)


def _learn(plan: Plan) -> None:
    """Train the model that was chosen, of a recipe or for features; one that was chosen before with other settings stops."""
    if not isinstance(plan.model, TrainSpec):
        st.warning("This model is no longer in the store. Choose another one, or train it again on the Train page.")
        return
    job = server.job_for(plan, "model")
    if job is None or job.state == "done":
        job = server.start(plan, "model")
    earlier = state.training_of_recipe(job.id)
    if earlier is not None and earlier != job.id:
        server.jobs().cancel(earlier)
    what = "The model is trained first"
    if isinstance(plan.model.autoencoder, FeaturesConfig):
        what = (
            "The pretrained network reads each image once, and a decoder learns to turn its features back into images"
        )
    st.markdown(f"{what}; then the map appears here. Stopping keeps complete epochs.")
    if job.active:
        door.part(learning.watch, components.POLL_SECONDS)(job.id, True)
    else:
        components.job_ended(job, "Go on" if job.state == "cancelled" else "Try again")
        learning.so_far(job)


def _no_weights() -> None:
    st.info(
        "This recipe needs a trained classifier: give the file of its weights on the Classify page, then explore what it "
        "sees from there.",
        icon=":material/category:",
    )
    page = state.page("classify")
    if page is not None:
        st.page_link(page, label="Choose a classifier")


def _no_model(found: ImageSet) -> None:
    st.info(
        "There is no model for these images yet. Train one: an autoencoder learns to squeeze each image into a few "
        "numbers, its latents, and these make the map.",
        icon=":material/model_training:",
    )
    usual = offers.usual_of(found)
    st.button(
        f"Train the default autoencoder, {usual.training.epochs} epochs", key="train usual", type="primary",
        icon=":material/play_arrow:", on_click=models.take, args=(found, usual),
    )  # fmt: skip
    page = state.page("train")
    if page is not None:
        st.page_link(page, label="Choose its settings on the Train page")
    command = offers.how_to_install()
    st.caption(
        "Or choose pretrained features as the model in the sidebar."
        if command is None
        else f"Or let a network see them that learnt from photographs: `{command}`, and choose it as the model in the sidebar."
    )
    with st.expander(f"{len(found):,} images", expanded=True):
        components.gallery([components.Picture([found.x[i]], [found.ids[i]]) for i in range(min(24, len(found)))])


def _draw(scene: Scene, recipe_name: str) -> None:
    job = scenes.job_of(scene)
    scene = scenes.with_left(scene, job)
    whole = further.attached(reviewing.attached(scene.shown))
    columns = drawn.columns(whole)
    names = tuple(column.title for column in columns)
    kinds = tuple(column.title for column in columns if isinstance(column, figures.Category))
    dims = report.dimensions(scene.shown)
    with st.sidebar:
        drawing = display.choose(names, kinds, dims)
        if scene.unfinished:
            takeaway.nothing()
        else:
            takeaway.panel(whole, drawing)
            takeaway.compare(scene.plan, scene.shown, recipe_name)
        saved.panel(scene.shown.images.value)
        display.store_status(scene.shown)
    numbers = st.container()
    polling = components.POLL_SECONDS if job is not None and job.active else None
    door.part(workbench.show, polling)(scene, drawing, job.id if job is not None else None)
    if scenes.formed(scene, job) is None:  # of a map that only a sample has a place on there are none
        with numbers:
            components.numbers(drawn.scores(scene.shown))

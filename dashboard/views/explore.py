"""Explore: where do images lie, which belong together, and which lie in the wrong place?"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from core import clustering, figures, report
from core.config import PCAConfig, ProjectionConfig, ReductionConfig
from core.errors import ConfigError, DataError
from core.figures import MapSpec
from core.images import ImageSet
from core.jobs import Job
from core.plans import Plan, Results, StageName, TrainSpec, some
from core.projection import Projection
from core.selection import Pick, picked
from dashboard import (
    beside,
    chosen,
    components,
    drawn,
    further,
    learning,
    offers,
    results,
    reviewing,
    saved,
    sessions,
    state,
    takeaway,
)
from dashboard.panels import (
    cards,
    charts,
    duplicates,
    labels,
    matrix,
    neighbours,
    outliers,
    pictures,
    suspects,
    sweep,
    table,
    toolbar,
    walks,
)
from dashboard.scatter import scatter
from dashboard.sidebar import clusters, display, images, maps, models, recipe

PANELS: Mapping[str, Callable[[Results], None]] = {
    "Pictures": pictures.show,
    "Table": table.show,
    "Histograms": charts.show,
    "Neighbours": neighbours.show,
    "Walks": walks.show,
    matrix.NAME: matrix.show,
    "Choose k": sweep.show,
    "Cluster cards": cards.show,
    "Suspects": suspects.show,
    "Outliers": outliers.show,
    "Duplicates": duplicates.show,
    "Few labels": labels.show,
}


@dataclass(frozen=True)
class Scene:
    """What the page shows: the plan asked for, the map drawn with all its stages, and what is still missing."""

    plan: Plan
    drawn: ProjectionConfig
    shown: Results
    missing: StageName | None
    seconds: float
    beside: tuple[tuple[Plan, str], ...] = ()


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
    trained = results.model(ref, found)
    if trained is None:
        _learn(Plan(source, ref))
        return
    with st.sidebar:
        reduction, projection = maps.projection(len(found), results.n_latents(trained.value))
        cluster = clusters.cluster(found, None if of_recipe is None else of_recipe.recipe)
        plan = Plan(source, ref, reduction, projection, cluster, clusters.known(found), metadata=opened.metadata)
        texts = {choice.ref: choice.text for choice in offers.model_choices(found)}
        plan = replace(plan, others=clusters.ensemble(plan, tuple(texts), texts))
        maps_beside = beside.choose(plan, {ref: text for ref, text in texts.items() if ref != plan.model})
    scene = _scene(plan)
    if scene is not None:
        _draw(replace(scene, beside=maps_beside), "default" if of_recipe is None else of_recipe.recipe.name)


def _learn(plan: Plan) -> None:
    """Train the model of a recipe; one that was chosen before with other settings stops."""
    if not isinstance(plan.model, TrainSpec):
        st.warning("This model is no longer in the store. Choose another one, or train it again on the Train page.")
        return
    job = results.job_for(plan, "model")
    if job is None or job.state == "done":
        job = results.jobs().start(plan, "model")
    earlier = state.training_of_recipe(job.id)
    if earlier is not None and earlier != job.id:
        results.jobs().cancel(earlier)
    st.markdown(
        "The model of this recipe is trained first; then its map appears here. Stopping keeps complete epochs."
    )
    if not job.active:
        components.job_ended(job)
    st.fragment(learning.watch, run_every=components.POLL_SECONDS if job.active else None)(job.id, job.active)


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
    page = state.page("train")
    if page is not None:
        st.page_link(page, label="Train a model on these images")
    with st.expander(f"{len(found):,} images", expanded=True):
        components.gallery([components.Picture([found.x[i]], [found.ids[i]]) for i in range(min(24, len(found)))])


def _make(plan: Plan, upto: StageName) -> None:
    """Start, watch or report the job of a stage that is made without being asked."""
    job = results.job_for(plan, upto)
    if job is not None and job.state in ("failed", "cancelled"):
        components.job_ended(job)
    else:
        components.watch(results.jobs().start(plan, upto))


def _scene(plan: Plan) -> Scene | None:
    """Find what can be shown of a plan; while its map is missing, with the map shown before."""
    place = f"{plan.source!r} {plan.model!r}"
    missing: StageName | None = None
    seconds = 0.0
    try:
        look = results.look(plan)
        missing, seconds = look.missing, look.seconds
    except (ConfigError, DataError) as error:
        components.problem(error)
        look = None
    if look is not None and missing == "latents":
        _make(plan, "latents")
        return None
    if look is not None and missing is None and look.results is not None:
        state.remember_map(place, plan.reduction, plan.projection, plan.cluster)
        return Scene(plan, plan.projection, look.results, None, 0.0)
    for reduction, projection, cluster in (
        *state.last_maps(place, plan),
        (ReductionConfig(), PCAConfig(2), plan.cluster),
    ):
        other = replace(plan, reduction=reduction, projection=projection, cluster=cluster, others=())
        # What is attached may be what went wrong; the map stays without it.
        earlier = _complete(other) or _complete(replace(other, known="", metadata=""))
        if earlier is not None:
            return Scene(plan, projection, earlier, missing, seconds)
    if missing is not None:
        _make(plan, missing)
    return None


def _complete(plan: Plan) -> Results | None:
    try:
        look = results.look(plan)
    except (ConfigError, DataError):
        return None
    return look.results if look.missing is None else None


def _draw(scene: Scene, recipe_name: str) -> None:
    whole = further.attached(reviewing.attached(scene.shown))
    columns = drawn.columns(whole)
    names = tuple(column.title for column in columns)
    kinds = tuple(column.title for column in columns if isinstance(column, figures.Category))
    dims = report.dimensions(scene.shown)
    with st.sidebar:
        drawing = display.choose(names, kinds, dims)
        takeaway.panel(whole, drawing)
        takeaway.compare(scene.plan, scene.shown, recipe_name)
        saved.panel(scene.shown.images.value)
        display.store_status(scene.shown)
    numbers = st.container()
    job = _job(scene)
    polling = components.POLL_SECONDS if job is not None and job.active else None
    st.fragment(_area, run_every=polling)(scene, drawing, job.id if job is not None else None)
    with numbers:
        components.numbers(results.scores(scene.shown))


def _job(scene: Scene) -> Job | None:
    """Return the job of the stage that is missing; quick ones start by themselves."""
    if scene.missing is None:
        return None
    job = results.job_for(scene.plan, scene.missing)
    limit = {"projection": results.LIVE_SECONDS, "clustering": results.ASK_SECONDS}.get(scene.missing, math.inf)
    if job is None and scene.seconds <= limit:
        return results.jobs().start(scene.plan, scene.missing)
    return job


def _area(scene: Scene, drawing: display.Display, job_name: str | None) -> None:
    """Draw progress, map and selection; runs alone while a job is polled and after a selection."""
    job = results.jobs().get(job_name) if job_name is not None else None
    shown = scene.shown
    if scene.missing is not None:
        shown = _pending(scene, job)
    shown = further.attached(reviewing.attached(shown))
    problem = state.taken(reviewing.PROBLEM)
    if problem:
        st.error(components.plain(problem), icon=":material/error:")
    others = beside.found(scene.beside, shown)
    company = beside.company(shown, others) if beside.fading() or beside.lines() else None
    within = chosen.scope(shown.images.value)
    only = None if within.all() else np.flatnonzero(within)

    def spec_of(found: Results) -> MapSpec:
        return drawn.map_spec(
            found,
            color=company.title if company is not None and beside.fading() else further.usable(found, drawing.color),
            symbol=further.usable(found, drawing.symbol),
            point_size=drawing.point_size,
            opacity=drawing.opacity,
            crowd=drawing.crowd,
            pictures=drawing.pictures,
            limit=report.MAX_3D if report.dimensions(found) == 3 else None,
            only=only,
            further=() if company is None else (company,),
        )

    spec = spec_of(shown)
    if len(spec.rows) < within.sum():
        st.caption(f"{len(spec.rows):,} of {int(within.sum()):,} images are drawn in 3-D, chosen at random.")
    if shown.latents is not None and shown.latents.value.reconstructions is None:
        st.caption("A classifier makes no reconstructions: under the mouse is the image alone.")
    images = shown.images.value

    def pick(on: MapSpec, drawn: Pick) -> None:
        chosen.pick(images, picked(drawn, on.coordinates, on.rows, on.groups), drawn.mode)

    options: dict[str, Any] = {
        "sheets": results.sheets_of(shown), "selected": chosen.mask(images), "mode": toolbar.mode(),
        "radius": toolbar.radius(), "turn": state.turn(),
    }  # fmt: skip
    maps_place, panels_place = components.workbench()
    with maps_place:
        toolbar.show(shown)
        places = beside.cells(1 + len(others), int(chosen.mask(images).sum()), report.dimensions(shown) == 2)
        with places[0]:
            if others:
                beside.heading(report.title_of(scene.drawn), shown)
            scatter(
                spec, key="map", on_pick=lambda drawn: pick(spec, drawn), view=state.value("camera"), on_view=_moved,
                mark=state.placed(some(shown.model).value.fingerprint, report.dimensions(shown)), small=bool(others),
                link=(0, beside.lines()) if others else None, **options,
            )  # fmt: skip
        if others:
            beside.draw(others, places[1:], spec_of, shown, pick, options)
    with panels_place:
        name = st.pills(
            "Panel", tuple(PANELS), format_func=lambda name: matrix.title(name, shown),
            key=state.setting("panel", next(iter(PANELS)), PANELS), label_visibility="collapsed",
        )  # fmt: skip
        PANELS[name or next(iter(PANELS))](shown)
    takeaway.pictures_panel(scene.shown)
    sessions.write_address()


def _moved(view: Any) -> None:
    """Remember where the reader is on the map, so that a link opens it there."""
    if sessions.camera(view):
        state.change("camera", dict(view))
        sessions.write_address()


def _meanwhile(scene: Scene) -> str:
    same = scene.missing == "clustering" or type(scene.drawn) is type(scene.plan.projection)
    return "the map shown before" if same else f"{report.title_of(scene.drawn)} meanwhile"


def _title(scene: Scene) -> str:
    if scene.missing == "clustering":
        return clustering.title_of(scene.plan.cluster.method)
    return report.title_of(scene.plan.projection)


def _pending(scene: Scene, job: Job | None) -> Results:
    """Say what is missing and how to get it; return what to draw meanwhile, which is the map as it forms."""
    if job is None:
        text, button = st.columns([7, 1], vertical_alignment="center")
        text.info(
            f"{_title(scene)} with these settings takes about {components.duration(scene.seconds)} here. "
            f"Below is {_meanwhile(scene)}.",
            icon=":material/hourglass_empty:",
        )
        if button.button("Run", type="primary", icon=":material/play_arrow:", width="stretch", key="run"):
            results.jobs().start(scene.plan, scene.missing or "projection")
            st.rerun()
        return scene.shown
    if job.state == "done":
        st.rerun()
    if not job.active:
        components.job_ended(job)
        return scene.shown
    components.job_progress(job)
    if scene.missing == "clustering" and scene.seconds > results.LIVE_SECONDS:
        st.caption(f"{_title(scene)} takes about {components.duration(scene.seconds)} here.")
    coordinates = (job.preview or {}).get("coordinates")
    if coordinates is None or scene.shown.projection is None:
        return scene.shown
    divergence = job.progress.metrics.get("kl_divergence", math.nan) if job.progress is not None else math.nan
    value = Projection(np.asarray(coordinates), kl_divergence=divergence)
    forming = replace(scene.shown.projection, value=value, key=f"forming {job.id}")
    return replace(scene.shown, projection=forming)

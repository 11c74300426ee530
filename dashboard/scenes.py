"""What Explore shows of a plan: its results where they are there, else the map shown before, and what is still missing."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from core import clustering, report, ways
from core.config import ClusterConfig, PCAConfig, ProjectionConfig, ReductionConfig, clusters_of
from core.errors import ConfigError, DataError
from core.jobs import Job
from core.plans import Plan, Results, StageName
from core.projection import Projection
from core.recipes import DEFAULT_CLUSTERS
from dashboard import components, inputs, results, server, state


@dataclass(frozen=True)
class Scene:
    """What the page shows: the plan asked for, the map drawn with all its stages, and what is still missing.

    Parameters
    ----------
    unfinished : the map drawn is what a job left that was stopped; it is nowhere kept.
    """

    plan: Plan
    drawn: ProjectionConfig
    shown: Results
    missing: StageName | None
    seconds: float
    beside: tuple[tuple[Plan, str], ...] = ()
    unfinished: bool = False


def find(plan: Plan) -> Scene | None:
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
        state.remember_map(place, plan)
        return Scene(plan, plan.projection, look.results, None, 0.0)
    simple = replace(plan, reduction=ReductionConfig(), projection=PCAConfig(2), start=None)
    quick = quick_clusters(plan)
    for last in (
        *state.last_maps(place, plan), replace(plan, cluster=quick), simple, replace(simple, cluster=quick)
    ):  # fmt: skip
        other = replace(last, others=())
        # What is attached may be what went wrong; the map stays without it.
        earlier = _complete(other) or _complete(replace(other, known="", metadata=""))
        if earlier is not None:
            return Scene(plan, other.projection, earlier, missing, seconds)
    if missing is not None:
        _make(plan, missing)
    return None


def quick_clusters(plan: Plan) -> ClusterConfig:
    """Return clusters to show while a plan's own are made, of the latents themselves."""
    read = inputs.images(plan.source)
    n = 1 if read is None else len(read.value)
    return ways.cluster_of(ways.WAYS[ways.KMEANS], n, min(clusters_of(plan.cluster.method) or DEFAULT_CLUSTERS, n))


def _make(plan: Plan, upto: StageName) -> None:
    """Start, watch or report the job of a stage that is made without being asked."""
    job = server.job_for(plan, upto)
    if job is not None and job.state in ("failed", "cancelled"):
        components.job_ended(job)
    else:
        components.watch(server.start(plan, upto))


def _complete(plan: Plan) -> Results | None:
    try:
        look = results.look(plan)
    except (ConfigError, DataError):
        return None
    return look.results if look.missing is None else None


def job_of(scene: Scene) -> Job | None:
    """Return the job of the stage that is missing; quick ones start by themselves."""
    if scene.missing is None:
        return None
    job = server.job_for(scene.plan, scene.missing)
    limits = {"projection": results.LIVE_SECONDS, "manifold": results.ASK_SECONDS, "clustering": results.ASK_SECONDS}
    limit = limits.get(scene.missing, math.inf)
    if job is None and scene.seconds <= limit:
        return server.start(scene.plan, scene.missing)
    return job


def _meanwhile(scene: Scene) -> str:
    if scene.missing == "manifold":
        return "what was shown before"
    same = scene.missing == "clustering" or type(scene.drawn) is type(scene.plan.projection)
    return "the map shown before" if same else f"{report.title_of(scene.drawn)} meanwhile"


def _title(scene: Scene) -> str:
    if scene.missing == "manifold":
        return ways.title_of(scene.plan.cluster.manifold)
    if scene.missing == "clustering":
        return clustering.title_of(scene.plan.cluster.method)
    return report.title_of(scene.plan.projection)


def _clustered(plan: Plan) -> tuple[object, ...]:
    """Return what of a plan decides its clusters, after the latents."""
    on = plan.cluster.on
    return plan.cluster, on != "latents" and plan.reduction, on == "projection" and (plan.projection, plan.start)


def pending(scene: Scene, job: Job | None) -> Results:
    """Say what is missing and how to get it; return what to draw meanwhile, which is the map as it forms."""
    drawn = scene.shown.plan
    if drawn is not None and _clustered(drawn) != _clustered(scene.plan):
        st.caption(components.plain(f"Clusters meanwhile: {' → '.join(ways.steps(drawn, scene.shown))}."))
    if job is None:
        text, button = st.columns([7, 1], vertical_alignment="center")
        text.info(
            f"{_title(scene)} with these settings takes about {components.duration(scene.seconds)} here. "
            f"Below is {_meanwhile(scene)}.",
            icon=":material/hourglass_empty:",
        )
        if button.button("Run", type="primary", icon=":material/play_arrow:", width="stretch", key="run"):
            server.start(scene.plan, scene.missing or "projection")
            st.rerun()
        return scene.shown
    if job.state == "done" or _left(scene, job) != scene.unfinished:
        st.rerun()
    if scene.unfinished:
        _stopped(scene, job)
        return scene.shown
    if not job.active:
        components.job_ended(job)
        return scene.shown
    components.job_progress(job)
    if scene.missing in ("manifold", "clustering") and scene.seconds > results.LIVE_SECONDS:
        st.caption(f"{_title(scene)} takes about {components.duration(scene.seconds)} here.")
    return _forming(scene.shown, job, "forming")


def with_left(scene: Scene, job: Job | None) -> Scene:
    """Let a scene show what its job left when it was stopped, unless that was dismissed."""
    if job is None or not _left(scene, job):
        return scene
    return replace(
        scene, shown=_forming(scene.shown, job, "unfinished"), drawn=scene.plan.projection, unfinished=True
    )


def _left(scene: Scene, job: Job) -> bool:
    """Say whether the job of a map was stopped and left one that was not dismissed."""
    made = scene.missing == "projection" and scene.shown.projection is not None and job.state == "cancelled"
    return (
        made and bool({"coordinates", "sample"} & set(job.preview or {})) and not state.marked("dismissed", job.run)
    )


def formed(scene: Scene, job: Job | None) -> np.ndarray | None:
    """Return the rows that have a place on a map that forms, or that was stopped, where only a sample of the images has one."""
    if scene.missing != "projection" or job is None or not (job.active or scene.unfinished):
        return None
    rows: Any = (job.preview or {}).get("rows")
    return rows


def _forming(shown: Results, job: Job, word: str) -> Results:
    """Return results with the newest map of a job in place of theirs, where there is one."""
    preview = job.preview or {}
    coordinates: Any = preview.get("coordinates")
    if shown.projection is not None and "sample" in preview:
        sample: Any = preview["sample"]
        coordinates = np.zeros((len(shown.images.value), sample.shape[1]), np.float32)
        coordinates[preview["rows"]] = sample
    if coordinates is None or shown.projection is None:
        return shown
    divergence = None if job.progress is None else job.progress.metrics.get("kl_divergence")
    value = Projection(np.asarray(coordinates), kl_divergence=divergence)
    projection = replace(shown.projection, value=value, key=f"{word} {job.run}", found=False)
    return replace(shown, projection=projection)


def _stopped(scene: Scene, job: Job) -> None:
    """Say how far a map is that was stopped, with buttons that make it again or go back to the one before."""
    progress, said = job.progress, "Unfinished: stopped"
    if progress is not None and progress.stage == _title(scene):
        said += f" at {progress.unit} {progress.done:,} of {progress.total:,}"
        divergence = progress.metrics.get("kl_divergence")
        said += "" if divergence is None else f", KL {divergence:.2f}"
    elif progress is not None:
        said += f" during “{progress.stage}”; all images lie as a map of a sample of them says"
    text, again, back = st.columns([6, 1, 1], vertical_alignment="center")
    text.warning(f"{components.plain(said)}.", icon=":material/pause_circle:")
    if again.button(
        "Begin again", key=f"again.{job.id}", width="stretch",
        help="Makes the whole map from its settings: what was stopped cannot be taken up.",
    ):  # fmt: skip
        server.start(scene.plan, "projection")
        st.rerun()
    if back.button("Dismiss", key=f"dismiss.{job.id}", width="stretch", help="Back to the map shown before."):
        state.mark("dismissed", job.run)
        st.rerun()

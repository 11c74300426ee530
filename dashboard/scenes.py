"""What Explore shows of a plan: its results where they are there, else the map shown before, and what is still missing."""

import math
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from core import clustering, report
from core.config import PCAConfig, ProjectionConfig, ReductionConfig
from core.errors import ConfigError, DataError
from core.jobs import Job
from core.plans import Plan, Results, StageName
from core.projection import Projection
from dashboard import components, results, server, state


@dataclass(frozen=True)
class Scene:
    """What the page shows: the plan asked for, the map drawn with all its stages, and what is still missing."""

    plan: Plan
    drawn: ProjectionConfig
    shown: Results
    missing: StageName | None
    seconds: float
    beside: tuple[tuple[Plan, str], ...] = ()


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


def _make(plan: Plan, upto: StageName) -> None:
    """Start, watch or report the job of a stage that is made without being asked."""
    job = server.job_for(plan, upto)
    if job is not None and job.state in ("failed", "cancelled"):
        components.job_ended(job)
    else:
        components.watch(server.jobs().start(plan, upto))


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
    limit = {"projection": results.LIVE_SECONDS, "clustering": results.ASK_SECONDS}.get(scene.missing, math.inf)
    if job is None and scene.seconds <= limit:
        return server.jobs().start(scene.plan, scene.missing)
    return job


def _meanwhile(scene: Scene) -> str:
    same = scene.missing == "clustering" or type(scene.drawn) is type(scene.plan.projection)
    return "the map shown before" if same else f"{report.title_of(scene.drawn)} meanwhile"


def _title(scene: Scene) -> str:
    if scene.missing == "clustering":
        return clustering.title_of(scene.plan.cluster.method)
    return report.title_of(scene.plan.projection)


def pending(scene: Scene, job: Job | None) -> Results:
    """Say what is missing and how to get it; return what to draw meanwhile, which is the map as it forms."""
    if job is None:
        text, button = st.columns([7, 1], vertical_alignment="center")
        text.info(
            f"{_title(scene)} with these settings takes about {components.duration(scene.seconds)} here. "
            f"Below is {_meanwhile(scene)}.",
            icon=":material/hourglass_empty:",
        )
        if button.button("Run", type="primary", icon=":material/play_arrow:", width="stretch", key="run"):
            server.jobs().start(scene.plan, scene.missing or "projection")
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

"""Cached access to the pipeline, by stage key: what is there is shown, what is cheap is computed, the rest is a job.

Nothing here draws. A stage that is neither in the store nor cheap is `missing`; the view then starts a job, at once
or behind a button, and shows what it has meanwhile.
"""

from dataclasses import dataclass, replace
from typing import Any, TypeVar

from core import clustering, keys, moving, pipeline, stages, timing
from core.config import (
    ClusterConfig,
    ProjectionConfig,
    ReductionConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.errors import ConfigError, DataError
from core.images import ImageSet, Source
from core.latents import Latents
from core.plans import (
    AnyModel,
    Plan,
    Results,
    Staged,
    StageName,
    some,
)
from core.progress import ignore
from core.projection import check_size
from core.store import Cleared
from dashboard import inputs
from dashboard.caches import cached
from dashboard.inputs import images, metadata, model, never, whole
from dashboard.server import store

T = TypeVar("T")
LIVE_SECONDS = 2.0  # what is predicted to take longer never blocks a page
ASK_SECONDS = 10.0  # clusters that are predicted to take longer are made when asked for


@dataclass(frozen=True)
class Look:
    """What there is of a plan: its stages, the first one `missing`, and the seconds that would take."""

    plan: Plan
    results: Results | None
    missing: StageName | None = None
    seconds: float = 0.0


@cached(max_entries=3, show_spinner=False)
def _latents(key: str, _model: AnyModel, _images: Staged[ImageSet], _source: Source) -> Staged[Latents]:
    return stages.latents(store(), _model, _images, _source, never)


@cached(max_entries=8, show_spinner=False)
def _reduced(key: str, _before: Staged[Latents], _config: ReductionConfig) -> Staged[Any]:
    return stages.reduced(store(), _before, _config)


@cached(max_entries=8, show_spinner=False)
def _manifold(key: str, _before: Staged[Any], _config: UMAPConfig) -> Staged[Any]:
    return stages.manifold(store(), _before, _config, never)


@cached(max_entries=64, show_spinner=False)
def _projection(
    key: str, _before: Staged[Any], _config: ProjectionConfig, _start: ProjectionConfig | None
) -> Staged[Any]:
    iterative = isinstance(_config, TSNEConfig | UMAPConfig)
    return moving.projection(store(), _before, _config, _start, never if iterative else ignore)


@cached(max_entries=128, show_spinner=False)
def _clustering(key: str, _on: Staged[Any], _config: ClusterConfig) -> Staged[Any]:
    return stages.clustering(store(), _on, _config)


def look(plan: Plan) -> Look:
    """Find or cheaply make the stages of a plan, up to the first that is missing.

    Coordinates that only clusters need are missed before the map where they need no button, else after it.

    Raises
    ------
    ExplorerError : a setting cannot work with these images.
    """
    unfolded = _unfolded(plan, _reduced_latents(plan))
    if unfolded.results is None or (unfolded.missing is not None and unfolded.seconds <= ASK_SECONDS):
        return unfolded
    mapped = _mapped(plan, unfolded.results)
    if mapped.missing is not None or mapped.results is None:
        return mapped
    if unfolded.missing is not None:
        return replace(unfolded, results=mapped.results)
    return _clustered(plan, mapped.results)


def has_map(plan: Plan) -> bool:
    """Say whether there is a plan's map; False where a setting cannot work."""
    try:
        reduced = _reduced_latents(plan)
        return (
            reduced.missing is None and reduced.results is not None and _mapped(plan, reduced.results).missing is None
        )
    except (ConfigError, DataError):
        return False


def _unfolded(plan: Plan, reduced: Look) -> Look:
    """Add the UMAP coordinates that are clustered, once the settings of all that follows are known to work."""
    here, config = reduced.results, plan.cluster.manifold
    if reduced.missing is not None or here is None:
        return reduced
    before = some(here.reduced)
    n, d = before.value.values.shape
    check_size(plan.projection, n)
    clustering.check_size(plan.cluster.method, n)
    if plan.cluster.on != "manifold":
        return reduced
    check_size(config, n)
    key, seconds = keys.manifold_key(before.key, config), timing.predict_seconds(config, n, d)
    found = whole(lambda: _manifold(key, before, config)) if store().has("manifold", key) else None
    return Look(plan, here, "manifold", seconds) if found is None else Look(plan, replace(here, manifold=found))


def _mapped(plan: Plan, here: Results) -> Look:
    before = some(here.reduced)
    n, d = before.value.values.shape
    key = keys.map_key(before.key, plan.projection, plan.start)
    if not store().has("projection", key):
        seconds = _map_seconds(plan, before.key, n, d)
        if isinstance(plan.projection, TSNEConfig | UMAPConfig) or seconds > LIVE_SECONDS:
            return Look(plan, here, "projection", seconds)
    projection = whole(lambda: _projection(key, before, plan.projection, plan.start))
    if projection is None:
        return Look(plan, here, "projection", _map_seconds(plan, before.key, n, d))
    return Look(plan, replace(here, projection=projection))


def _map_seconds(plan: Plan, before: str, n: int, d: int) -> float:
    """Predict the seconds that a map takes; where it goes on from one that is missing, with that one."""
    if plan.start is None:
        return timing.predict_seconds(plan.projection, n, d)
    moving.check(plan.projection, plan.start)
    seconds = timing.predict_seconds(plan.projection, n, d, moving.iterations(plan.projection, plan.start))
    if store().has("projection", keys.projection_key(before, plan.start)):
        return seconds
    return seconds + timing.predict_seconds(plan.start, n, d)


def _reduced_latents(plan: Plan) -> Look:
    read = images(plan.source)
    if read is None:
        return Look(plan, None, "images")
    here = Results(read, plan=plan)
    trained = model(plan.model, read.value)
    if trained is None:
        return Look(plan, here, "model")
    here = replace(here, model=trained)
    key = keys.latents_key(trained.value, read)
    if not store().has("latents", key):
        return Look(plan, here, "latents")
    encoded = whole(lambda: _latents(key, trained.value, read, plan.source))
    if encoded is None:
        return Look(plan, here, "latents")
    here = replace(here, latents=encoded)
    key = keys.reduced_key(encoded.key, plan.reduction)
    seconds = timing.predict_seconds(plan.reduction, *encoded.value.latents.shape)
    if key != encoded.key and not store().has("reduced", key) and seconds > LIVE_SECONDS:
        return Look(plan, here, "reduced", seconds)
    return Look(plan, replace(here, reduced=_reduced(key, encoded, plan.reduction)))


def _clustered(plan: Plan, here: Results) -> Look:
    on = stages.clustered(replace(here, on=plan.cluster.on))
    key = keys.clustering_key(on.key, plan.cluster)
    seconds = timing.predict_seconds(plan.cluster, *stages.coordinates_of(on.value).shape)
    if not store().has("clustering", key) and seconds > LIVE_SECONDS:
        return Look(plan, here, "clustering", seconds)
    here = replace(here, clustering=_clustering(key, on, plan.cluster), on=plan.cluster.on)
    if plan.others:
        vote = _ensemble_key(plan, here)
        if vote is None or not store().has("clustering", vote):
            return Look(plan, here, "clustering", seconds)
        voted = whole(lambda: _vote(vote, here))
        if voted is None:
            return Look(plan, here, "clustering", seconds)
        here = replace(here, clustering=voted)
    if plan.metadata:
        joined = metadata(plan.metadata, here.images.value)
        here = replace(here, images=replace(here.images, value=joined.images))
    return Look(plan, pipeline.attached(here, replace(plan, metadata="")))


def _ensemble_key(plan: Plan, here: Results) -> str | None:
    """Return the key of an ensemble's vote; None while a member's model is missing."""
    members = [(some(here.model).value, plan)]
    for other in plan.others:
        found = model(other.model, here.images.value)
        if found is None:
            return None
        members.append((found.value, other))
    return keys.ensemble_key(here.images.value, members)


@cached(max_entries=16, show_spinner=False)
def _vote(key: str, _here: Results) -> Staged[Any]:
    return pipeline.voted(store(), key)


def latents_of(plan: Plan, chosen: Staged[AnyModel], read: Staged[ImageSet]) -> Staged[Latents] | None:
    """Return latents that lie in the store; None when they turn out to be damaged."""
    return whole(lambda: _latents(keys.latents_key(chosen.value, read), chosen.value, read, plan.source))


def clear_store() -> Cleared:
    """Clear the store and every cached result, and return how many entries went and stayed."""
    cleared = store().clear()
    inputs.clear()
    for found in (_latents, _reduced, _manifold, _projection, _clustering):
        found.clear()
    return cleared

"""Cached access to the pipeline, by stage key: what is there is shown, what is cheap is computed, the rest is a job.

Nothing here draws. A stage that is neither in the store nor cheap is `missing`; the view then starts a job, at once
or behind a button, and shows what it has meanwhile.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

import streamlit as st

from core import checkpoints, clustering, keys, pipeline, report, sheets, stages, timing
from core.config import (
    AnalysisConfig,
    ClusterConfig,
    ProjectionConfig,
    ReductionConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.images import SAMPLES, ImageSet, SampleSource, Source
from core.jobs import Job, Jobs, job_id
from core.latents import Latents
from core.metadata import Joined, describe
from core.models import TrainedModel
from core.plans import (
    AnyModel,
    CheckpointFile,
    KeptModel,
    ModelRef,
    Plan,
    Results,
    Staged,
    StageName,
    StoredModel,
    TrainedClassifier,
    TrainSpec,
    some,
)
from core.progress import Cancelled, ignore
from core.projection import check_size
from core.quality import Scores
from core.store import Store

T = TypeVar("T")
MOST_COMPONENTS = 200
LIVE_SECONDS = 2.0  # what is predicted to take longer never blocks a page
ASK_SECONDS = 10.0  # clusters that are predicted to take longer are made when asked for


@dataclass(frozen=True)
class Look:
    """What there is of a plan: its stages, the first one `missing`, and the seconds that would take."""

    plan: Plan
    results: Results | None
    missing: StageName | None = None
    seconds: float = 0.0


@st.cache_resource
def store() -> Store:
    """Return the one store of this server."""
    return pipeline.open_store()


@st.cache_resource
def jobs() -> Jobs:
    """Return the one set of jobs of this server."""
    return Jobs(store())


def job_for(plan: Plan, upto: StageName | AnalysisConfig) -> Job | None:
    """Return the job that makes a stage or an analysis of a plan, as it is now, or None."""
    return jobs().get(job_id(plan, upto))


def images(source: Source) -> Staged[ImageSet] | None:
    """Return the images when they are read already; samples always are."""
    if isinstance(source, SampleSource):
        return _sample(source)
    key = _images_key(source)
    return _whole(lambda: _images(key, source)) if store().has("images", key) else None


@st.cache_resource(max_entries=4, show_spinner=False)
def _sample(source: SampleSource) -> Staged[ImageSet]:
    return stages.images(store(), source)


@st.cache_data(ttl=5, max_entries=20, show_spinner=False)
def _images_key(source: Source) -> str:
    return keys.images_key(source)


@st.cache_resource(max_entries=3, show_spinner=False)
def _images(key: str, _source: Source) -> Staged[ImageSet]:
    return stages.images(store(), _source, _never)


def model(ref: ModelRef, found: ImageSet) -> Staged[AnyModel] | None:
    """Return a model when it is there: kept, in a file, or trained on these images before."""
    if isinstance(ref, TrainSpec):
        key = key_of(ref, found)
        if key is None or not store().has("model", key):
            return None
    return _whole(lambda: _model(model_stamp(ref), found.fingerprint, ref, found))


def key_of(ref: ModelRef, found: ImageSet) -> str | None:
    """Return the key in the store of a model to train; None while images that it learns from are not read yet."""
    if isinstance(ref, StoredModel):
        return ref.key
    if not isinstance(ref, TrainSpec):
        return None
    learnt = found
    if ref.data is not None:
        read = images(ref.data)
        if read is None:
            return None
        learnt = read.value
    if ref.validation is None:
        return keys.model_key(learnt, ref)
    validation = images(ref.validation)
    return None if validation is None else keys.model_key(learnt, ref, validation.value)


def n_latents(model: AnyModel) -> int:
    """Return the numbers an image becomes; of a classifier, as many as a map can use of them."""
    return model.n_latents if isinstance(model, TrainedModel) else MOST_COMPONENTS


def model_stamp(ref: ModelRef) -> str:
    """Identify a model's files, so that a model deleted and kept anew under its name is not mistaken."""
    if isinstance(ref, KeptModel) and ref.name not in SAMPLES:
        path = checkpoints.models_root() / checkpoints.checked_name(ref.name) / "model.json"
        return f"{ref!r} {path.stat().st_mtime_ns if path.exists() else None}"
    if isinstance(ref, CheckpointFile):
        return f"{ref!r} {Path(ref.path).stat().st_mtime_ns if Path(ref.path).exists() else None}"
    if isinstance(ref, TrainedClassifier):
        files = [Path(path).expanduser() for path in (ref.weights, ref.classes) if path]
        return f"{ref!r} {[path.stat().st_mtime_ns if path.exists() else None for path in files]}"
    return repr(ref)


@st.cache_resource(max_entries=10, show_spinner=False)
def _model(stamp: str, fingerprint: str, _ref: ModelRef, _images: ImageSet) -> Staged[AnyModel]:
    return stages.model(store(), _ref, _images, _never)


@st.cache_resource(max_entries=3, show_spinner=False)
def _latents(key: str, _model: AnyModel, _images: Staged[ImageSet], _source: Source) -> Staged[Latents]:
    return stages.latents(store(), _model, _images, _source, _never)


@st.cache_resource(max_entries=8, show_spinner=False)
def _reduced(key: str, _before: Staged[Latents], _config: ReductionConfig) -> Staged[Any]:
    return stages.reduced(store(), _before, _config)


@st.cache_resource(max_entries=64, show_spinner=False)
def _projection(key: str, _before: Staged[Any], _config: ProjectionConfig) -> Staged[Any]:
    iterative = isinstance(_config, TSNEConfig | UMAPConfig)
    return stages.projection(store(), _before, _config, _never if iterative else ignore)


@st.cache_resource(max_entries=128, show_spinner=False)
def _clustering(key: str, _on: Staged[Any], _config: ClusterConfig) -> Staged[Any]:
    return stages.clustering(store(), _on, _config)


def _never(progress: Any) -> None:
    """Stop a stage that the page should only have found: its entry was cut short or cleared this moment."""
    raise Cancelled


def _whole(find: Callable[[], Staged[T]]) -> Staged[T] | None:
    """Return what is found, or None when its entry turns out to be damaged; the store has dropped it then."""
    try:
        return find()
    except Cancelled:
        return None


def look(plan: Plan) -> Look:
    """Find or cheaply make the stages of a plan, up to the first that is missing.

    Raises
    ------
    ExplorerError : a setting cannot work with these images.
    """
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
    encoded = _whole(lambda: _latents(key, trained.value, read, plan.source))
    if encoded is None:
        return Look(plan, here, "latents")
    here = replace(here, latents=encoded)
    n, d = encoded.value.latents.shape
    key = keys.reduced_key(encoded.key, plan.reduction)
    seconds = timing.predict_seconds(plan.reduction, n, d)
    if key != encoded.key and not store().has("reduced", key) and seconds > LIVE_SECONDS:
        return Look(plan, here, "reduced", seconds)
    reduced = _reduced(key, encoded, plan.reduction)
    here = replace(here, reduced=reduced)
    key = keys.projection_key(reduced.key, plan.projection)
    seconds = timing.predict_seconds(plan.projection, n, reduced.value.values.shape[1])
    iterative = isinstance(plan.projection, TSNEConfig | UMAPConfig)
    check_size(plan.projection, n)
    if not store().has("projection", key) and (iterative or seconds > LIVE_SECONDS):
        return Look(plan, here, "projection", seconds)
    projection = _whole(lambda: _projection(key, reduced, plan.projection))
    if projection is None:
        return Look(plan, here, "projection", seconds)
    here = replace(here, projection=projection)
    return _clustered(plan, here)


def _clustered(plan: Plan, here: Results) -> Look:
    on: Any = {"latents": here.latents, "reduced": here.reduced, "projection": here.projection}[plan.cluster.on]
    key = keys.clustering_key(on.key, plan.cluster)
    n, d = stages.coordinates_of(on.value).shape
    seconds = timing.predict_seconds(plan.cluster, n, d)
    clustering.check_size(plan.cluster.method, n)
    if not store().has("clustering", key) and seconds > LIVE_SECONDS:
        return Look(plan, here, "clustering", seconds)
    here = replace(here, clustering=_clustering(key, on, plan.cluster), on=plan.cluster.on)
    if plan.others:
        vote = _ensemble_key(plan, here)
        if vote is None or not store().has("clustering", vote):
            return Look(plan, here, "clustering", seconds)
        voted = _whole(lambda: _vote(vote, here))
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


@st.cache_resource(max_entries=16, show_spinner=False)
def _vote(key: str, _here: Results) -> Staged[Any]:
    return pipeline.voted(store(), key)


def metadata(path: str, found: ImageSet) -> Joined:
    """Join a table to images.

    Raises
    ------
    ConfigError, DataError : the file cannot be read or names none of the images.
    """
    file = Path(path).expanduser()
    stamp = f"{path} {file.stat().st_mtime_ns if file.exists() else None} {found.fingerprint} {len(found.ids)} {found.ids[0]}"
    return _metadata(stamp, path, found)


@st.cache_resource(max_entries=4, show_spinner="Reading the table…")
def _metadata(stamp: str, _path: str, _found: ImageSet) -> Joined:
    return describe(_found, _path)


def latents_of(plan: Plan, chosen: Staged[AnyModel], read: Staged[ImageSet]) -> Staged[Latents] | None:
    """Return latents that lie in the store; None when they turn out to be damaged."""
    return _whole(lambda: _latents(keys.latents_key(chosen.value, read), chosen.value, read, plan.source))


def sheets_of(shown: Results) -> Path:
    """Return a folder of sprite sheets of the images, beside their reconstructions when there are any."""
    encoded = shown.latents
    return _sheets(shown.images.key if encoded is None else encoded.key, shown)


@st.cache_resource(max_entries=4, show_spinner=False)
def _sheets(key: str, _shown: Results) -> Path:
    folder = Path(mkdtemp(prefix="embedding-explorer-sheets-"))
    reconstructions = None if _shown.latents is None else _shown.latents.value.reconstructions
    # In a thread, as many images take long; the browser asks again for a sheet that is not there yet.
    pages = threading.Thread(
        target=sheets.write_pages, args=(_shown.images.value.x, reconstructions, folder), daemon=True
    )
    pages.start()
    return folder


def scores(shown: Results) -> Scores:
    """Return the numbers beside the map."""
    keys = [getattr(shown, stage).key for stage in ("latents", "projection", "clustering") if getattr(shown, stage)]
    return _scores(" ".join(keys), shown)


@st.cache_resource(max_entries=128, show_spinner=False)
def _scores(key: str, _shown: Results) -> Scores:
    return report.scores(_shown)


def clear_store() -> int:
    """Clear the store and every cached result, and return how many entries there were."""
    count = store().clear()
    for cached in (_images, _model, _latents, _reduced, _projection, _clustering):
        cached.clear()
    return count

"""Cached images, models and tables: what is there already, never what takes long."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st

from core import checkpoints, keys, stages
from core.images import SAMPLES, ImageSet, SampleSource, Source
from core.metadata import Joined, describe
from core.models import TrainedModel
from core.plans import (
    AnyModel,
    CheckpointFile,
    KeptModel,
    ModelRef,
    Staged,
    StoredModel,
    TrainedClassifier,
    TrainSpec,
)
from core.progress import Cancelled
from dashboard import uploads
from dashboard.caches import cached
from dashboard.server import store

T = TypeVar("T")
MOST_COMPONENTS = 200


def images(source: Source) -> Staged[ImageSet] | None:
    """Return the images when they are read already; samples always are.

    Raises
    ------
    DataError : they are not there, or may not be opened by this session.
    """
    uploads.check(source)
    if isinstance(source, SampleSource):
        return _sample(source)
    key = _images_key(source)
    return whole(lambda: _images(key, source)) if store().has("images", key) else None


@cached(max_entries=4, show_spinner=False)
def _sample(source: SampleSource) -> Staged[ImageSet]:
    return stages.images(store(), source)


@st.cache_data(ttl=5, max_entries=20, show_spinner=False)
def _images_key(source: Source) -> str:
    return keys.images_key(source)


@cached(max_entries=3, show_spinner=False)
def _images(key: str, _source: Source) -> Staged[ImageSet]:
    return stages.images(store(), _source, never)


def model(ref: ModelRef, found: ImageSet) -> Staged[AnyModel] | None:
    """Return a model when it is there: kept, in a file, or trained on these images before."""
    uploads.check(ref)
    if isinstance(ref, TrainSpec):
        key = key_of(ref, found)
        if key is None or not store().has("model", key):
            return None
    return whole(lambda: _model(model_stamp(ref), found.fingerprint, ref, found))


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


@cached(max_entries=10, show_spinner=False)
def _model(stamp: str, fingerprint: str, _ref: ModelRef, _images: ImageSet) -> Staged[AnyModel]:
    return stages.model(store(), _ref, _images, never)


def metadata(path: str, found: ImageSet) -> Joined:
    """Join a table to images.

    Raises
    ------
    ConfigError, DataError : the file cannot be read or names none of the images.
    """
    uploads.check(path)
    file = Path(path).expanduser()
    stamp = f"{path} {file.stat().st_mtime_ns if file.exists() else None} {found.fingerprint} {len(found.ids)} {found.ids[0]}"
    return _metadata(stamp, path, found)


@cached(max_entries=4, show_spinner="Reading the table…")
def _metadata(stamp: str, _path: str, _found: ImageSet) -> Joined:
    return describe(_found, _path)


def never(progress: Any) -> None:
    """Stop a stage that the page should only have found: its entry was cut short or cleared this moment."""
    raise Cancelled


def whole(find: Callable[[], Staged[T]]) -> Staged[T] | None:
    """Return what is found, or None when its entry turns out to be damaged; the store has dropped it then."""
    try:
        return find()
    except Cancelled:
        return None


def clear() -> None:
    """Forget the images and models that were read."""
    _images.clear()
    _model.clear()

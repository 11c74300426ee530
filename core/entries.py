"""How the values of stages become entries of the store and come back."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from core.clustering import Clustering
from core.images import ImageSet, Skipped
from core.plans import Staged
from core.progress import Callback, ignore
from core.projection import Projection
from core.scratch import LARGE
from core.store import Entry, Store

T = TypeVar("T")
CLUSTERING = (
    "confidence",
    "agreement",
    "probabilities",
    "strength",
)  # beside labels and centers, where there are any
SAMPLED = ("fitted", "kept_fitted", "kept_placed")
LATENTS = ("latents", "reconstructions", "errors", "probabilities")


def staged_in(
    store: Store,
    stage: str,
    key: str,
    make: Callable[[], T],
    to_arrays: Callable[[T], Mapping[str, np.ndarray]],
    from_entry: Callable[[Entry], T],
    describe: Callable[[T], Mapping[str, Any]],
    callback: Callback = ignore,
) -> Staged[T]:
    """Find a value in the store, or make and keep it; of all who ask for it at once, one makes it and the others wait.

    Raises
    ------
    ExplorerError : any error of `make`. Cancelled : raised by the callback, also while waiting.
    """

    def found() -> Staged[T] | None:
        entry = store.get(stage, key)
        return None if entry is None else Staged(from_entry(entry), key, True, entry.seconds)

    if (there := found()) is not None:
        return there
    with store.making(stage, key, callback):
        if (there := found()) is not None:  # another one made it meanwhile
            return there
        started = time.perf_counter()
        value = make()
        seconds = time.perf_counter() - started
        arrays = to_arrays(value)
        entry = store.put(stage, key, arrays, describe(value), seconds)
        if sum(array.nbytes for array in arrays.values()) > LARGE:
            del value, arrays  # what was made is let go: from here on it is read from its file
            entry = store.get(stage, key) or entry
        return Staged(from_entry(entry), key, False, seconds)


def clustering_arrays(value: Clustering) -> Mapping[str, np.ndarray]:
    return without_none({name: getattr(value, name) for name in ("labels", "centers", *CLUSTERING)})


def clustering_of(entry: Entry) -> Clustering:
    arrays, info = entry.arrays, entry.info
    return Clustering(
        arrays["labels"], arrays["centers"], float(info["inertia"]), int(info["n_iter"]),
        **{name: arrays.get(name) for name in CLUSTERING},
    )  # fmt: skip


def images_arrays(value: ImageSet, pixels: bool = True) -> Mapping[str, np.ndarray]:
    arrays = {"x": value.x} if pixels else {}
    arrays |= {} if value.y is None else {"y": value.y}
    return arrays | {f"column-{i}": column for i, column in enumerate(value.columns.values())}


def images_info(value: ImageSet) -> Mapping[str, Any]:
    return {
        "name": value.name,
        "classes": list(value.classes),
        "ids": None if value.numbered else list(value.ids),
        "fingerprint": value.fingerprint,
        "columns": list(value.columns),
        "skipped": [[item.id, item.reason] for item in value.skipped],
    }


def images_of(entry: Entry, pixels: np.ndarray | None = None) -> ImageSet:
    """Return the images of an entry; those that stayed in their own file are given as `pixels`."""
    info = entry.info
    x = entry.arrays["x"] if pixels is None else pixels
    return ImageSet(
        x=x,
        y=entry.arrays.get("y"),
        classes=tuple(info["classes"]),
        ids=tuple(map(str, range(len(x)))) if info["ids"] is None else tuple(info["ids"]),
        name=info["name"],
        fingerprint=info["fingerprint"],
        skipped=tuple(Skipped(*item) for item in info["skipped"]),
        columns={name: entry.arrays[f"column-{i}"] for i, name in enumerate(info["columns"])},
    )


def projection_arrays(value: Projection) -> Mapping[str, np.ndarray]:
    return without_none({name: getattr(value, name) for name in ("coordinates", "explained_variance_ratio")})


def projection_info(value: Projection) -> Mapping[str, Any]:
    sampled = {name: getattr(value, name) for name in SAMPLED} if value.fitted is not None else {}
    return {"kl_divergence": value.kl_divergence, **sampled}


def projection_of(entry: Entry) -> Projection:
    numbers = {name: entry.info.get(name) for name in ("kl_divergence", *SAMPLED)}
    return Projection(entry.arrays["coordinates"], entry.arrays.get("explained_variance_ratio"), **numbers)


def without_none(arrays: Mapping[str, np.ndarray | None]) -> Mapping[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if array is not None}

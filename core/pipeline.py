"""The stages joined through the store: the dashboard, the command line and the worker all call this.

Each stage function returns a `Staged`: the value, its key, whether the store had it, and the seconds it took to
make. Keys chain: images ← content; model ← images + configs; latents ← weights + images; reduced ← latents + config;
projection ← reduced + config; clustering ← what it clusters + config.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from core import models
from core.clustering import Clustering, cluster
from core.config import ClusterConfig, ProjectionConfig, ReductionConfig, to_json
from core.errors import CheckpointError
from core.images import SAMPLES, ImageSet, SampleSource, Skipped, Source, assets_root, load
from core.keys import (
    clustering_key,
    images_key,
    latents_key,
    model_key,
    projection_key,
    reduced_key,
    sample_key,
)
from core.latents import Latents, encode
from core.models import TrainedModel
from core.plans import (
    STAGES,
    CheckpointFile,
    KeptModel,
    ModelRef,
    Plan,
    Results,
    Staged,
    StageName,
    TrainSpec,
    shape_text,
)
from core.progress import Callback, ignore
from core.projection import Projection, Reduced, project, reduce
from core.store import Entry, Store, default_root

T = TypeVar("T")


def open_store(root: Path | None = None) -> Store:
    """Open the store with the results that ship beside the samples."""
    return Store(root or default_root(), shipped=assets_root() / "store")


def run(
    store: Store, plan: Plan, upto: StageName = "clustering", callback: Callback = ignore, device: str | None = None
) -> Results:
    """Make or find every stage of a plan up to `upto`.

    Raises
    ------
    ExplorerError : any error of a stage. Cancelled passes through; training keeps its complete epochs.
    """
    last = STAGES.index(upto)
    results = Results(images(store, plan.source, callback))
    if last >= 1:
        results = replace(results, model=model(store, plan.model, results.images.value, callback, device))
    if last >= 2:
        results = replace(
            results, latents=latents(store, _value(results.model), results.images.value, callback, device)
        )
    if last >= 3:
        results = replace(results, reduced=reduced(store, some(results.latents), plan.reduction))
    if last >= 4:
        results = replace(results, projection=projection(store, some(results.reduced), plan.projection, callback))
    if last >= 5:
        results = replace(results, on=plan.cluster.on)
        results = replace(results, clustering=clustering(store, clustered(results), plan.cluster))
    return results


def images(store: Store, source: Source, callback: Callback = ignore) -> Staged[ImageSet]:
    """Read images; samples come straight from their file, others are kept decoded in the store."""
    if isinstance(source, SampleSource):
        started = time.perf_counter()
        value = load(source, callback)
        return Staged(value, sample_key(value), True, time.perf_counter() - started)
    return _stage(
        store, "images", images_key(source), lambda: load(source, callback), _images_arrays, _images_of, _images_info
    )


def model(
    store: Store, ref: ModelRef, image_set: ImageSet, callback: Callback = ignore, device: str | None = None
) -> Staged[TrainedModel]:
    """Find, read or train the model and check that it fits the images.

    Raises
    ------
    CheckpointError : the model cannot be read, or was made for images of another shape.
    """
    if isinstance(ref, TrainSpec):
        return _trained(store, ref, image_set, callback, device)
    started = time.perf_counter()
    value = read_model(ref)
    if value.image_shape != image_set.image_shape:
        name = ref.name if isinstance(ref, KeptModel) else Path(ref.path).name
        raise CheckpointError(
            f"Model {name!r} reads images of {shape_text(value.image_shape)}; {image_set.name!r} has "
            f"{shape_text(image_set.image_shape)}. Choose another model or train one on these images."
        )
    return Staged(value, value.fingerprint, True, time.perf_counter() - started)


def read_model(ref: KeptModel | CheckpointFile) -> TrainedModel:
    """Read a model by name (samples' first, then the user's) or from a file."""
    if isinstance(ref, CheckpointFile):
        return models.read_checkpoint(Path(ref.path).expanduser())
    if ref.name in SAMPLES:
        return models.load(assets_root() / ref.name / "model")
    return models.load(models.models_root() / models.checked_name(ref.name))


def latents(
    store: Store, trained: TrainedModel, image_set: ImageSet, callback: Callback = ignore, device: str | None = None
) -> Staged[Latents]:
    """Encode every image, and decode it again."""
    key = latents_key(trained, image_set)
    return _stage(
        store,
        "latents",
        key,
        lambda: encode(trained, image_set, callback, device),
        lambda v: {"latents": v.latents, "reconstructions": v.reconstructions, "errors": v.errors},
        lambda e: Latents(e.arrays["latents"], e.arrays["reconstructions"], e.arrays["errors"]),
        lambda v: {"images": image_set.name, "n": len(image_set), "latent_size": v.latents.shape[1]},
    )


def reduced(store: Store, encoded: Staged[Latents], config: ReductionConfig) -> Staged[Reduced]:
    """Standardise and reduce the latents; with neither, the latents themselves under their own key."""
    values = encoded.value.latents
    if config == ReductionConfig():
        return Staged(Reduced(values, None), encoded.key, encoded.found, 0.0)
    return _stage(
        store,
        "reduced",
        reduced_key(encoded.key, config),
        lambda: reduce(values, config),
        lambda v: _without_none({"values": v.values, "explained_variance_ratio": v.explained_variance_ratio}),
        lambda e: Reduced(e.arrays["values"], e.arrays.get("explained_variance_ratio")),
        lambda v: {"config": to_json(config), "n": len(values), "d": values.shape[1]},
    )


def projection(
    store: Store, before: Staged[Reduced], config: ProjectionConfig, callback: Callback = ignore
) -> Staged[Projection]:
    """Map the reduced latents to 2 or 3 dimensions."""
    values = before.value.values
    return _stage(
        store,
        "projection",
        projection_key(before.key, config),
        lambda: project(values, config, callback),
        lambda v: _without_none(
            {"coordinates": v.coordinates, "explained_variance_ratio": v.explained_variance_ratio}
        ),
        lambda e: Projection(
            e.arrays["coordinates"], e.arrays.get("explained_variance_ratio"), e.info.get("kl_divergence")
        ),
        lambda v: {
            "config": to_json(config), "n": len(values), "d": values.shape[1], "kl_divergence": v.kl_divergence
        },
    )  # fmt: skip


def clustering(store: Store, on: Staged[Any], config: ClusterConfig) -> Staged[Clustering]:
    """Cluster latents, reduced latents or the map: whichever stage is given."""
    values = coordinates_of(on.value)
    return _stage(
        store,
        "clustering",
        clustering_key(on.key, config),
        lambda: cluster(values, config.method),
        lambda v: {"labels": v.labels, "centers": v.centers},
        lambda e: Clustering(
            e.arrays["labels"], e.arrays["centers"], float(e.info["inertia"]), int(e.info["n_iter"])
        ),
        lambda v: {"config": to_json(config), "n": len(values), "inertia": v.inertia, "n_iter": v.n_iter},
    )  # fmt: skip


def clustered(results: Results) -> Staged[Any]:
    """Return the stage that is or will be clustered."""
    stages = {"latents": results.latents, "reduced": results.reduced, "projection": results.projection}
    return some(stages[results.on])


def coordinates_of(value: Latents | Reduced | Projection) -> np.ndarray:
    """Return the (n, d) float32 array that a clustering of this stage works on."""
    if isinstance(value, Latents):
        return value.latents
    return value.values if isinstance(value, Reduced) else value.coordinates


def _trained(
    store: Store, spec: TrainSpec, image_set: ImageSet, callback: Callback, device: str | None
) -> Staged[TrainedModel]:
    from core.training import train  # torch

    key = model_key(image_set, spec)
    entry = store.get("model", key)
    if entry is not None:
        return Staged(models.from_entry(entry), key, True, entry.seconds)
    started = time.perf_counter()
    value = train(image_set, spec.autoencoder, spec.training, callback, device)
    seconds = time.perf_counter() - started
    # A model that was stopped after e epochs is exactly the one trained for e epochs: it gets that key.
    key = model_key(image_set, TrainSpec(value.autoencoder, value.training or spec.training))
    arrays, info = models.to_entry(value)
    store.put("model", key, arrays, {**info, "images": image_set.fingerprint}, seconds)
    return Staged(value, key, False, seconds)


def _stage(
    store: Store,
    stage: str,
    key: str,
    make: Callable[[], T],
    to_arrays: Callable[[T], Mapping[str, np.ndarray]],
    from_entry: Callable[[Entry], T],
    describe: Callable[[T], Mapping[str, Any]],
) -> Staged[T]:
    entry = store.get(stage, key)
    if entry is not None:
        return Staged(from_entry(entry), key, True, entry.seconds)
    started = time.perf_counter()
    value = make()
    seconds = time.perf_counter() - started
    entry = store.put(stage, key, to_arrays(value), describe(value), seconds)
    return Staged(from_entry(entry), key, False, seconds)


def _images_arrays(value: ImageSet) -> Mapping[str, np.ndarray]:
    arrays = {"x": value.x} | ({} if value.y is None else {"y": value.y})
    return arrays | {f"column-{i}": column for i, column in enumerate(value.columns.values())}


def _images_info(value: ImageSet) -> Mapping[str, Any]:
    return {
        "name": value.name,
        "classes": list(value.classes),
        "ids": list(value.ids),
        "fingerprint": value.fingerprint,
        "columns": list(value.columns),
        "skipped": [[item.id, item.reason] for item in value.skipped],
    }


def _images_of(entry: Entry) -> ImageSet:
    info = json.loads(json.dumps(entry.info))
    return ImageSet(
        x=entry.arrays["x"],
        y=entry.arrays.get("y"),
        classes=tuple(info["classes"]),
        ids=tuple(info["ids"]),
        name=info["name"],
        fingerprint=info["fingerprint"],
        skipped=tuple(Skipped(*item) for item in info["skipped"]),
        columns={name: entry.arrays[f"column-{i}"] for i, name in enumerate(info["columns"])},
    )


def _without_none(arrays: Mapping[str, np.ndarray | None]) -> Mapping[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if array is not None}


def some(staged: Staged[T] | None) -> Staged[T]:
    """Return a stage that must be there."""
    if staged is None:
        raise TypeError("an earlier stage is missing")
    return staged


def _value(staged: Staged[T] | None) -> T:
    return some(staged).value

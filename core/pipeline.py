"""The stages joined through the store: the dashboard, the command line and the worker all call this.

Each stage function returns a `Staged`: the value, its key, whether the store had it, and the seconds it took to
make. Keys chain: images ← content; model ← images + configs; latents ← weights + images; reduced ← latents + config;
projection ← reduced + config; clustering ← what it clusters + config.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from core import classified, known, models
from core.classified import ClassifierModel
from core.clustering import Clustering, cluster
from core.config import ClusterConfig, ProjectionConfig, ReductionConfig, to_json
from core.ensemble import combine
from core.errors import CheckpointError, ConfigError
from core.images import SAMPLES, ImageSet, SampleSource, Skipped, Source, assets_root, load
from core.keys import (
    clustering_key,
    ensemble_key,
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
    shape_text,
)
from core.progress import Callback, Cancelled, ignore
from core.projection import Projection, Reduced, project, reduce
from core.store import Entry, Store, default_root

T = TypeVar("T")
LATENTS = ("latents", "reconstructions", "errors", "probabilities")


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
        encoded = latents(store, _value(results.model), results.images, plan.source, callback, device)
        results = replace(results, latents=encoded)
    if last >= 3:
        results = replace(results, reduced=reduced(store, some(results.latents), plan.reduction))
    if last >= 4:
        results = replace(results, projection=projection(store, some(results.reduced), plan.projection, callback))
    if last >= 5:
        results = replace(results, on=plan.cluster.on)
        results = replace(results, clustering=_clusters(store, plan, results, callback, device))
        results = with_known(results, plan)
    return results


def with_known(results: Results, plan: Plan) -> Results:
    """Add the labels that the plan says are known beforehand.

    Raises
    ------
    ConfigError, DataError : they cannot be read or do not fit the images.
    """
    if not plan.known:
        return results
    found = results.images.value
    return replace(results, known=known.parse(plan.known, found.ids, found.y, found.classes))


def _clusters(
    store: Store, plan: Plan, results: Results, callback: Callback, device: str | None
) -> Staged[Clustering]:
    own = clustering(store, clustered(results), plan.cluster)
    if not plan.others:
        return own
    members = [(_value(results.model), plan)]
    for other in plan.others:
        if other.source != plan.source:
            raise ConfigError("The runs of an ensemble must be of the same images.")
        members.append((model(store, other.model, results.images.value, callback, device).value, other))

    def labels_of(member: AnyModel, other: Plan) -> np.ndarray:
        here = Results(results.images, on=other.cluster.on)
        here = replace(here, latents=latents(store, member, results.images, plan.source, callback, device))
        if here.on != "latents":
            here = replace(here, reduced=reduced(store, some(here.latents), other.reduction))
        if here.on == "projection":
            here = replace(here, projection=projection(store, some(here.reduced), other.projection, callback))
        return clustering(store, clustered(here), other.cluster).value.labels

    return ensemble(store, results, members, lambda: [own.value.labels, *(labels_of(*m) for m in members[1:])])


def ensemble(
    store: Store, results: Results, members: Sequence[tuple[AnyModel, Plan]], labels: Callable[[], list[np.ndarray]]
) -> Staged[Clustering]:
    """Combine the clusters of several plans by vote; `labels` gives each member's, int32 (n,), when they are needed."""
    values = coordinates_of(clustered(results).value)
    return _stage(
        store,
        "clustering",
        ensemble_key(results.images.value, members),
        lambda: _vote(labels(), values),
        _clustering_arrays,
        _clustering_of,
        lambda v: {
            "members": [to_json(plan.cluster) for _, plan in members], "n": len(values), "inertia": v.inertia, "n_iter": 0
        },
    )  # fmt: skip


def voted(store: Store, key: str) -> Staged[Clustering]:
    """Return an ensemble's vote that lies in the store.

    Raises
    ------
    Cancelled : it is not there any more.
    """
    entry = store.get("clustering", key)
    if entry is None:
        raise Cancelled
    return Staged(_clustering_of(entry), key, True, entry.seconds)


def _vote(labels: list[np.ndarray], values: np.ndarray) -> Clustering:
    found = combine(labels)
    centers = np.stack([values[found.labels == i].mean(axis=0) for i in range(found.k)]).astype(np.float32)
    inertia = float(np.square(values - centers[found.labels], dtype=np.float64).sum())
    return Clustering(found.labels, centers, inertia, 0, found.confidence, found.agreement)


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
) -> Staged[AnyModel]:
    """Find, read or train the model and check that it fits the images.

    Raises
    ------
    CheckpointError : the model cannot be read, or was made for images of another shape.
    """
    started = time.perf_counter()
    if isinstance(ref, TrainedClassifier):
        found = classified.read(ref.config, ref.weights, ref.classes, ref.compared)
        return Staged(found, found.fingerprint, True, time.perf_counter() - started)
    if isinstance(ref, TrainSpec):
        staged = _trained(store, ref, image_set, callback, device)
        value, name = staged.value, "in training"
    else:
        value = read_model(ref, store)
        staged = Staged(value, value.fingerprint, True, time.perf_counter() - started)
        name = ref.name if isinstance(ref, KeptModel) else value.trained_on
        name = Path(ref.path).name if isinstance(ref, CheckpointFile) else name
    if value.image_shape != image_set.image_shape:
        raise CheckpointError(
            f"Model {name!r} reads images of {shape_text(value.image_shape)}; {image_set.name!r} has "
            f"{shape_text(image_set.image_shape)}. Choose another model or train one on these images."
        )
    return Staged(staged.value, staged.key, staged.found, staged.seconds)


def read_model(ref: KeptModel | CheckpointFile | StoredModel, store: Store | None = None) -> TrainedModel:
    """Read a model by name (samples' first, then the user's), from a file, or by its key in the store."""
    if isinstance(ref, CheckpointFile):
        return models.read_checkpoint(Path(ref.path).expanduser())
    if isinstance(ref, StoredModel):
        entry = None if store is None else store.get("model", ref.key)
        if entry is None:
            raise CheckpointError("This model is no longer in the store; train it again.")
        return models.from_entry(entry)
    if ref.name in SAMPLES:
        return models.load(assets_root() / ref.name / "model")
    return models.load(models.models_root() / models.checked_name(ref.name))


def latents(
    store: Store,
    chosen: AnyModel,
    images: Staged[ImageSet],
    source: Source,
    callback: Callback = ignore,
    device: str | None = None,
) -> Staged[Latents]:
    """Encode every image, and decode it again; a classifier reads the pictures of the source in their own size."""
    key = latents_key(chosen, images)
    n = len(images.value)

    def make() -> Latents:
        if isinstance(chosen, ClassifierModel):
            return classified.encode(chosen, images.value, source, store, key, callback, device)
        return encode(chosen, images.value, callback, device)

    return _stage(
        store,
        "latents",
        key,
        make,
        lambda v: _without_none({name: getattr(v, name) for name in LATENTS}),
        lambda e: Latents(*(e.arrays.get(name) for name in LATENTS)),  # type: ignore[arg-type]
        lambda v: {"images": images.value.name, "n": n, "latent_size": v.latents.shape[1]},
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
        _clustering_arrays,
        _clustering_of,
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

    learnt = image_set if spec.data is None else images(store, spec.data, callback).value
    validation = None if spec.validation is None else images(store, spec.validation, callback).value
    key = model_key(learnt, spec, validation)
    entry = store.get("model", key)
    if entry is not None:
        return Staged(models.from_entry(entry), key, True, entry.seconds)
    started = time.perf_counter()

    def keep(value: TrainedModel) -> str:
        # A model after e epochs is exactly the one trained for e epochs, stopped or not: it gets that key.
        place = model_key(learnt, replace(spec, training=value.training or spec.training), validation)
        arrays, info = models.to_entry(value)
        store.put("model", place, arrays, {**info, "images": learnt.fingerprint}, time.perf_counter() - started)
        return place

    value = train(
        learnt, spec.autoencoder, spec.training, callback, device, validation=validation,
        checkpoint=keep, checkpoint_every=spec.checkpoint_every,
    )  # fmt: skip
    return Staged(value, keep(value), False, time.perf_counter() - started)


def checkpoints(store: Store, plan: Plan) -> dict[int, TrainedModel]:
    """Return the models that a plan's training kept on its way, by epoch, as far as they are still in the store."""
    spec = plan.model
    if not isinstance(spec, TrainSpec) or not spec.checkpoint_every:
        return {}
    learnt = images(store, spec.data or plan.source).value
    validation = None if spec.validation is None else images(store, spec.validation).value
    found = {}
    for epoch in range(spec.checkpoint_every, spec.training.epochs, spec.checkpoint_every):
        earlier = replace(spec, training=replace(spec.training, epochs=epoch))
        entry = store.get("model", model_key(learnt, earlier, validation))
        if entry is not None:
            found[epoch] = models.from_entry(entry)
    return found


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


def _clustering_arrays(value: Clustering) -> Mapping[str, np.ndarray]:
    return _without_none({name: getattr(value, name) for name in ("labels", "centers", "confidence", "agreement")})


def _clustering_of(entry: Entry) -> Clustering:
    arrays, info = entry.arrays, entry.info
    return Clustering(
        arrays["labels"], arrays["centers"], float(info["inertia"]), int(info["n_iter"]),
        arrays.get("confidence"), arrays.get("agreement"),
    )  # fmt: skip


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

"""Each stage by itself, found in the store or made and kept there.

Each function returns a `Staged`: the value, its key, whether the store had it, and the seconds it took to make. Keys chain:
images ← content; model ← images + configs; latents ← weights + images; reduced ← latents + config; manifold and
projection ← reduced + config; clustering ← what it clusters + config.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core import checkpoints, classified, features, models, roots, trainings
from core.classified import ClassifierModel
from core.clustering import Clustering, cluster
from core.config import (
    ClusterConfig,
    FeaturesConfig,
    Metric,
    ProjectionConfig,
    ReductionConfig,
    UMAPConfig,
    to_json,
)
from core.entries import (
    LATENTS,
    clustering_arrays,
    clustering_of,
    images_arrays,
    images_info,
    images_of,
    projection_arrays,
    projection_info,
    projection_of,
    staged_in,
    without_none,
)
from core.errors import CheckpointError
from core.images import SAMPLES, ArraySource, ImageSet, SampleSource, Source, assets_root, load, pixels
from core.imageset import Originals
from core.keys import (
    clustering_key,
    components_key,
    images_key,
    latents_key,
    manifold_key,
    neighbours_key,
    projection_key,
    reduced_key,
    sample_key,
    training_key,
)
from core.latents import Latents, encode
from core.models import TrainedModel
from core.neighbours import Graph, search
from core.plans import (
    AnyModel,
    CheckpointFile,
    KeptModel,
    ModelRef,
    Results,
    Staged,
    StoredModel,
    TrainedClassifier,
    TrainSpec,
    shape_text,
    some,
)
from core.progress import Callback, ignore
from core.projection import Components, Projection, Reduced, project, reduce, unfold
from core.readers.pixels import has_files
from core.store import Store

WIDTHS = (90, 300)  # neighbours kept of each image: for perplexities up to 30 and 100, and all that look at fewer


def images(store: Store, source: Source, callback: Callback = ignore) -> Staged[ImageSet]:
    """Read images; samples come straight from their file, others are kept decoded in the store."""
    if isinstance(source, SampleSource):
        started = time.perf_counter()
        value = load(source, callback)
        return Staged(value, sample_key(value), True, time.perf_counter() - started)
    key = images_key(source)  # first: it says when the files may not be opened
    own = pixels(source) if isinstance(source, ArraySource) else None  # stay in their file
    staged = staged_in(
        store,
        "images",
        key,
        lambda: load(source, callback),
        lambda v: images_arrays(v, own is None),
        lambda e: images_of(e, own),
        images_info,
        callback,
    )
    originals = Originals(source, key) if has_files(source) else None
    return replace(staged, value=replace(staged.value, originals=originals))


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
        path = Path(ref.path).expanduser()
        for opened in (path, path / "weights.safetensors", path / "model.json", path.with_name("model.json")):
            roots.check(opened)  # each may be a link
        return checkpoints.read_checkpoint(path)
    if isinstance(ref, StoredModel):
        entry = None if store is None else store.get("model", ref.key)
        if entry is None:
            raise CheckpointError("This model is no longer in the store; train it again.")
        return models.from_entry(entry)
    if ref.name in SAMPLES:
        return checkpoints.load(assets_root() / ref.name / "model")
    return checkpoints.load(checkpoints.models_root() / checkpoints.checked_name(ref.name))


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
        if isinstance(chosen.autoencoder, FeaturesConfig):
            return features.encode(store, chosen, images.value, callback, device)
        return encode(chosen, images.value, callback, device)

    return staged_in(
        store,
        "latents",
        key,
        make,
        lambda v: without_none({name: getattr(v, name) for name in LATENTS}),
        lambda e: Latents(*(e.arrays.get(name) for name in LATENTS)),  # type: ignore[arg-type]
        lambda v: {"images": images.value.name, "n": n, "latent_size": v.latents.shape[1]},
        callback,
    )


def reduced(store: Store, encoded: Staged[Latents], config: ReductionConfig) -> Staged[Reduced]:
    """Standardise and reduce the latents; with neither, the latents themselves under their own key.

    All principal components are kept, so that another number of them needs no second decomposition.
    """
    values = encoded.value.latents
    if config == ReductionConfig():
        return Staged(Reduced(values, None), encoded.key, encoded.found, 0.0)

    def kept(make: Callable[[], Components]) -> Components:
        return staged_in(
            store,
            "components",
            components_key(encoded.key, config.standardize),
            make,
            lambda v: {"mean": v.mean, "directions": v.directions},
            lambda e: Components(e.arrays["mean"], e.arrays["directions"], float(e.info["total"])),
            lambda v: {"n": len(values), "d": values.shape[1], "total": v.total},
        ).value

    return staged_in(
        store,
        "reduced",
        reduced_key(encoded.key, config),
        lambda: reduce(values, config, kept),
        lambda v: without_none({"values": v.values, "explained_variance_ratio": v.explained_variance_ratio}),
        lambda e: Reduced(e.arrays["values"], e.arrays.get("explained_variance_ratio")),
        lambda v: {"config": to_json(config), "n": len(values), "d": values.shape[1]},
    )


def neighbours(
    store: Store, key: str, values: np.ndarray, k: int, metric: Metric, callback: Callback = ignore
) -> Graph:
    """Find at least k nearest others of each image in what `key` names, once for all maps and analyses of it.

    The narrowest graph that is kept and wide enough is taken; where there is none, the narrowest of `WIDTHS` is made, or
    beyond them a multiple of the last, of at most n - 1.
    """
    most = len(values) - 1
    beyond = -(-k // WIDTHS[-1]) * WIDTHS[-1]
    fitting = [min(width, most) for width in (*WIDTHS, beyond) if width >= k]
    width = next((w for w in fitting if store.has("neighbours", neighbours_key(key, metric, w))), fitting[0])
    return staged_in(
        store,
        "neighbours",
        neighbours_key(key, metric, width),
        lambda: search(values, width, metric, callback),
        lambda v: {"rows": v.rows, "distances": v.distances},
        lambda e: Graph(e.arrays["rows"], e.arrays["distances"]),
        lambda v: {"metric": metric, "n": len(values), "k": v.k},
        callback,
    ).value


def manifold(
    store: Store, before: Staged[Reduced], config: UMAPConfig, callback: Callback = ignore
) -> Staged[Projection]:
    """Give the reduced latents the UMAP coordinates that are clustered, once for all methods and numbers of clusters."""
    values = before.value.values
    return staged_in(
        store,
        "manifold",
        manifold_key(before.key, config),
        lambda: unfold(values, config, callback, graph=partial(neighbours, store, before.key, values)),
        projection_arrays,
        projection_of,
        lambda v: {"config": to_json(config), "n": len(values), "d": values.shape[1], **projection_info(v)},
        callback,
    )  # fmt: skip


def projection(
    store: Store, before: Staged[Reduced], config: ProjectionConfig, callback: Callback = ignore
) -> Staged[Projection]:
    """Map the reduced latents to 2 or 3 dimensions."""
    values = before.value.values
    return staged_in(
        store,
        "projection",
        projection_key(before.key, config),
        lambda: project(values, config, callback, graph=partial(neighbours, store, before.key, values)),
        projection_arrays,
        projection_of,
        lambda v: {"config": to_json(config), "n": len(values), "d": values.shape[1], **projection_info(v)},
        callback,
    )  # fmt: skip


def clustering(
    store: Store, on: Staged[Any], config: ClusterConfig, callback: Callback = ignore
) -> Staged[Clustering]:
    """Cluster latents, reduced latents, their UMAP coordinates or the map: whichever stage is given."""
    values = coordinates_of(on.value)
    return staged_in(
        store,
        "clustering",
        clustering_key(on.key, config),
        lambda: cluster(values, config.method, callback),
        clustering_arrays,
        clustering_of,
        lambda v: {"config": to_json(config), "n": len(values), "inertia": v.inertia, "n_iter": v.n_iter},
        callback,
    )  # fmt: skip


def clustered(results: Results) -> Staged[Any]:
    """Return the stage that is or will be clustered."""
    stage: Staged[Any] | None = getattr(results, results.on)
    return some(stage)


def coordinates_of(value: Latents | Reduced | Projection) -> np.ndarray:
    """Return the (n, d) float32 array that a clustering of this stage works on."""
    if isinstance(value, Latents):
        return value.latents
    return value.values if isinstance(value, Reduced) else value.coordinates


def _trained(
    store: Store, spec: TrainSpec, image_set: ImageSet, callback: Callback, device: str | None
) -> Staged[TrainedModel]:
    learnt, validation = learnt_from(store, spec, image_set, callback)
    return trainings.trained(store, spec, learnt, validation, callback, device)


def learnt_from(
    store: Store, spec: TrainSpec, image_set: ImageSet, callback: Callback = ignore
) -> tuple[ImageSet, ImageSet | None]:
    """Return the images that a model learns from, in a plan for these images, and those it is validated on."""
    learnt = image_set if spec.data is None else images(store, spec.data, callback).value
    return learnt, None if spec.validation is None else images(store, spec.validation, callback).value


def begin_anew(store: Store, spec: TrainSpec, image_set: ImageSet, callback: Callback = ignore) -> None:
    """Forget how far an interrupted training was; models that it left stay."""
    learnt, validation = learnt_from(store, spec, image_set, callback)
    trainings.discard(store, training_key(learnt, spec, validation))

"""Store keys, chained: images ← content; model ← images + configs; latents ← weights + images; and so on.

Device, threads and callbacks say how and not what; they are never in a key.
"""

from collections.abc import Sequence
from dataclasses import replace

from core.classified import ClassifierModel
from core.config import (
    ClusterConfig,
    FeaturesConfig,
    Metric,
    ModelConfig,
    ProjectionConfig,
    ReductionConfig,
    UMAPConfig,
    to_json,
)
from core.images import ImageSet, Source, signature
from core.models import identity
from core.plans import AnyModel, Plan, Staged, TrainSpec
from core.store import key_of

# Bump a number when its stage's algorithm changes: old entries are then never found again. UMAP and own labels have their own.
VERSIONS = {
    "images": 1, "features": 1, "model": 1, "training": 1, "latents": 1, "reduced": 1, "neighbours": 2, "projection": 2,
    "umap": 2, "manifold": 1, "clustering": 1, "ensemble": 2, "self_labels": 2,
}  # fmt: skip


def images_key(source: Source) -> str:
    """Key of decoded images: the source and its files' names, sizes and dates."""
    return key_of(VERSIONS["images"], signature(source))


def sample_key(found: ImageSet) -> str:
    """Key of a sample's images: their content."""
    return key_of(VERSIONS["images"], found.fingerprint)


def model_key(image_set: ImageSet, spec: TrainSpec, validation: ImageSet | None = None) -> str:
    """Key of a model trained on these images and validated on those."""
    read = _read(spec.autoencoder, image_set, *(() if validation is None else (validation,)))
    training = to_json(spec.training)
    if training["precision"] == "auto":
        del training["precision"]  # models of before there was this setting are found again
    if spec.training.self_label_clusters:
        read.append(str(VERSIONS["self_labels"]))
    return key_of(VERSIONS["model"], read[0], identity(spec.autoencoder), training, *read[1:])


def _read(config: ModelConfig, *sets: ImageSet) -> list[str]:
    """Return what stands for all that a model reads of images: a pretrained network also reads the files that they came of."""
    found = [images.fingerprint for images in sets]
    if isinstance(config, FeaturesConfig):
        found += [images.originals.key for images in sets if images.originals is not None]
    return found


def features_key(config: FeaturesConfig, images: ImageSet) -> str:
    """Key of the features of these images, whatever decodes them."""
    read = {name: value for name, value in identity(config).items() if name != "width"}
    return key_of(VERSIONS["features"], read, _read(config, images))


def training_key(image_set: ImageSet, spec: TrainSpec, validation: ImageSet | None = None) -> str:
    """Key of a training, whatever the number of its epochs: one of more goes through the same weights."""
    once = replace(spec, training=replace(spec.training, epochs=1))
    return key_of(VERSIONS["training"], model_key(image_set, once, validation))


def latents_key(model: AnyModel, images: Staged[ImageSet]) -> str:
    """Key of the latents of these images; a classifier reads the files themselves, which the images' key stands for."""
    if isinstance(model, ClassifierModel):
        return key_of(VERSIONS["latents"], model.fingerprint, images.value.fingerprint, images.key)
    return key_of(VERSIONS["latents"], model.fingerprint, *_read(model.autoencoder, images.value))


def reduced_key(key: str, config: ReductionConfig) -> str:
    """Key of the reduced latents: the latents' own when nothing is done to them."""
    return key if config == ReductionConfig() else key_of(VERSIONS["reduced"], key, to_json(config))


def components_key(key: str, standardize: bool) -> str:
    """Key of the principal components of the latents, which every PCA of them shares."""
    return key_of(VERSIONS["reduced"], key, "components", standardize)


def projection_key(key: str, config: ProjectionConfig) -> str:
    """Key of a map of what `key` names."""
    return key_of(VERSIONS["umap" if isinstance(config, UMAPConfig) else "projection"], key, to_json(config))


def manifold_key(key: str, config: UMAPConfig) -> str:
    """Key of the UMAP coordinates of what `key` names that are made to be clustered."""
    return key_of(VERSIONS["manifold"], VERSIONS["umap"], key, to_json(config))


def neighbours_key(key: str, metric: Metric, k: int) -> str:
    """Key of the k nearest neighbours of each image in what `key` names."""
    return key_of(VERSIONS["neighbours"], key, metric, k)


def moved_key(key: str, config: ProjectionConfig, start: str) -> str:
    """Key of a map of what `key` names that went on from the map of key `start`; never that of one begun anew."""
    return key_of(VERSIONS["projection"], key, to_json(config), start)


def map_key(key: str, config: ProjectionConfig, start: ProjectionConfig | None) -> str:
    """Key of a map of what `key` names, begun anew or gone on from the map with the settings `start`."""
    if start is None:
        return projection_key(key, config)
    return moved_key(key, config, projection_key(key, start))


def clustering_key(key: str, config: ClusterConfig) -> str:
    """Key of a clustering of what `key` names."""
    return key_of(VERSIONS["clustering"], key, to_json(config.method))


def ensemble_key(image_set: ImageSet, members: Sequence[tuple[AnyModel, Plan]]) -> str:
    """Key of the vote of several plans with their models."""
    parts = []
    for model, plan in members:
        projection = to_json(plan.projection) if plan.cluster.on == "projection" else None
        if projection is not None and plan.start is not None:
            projection["start"] = to_json(plan.start)
        reduction = to_json(plan.reduction) if plan.cluster.on != "latents" else None
        parts.append([model.fingerprint, reduction, projection, to_json(plan.cluster)])
    return key_of(VERSIONS["ensemble"], image_set.fingerprint, parts)

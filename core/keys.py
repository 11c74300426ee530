"""Store keys, chained: images ← content; model ← images + configs; latents ← weights + images; and so on.

Device, threads and callbacks say how and not what; they are never in a key.
"""

from core.config import ClusterConfig, ProjectionConfig, ReductionConfig, to_json
from core.images import ImageSet, Source, signature
from core.models import TrainedModel
from core.plans import TrainSpec
from core.store import key_of

# Bump a number when its stage's algorithm changes: old entries are then never found again.
VERSIONS = {"images": 1, "model": 1, "latents": 1, "reduced": 1, "projection": 1, "clustering": 1}


def images_key(source: Source) -> str:
    """Key of decoded images: the source and its files' names, sizes and dates."""
    return key_of(VERSIONS["images"], signature(source))


def sample_key(found: ImageSet) -> str:
    """Key of a sample's images: their content."""
    return key_of(VERSIONS["images"], found.fingerprint)


def model_key(image_set: ImageSet, spec: TrainSpec) -> str:
    """Key of a model trained on these images."""
    return key_of(VERSIONS["model"], image_set.fingerprint, to_json(spec.autoencoder), to_json(spec.training))


def latents_key(trained: TrainedModel, image_set: ImageSet) -> str:
    """Key of the latents of these images."""
    return key_of(VERSIONS["latents"], trained.fingerprint, image_set.fingerprint)


def reduced_key(key: str, config: ReductionConfig) -> str:
    """Key of the reduced latents: the latents' own when nothing is done to them."""
    return key if config == ReductionConfig() else key_of(VERSIONS["reduced"], key, to_json(config))


def projection_key(key: str, config: ProjectionConfig) -> str:
    """Key of a map of what `key` names."""
    return key_of(VERSIONS["projection"], key, to_json(config))


def clustering_key(key: str, config: ClusterConfig) -> str:
    """Key of a clustering of what `key` names."""
    return key_of(VERSIONS["clustering"], key, to_json(config.method))

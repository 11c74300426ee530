"""Settings of the clustering."""

from dataclasses import dataclass, field
from typing import Literal

from core.config.checks import one_of, whole

ClusterOn = Literal["latents", "reduced", "projection"]


@dataclass(frozen=True)
class KMeansConfig:
    """KMeans with k-means++ starts; the best of `n_init` runs by inertia."""

    n_clusters: int = 10
    n_init: int = 4
    max_iter: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        whole("n_clusters", self.n_clusters, 1)
        whole("n_init", self.n_init, 1, 1000)
        whole("max_iter", self.max_iter, 1, 100_000)
        whole("seed", self.seed, 0, 2**32 - 1)


@dataclass(frozen=True)
class MiniBatchKMeansConfig:
    """KMeans on random batches: faster on many images, a little worse in inertia."""

    n_clusters: int = 10
    batch_size: int = 1024
    n_init: int = 4
    max_iter: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        whole("n_clusters", self.n_clusters, 1)
        whole("batch_size", self.batch_size, 1)
        whole("n_init", self.n_init, 1, 1000)
        whole("max_iter", self.max_iter, 1, 100_000)
        whole("seed", self.seed, 0, 2**32 - 1)


ClusterMethod = KMeansConfig | MiniBatchKMeansConfig


@dataclass(frozen=True)
class ClusterConfig:
    """How to cluster, and which coordinates: the latents, the reduced latents or the map."""

    method: ClusterMethod = field(default_factory=KMeansConfig)
    on: ClusterOn = "latents"

    def __post_init__(self) -> None:
        one_of("on", self.on, ClusterOn)

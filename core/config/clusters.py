"""Settings of the clustering: one class a method; those that take a number of clusters have `n_clusters`."""

from dataclasses import dataclass, field, replace
from typing import Literal

from core.config.checks import LATER, between, one_of, positive, whole
from core.config.maps import UMAPConfig
from core.errors import ConfigError

ClusterOn = Literal["latents", "reduced", "manifold", "projection"]
Covariance = Literal["full", "tied", "diag", "spherical"]
Linkage = Literal["ward", "average", "complete", "single"]
Selection = Literal["eom", "leaf"]


@dataclass(frozen=True)
class KMeansConfig:
    """KMeans with k-means++ starts; the best of `n_init` runs by inertia.

    Parameters
    ----------
    start_sample : of more images than this, three times `n_init` starts are tried on a random sample of so many, and the
        best `n_init` go on on all. None makes each of `n_init` starts on all.
    """

    n_clusters: int = 10
    n_init: int = 4
    max_iter: int = 300
    seed: int = 0
    start_sample: int | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        whole("n_clusters", self.n_clusters, 1)
        whole("n_init", self.n_init, 1, 1000)
        whole("max_iter", self.max_iter, 1, 100_000)
        whole("seed", self.seed, 0, 2**32 - 1)
        if self.start_sample is not None:
            whole("start_sample", self.start_sample, self.n_clusters)


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


@dataclass(frozen=True)
class GaussianMixtureConfig:
    """A mixture of k normal distributions, fitted by expectation maximisation from KMeans; the likeliest of `n_init` runs.

    Parameters
    ----------
    covariance : "full" each component its own, "tied" one for all, "diag" no correlations, "spherical" one variance each.
    reg_covar : added to every variance, so that none becomes 0, as a share of the mean variance of what is clustered.
    start_sample : runs take but a few steps, on a random sample of at most so many, and the likeliest goes on on all. None
        brings each run to its end on all.
    """

    n_clusters: int = 10
    covariance: Covariance = "full"
    reg_covar: float = 1e-6
    n_init: int = 1
    max_iter: int = 100
    seed: int = 0
    start_sample: int | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        whole("n_clusters", self.n_clusters, 1)
        one_of("covariance", self.covariance, Covariance)
        positive("reg_covar", self.reg_covar)
        between("reg_covar", self.reg_covar, 0, 1)
        whole("n_init", self.n_init, 1, 1000)
        whole("max_iter", self.max_iter, 1, 100_000)
        whole("seed", self.seed, 0, 2**32 - 1)
        if self.start_sample is not None:
            whole("start_sample", self.start_sample, max(2, self.n_clusters))


@dataclass(frozen=True)
class AgglomerativeConfig:
    """Join the two nearest groups until k are left.

    Parameters
    ----------
    linkage : distance of two groups: "ward" how much joining them adds to the inertia, or the "average", the largest
        ("complete") or the smallest ("single") distance of their images.
    graph_neighbors : join only groups with images among each other's so many nearest, which takes far less memory;
        of ward alone. None joins any two.
    """

    n_clusters: int = 10
    linkage: Linkage = "ward"
    graph_neighbors: int | None = None

    def __post_init__(self) -> None:
        whole("n_clusters", self.n_clusters, 1)
        one_of("linkage", self.linkage, Linkage)
        if self.graph_neighbors is not None:
            whole("graph_neighbors", self.graph_neighbors, 2, 1000)
            if self.linkage != "ward":
                raise ConfigError(f"graph_neighbors is for ward linkage; with {self.linkage} leave it out.")


@dataclass(frozen=True)
class HDBSCANConfig:
    """Dense regions of any form, as many as there are; images outside of them are noise.

    Parameters
    ----------
    min_cluster_size : images that a cluster has at least.
    min_samples : images that must lie around one for it to count as dense, itself included; None is `min_cluster_size`.
    cluster_selection_method : "eom" the clusters that last longest as density rises, "leaf" the smallest ones.
    """

    min_cluster_size: int = 15
    min_samples: int | None = None
    cluster_selection_method: Selection = "eom"

    def __post_init__(self) -> None:
        whole("min_cluster_size", self.min_cluster_size, 2)
        if self.min_samples is not None:
            whole("min_samples", self.min_samples, 1)
        one_of("cluster_selection_method", self.cluster_selection_method, Selection)


@dataclass(frozen=True)
class SpectralConfig:
    """KMeans of the eigenvectors of a graph that joins each image to its `graph_neighbors` nearest."""

    n_clusters: int = 10
    graph_neighbors: int = 10
    n_init: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        whole("n_clusters", self.n_clusters, 1)
        whole("graph_neighbors", self.graph_neighbors, 2, 1000)
        whole("n_init", self.n_init, 1, 1000)
        whole("seed", self.seed, 0, 2**32 - 1)


ClusterMethod = (
    KMeansConfig
    | MiniBatchKMeansConfig
    | GaussianMixtureConfig
    | AgglomerativeConfig
    | HDBSCANConfig
    | SpectralConfig
)


def clusters_of(method: ClusterMethod) -> int | None:
    """Return the number of clusters that a method is asked for; None where it finds the number itself."""
    return None if isinstance(method, HDBSCANConfig) else method.n_clusters


def with_clusters(method: ClusterMethod, k: int) -> ClusterMethod:
    """Return a method asked for k clusters; one that finds the number itself stays as it is."""
    return method if isinstance(method, HDBSCANConfig) else replace(method, n_clusters=k)


def seed_of(method: ClusterMethod) -> int | None:
    """Return the seed of a method; None where nothing is random."""
    return None if isinstance(method, AgglomerativeConfig | HDBSCANConfig) else method.seed


def with_seed(method: ClusterMethod, seed: int) -> ClusterMethod:
    """Return a method with another seed; one without anything random stays as it is."""
    return method if isinstance(method, AgglomerativeConfig | HDBSCANConfig) else replace(method, seed=seed)


# It is left out of JSON and so must stay as it is; what the program begins with is in `core.ways`.
MANIFOLD = UMAPConfig(10, n_neighbors=15, min_dist=0.0)


@dataclass(frozen=True)
class ClusterConfig:
    """How to cluster, and which coordinates: the latents, the reduced latents, UMAP coordinates of these, or the map.

    Parameters
    ----------
    manifold : the UMAP whose coordinates are clustered where `on` is "manifold"; nobody looks at them, so they may be many.
    """

    method: ClusterMethod = field(default_factory=KMeansConfig)
    on: ClusterOn = "latents"
    manifold: UMAPConfig = field(default=MANIFOLD, metadata=LATER)

    def __post_init__(self) -> None:
        if not isinstance(self.method, ClusterMethod):
            raise ConfigError(f"{type(self.method).__name__} is not a clustering.")
        one_of("on", self.on, ClusterOn)
        if not isinstance(self.manifold, UMAPConfig):
            raise ConfigError(f"{type(self.manifold).__name__} cannot give the coordinates to cluster; UMAP can.")
        if self.on != "manifold" and self.manifold != MANIFOLD:  # else equal clusters would have several configs
            raise ConfigError(
                f"manifold is set, but clusters are on {self.on!r}; choose on='manifold' or leave it out."
            )

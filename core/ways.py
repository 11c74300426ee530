"""Ways from latents to clusters: standardise, reduce, unfold, cluster. Which there are, why, and what one has done.

What each begins with is here and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from core import clustering, report
from core.config import (
    ClusterConfig,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KernelPCAConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    PCAConfig,
    ReductionConfig,
    UMAPConfig,
    clusters_of,
    with_clusters,
)
from core.plans import Plan, Results, some

FEWEST = 3  # images that UMAP can lay out
MANY = 200_000  # images above which UMAP, and KMeans on all at once, take minutes
SAMPLED_FROM, SAMPLE = 100_000, 20_000  # above so many images UMAP is fitted on so many, and places the others
BATCH = 4096  # of random batches of many images; smaller ones take longer to settle
UMAP, KMEANS = "umap-mixture", "kmeans-latents"


@dataclass(frozen=True)
class Way:
    """A way from latents to clusters.

    Parameters
    ----------
    title, summary, reason : for people; the reason names its source.
    reduction : what is done to the latents first, for the map as well; None where the clusters have no use for it.
    cluster : what is clustered, and how; its number of clusters counts for nothing.
    """

    name: str
    title: str
    summary: str
    reason: str
    reduction: ReductionConfig | None
    cluster: ClusterConfig


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        way.name: way
        for way in (
            Way(
                UMAP,
                "UMAP, then Gaussian mixture",
                "UMAP brings the latents to 10 dimensions, and a Gaussian mixture clusters these",
                # Nothing standardised, as a latent that varies little says little. reg_covar: with 1e-6 the likeliest mixture
                # may have a cluster as thin as a line (digits: accuracy 0.944, 0.962 with 1e-4); with 1e-3 some of twice as
                # many clusters as there are groups stay empty. Starts: see `core.clustering.mixture`.
                "images of a kind lie on a bent surface, which KMeans cuts through and UMAP unfolds (McConville et al., N2D, "
                "2019). 10 dimensions keep neighbours that a map tears apart, min_dist 0 packs them densely (McInnes et al., "
                "UMAP, 2018), 15 neighbours are its usual number, and a mixture takes clusters of any size and stretch",
                ReductionConfig(),
                ClusterConfig(
                    GaussianMixtureConfig(
                        covariance="full", reg_covar=1e-4, n_init=10, start_sample=clustering.MIXTURE_SAMPLE
                    ),
                    "manifold",
                    UMAPConfig(10, n_neighbors=15, min_dist=0.0),
                ),
            ),
            Way(
                KMEANS,
                "KMeans of the latents",
                "KMeans clusters the latents as they are",
                "the quickest, and what other ways are measured against: balls of about one size (Lloyd, 1982)",
                None,
                ClusterConfig(KMeansConfig()),
            ),
            Way(
                "standardised-pca-kmeans",
                "Standardised, PCA, then KMeans",
                "each latent is brought to variance 1, PCA leaves 10 numbers, and KMeans clusters these",
                "where latents have different scales, as those of a classifier's layer, the largest would decide alone; PCA "
                "leaves out directions of noise (Ding and He, 2004)",
                ReductionConfig(standardize=True, method=PCAConfig(10)),
                ClusterConfig(KMeansConfig(), "reduced"),
            ),
        )
    }
)


def usual(n: int) -> Way:
    """Return the way to begin with for n images: UMAP, unless they are so many that it takes minutes."""
    return WAYS[KMEANS if n > MANY else UMAP]


def reduction_of(way: Way, n: int, d: int) -> ReductionConfig | None:
    """Return what a way does first to n × d latents, with as many components as there can be; None where that is left open."""
    found = way.reduction
    if found is None or found.method is None:
        return found
    return replace(found, method=replace(found.method, n_components=min(found.method.n_components, n, d)))


def cluster_of(way: Way, n: int, k: int) -> ClusterConfig:
    """Return how a way clusters n images into k: with as many neighbours as there are, of very many on a sample.

    Too few images for UMAP are clustered by KMeans, as if that had been chosen.
    """
    found = way.cluster
    if found.on == "manifold" and n < FEWEST:
        found = WAYS[KMEANS].cluster
    if found.on == "manifold":
        near = min(found.manifold.n_neighbors, n - 1)
        sample = SAMPLE if n > SAMPLED_FROM else None
        found = replace(found, manifold=replace(found.manifold, n_neighbors=near, sample=sample))
    if isinstance(found.method, KMeansConfig):
        large = MiniBatchKMeansConfig(batch_size=BATCH, n_init=found.method.n_init)
        found = replace(
            found, method=large if n > MANY else replace(found.method, start_sample=clustering.start_sample(n))
        )
    return replace(found, method=with_clusters(found.method, k))


def steps(plan: Plan, results: Results) -> tuple[str, ...]:
    """Say in a few short texts how the clusters of these results came of their numbers, in order."""
    n, d = some(results.latents).value.latents.shape
    cluster, reduction = plan.cluster, plan.reduction
    found = [f"{n:,} × {d} latents"]
    if cluster.on != "latents":
        found += ["standardised"] if reduction.standardize else []
        found += [] if reduction.method is None else [_reducer(reduction.method)]
    if cluster.on == "manifold":
        found.append(_unfolded(cluster.manifold, some(results.manifold).value.fitted))
    if cluster.on == "projection":
        found.append(f"{report.title_of(plan.projection)} map in {plan.projection.n_components}-D")
    found.append(_clusters(cluster, some(results.clustering).value.k))
    return (*found, *([f"vote of {len(plan.others) + 1} runs"] if plan.others else []))


def title_of(config: UMAPConfig) -> str:
    """Name the UMAP coordinates that are clustered."""
    return f"UMAP to {config.n_components} dimension{'s' if config.n_components > 1 else ''}"


def _reducer(method: Any) -> str:
    names = {PCAConfig: "PCA", KernelPCAConfig: "kernel PCA"}
    return f"{names.get(type(method), 'truncated SVD')} to {method.n_components}"


def _unfolded(config: UMAPConfig, fitted: int | None) -> str:
    told = f"{title_of(config)}, {config.n_neighbors} neighbours, min_dist {config.min_dist:g}"
    told += "" if config.metric == "euclidean" else f", {config.metric} distance"
    return told if fitted is None else f"{told}, fitted on {fitted:,} images and the others placed"


def _clusters(config: ClusterConfig, found: int) -> str:
    method, title = config.method, clustering.title_of(config.method)
    if isinstance(method, HDBSCANConfig):
        return f"{title}, which found {found} clusters"
    if isinstance(method, GaussianMixtureConfig):
        return f"{title} of {method.n_clusters}, {method.covariance} covariances, likeliest of {method.n_init} starts"
    return f"{title} of {clusters_of(method)}"

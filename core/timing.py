"""How long a stage will take, to decide whether it follows a slider or waits for a button.

Fitted to measurements on two cores of a cloud machine (2.4 GHz class) with the digits' latents: t-SNE of 10,000 in CPU
seconds of one core: 750 iterations 5.3 in 2-D, 14.2 in 3-D (where all pairs are summed up), after 2.1 of start and
neighbours; UMAP of 10,000 1.8 CPU seconds after 1.5 of start, in 10-D 3.3, and 19.7 of 60,000; kernel PCA
of 5,000 0.7 s; KMeans of 5,000 × 32 into 100 0.3 s. Good to a factor of about two; a faster machine finishes sooner.
Of digits with 32 latents, CPU seconds of one core: HDBSCAN 4.1 of 10,000 and 17.7 of 20,000; into 10 clusters spectral 2.0
of 20,000 and 17.8 of 70,000, ward of 15 neighbours 6.0 of 20,000 and 63 of 70,000, Gaussian mixture 13.9 of 70,000. Seconds
on the two cores, which others used too: ward of all pairs 0.9 of 5,000 and 24 of 20,000.
"""

from dataclasses import replace

from core.config import (
    AgglomerativeConfig,
    ClusterConfig,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KernelPCAConfig,
    KMeansConfig,
    PCAConfig,
    ProjectionConfig,
    ReductionConfig,
    ReductionMethod,
    SpectralConfig,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
)

PAIRS_UP_TO = 20_000  # images of a 3-D t-SNE about from where the repulsion goes by a grid
PLACED = 2e-5  # seconds an image for its weights and its median
UMAP_START = 2.0  # seconds to import what it needs and load its compiled code, once a process


def predict_seconds(
    config: ReductionConfig | ReductionMethod | ProjectionConfig | ClusterConfig,
    n: int,
    d: int,
    going_on: int | None = None,
) -> float:
    """Predict seconds for n images of d values each.

    Parameters
    ----------
    config : of a first reduction, a map or a clustering.
    going_on : iterations of a t-SNE that goes on from a map that is there, with neighbours that are known.
    """
    if isinstance(config, TSNEConfig | UMAPConfig) and config.sample is not None and config.sample < n:
        fit = predict_seconds(replace(config, sample=None), config.sample, d, going_on)
        searched = 0.0 if going_on is None else _neighbours(config.sample, d)  # those of a sample are not kept
        return fit + searched + _placing(n, d, config.sample)
    if isinstance(config, TSNEConfig):
        iterations = config.early_exaggeration_iter + config.n_iter
        one = 7e-7 if config.n_components < 3 else 7e-7 + min(n, PAIRS_UP_TO) * 1.2e-10
        if going_on is not None:
            return 0.2 + min(going_on, config.n_iter) * n * one + n * config.perplexity * 1e-6
        return 1.3 + iterations * n * one + _neighbours(n, d)
    if isinstance(config, UMAPConfig):
        wide = 1.0 if config.n_components <= 3 else 1 + config.n_components / 10
        return UMAP_START + n * 1.8e-4 * wide + _neighbours(n, d)
    if isinstance(config, KernelPCAConfig):
        landmarks = min(n, config.n_landmarks)
        return 1e-9 * landmarks**3 * 0.4 + n * landmarks * 5e-8
    if isinstance(config, PCAConfig | TruncatedSVDConfig):
        return 1e-9 * n * d * d + 0.01
    if isinstance(config, ReductionConfig):
        return 1e-8 * n * d + (0.0 if config.method is None else predict_seconds(config.method, n, d))
    return _clustering(config, n, d)


def _neighbours(n: int, d: int) -> float:
    return 1e-10 * n * n * d


def _placing(n: int, d: int, sample: int) -> float:
    """Seconds to place all others, and to find 2,000 images' neighbours among all."""
    return 1.0 + n * PLACED + n * sample * (d + 60) * 1e-10 + n * 2e-7 * (d + 60)


def _clustering(config: ClusterConfig, n: int, d: int) -> float:
    method = config.method
    dims = min(d, 3) if config.on == "projection" else d
    if isinstance(method, GaussianMixtureConfig):
        one = dims**2 * 7e-10 if method.covariance in ("full", "tied") else dims * 2e-9
        looked = 30 * method.n_init * n
        if method.start_sample is not None:
            looked = 10 * method.n_init * min(n, method.start_sample) + 30 * n
        return 0.1 + looked * method.n_clusters * one
    if isinstance(method, HDBSCANConfig):
        return 0.05 + 2e-9 * n * n * dims
    if isinstance(method, SpectralConfig):
        return 0.1 + _neighbours(n, dims) + n * method.n_clusters * 1.5e-5
    if isinstance(method, AgglomerativeConfig):
        if method.graph_neighbors is None:
            return 0.05 + 4.5e-8 * n * n
        return 0.1 + _neighbours(n, dims) + n * 5.6e-5 + 9.2e-9 * n * n
    if isinstance(method, KMeansConfig) and method.start_sample is not None:
        looked = method.n_init * (n + 3 * min(n, method.start_sample))
        return 0.05 + 12 * looked * method.n_clusters * (5 + dims) * 1e-10
    if isinstance(method, KMeansConfig):
        return 0.05 + method.n_init * 40 * n * method.n_clusters * (5 + dims) * 1e-10
    batches = method.n_init * 40 * min(n, method.batch_size) * method.n_clusters * (5 + dims) * 1e-10
    return 0.05 + batches + n * (method.n_clusters + 20) * (5 + dims) * 2e-9

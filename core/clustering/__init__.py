"""Group points into clusters; clusters are numbered by falling size."""

import numpy as np

from core.clustering.density import hdbscan
from core.clustering.graphs import MOST_PAIRS, MOST_SPECTRAL, agglomerative, spectral
from core.clustering.kmeans import SAMPLE, kmeans, one_more, start_sample
from core.clustering.mixture import MIXTURE_SAMPLE, mixture
from core.clustering.result import NOISE, NOISE_NAME, Clustering, by_size, name_of, of_labels
from core.config import (
    AgglomerativeConfig,
    ClusterMethod,
    GaussianMixtureConfig,
    HDBSCANConfig,
    SpectralConfig,
    clusters_of,
)
from core.errors import ConfigError
from core.progress import Callback, Progress, ignore
from core.projection.checks import checked

__all__ = [
    "MIXTURE_SAMPLE",
    "MOST_PAIRS",
    "MOST_SPECTRAL",
    "NOISE",
    "NOISE_NAME",
    "SAMPLE",
    "Clustering",
    "by_size",
    "check_size",
    "cluster",
    "name_of",
    "of_labels",
    "one_more",
    "start_sample",
    "title_of",
]


def title_of(method: ClusterMethod) -> str:
    """Return a method's name as people write it."""
    titles = {
        "MiniBatchKMeansConfig": "MiniBatchKMeans",
        "GaussianMixtureConfig": "Gaussian mixture",
        "AgglomerativeConfig": "Agglomerative clustering",
        "HDBSCANConfig": "HDBSCAN",
        "SpectralConfig": "Spectral clustering",
    }
    return titles.get(type(method).__name__, "KMeans")


def cluster(values: np.ndarray, method: ClusterMethod, callback: Callback = ignore) -> Clustering:
    """Cluster (n, d); the same seed gives the same clusters.

    Raises
    ------
    ConfigError : a setting that does not fit the number of points, more clusters than different points, or nothing but
        noise.
    DataError : not a finite (n, d) array.
    Cancelled : raised by the callback, before and after the fit and while neighbours are found.
    """
    n = len(checked(values))
    check_size(method, n)
    k = clusters_of(method)
    if k is not None:
        distinct = _distinct(values, k)
        if distinct < k:
            raise ConfigError(f"k = {k} clusters need at least {k} different points; these images give {distinct}.")
    callback(Progress(title_of(method), 0, 1))
    if isinstance(method, GaussianMixtureConfig):
        found = mixture(values, method)
    elif isinstance(method, AgglomerativeConfig):
        found = agglomerative(values, method, callback)
    elif isinstance(method, HDBSCANConfig):
        found = hdbscan(values, method)
    elif isinstance(method, SpectralConfig):
        found = spectral(values, method, callback)
    else:
        found = kmeans(values, method)
    callback(Progress(title_of(method), 1, 1))
    return found


def check_size(method: ClusterMethod, n: int) -> None:
    """Check, before anything long is begun, that a method can cluster n images.

    Raises
    ------
    ConfigError : they are too few or too many; the sentence names the setting, its limit, and what to choose instead.
    """
    k = clusters_of(method)
    if k is not None and k > n:
        raise ConfigError(f"k = {k} clusters need at least {k} images; this set has {n}.")
    if isinstance(method, GaussianMixtureConfig) and n < 2:
        raise ConfigError("A Gaussian mixture needs at least 2 images; this set has 1.")
    if isinstance(method, HDBSCANConfig):
        for name, least in (("min_cluster_size", method.min_cluster_size), ("min_samples", method.min_samples or 1)):
            if least > n:
                raise ConfigError(f"{name} {least} needs at least {least} images; this set has {n}.")
    if isinstance(method, AgglomerativeConfig | SpectralConfig):
        _check_graph(method, n)


def _check_graph(method: AgglomerativeConfig | SpectralConfig, n: int) -> None:
    near = method.graph_neighbors
    if near is not None and near >= n and method.n_clusters > 1:
        raise ConfigError(f"graph_neighbors {near} needs at least {near + 1} images; this set has {n}.")
    if isinstance(method, SpectralConfig):
        if n > MOST_SPECTRAL:
            raise ConfigError(
                f"Spectral clustering takes at most {MOST_SPECTRAL:,} images; this set has {n:,}. Choose ward linkage that "
                "joins only neighbours (graph_neighbors), KMeans or a Gaussian mixture, or fewer images."
            )
        if 1 < method.n_clusters >= n:
            raise ConfigError(f"Spectral clustering into k = {method.n_clusters} needs more than {n} images.")
    elif near is None and n > MOST_PAIRS:
        raise ConfigError(
            f"Agglomerative clustering of all pairs takes at most {MOST_PAIRS:,} images; this set has {n:,}. Choose ward "
            "linkage that joins only neighbours (graph_neighbors), KMeans or a Gaussian mixture, or fewer images."
        )


def _distinct(values: np.ndarray, enough: int) -> int:
    """Count different rows; of a sample only, if that already holds `enough`."""
    found = len(np.unique(values[: 10 * enough], axis=0))
    return found if found >= enough else len(np.unique(values, axis=0))

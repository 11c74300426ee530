"""Group points into k clusters; clusters are numbered by falling size."""

import warnings
from dataclasses import dataclass

import numpy as np

from core.config import ClusterMethod, KMeansConfig
from core.errors import ConfigError
from core.projection.checks import SMALL_WORK, checked, one_thread_if


@dataclass(frozen=True)
class Clustering:
    """Clusters of n points, cluster 0 the largest.

    Parameters
    ----------
    labels : int32 (n,), 0..k-1.
    centers : float32 (k, d).
    inertia : sum of the squared distances of the points to their centers, ≥ 0.
    n_iter : iterations of the best start; 0 of an ensemble.
    confidence : float32 (n,), share of an ensemble's members that agree, in (0, 1]; None of a single clustering.
    agreement : float32 (m, m), adjusted Rand index of every two members of an ensemble.
    """

    labels: np.ndarray
    centers: np.ndarray
    inertia: float
    n_iter: int
    confidence: np.ndarray | None = None
    agreement: np.ndarray | None = None


def cluster(values: np.ndarray, method: ClusterMethod) -> Clustering:
    """Cluster (n, d) into k clusters.

    Raises
    ------
    ConfigError : more clusters than images, or than different points.
    DataError : not a finite (n, d) array.

    Notes
    -----
    KMeans: Lloyd (1982) from k-means++ starts (Arthur and Vassilvitskii, 2007); on random batches: Sculley (2010).
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    n, d = checked(values).shape
    k = method.n_clusters
    if k > n:
        raise ConfigError(f"k = {k} clusters need at least {k} images; this set has {n}.")
    distinct = _distinct(values, k)
    if distinct < k:
        raise ConfigError(f"k = {k} clusters need at least {k} different points; these images give {distinct}.")
    common = {"n_clusters": k, "n_init": method.n_init, "max_iter": method.max_iter, "random_state": method.seed}
    if isinstance(method, KMeansConfig):
        estimator = KMeans(**common)
    else:
        estimator = MiniBatchKMeans(**common, batch_size=method.batch_size)
    with one_thread_if(n * d * k < SMALL_WORK / 100), warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            estimator.fit(np.ascontiguousarray(values))
        except ConvergenceWarning as error:
            raise ConfigError(f"k = {k} clusters are too many: the points fall together into fewer.") from error
    labels, order = by_size(estimator.labels_, k)
    centers = estimator.cluster_centers_[order].astype(np.float32)
    return Clustering(labels, centers, float(estimator.inertia_), int(estimator.n_iter_))


def by_size(labels: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Renumber clusters by falling size, equal ones by first appearance.

    Returns
    -------
    labels : int32 (n,), 0..k-1.
    order : int (k,): the old number of each new cluster. Empty clusters come last.
    """
    sizes = np.bincount(labels, minlength=k)
    first = np.full(k, len(labels))
    np.minimum.at(first, labels, np.arange(len(labels)))
    order = np.lexsort((first, -sizes))
    renamed = np.empty(k, np.int32)
    renamed[order] = np.arange(k, dtype=np.int32)
    return renamed[labels], order


def _distinct(values: np.ndarray, enough: int) -> int:
    """Count different rows; of a sample only, if that already holds `enough`."""
    found = len(np.unique(values[: 10 * enough], axis=0))
    return found if found >= enough else len(np.unique(values, axis=0))

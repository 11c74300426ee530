"""KMeans, on all points at once or on random batches."""

import warnings

import numpy as np

from core.clustering.result import Clustering, by_size
from core.config import KMeansConfig, MiniBatchKMeansConfig
from core.errors import ConfigError
from core.projection.checks import SMALL_WORK, one_thread_if


def kmeans(values: np.ndarray, method: KMeansConfig | MiniBatchKMeansConfig) -> Clustering:
    """Cluster (n, d) around k centers.

    Raises
    ------
    ConfigError : the points fall together into fewer clusters.

    Notes
    -----
    Lloyd (1982) from k-means++ starts (Arthur and Vassilvitskii, 2007); on random batches: Sculley (2010).
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    (n, d), k = values.shape, method.n_clusters
    common = {"n_clusters": k, "n_init": method.n_init, "max_iter": method.max_iter, "random_state": method.seed}
    if isinstance(method, KMeansConfig):
        estimator = KMeans(**common)
    else:
        estimator = MiniBatchKMeans(**common, batch_size=method.batch_size)
    at_once = n if isinstance(method, KMeansConfig) else min(n, method.batch_size)
    with one_thread_if(at_once * d * k < SMALL_WORK / 100), warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            estimator.fit(np.ascontiguousarray(values))
        except ConvergenceWarning as error:
            raise ConfigError(f"k = {k} clusters are too many: the points fall together into fewer.") from error
    labels, order = by_size(estimator.labels_, k)
    centers = estimator.cluster_centers_[order].astype(np.float32)
    return Clustering(labels, centers, float(estimator.inertia_), int(estimator.n_iter_))

"""Dense regions of any form, and noise outside of them."""

import numpy as np

from core.clustering.result import Clustering, by_size, inertia, means
from core.config import HDBSCANConfig
from core.errors import ConfigError


def hdbscan(values: np.ndarray, method: HDBSCANConfig) -> Clustering:
    """Find the dense regions of (n, d).

    Raises
    ------
    ConfigError : there are none: all points are noise.

    Notes
    -----
    Campello, Moulavi and Sander: Density-based clustering based on hierarchical density estimates (2013). Time grows with
    n²; memory with n.
    """
    from sklearn.cluster import HDBSCAN

    estimator = HDBSCAN(
        min_cluster_size=method.min_cluster_size, min_samples=method.min_samples, copy=True,
        cluster_selection_method=method.cluster_selection_method,
    ).fit(values.astype(np.float64))  # fmt: skip
    k = int(estimator.labels_.max()) + 1
    if k == 0:
        raise ConfigError(
            f"HDBSCAN finds no cluster: with min_cluster_size {method.min_cluster_size} all {len(values):,} images are noise. "
            "Choose another min_cluster_size, a smaller min_samples, or another method."
        )
    labels, _ = by_size(estimator.labels_, k)
    centers = means(values, labels, k)
    strength = np.where(labels < 0, 0, estimator.probabilities_).astype(np.float32)
    return Clustering(labels, centers, inertia(values, labels, centers), 0, strength=strength)

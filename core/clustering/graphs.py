"""Clusters that are joined step by step, or cut out of a graph of neighbours."""

import warnings
from typing import Any

import numpy as np

from core import neighbours
from core.clustering.result import Clustering, of_labels
from core.config import AgglomerativeConfig, SpectralConfig
from core.errors import ConfigError
from core.progress import Callback

MOST_PAIRS = 20_000  # points of which all distances fit into memory: 3 GB
MOST_SPECTRAL = 70_000


def agglomerative(values: np.ndarray, method: AgglomerativeConfig, callback: Callback) -> Clustering:
    """Join the groups of (n, d) until k are left.

    Of a graph of neighbours, groups that it leaves apart are joined by their nearest points.

    Notes
    -----
    Ward: Hierarchical grouping to optimize an objective function (1963); the linkages: Murtagh and Contreras (2012).
    """
    from sklearn.cluster import AgglomerativeClustering

    if method.n_clusters == 1:
        return of_labels(values, np.zeros(len(values), np.int32), 1)
    joined = None if method.graph_neighbors is None else _graph(values, method.graph_neighbors, callback)
    estimator = AgglomerativeClustering(method.n_clusters, linkage=method.linkage, connectivity=joined)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the number of connected components", UserWarning)
        found = estimator.fit_predict(values.astype(np.float64))
    return of_labels(values, found, method.n_clusters)


def spectral(values: np.ndarray, method: SpectralConfig, callback: Callback) -> Clustering:
    """Cut the graph of neighbours of (n, d) into k parts of about equal weight with few edges between them.

    Raises
    ------
    ConfigError : the points fall together into fewer clusters.

    Notes
    -----
    Shi and Malik: Normalized cuts and image segmentation (2000); von Luxburg: A tutorial on spectral clustering (2007). An
    edge weighs 1 where two points are among each other's nearest, 1/2 where only one is among the other's.
    """
    from sklearn.cluster import SpectralClustering
    from sklearn.exceptions import ConvergenceWarning

    if method.n_clusters == 1:
        return of_labels(values, np.zeros(len(values), np.int32), 1)
    edges = _graph(values, method.graph_neighbors, callback)
    estimator = SpectralClustering(
        method.n_clusters,
        affinity="precomputed",
        eigen_solver="lobpcg",
        n_init=method.n_init,
        random_state=method.seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a graph in several pieces: they are what is looked for
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            found = estimator.fit_predict(0.5 * (edges + edges.T))
        except ConvergenceWarning as error:
            raise ConfigError(
                f"k = {method.n_clusters} clusters are too many: the graph of neighbours falls into fewer."
            ) from error
    return of_labels(values, found, int(found.max()) + 1)


def _graph(values: np.ndarray, k: int, callback: Callback) -> Any:
    """Return the points' k nearest others as a sparse matrix (n, n) of ones."""
    from scipy.sparse import csr_array

    rows = neighbours.graph(values, k, callback=callback).rows
    starts = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)  # scikit-learn's solvers take no 64-bit ones
    return csr_array((np.ones(rows.size), rows.ravel(), starts), shape=(len(values), len(values)))

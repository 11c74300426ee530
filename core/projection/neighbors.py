"""Nearest neighbours of every image among the others, exact."""

import numpy as np

from core.config import Metric
from core.projection.checks import SMALL_WORK, one_thread_if

# Up to here exact search is faster than, or close to, the approximate one, and it is exact.
EXACT_LIMIT = 20_000


def nearest(values: np.ndarray, k: int, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Find each image's `k` nearest other images by brute force.

    Parameters
    ----------
    values : (n, d), finite, n > k.

    Returns
    -------
    indices : int64 (n, k), nearest first; never the image itself.
    distances : float64 (n, k). Cosine distance is 1 - cos; it is computed as |a/|a| - b/|b||² / 2, which gives a zero
        vector the distance 0 to other zero vectors and 1/2 to the rest.
    """
    from sklearn.neighbors import NearestNeighbors

    rows = values.astype(np.float64)
    if metric == "cosine":
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        rows /= np.where(norms == 0, 1, norms)
    searched: Metric = "euclidean" if metric == "cosine" else metric
    with one_thread_if(len(rows) ** 2 * rows.shape[1] < SMALL_WORK):
        index = NearestNeighbors(n_neighbors=k, algorithm="brute", metric=searched).fit(rows)
        distances, indices = index.kneighbors()
    if metric == "cosine":
        distances = distances**2 / 2
    return indices.astype(np.int64), distances

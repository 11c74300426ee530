"""The weighted graph of nearest neighbours that UMAP lays out, and the map it starts from."""

import math
from typing import Any

import numpy as np

_SEARCH = 40  # halvings of the search for each image's scale
_LEAST_SCALE = 1e-3  # of the mean distance to the neighbours
_NOISE = 1e-4


def weights(distances: np.ndarray) -> np.ndarray:
    """Return how strongly each image (n, k) holds to its nearest others, float64 in [0, 1].

    exp(-(d - rho) / sigma) with rho the distance to the nearest that lies apart, and sigma such that the weights of an
    image sum to log2(k + 1); sigma is at least 1/1000 of the mean distance, the image itself counted as one at 0.
    """
    n, k = distances.shape
    apart = np.where(distances > 0, distances, np.inf).min(axis=1)
    beyond = np.maximum(distances - np.where(np.isinf(apart), 0, apart)[:, None], 0)
    low, high, scale = np.zeros(n), np.full(n, np.inf), np.ones(n)
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        for _ in range(_SEARCH):
            large = np.exp(-beyond / scale[:, None]).sum(axis=1) > math.log2(k + 1)
            high, low = np.where(large, scale, high), np.where(large, low, scale)
            scale = np.where(np.isinf(high), scale * 2, (low + high) / 2)
        mean = distances.sum(axis=1) / (k + 1)
        least = _LEAST_SCALE * np.where(np.isinf(apart), mean.mean(), mean)
        scale = np.maximum(np.maximum(scale, least), np.finfo(np.float64).tiny)
        return np.exp(-beyond / scale[:, None])


def union(rows: np.ndarray, strengths: np.ndarray) -> Any:
    """Return the fuzzy union of all images' views, a symmetric csr_array (n, n): p + q - p q of the two directions."""
    from scipy.sparse import csr_array

    n, k = rows.shape
    views = csr_array((strengths.ravel(), rows.ravel().astype(np.int32), np.arange(0, n * k + 1, k, dtype=np.int32)))
    views.resize((n, n))
    other = views.T.tocsr()
    return (views + other - views * other).tocsr()


def spectral(graph: Any, k: int, seed: int) -> np.ndarray | None:
    """Return the k leading eigenvectors of the normalised graph after the first, float64 (n, k), signs fixed.

    None where there are none to speak of: the graph is in several pieces, is too small, or the search does not converge.
    It looks for the largest of D^(-1/2) G D^(-1/2), which are the smallest of the Laplacian, found far sooner so.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import ArpackError, eigsh

    from core.projection.checks import signs

    n = graph.shape[0]
    if n < max(16, k + 3) or connected_components(graph, directed=False, return_labels=False) > 1:
        return None
    roots = np.sqrt(np.asarray(graph.sum(axis=0)).ravel())
    scaled = diags_array(1 / roots) @ graph @ diags_array(1 / roots)
    start = np.random.default_rng(seed).uniform(0.5, 1.5, n) * roots
    try:
        values, vectors = eigsh(scaled, k + 1, which="LA", ncv=min(n, 20 + k), tol=1e-4, v0=start, maxiter=300)
    except ArpackError:
        return None
    found = vectors[:, np.argsort(values)[::-1][1:]]  # (n, k)
    return np.asarray(found * signs(found))


def first_map(axes: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return the map that is laid out, float32 (n, 4 or k): axes (n, ≤ k) with a little noise, from 0 to 10; the rest is 0.

    Axes the data does not have start with the noise alone.
    """
    start = np.zeros((len(axes), k))
    size = np.abs(axes).max()
    start[:, : axes.shape[1]] = axes * (10 / size) if size > 0 else axes
    start += np.random.default_rng(seed).normal(0, _NOISE, start.shape)
    low, high = start.min(axis=0), start.max(axis=0)
    spread = np.where(high - low > 100 * _NOISE, high - low, 10)
    points = np.zeros((len(axes), max(k, 4)), np.float32)
    points[:, :k] = 10 * (start - low) / spread
    return points

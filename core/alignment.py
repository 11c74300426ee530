"""Maps of the same images laid over one another, and which images keep their company from one to the other."""

import numpy as np

from core.errors import ConfigError


def aligned(reference: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return a map turned, mirrored, scaled and shifted to lie on another as well as it can, float32 (n, d).

    Orthogonal Procrustes analysis (Gower, Generalized Procrustes analysis, 1975): distances within the map keep their
    proportions, so that nothing about it changes but where it lies.

    Raises
    ------
    ConfigError : the maps are not of the same images in the same dimensions.
    """
    from scipy.linalg import orthogonal_procrustes

    if reference.shape != moved.shape:
        raise ConfigError(f"Maps of shapes {reference.shape} and {moved.shape} cannot be laid over one another.")
    first, second = reference.astype(np.float64), moved.astype(np.float64)
    middle = first.mean(axis=0)
    first, second = first - middle, second - second.mean(axis=0)
    size = np.square(second).sum()
    if size == 0:
        return np.broadcast_to(middle, moved.shape).astype(np.float32)
    turn, scale = orthogonal_procrustes(second, first)
    found: np.ndarray = (second @ turn * (scale / size) + middle).astype(np.float32)
    return found


def shared_neighbours(first: np.ndarray, second: np.ndarray, k: int = 10) -> np.ndarray | None:
    """Return the share of each image's k nearest in one space that are among its k nearest in the other.

    Parameters
    ----------
    first, second : float32 (n, d) and (n, e): latents, or coordinates of maps.

    Returns
    -------
    float32 (n,) in [0, 1]; None for k images or fewer.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(first) <= k:
        return None
    near = [
        NearestNeighbors(n_neighbors=k).fit(values).kneighbors(return_distance=False) for values in (first, second)
    ]
    kept = np.zeros(len(first), np.int64)
    for column in near[1].T:
        kept += (near[0] == column[:, None]).any(axis=1)
    return (kept / k).astype(np.float32)

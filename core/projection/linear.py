"""Standardisation, principal component analysis and truncated singular value decomposition, exact and seedless."""

from dataclasses import dataclass

import numpy as np

from core.accelerated import there_or_here
from core.projection.checks import SMALL_WORK, batches, checked, checked_components, one_thread_if, ratio, signs


@dataclass(frozen=True, eq=False)
class Components:
    """All principal components of (n, d): the first k of them serve every reduction to k.

    Parameters
    ----------
    mean : float64 (d,). directions : float64 (d, min(n, d)), by falling variance, each with its largest entry positive.
    total : variance of all features together.
    """

    mean: np.ndarray
    directions: np.ndarray
    total: float


def standardize(values: np.ndarray) -> np.ndarray:
    """Bring each feature of (n, d) to mean 0 and variance 1, float32; constant features become 0."""
    checked(values)
    mean = values.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(_variances(values, mean))
    constant = (values.max(axis=0) == values.min(axis=0)) | (spread == 0)
    spread[constant] = 1.0
    result = np.empty(values.shape, np.float32)
    for rows in batches(*values.shape):
        result[rows] = (values[rows] - mean) / spread  # (batch, d)
    result[:, constant] = 0.0
    return result


def pca(values: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Project (n, d) onto its directions of largest variance.

    Returns
    -------
    scores : float32 (n, n_components), centred.
    explained_variance_ratio : float32 (n_components,), each in [0, 1], falling.

    Raises
    ------
    ConfigError : n_components > min(n, d).

    Notes
    -----
    Eigenvectors of the covariance matrix (Jolliffe, Principal Component Analysis, 2002, ch. 1); each is turned so that its
    largest entry is positive. On a GPU by TorchDR where it is installed and there is enough to do.
    """
    from core.projection import torchdr_maps

    n, d = checked(values).shape
    check_components(n_components, n, d)
    return there_or_here(
        "torchdr", "PCA", lambda: torchdr_maps.pca(values, n_components, "cuda"),
        lambda: _pca(values, n_components), n * d * min(n, d) >= SMALL_WORK,
    )  # fmt: skip


def _pca(values: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    mean = checked(values).mean(axis=0, dtype=np.float64)
    return _project(values, mean, n_components)


def components(values: np.ndarray) -> Components:
    """Find all principal components of (n, d); see `pca`."""
    n, d = checked(values).shape
    mean = values.mean(axis=0, dtype=np.float64)
    with one_thread_if(n * d * min(n, d) < SMALL_WORK):
        directions = _directions(values, mean, min(n, d))
    return Components(mean, directions * signs(directions), float(_variances(values, mean).sum()))


def pca_on(values: np.ndarray, found: Components, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Project (n, d) onto the first of its components; returns and raises as `pca` does."""
    n, d = values.shape
    check_components(n_components, n, d)
    with one_thread_if(n * d * n_components < SMALL_WORK):
        scores, variances = _scores(values, found.mean, found.directions[:, :n_components])
    return scores, ratio(variances, found.total)


def truncated_svd(values: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Project (n, d) onto its leading right singular vectors, without centring.

    Returns
    -------
    scores : float32 (n, n_components).
    explained_variance_ratio : float32 (n_components,): variance of each score over that of all features.

    Raises
    ------
    ConfigError : n_components > min(n, d).
    """
    return _project(checked(values), np.zeros(values.shape[1]), n_components)


def _project(values: np.ndarray, offset: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    n, d = values.shape
    check_components(n_components, n, d)
    with one_thread_if(n * d * min(n, d) < SMALL_WORK):
        directions = _directions(values, offset, n_components)  # (d, r)
        directions *= signs(directions)
        scores, variances = _scores(values, offset, directions)
    total = float(_variances(values, values.mean(axis=0, dtype=np.float64)).sum())
    return scores, ratio(variances, total)


def check_components(n_components: int, n: int, d: int) -> None:
    """Raise ConfigError when values (n, d) have fewer components."""
    checked_components(
        n_components, min(n, d), f"there are {n} images with {d} {'number' if d == 1 else 'numbers'} each"
    )


def _scores(values: np.ndarray, offset: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores float32 (n, r), and their variances float64 (r,), a batch of rows at a time."""
    scores = np.empty((len(values), directions.shape[1]), np.float32)
    middle = (values.mean(axis=0, dtype=np.float64) - offset) @ directions
    squares = np.zeros(directions.shape[1])
    for rows in batches(*values.shape):
        part = (values[rows] - offset) @ directions  # (batch, r) float64
        squares += np.square(part - middle).sum(axis=0)
        scores[rows] = part
    return scores, squares / len(values)


def _variances(values: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Variances float64 (d,) of (n, d) around its mean, a batch of rows at a time."""
    squares = np.zeros(values.shape[1])
    for rows in batches(*values.shape):
        squares += np.square(values[rows] - mean).sum(axis=0)
    return squares / len(values)


def _directions(values: np.ndarray, offset: np.ndarray, n_components: int) -> np.ndarray:
    """Return the leading right singular vectors (d, r) of `values` - `offset`, in falling order."""
    from scipy.linalg import eigh

    n, d = values.shape
    if n < d:
        return np.linalg.svd(values - offset, full_matrices=False)[2][:n_components].T.copy()
    moments = np.zeros((d, d))
    for rows in batches(n, d):
        part = values[rows] - offset  # (batch, d) float64
        moments += part.T @ part
    return eigh(moments, subset_by_index=(d - n_components, d - 1))[1][:, ::-1].copy()

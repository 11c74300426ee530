"""Kernel PCA: exact for few images, by Nyström landmarks for many, never with an n × n matrix for those."""

import numpy as np

from core.config import KernelPCAConfig
from core.projection.checks import SMALL_WORK, batches, checked, checked_components, one_thread_if, ratio, signs

# Numbers of features that are kept between their moments and the scores (1 GB); beyond, kernels are computed twice.
_KEPT = 125_000_000


def kernel_pca(values: np.ndarray, config: KernelPCAConfig) -> tuple[np.ndarray, np.ndarray]:
    """Do principal component analysis in the feature space of a kernel.

    Parameters
    ----------
    values : (n, d), finite.

    Returns
    -------
    scores : float32 (n, n_components), centred; a component beyond the kernel's rank is 0.
    explained_variance_ratio : float32 (n_components,), shares of the variance in feature space; with landmarks, of
        the part of it that they span.

    Raises
    ------
    ConfigError : n_components > min(n, n_landmarks).

    Notes
    -----
    Schölkopf, Smola, Müller: Nonlinear component analysis as a kernel eigenvalue problem (1998). Up to `n_landmarks`
    images exactly; above, Williams and Seeger: Using the Nyström method to speed up kernel machines (2001), followed by
    PCA of the m-dimensional features. Memory is then m² + n × n_components, and up to 1 GB of features.
    """
    n = len(checked(values))
    limit = min(n, config.n_landmarks)
    what = f"there are {n} images" if n <= config.n_landmarks else f"n_landmarks is {config.n_landmarks}"
    checked_components(config.n_components, limit, what)
    with one_thread_if(n * limit * (values.shape[1] + limit) < SMALL_WORK):
        scores, variances, total = _exact(values, config) if n <= limit else _nystroem(values, config)
    scores *= signs(scores)
    return np.asarray(scores, np.float32), ratio(variances, total)


def kernel(a: np.ndarray, b: np.ndarray, config: KernelPCAConfig) -> np.ndarray:
    """Return the kernel matrix, float64 (len(a), len(b)).

    rbf: exp(-gamma |a - b|²); poly: (gamma a·b + 1)^degree; cosine: a·b / (|a| |b|), 0 for a zero vector.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    gamma = 1 / a.shape[1] if config.gamma is None else config.gamma
    if config.kernel == "cosine":
        return _unit(a) @ _unit(b).T
    products = a @ b.T
    if config.kernel == "poly":
        return (gamma * products + 1) ** config.degree
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2 * products
    return np.exp(-gamma * np.maximum(squares, 0))


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def _exact(values: np.ndarray, config: KernelPCAConfig) -> tuple[np.ndarray, np.ndarray, float]:
    """Eigenvectors of the centred kernel matrix, scaled to scores (n, r); variances (r,); total variance."""
    from scipy.linalg import eigh

    n = len(values)
    matrix = kernel(values, values, config)
    means = matrix.mean(axis=0)
    matrix -= means[None, :] + means[:, None] - means.mean()
    eigenvalues, vectors = eigh(matrix, subset_by_index=(n - config.n_components, n - 1))
    eigenvalues = _above_rounding(eigenvalues[::-1], n)
    return vectors[:, ::-1] * np.sqrt(eigenvalues), eigenvalues / n, float(matrix.trace()) / n


def _nystroem(values: np.ndarray, config: KernelPCAConfig) -> tuple[np.ndarray, np.ndarray, float]:
    """PCA of the features K(x, L) K(L, L)^(-1/2) of m random landmarks L, in batches of rows."""
    from scipy.linalg import eigh

    n, m, r = len(values), config.n_landmarks, config.n_components
    chosen = np.sort(np.random.default_rng(config.seed).choice(n, m, replace=False))
    landmarks = values[chosen]
    eigenvalues, vectors = np.linalg.eigh(kernel(landmarks, landmarks, config))
    kept = eigenvalues > eigenvalues[-1] * m * np.finfo(np.float64).eps
    root = vectors[:, kept] / np.sqrt(eigenvalues[kept])  # (m, rank)
    rank = root.shape[1]
    sums, moments = np.zeros(rank), np.zeros((rank, rank))
    kept_features = []
    for rows in batches(n, m):
        features = kernel(values[rows], landmarks, config) @ root  # (batch, rank)
        if n * rank <= _KEPT:
            kept_features.append(features)
        sums += features.sum(axis=0)
        moments += features.T @ features
    mean = sums / n
    covariance = moments / n - np.outer(mean, mean)
    found = min(r, rank)
    variances, directions = eigh(covariance, subset_by_index=(rank - found, rank - 1))
    directions = directions[:, ::-1]  # (rank, found)
    middle = mean @ directions
    scores = np.zeros((n, r), np.float32)
    for number, rows in enumerate(batches(n, m)):
        if kept_features:
            scores[rows, :found] = kept_features[number] @ directions - middle
        else:
            scores[rows, :found] = kernel(values[rows], landmarks, config) @ (root @ directions) - middle
    padded = np.zeros(r)
    padded[:found] = _above_rounding(variances[::-1], m)
    return scores, padded, float(covariance.trace())


def _above_rounding(eigenvalues: np.ndarray, size: int) -> np.ndarray:
    """Set eigenvalues that are zero but for rounding to 0; they come in falling order."""
    floor = max(float(eigenvalues[0]), 1.0) * size * np.finfo(np.float64).eps
    return np.where(eigenvalues > floor, eigenvalues, 0.0)

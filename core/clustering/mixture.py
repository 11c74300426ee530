"""A mixture of normal distributions: each point belongs to every cluster with a probability."""

import warnings

import numpy as np

from core.clustering.result import Clustering, by_size, inertia
from core.config import GaussianMixtureConfig
from core.errors import ConfigError
from core.projection.checks import SMALL_WORK, one_thread_if


def mixture(values: np.ndarray, method: GaussianMixtureConfig) -> Clustering:
    """Fit a mixture of k normal distributions to (n, d); a point's cluster is its likeliest component.

    A component that is nobody's likeliest stays as an empty cluster, the last, so that probabilities sum to 1.

    Raises
    ------
    ConfigError : a component shrinks to so few points that its covariance has no inverse.

    Notes
    -----
    Dempster, Laird and Rubin: Maximum likelihood from incomplete data via the EM algorithm (1977).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    (n, d), k = values.shape, method.n_clusters
    points = values.astype(np.float64)
    spread = float(points.var(axis=0).mean()) or 1.0  # where all points are one, any will do
    estimator = GaussianMixture(
        k, covariance_type=method.covariance, reg_covar=method.reg_covar * spread, n_init=method.n_init,
        max_iter=method.max_iter, random_state=method.seed,
    )  # fmt: skip
    with one_thread_if(n * d * d * k < SMALL_WORK / 100), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # n_iter says so
        try:
            probabilities = estimator.fit(points).predict_proba(points)
        except ValueError as error:
            raise ConfigError(
                f"A Gaussian mixture of k = {k} cannot be fitted: a component's covariance has no inverse. Choose a simpler "
                f"covariance than {method.covariance!r}, fewer clusters, or reg_covar above {method.reg_covar:g}."
            ) from error
    labels, order = by_size(probabilities.argmax(axis=1), k)
    centers = estimator.means_[order].astype(np.float32)
    return Clustering(
        labels, centers, inertia(values, labels, centers), int(estimator.n_iter_),
        probabilities=probabilities[:, order].astype(np.float32),
    )  # fmt: skip

"""A Gaussian mixture over parts: fitted on a sample here, and each row given to its likeliest component by all workers."""

import warnings
from dataclasses import dataclass

import numpy as np

from core.clustering.mixture import em
from core.config import Covariance, GaussianMixtureConfig
from core.engines import Engine
from core.errors import ConfigError
from core.progress import Callback, Progress
from core.projection.checks import SMALL_WORK, one_thread_if
from core.shards.clustering.assigning import Assigned
from core.shards.columns import Vectors
from core.shards.sampling import stratified

FITTED_ON = 50_000  # rows at most


@dataclass(frozen=True, eq=False)
class Mixture:
    """k normal distributions, as scikit-learn keeps them.

    Parameters
    ----------
    weights : float64 (k,). means : float64 (k, d). precisions : Cholesky factors of the inverse covariances.
    n_iter : iterations. fitted_on : rows of the sample.
    """

    covariance: Covariance
    weights: np.ndarray
    means: np.ndarray
    precisions: np.ndarray
    n_iter: int
    fitted_on: int


def fit(engine: Engine, vectors: Vectors, method: GaussianMixtureConfig, callback: Callback) -> Mixture:
    """Fit a mixture as `core.clustering.mixture` does, on at most 50,000 rows in proportion from strata.

    Raises
    ------
    ConfigError : a component's covariance has no inverse. DataError : a part cannot be read. Cancelled : by the callback.
    """
    from sklearn.exceptions import ConvergenceWarning

    points = stratified(engine, vectors, FITTED_ON, method.seed, callback).values.astype(np.float64)
    (m, d), k = points.shape, method.n_clusters
    spread = float(points.var(axis=0).mean()) or 1.0  # where all points are one, any will do
    callback(Progress("Gaussian mixture", 0, 1))
    with one_thread_if(m * d * d * k < SMALL_WORK / 100), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # n_iter says so
        try:
            found = em(points, method, method.reg_covar * spread)
        except ValueError as error:
            raise ConfigError(
                f"A Gaussian mixture of k = {k} cannot be fitted on {m:,} images: a component's covariance has no inverse. "
                f"Choose a simpler covariance than {method.covariance!r}, fewer clusters, or a larger reg_covar."
            ) from error
    callback(Progress("Gaussian mixture", 1, 1))
    return Mixture(
        method.covariance, found.weights_, found.means_, found.precisions_cholesky_, int(found.n_iter_), m
    )  # fmt: skip


def likeliest(points: np.ndarray, mixture: Mixture) -> Assigned:
    """Give each point (rows, d) to its likeliest component; distances are to that one's mean."""
    from sklearn.mixture import GaussianMixture

    k = len(mixture.weights)
    model = GaussianMixture(k, covariance_type=mixture.covariance)
    model.weights_, model.means_ = mixture.weights, mixture.means
    model.precisions_cholesky_ = mixture.precisions
    exact = points.astype(np.float64)
    labels = model.predict(exact) if len(points) else np.empty(0, np.int64)
    sums = np.zeros(mixture.means.shape)
    np.add.at(sums, labels, exact)
    away = np.linalg.norm(exact - mixture.means[labels], axis=1)
    return Assigned(labels.astype(np.int32), away, sums, np.bincount(labels, minlength=k))

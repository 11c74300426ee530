"""KMeans, on all points at once, with starts chosen on a sample, or on random batches."""

import math
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from core.accelerated import there_or_here
from core.clustering.result import Clustering, by_size
from core.config import KMeansConfig, MiniBatchKMeansConfig
from core.errors import ConfigError
from core.projection.checks import SMALL_WORK, one_thread_if
from core.threads import allowed

TOLERANCE = 1e-4  # of the mean variance of a feature: iterations end when the centers' squared steps sum to less
MANY, SAMPLE = 5000, 3000  # above so many images, starts are chosen on a sample of so many
TRIED = 3  # starts on the sample for each one that goes on on all points
_CANDIDATES = 64  # points of which the best is one more center
_SMALL = 1e7  # multiplications below which another thread costs more than it brings


@dataclass(frozen=True, eq=False)
class _Run:
    labels: np.ndarray
    centers: np.ndarray
    inertia: float
    n_iter: int


def start_sample(n: int) -> int | None:
    """Return the `start_sample` that suits n images: None while all of them do for the starts."""
    return SAMPLE if n > MANY else None


def kmeans(values: np.ndarray, method: KMeansConfig | MiniBatchKMeansConfig) -> Clustering:
    """Cluster (n, d) around k centers.

    Raises
    ------
    ConfigError : the points fall together into fewer clusters.

    Notes
    -----
    Lloyd (1982) from k-means++ starts (Arthur and Vassilvitskii, 2007); on random batches: Sculley (2010). More points than
    `start_sample`: of `TRIED` times `n_init` starts, each brought to its end on the sample, the best `n_init` go on on all.
    On a GPU by cuML where it is installed.
    """
    if isinstance(method, MiniBatchKMeansConfig):
        return _here(values, method)
    config: KMeansConfig = method
    return there_or_here("cuml", "KMeans", lambda: by_cuml(values, config), lambda: _here(values, config))


def by_cuml(values: np.ndarray, method: KMeansConfig) -> Clustering:
    """Cluster (n, d) by cuML's KMeans on the GPU, from its own starts on all points; the last iterations are ours."""
    from cuml.cluster import KMeans

    points = np.ascontiguousarray(values, np.float32)
    found = KMeans(
        n_clusters=method.n_clusters, n_init=method.n_init, max_iter=method.max_iter, random_state=method.seed,
        output_type="numpy",
    ).fit(points)  # fmt: skip
    centers = np.ascontiguousarray(found.cluster_centers_, np.float32)
    return _best([_run(points, centers, method.max_iter, _tolerance(points))], method.n_clusters)


def _here(values: np.ndarray, method: KMeansConfig | MiniBatchKMeansConfig) -> Clustering:
    if isinstance(method, KMeansConfig) and method.start_sample is not None and method.start_sample < len(values):
        return _from_sample(np.ascontiguousarray(values, np.float32), method, method.start_sample)
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
            raise _too_many(k) from error
    return _clustering(estimator.labels_, estimator.cluster_centers_, estimator.inertia_, estimator.n_iter_)


def one_more(values: np.ndarray, method: KMeansConfig, before: Clustering) -> Clustering:
    """Cluster (n, d) around the centers of k - 1 clusters and one more, the best of some points drawn far from them.

    Raises
    ------
    ConfigError : the points fall together into fewer clusters.

    Notes
    -----
    Likas, Vlassis and Verbeek: The global k-means clustering algorithm (2003), with a seeded sample of points to try.
    """
    from core.clustering.lloyd import spread

    points = np.ascontiguousarray(values, np.float32)
    centers = np.concatenate([before.centers, before.centers[:1]])
    draws = np.random.default_rng(method.seed).random((1, _CANDIDATES))
    spread(points, centers, len(before.centers), draws)
    return _best([_run(points, centers, method.max_iter, _tolerance(points))], method.n_clusters)


def _from_sample(points: np.ndarray, method: KMeansConfig, size: int) -> Clustering:
    from core.clustering.lloyd import spread

    (n, d), k = points.shape, method.n_clusters
    rng = np.random.default_rng(method.seed)
    sample = points[np.sort(rng.choice(n, size, replace=False))]
    tolerance, starts = _tolerance(points), []
    for _ in range(TRIED * method.n_init):  # drawn beforehand: what each start is does not hang on threads
        starts.append((rng.integers(size), rng.random((k - 1, 2 + int(math.log(k))))))

    def tried(start: tuple[np.integer, np.ndarray]) -> _Run:
        centers = np.empty((k, d), np.float32)
        centers[0] = sample[start[0]]
        spread(sample, centers, 1, start[1])
        return _run(sample, centers, method.max_iter, tolerance)

    found = _at_once(tried, starts, size * d * k)
    best = sorted(found, key=lambda run: run.inertia)[: method.n_init]
    return _best(_at_once(lambda run: _run(points, run.centers, method.max_iter, tolerance), best, n * d * k), k)


def _at_once(work: Callable[..., _Run], parts: Sequence[object], each: int) -> list[_Run]:
    """Do the work on each part, about `each` multiplications an iteration, on the threads there are."""
    threads = min(allowed(), len(parts))
    if threads == 1 or each * len(parts) < _SMALL:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def _run(points: np.ndarray, centers: np.ndarray, most: int, tolerance: float) -> _Run:
    from core.clustering.lloyd import lloyd

    moved = centers.copy()
    labels, inertia, n_iter = lloyd(points, moved, most, tolerance)
    return _Run(labels, moved, inertia, n_iter)


def _tolerance(points: np.ndarray) -> float:
    return TOLERANCE * float(points.var(axis=0, dtype=np.float64).mean())


def _best(found: Sequence[_Run], k: int) -> Clustering:
    """Return the run of least inertia, the first of equals."""
    best = min(found, key=lambda run: run.inertia)
    if len(np.unique(best.labels)) < k:
        raise _too_many(k)
    return _clustering(best.labels, best.centers, best.inertia, best.n_iter)


def _clustering(labels: np.ndarray, centers: np.ndarray, inertia: float, n_iter: int) -> Clustering:
    renamed, order = by_size(labels, len(centers))
    return Clustering(renamed, centers[order].astype(np.float32), float(inertia), int(n_iter))


def _too_many(k: int) -> ConfigError:
    return ConfigError(f"k = {k} clusters are too many: the points fall together into fewer.")

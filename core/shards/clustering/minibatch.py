"""KMeans on random batches over the parts: one pass or a few, on this computer, a pool of parts in memory at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.clustering.kmeans import SAMPLE
from core.config import MiniBatchKMeansConfig
from core.errors import DataError
from core.progress import Callback, Progress, stopwatch
from core.projection.checks import SMALL_WORK, one_thread_if
from core.shards.columns import Vectors, read
from core.shards.sampling import uniform

POOL = 16_000_000  # numbers that are shuffled together: parts may be sorted by class, and a batch must be of many
LITTLE = 1e-3  # an epoch that brings the mean inertia of its batches down by a smaller share than this is the last


@dataclass(frozen=True, eq=False)
class Fitted:
    """Centers float32 (k, d), the epochs that led to them, and how many rows the starts were chosen on."""

    centers: np.ndarray
    epochs: int
    started_on: int


def fit(vectors: Vectors, method: MiniBatchKMeansConfig, callback: Callback) -> Fitted:
    """Find centers by `MiniBatchKMeans.partial_fit` on batches of shuffled rows of shuffled parts.

    Sculley: Web-scale k-means clustering (2010), in scikit-learn's form. The best of `n_init` starts by k-means++ on a random
    sample goes on. It ends after `max_iter` epochs, or when one has brought the mean inertia of its batches down by less than
    a thousandth. A batch has at least k rows.

    Raises
    ------
    DataError : a part cannot be read. Cancelled : raised by the callback.
    """
    from sklearn.cluster import MiniBatchKMeans

    k, size = method.n_clusters, max(method.batch_size, method.n_clusters)
    sample = uniform(vectors, max(SAMPLE, 3 * size), method.seed, callback).values
    d = sample.shape[1]
    model = MiniBatchKMeans(k, init=_start(sample, method), n_init=1, batch_size=size, random_state=method.seed)
    rng, before, epoch = np.random.default_rng(method.seed), np.inf, 0
    with one_thread_if(size * d * k < SMALL_WORK / 100):
        while epoch < method.max_iter:
            total = 0.0
            for batch in _batches(vectors, size, d, rng, callback, epoch, method.max_iter):
                model.partial_fit(batch)
                total += float(model.inertia_)
            epoch += 1
            if total >= before * (1 - LITTLE):
                break
            before = total
    return Fitted(np.ascontiguousarray(model.cluster_centers_, np.float32), epoch, len(sample))


def _start(sample: np.ndarray, method: MiniBatchKMeansConfig) -> np.ndarray:
    """Return the centers of least inertia on the sample, float32 (k, d)."""
    from sklearn.cluster import kmeans_plusplus

    from core.shards.clustering.assigning import assigned

    seeds = np.random.default_rng(method.seed).integers(2**31, size=method.n_init)
    with one_thread_if(sample.size * method.n_clusters < SMALL_WORK):
        found = [kmeans_plusplus(sample, method.n_clusters, random_state=int(seed))[0] for seed in seeds]
    return min(found, key=lambda centers: float(np.square(assigned(sample, centers).away).sum()))


def _batches(
    vectors: Vectors, size: int, d: int, rng: np.random.Generator, callback: Callback, epoch: int, epochs: int
) -> Iterator[np.ndarray]:
    """Give all rows once, in batches of `size` and a last one with the rest."""
    order = rng.permutation(len(vectors.numbers))
    pool: list[np.ndarray] = []
    pooled, left, told = 0, stopwatch(len(order)), f"KMeans on batches, epoch {epoch + 1} of at most {epochs}"
    for done, at in enumerate(order, start=1):
        callback(Progress(told, done - 1, len(order), "shard", left(done - 1)))
        values = read(vectors, int(at))
        if values.shape[1] != d:
            raise DataError(f"Some parts have vectors of {d} numbers, others of {values.shape[1]}.")
        pool.append(values)
        pooled += len(values)
        last = done == len(order)
        if pooled * d < POOL and not last:
            continue
        rows = np.concatenate(pool)[rng.permutation(pooled)]
        whole = pooled if last else pooled // size * size
        for start in range(0, whole, size):
            yield rows[start : min(start + size, whole)]
        pool, pooled = [rows[whole:]], pooled - whole

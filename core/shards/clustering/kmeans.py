"""Clusters over parts: KMeans by all workers, on random batches, or a mixture of a sample; and the labels of all rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from core import parts
from core.clustering import check_size, title_of
from core.clustering.kmeans import MANY, kmeans
from core.config import ClusterMethod, GaussianMixtureConfig, KMeansConfig, MiniBatchKMeansConfig
from core.engines import Engine
from core.errors import ConfigError
from core.progress import Callback, ignore
from core.shards.clustering import minibatch, mixture
from core.shards.clustering.assigning import Assigned, assigned
from core.shards.clustering.iterations import Run, lloyd_over, look
from core.shards.columns import Vectors, read, write_missing
from core.shards.sampling import uniform

STAGE = "clustered"
GATHERED = 64_000_000  # numbers up to which all starts are tried on all rows here, as of a set in memory
THERE_ARE = "there are KMeans, MiniBatchKMeans and the Gaussian mixture"


@dataclass(frozen=True, eq=False)
class Centers:
    """Clusters of n rows, cluster 0 the largest.

    Parameters
    ----------
    centers : float32 (k, d). sizes : int64 (k,), rows of each cluster, falling; empty ones of random batches come last.
    inertia : sum of the squared distances of all n rows to their centers, exact.
    n_iter : iterations, of random batches epochs; of what was already found on the sample those there.
    n, started_on : rows, and those of the sample on which the starts were chosen, or a mixture was fitted.
    """

    centers: np.ndarray
    sizes: np.ndarray
    inertia: float
    n_iter: int
    n: int
    started_on: int


@dataclass(frozen=True)
class Excess:
    """How much worse random batches are than Lloyd's iterations to their end: inertia of both over the same n rows."""

    inertia: float
    lloyd: float
    n: int

    @property
    def relative(self) -> float:
        """Share by which the inertia is larger; below 0 where the batches found the better optimum."""
        return self.inertia / self.lloyd - 1 if self.lloyd > 0 else 0.0


def cluster(
    engine: Engine, vectors: Vectors, method: ClusterMethod, root: str, key: str, callback: Callback = ignore
) -> Centers:
    """Cluster the rows of all parts and write stage `clustered`; parts that are there for this key stay.

    Raises
    ------
    ConfigError : another method, or more clusters than rows or than different rows.
    DataError : a part cannot be read or written. Cancelled : raised by the callback.
    """
    assign: Callable[[np.ndarray, Any], Assigned] = assigned
    by: np.ndarray | mixture.Mixture
    if isinstance(method, GaussianMixtureConfig):
        check_size(method, vectors.n)
        by, assign = mixture.fit(engine, vectors, method, callback), mixture.likeliest
        (sums,) = look(engine, vectors, [by], callback, assign)
        best = Run(by.means.astype(np.float32), sums, by.n_iter, by.fitted_on)
    else:
        best = fitted(engine, vectors, method, callback)
        by = best.centers
    k = len(best.centers)
    order = np.lexsort((best.found.first, -best.found.counts))  # as `core.clustering.by_size`
    names = np.empty(k, np.int32)
    names[order] = np.arange(k, dtype=np.int32)
    write = _Write(vectors, by, assign, names, root, key)
    write_missing(engine, write, vectors, root, STAGE, key, callback, "Writing clusters")
    return Centers(
        best.centers[order], best.found.counts[order], best.found.inertia, best.n_iter, vectors.n, best.started_on
    )


def fitted(engine: Engine, vectors: Vectors, method: ClusterMethod, callback: Callback = ignore) -> Run:
    """Find the centers of a KMeans and what they get; nothing is written. Raises as `cluster` does."""
    if not isinstance(method, KMeansConfig | MiniBatchKMeansConfig):
        raise ConfigError(f"{title_of(method)} cannot be made over shards; {THERE_ARE}.")
    check_size(method, vectors.n)
    if isinstance(method, MiniBatchKMeansConfig):
        made = minibatch.fit(vectors, method, callback)
        (sums,) = look(engine, vectors, [made.centers], callback)
        return Run(made.centers, sums, made.epochs, made.started_on)
    size = method.start_sample
    if size is not None and size < vectors.n:
        return lloyd_over(engine, vectors, method, size, callback)
    if vectors.n > MANY and vectors.n * _width(vectors) > GATHERED:
        return lloyd_over(engine, vectors, method, min(vectors.n, max(MANY, 3 * method.n_clusters)), callback)
    found = kmeans(uniform(vectors, vectors.n, method.seed, callback, engine).values, method)
    (sums,) = look(engine, vectors, [np.ascontiguousarray(found.centers)], callback)
    return Run(np.ascontiguousarray(found.centers), sums, found.n_iter, vectors.n)


def _width(vectors: Vectors) -> int:
    """Return the numbers of a vector, by the part with the fewest rows."""
    rows = [size or vectors.n for size in vectors.sizes]
    return int(read(vectors, int(np.argmin(rows))).shape[1])


def against_lloyd(
    engine: Engine, vectors: Vectors, found: Centers, method: KMeansConfig, callback: Callback = ignore
) -> Excess:
    """Bring Lloyd's iterations to their end with as many clusters, and tell how much larger the inertia found is.

    Raises
    ------
    ConfigError, DataError, Cancelled : as `cluster` does.
    """
    best = fitted(engine, vectors, replace(method, n_clusters=len(found.centers)), callback)
    return Excess(found.inertia, best.found.inertia, vectors.n)


@dataclass(frozen=True, eq=False)
class _Write:
    vectors: Vectors
    centers: Any
    assign: Callable[[np.ndarray, Any], Assigned]
    names: np.ndarray
    root: str
    key: str

    def __call__(self) -> Callable[[int], int]:
        def write(at: int) -> int:
            got = self.assign(read(self.vectors, at), self.centers)
            columns = {
                "cluster": pa.array(self.names[got.labels], pa.int32()),
                "distance": got.away.astype(np.float32),
            }
            number = self.vectors.numbers[at]
            return parts.write(self.root, STAGE, number, pa.table(columns), self.key, {}).rows

        return write

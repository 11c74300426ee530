"""The exact nearest neighbours of a few vectors among those of all parts, by comparing them with every one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.config import Metric
from core.engines import Engine
from core.neighbours import searcher
from core.progress import Callback, ignore
from core.shards.columns import Vectors, everywhere, read


@dataclass(frozen=True, eq=False)
class Nearest:
    """Neighbours of q vectors, nearest first: running numbers int64 (q, k), -1 where there are no more, and distances."""

    rows: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True, eq=False)
class _Search:
    vectors: Vectors
    queries: np.ndarray
    own: np.ndarray
    k: int
    metric: Metric

    def __call__(self) -> Callable[[int], Nearest]:
        return self._search

    def _search(self, at: int) -> Nearest:
        values = read(self.vectors, at)
        if len(values) == 0:
            empty = np.empty((len(self.queries), 0))
            return Nearest(empty.astype(np.int64), empty)
        away, found = searcher(values, min(len(values), self.k + 1), self.metric)(self.queries)
        rows, away = found + self.vectors.starts[at], away.astype(np.float64)
        own = rows == self.own[:, None]
        return first(np.where(own, -1, rows), np.where(own, np.inf, away), self.k)


def first(rows: np.ndarray, away: np.ndarray, k: int) -> Nearest:
    """Return the k nearest of some candidates (q, c), of equally far ones those that come first."""
    order = np.argsort(away, axis=1, kind="stable")[:, :k]
    return Nearest(np.take_along_axis(rows, order, 1), np.take_along_axis(away, order, 1))


def nearest(
    engine: Engine,
    vectors: Vectors,
    queries: np.ndarray,
    own: np.ndarray,
    k: int,
    metric: Metric = "euclidean",
    callback: Callback = ignore,
) -> Nearest:
    """Find the k nearest others of vectors (q, d) of the running numbers `own`, int64 (q,), in one pass over all parts.

    Raises
    ------
    DataError : a part cannot be read. Cancelled : raised by the callback.
    """
    found = Nearest(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0)))
    make = _Search(vectors, queries, own, k, metric)
    for part in everywhere(engine, make, vectors, callback, "Looking at neighbours"):
        rows, away = np.hstack([found.rows, part.rows]), np.hstack([found.distances, part.distances])
        found = first(rows, away, k)
    return found

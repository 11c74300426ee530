"""The nearest images of a point in latent space, and of every image."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.config import AnalysisConfig, Metric
from core.config.checks import one_of, whole
from core.errors import ConfigError
from core.progress import Callback, Progress, ignore, stopwatch
from core.threads import SMALL_WORK, one_thread_if

Distance = Literal["euclidean", "cosine"]
ROWS = 20_000  # compared at a time, so that memory stays bounded
QUERIES = 8_192  # images whose neighbours are searched between two reports, and so many that it takes about a second
PAIRS = 2e10  # products of a pair's numbers in that second, on two cores
PLACED_BY = 3  # images of a sample, between which another one lies
EXACT_UP_TO = 100_000  # the time of an exact search grows with the square of the number of images
MOST_TIES = 4_000  # beyond so many equally far points it is left open which of them count


@dataclass(frozen=True)
class GraphConfig(AnalysisConfig):
    """The k nearest other images of every image, in latent space."""

    k: int = 60  # as many as any analysis looks at, so that one graph serves all
    metric: Distance = "euclidean"

    def __post_init__(self) -> None:
        whole("k", self.k, 1)
        one_of("metric", self.metric, Distance)


@dataclass(frozen=True, eq=False)
class Graph:
    """The k nearest other images of each of n images, nearest first.

    Parameters
    ----------
    rows : int32 (n, k), never the image itself.
    distances : (n, k), ≥ 0: float64 as they are found and laid out in a map, float32 where they are looked at.
    """

    rows: np.ndarray
    distances: np.ndarray

    @property
    def k(self) -> int:
        """Number of neighbours of each image."""
        return int(self.rows.shape[1])

    def first(self, k: int) -> "Graph":
        """Return the graph of the k nearest, of as many as there are."""
        return Graph(self.rows[:, :k], self.distances[:, :k])

    def light(self) -> "Graph":
        """Return the graph with distances in float32."""
        return Graph(self.rows, self.distances.astype(np.float32))


# Finds at least so many neighbours of each of some images by a metric, reporting to a callback.
Find = Callable[[int, Metric, Callback], Graph]


def graph(latents: np.ndarray, k: int, metric: Metric = "euclidean", callback: Callback = ignore) -> Graph:
    """Find each image's k nearest others among (n, d); of n images at most n - 1.

    Raises
    ------
    ConfigError : k below 1, or fewer than 2 images.
    """
    n = len(latents)
    if k < 1 or n < 2:
        raise ConfigError(f"Neighbours need k of at least 1 and 2 images; here are k = {k} and {n}.")
    return search(latents, min(k, n - 1), metric, callback).light()


def search(values: np.ndarray, k: int, metric: Metric, callback: Callback = ignore) -> Graph:
    """Find each image's k nearest others among finite (n, d), n > k, with float64 distances; equal ones by row.

    It is exact up to `EXACT_UP_TO` images, about a second's work between two reports, and finds the same k however many more
    are asked for. Above that it is NN-descent, which misses some, and which no report can stop.

    Notes
    -----
    Cosine distance is 1 - cos; it is computed as |a/|a| - b/|b||² / 2, which gives a zero vector the distance 0 to other
    zero vectors and 1/2 to the rest. NN-descent: Dong, Charikar, Li (2011), as in pynndescent.
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(values)
    if n > EXACT_UP_TO:
        return _approximate(values, k, metric, callback)
    points, searched = _points(values, metric)
    index = NearestNeighbors(algorithm="brute", metric=searched).fit(points)
    rows, away = np.empty((n, k), np.int32), np.empty((n, k))
    left, step = stopwatch(n), max(1, min(QUERIES, int(PAIRS / (n * points.shape[1]))))
    callback(Progress("Finding neighbours", 0, n, "image"))
    with one_thread_if(n * n * points.shape[1] < SMALL_WORK):
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            rows[part], away[part] = _nearest_others(index, points[part], start, k)
            callback(Progress("Finding neighbours", part.stop, n, "image", left(part.stop)))
    return Graph(rows, away**2 / 2 if metric == "cosine" else away)


def interpolation(
    values: np.ndarray, count: int, metric: Metric, seed: int
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Choose so many of (n, d) at random, and find where all lie among them.

    Returns
    -------
    rows : int64 (count,), those chosen, rising.
    spread : turns coordinates of these, (count, k), into coordinates of all, float32 (n, k): the mean of the `PLACED_BY`
        nearest, weighted by 1 / distance.
    """
    rows = np.sort(np.random.default_rng(seed).choice(len(values), count, replace=False))
    away, found = searcher(values[rows], PLACED_BY, metric)(values)  # (n, 3)
    shares = 1 / np.maximum(away, 1e-9)
    shares /= shares.sum(axis=1, keepdims=True)
    return rows, lambda chosen: np.einsum("ij,ijk->ik", shares, chosen[found]).astype(np.float32)


def searcher(values: np.ndarray, k: int, metric: Metric) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return what finds the k nearest of `values` for a batch: distances (q, k) nearest first, and rows, exactly."""
    from sklearn.neighbors import NearestNeighbors

    cosine = metric == "cosine"  # |a/|a| - b/|b||² / 2, which orders as its root does
    index: Any = NearestNeighbors(n_neighbors=k, algorithm="brute", metric="euclidean" if cosine else metric)
    index.fit(_unit(values) if cosine else values)
    work = len(values) * values.shape[1]

    def search(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with one_thread_if(len(batch) * work < SMALL_WORK):
            distances, rows = index.kneighbors(_unit(batch) if cosine else batch)
        return (distances**2 / 2 if cosine else distances), rows

    return search


def known(
    graph: "Graph | Find | None", values: np.ndarray, k: int, metric: Metric, callback: Callback = ignore
) -> Graph:
    """Return a graph that is given, that of a function which finds it, or search for it."""
    if graph is None:
        return search(values, k, metric, callback)
    return graph if isinstance(graph, Graph) else graph(k, metric, callback)


def _points(values: np.ndarray, metric: Metric) -> tuple[np.ndarray, Metric]:
    """Return float64 points and the metric by which they are compared: for the cosine unit vectors, Euclidean."""
    points = values.astype(np.float64)
    return (_unit(points), "euclidean") if metric == "cosine" else (points, metric)


def _unit(values: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(norms == 0, 1, norms))


def _nearest_others(index: Any, queries: np.ndarray, first: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and distances (q, k) of the points nearest to those from row `first` on, without themselves.

    Of points equally far the first rows count. Where they go on beyond the last that was looked at, more are looked at.
    """
    n = index.n_samples_fit_
    wide = min(n, k + 2)
    while True:
        away, found = index.kneighbors(queries, n_neighbors=wide)
        if wide == n or wide > MOST_TIES + k or (away[:, k] < away[:, -1]).all():
            break
        wide = min(n, 2 * wide)
    if (away[:, 1:] == away[:, :-1]).any():
        order = np.lexsort((found, away))
        found, away = np.take_along_axis(found, order, 1), np.take_along_axis(away, order, 1)
    return _without_own(found[:, : k + 1], away[:, : k + 1], first)


def _without_own(found: np.ndarray, away: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Leave out of (q, k + 1) each point itself: of equal points another may stand first, and itself may be missing."""
    own = found == np.arange(first, first + len(found))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(found), found.shape[1] - 1)
    return found[~own].reshape(shape), away[~own].reshape(shape)


def _approximate(values: np.ndarray, k: int, metric: Metric, callback: Callback) -> Graph:
    from pynndescent import NNDescent

    n = len(values)
    callback(Progress("Finding neighbours", 0, n, "image"))
    made = NNDescent(values.astype(np.float32), metric, n_neighbors=k + 1, random_state=0, n_jobs=-1)
    found, away = made.neighbor_graph
    callback(Progress("Finding neighbours", n, n, "image"))
    rows, away = _without_own(found, away, 0)
    return Graph(rows.astype(np.int32), away.astype(np.float64))


def predict_seconds(config: GraphConfig, n: int, d: int) -> float:
    """Predict the seconds that the graph of n images of d numbers takes; 20,000 × 32 were measured at 2.0 s."""
    return 0.3 + 5e-9 * n * n * (1 + d / 100)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest images: `rows` int64 (k,), nearest first, and their `distances` float32 (k,)."""

    rows: np.ndarray
    distances: np.ndarray


def distances(latents: np.ndarray, point: np.ndarray, metric: Distance = "euclidean") -> np.ndarray:
    """Return the distance of each image to a point, float32 (n,).

    Parameters
    ----------
    latents : float32 (n, d). point : float32 (d,).
    metric : "euclidean", or "cosine" = 1 - cosine of the angle, in [0, 2]; of a vector of zeros it is 1.
    """
    if point.shape != latents.shape[1:]:
        raise ConfigError(f"A point among these latents needs {latents.shape[1]} numbers; it has {point.size}.")
    found = np.empty(len(latents), np.float32)
    point = point.astype(np.float64)
    for start in range(0, len(latents), ROWS):
        part = latents[start : start + ROWS].astype(np.float64)
        if metric == "euclidean":
            found[start : start + ROWS] = np.sqrt(np.square(part - point).sum(axis=1))
            continue
        norms = np.linalg.norm(part, axis=1) * np.linalg.norm(point)
        cosine = np.divide(part @ point, norms, out=np.zeros(len(part)), where=norms > 0)
        found[start : start + ROWS] = 1 - cosine
    return found


def nearest(
    latents: np.ndarray,
    point: np.ndarray,
    k: int,
    metric: Distance = "euclidean",
    without: np.ndarray | None = None,
) -> Neighbours:
    """Return the k images nearest to a point, ties by row; fewer where there are not as many.

    Parameters
    ----------
    without : rows that are left out, such as the image itself.
    """
    away = distances(latents, point, metric)
    if without is not None:
        away = away.copy()
        away[without] = np.inf
    k = min(k, int(np.isfinite(away).sum()))
    rows = np.argpartition(away, k - 1)[:k] if 0 < k < len(away) else np.arange(len(away))
    if 0 < k < len(away):  # ties at the end go to the first rows
        rows = np.flatnonzero(away <= away[rows].max())
    rows = rows[np.argsort(away[rows], kind="stable")][:k]
    return Neighbours(rows, away[rows])

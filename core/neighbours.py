"""The nearest images of a point in latent space, and of every image."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.config import AnalysisConfig
from core.config.checks import one_of, whole
from core.errors import ConfigError
from core.progress import Callback, Progress, ignore, stopwatch

Distance = Literal["euclidean", "cosine"]
ROWS = 20_000  # compared at a time, so that memory stays bounded
QUERIES = 2_000  # images whose neighbours are searched between two reports


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
    distances : float32 (n, k), ≥ 0.
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


def graph(latents: np.ndarray, k: int, metric: Distance = "euclidean", callback: Callback = ignore) -> Graph:
    """Find each image's k nearest others among (n, d), exactly; of n images at most n - 1.

    Raises
    ------
    ConfigError : k below 1, or fewer than 2 images.
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(latents)
    if k < 1 or n < 2:
        raise ConfigError(f"Neighbours need k of at least 1 and 2 images; here are k = {k} and {n}.")
    k = min(k, n - 1)
    values = np.ascontiguousarray(latents, np.float32)
    index = NearestNeighbors(n_neighbors=k + 1, algorithm="brute", metric=metric).fit(values)
    rows, away = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    left = stopwatch(n)
    for start in range(0, n, QUERIES):
        part = slice(start, min(start + QUERIES, n))
        distances, found = index.kneighbors(values[part])
        # Of equal images another one may stand first; where the image itself is not found, the last one goes.
        own = found == np.arange(part.start, part.stop)[:, None]
        own[~own.any(axis=1), k] = True
        rows[part] = found[~own].reshape(-1, k)
        away[part] = distances[~own].reshape(-1, k)
        callback(Progress("Finding neighbours", part.stop, n, "image", left(part.stop)))
    return Graph(rows, away)


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


def placed(latents: np.ndarray, coordinates: np.ndarray, point: np.ndarray, k: int = 10) -> np.ndarray:
    """Return where a point belongs on a map, float32 (2 or 3,): the mean of its k nearest images, near ones weighing more.

    Weights are 1 / distance, so that an image of the set lies on itself. The map is not made again.
    """
    found = nearest(latents, point, k)
    if found.distances[0] == 0:
        return np.asarray(coordinates[found.rows[0]], np.float32)
    weights = 1.0 / found.distances.astype(np.float64)
    return np.asarray((coordinates[found.rows] * weights[:, None]).sum(axis=0) / weights.sum(), np.float32)

"""From a handful of labels to a proposal for every image, along the nearest neighbours in latent space."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.config import AnalysisConfig
from core.errors import ConfigError
from core.neighbours import Graph
from core.progress import Callback, Progress, ignore, stopwatch

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ALPHA = 0.95  # share that an image takes from its neighbours in each step
STEPS = 1_000  # at most
EVERY = 10  # steps between two looks at the change
SETTLED = 1e-3  # largest change of a share, in all of EVERY steps, at which spreading ends


@dataclass(frozen=True)
class SpreadConfig(AnalysisConfig):
    """Labels to be spread: (row, class) of each labelled image; along the k nearest neighbours."""

    labels: tuple[tuple[int, int], ...]
    n_classes: int
    k: int = 15

    def given(self, n: int) -> np.ndarray:
        """Return the class of each of n images, int64 (n,), -1 where none is given.

        Raises
        ------
        ConfigError : a row is not one of the images'.
        """
        found = np.full(n, -1, np.int64)
        for row, label in self.labels:
            if not 0 <= row < n:
                raise ConfigError(f"There is no image {row} to be labelled; there are {n}.")
            found[row] = label
        return found


@dataclass(frozen=True, eq=False)
class Spread:
    """What is proposed for n images.

    Parameters
    ----------
    labels : int64 (n,), index of the class, -1 where no label reaches; given ones as they were given.
    confidence : float32 (n,), share of the likeliest class, in [0, 1]; 1 where given, 0 where no label reaches. It ranks
        proposals, and is no probability that they are right.
    shares : float32 (n, classes), of each class; rows sum to 1, or to 0 where no label reaches.
    steps : that were made. settled : whether shares no longer changed.
    """

    labels: np.ndarray
    confidence: np.ndarray
    shares: np.ndarray
    steps: int
    settled: bool


def spread(
    graph: Graph, given: np.ndarray, n_classes: int, alpha: float = ALPHA, callback: Callback = ignore
) -> Spread:
    """Spread the labels of a few images to all that they reach through neighbours.

    Parameters
    ----------
    given : int (n,), class of each labelled image, -1 of the others.
    alpha : in (0, 1); the more, the farther labels reach.

    Raises
    ------
    ConfigError : no image is labelled, a label is no class, or alpha is not between 0 and 1.

    Notes
    -----
    Zhou, Bousquet, Lal, Weston, Schölkopf, "Learning with Local and Global Consistency", 2004: F ← alpha S F +
    (1 - alpha) Y with S = D^-1/2 W D^-1/2. W joins two images when either is among the other's k nearest, by
    exp(-d² / (s_i s_j)) with s_i the distance to the k-th (Zelnik-Manor and Perona, 2004). Each class's columns of Y are
    divided by its number of labels, so that a class with many does not win by that. Given labels are clamped afterwards:
    the iteration may doubt them, the answer does not.

    Memory is O(n (k + classes)).
    """
    given = np.asarray(given)
    _check(graph, given, n_classes, alpha)
    labelled = np.flatnonzero(given >= 0)
    similar = affinities(graph)
    start = np.zeros((len(given), n_classes))
    start[labelled, given[labelled]] = 1 / np.bincount(given[labelled], minlength=n_classes)[given[labelled]]
    found, before = start.copy(), _shares(start)
    left = stopwatch(STEPS)
    step, settled = 0, False
    while step < STEPS and not settled:
        for _ in range(EVERY):
            found = alpha * (similar @ found) + (1 - alpha) * start
        step += EVERY
        now = _shares(found)
        change = float(np.abs(now - before).max())
        before, settled = now, change < SETTLED
        callback(Progress("Spreading labels", step, STEPS, "step", left(step), {"change": change}))
    before[labelled] = 0
    before[labelled, given[labelled]] = 1
    confidence = before.max(axis=1)
    labels = np.where(confidence > 0, before.argmax(axis=1), -1)
    return Spread(labels, confidence.astype(np.float32), before.astype(np.float32), step, settled)


@dataclass(frozen=True, eq=False)
class Suggestions:
    """Images worth labelling next, best first.

    Parameters
    ----------
    rows : int64 (m,).
    uncertainty : float32 (m,), 1 - the lead of the likeliest class over the second, in [0, 1].
    reach : int64 (m,), images that a label would reach in one step.
    """

    rows: np.ndarray
    uncertainty: np.ndarray
    reach: np.ndarray


def suggest(graph: Graph, found: Spread, given: np.ndarray, count: int = 1) -> Suggestions:
    """Return the images whose labels would tell most: uncertain ones that represent many others.

    The score is uncertainty × reach, where reach is the number of images that are joined to one in the graph: many in a
    dense region's middle, few at its edge. Images joined to one that is labelled or suggested already come after all
    others; ties go to the first row. The same input gives the same answer.

    Notes
    -----
    Uncertainty by margin: Scheffer, Decomain, Wrobel, 2001. Weighted with how many images one represents: Settles and
    Craven, "An Analysis of Active Learning Strategies for Sequence Labeling Tasks", 2008.

    Raises
    ------
    ConfigError : fewer than 1 is asked for, or the arrays do not fit each other.
    """
    given = np.asarray(given)
    if count < 1 or not len(given) == len(graph.rows) == len(found.shares):
        raise ConfigError(
            f"Suggestions need a count of at least 1 and labels of as many images as there are neighbours of; here are "
            f"{count}, {len(given)} and {len(graph.rows)}."
        )
    linked = _linked(graph)
    reach = np.diff(linked.indptr).astype(np.int64)
    shares = np.sort(
        np.pad(found.shares, ((0, 0), (1, 0))), axis=1
    )  # a class that nothing is of, where there is but one
    uncertainty = 1 - (shares[:, -1] - shares[:, -2])
    rows = _apart(linked, uncertainty * reach, given >= 0, count)
    return Suggestions(rows, uncertainty[rows].astype(np.float32), reach[rows])


def _apart(linked: "csr_array", score: np.ndarray, taken: np.ndarray, count: int) -> np.ndarray:
    """Return the rows, int64 (count,), of the best scores, those beside a taken or chosen one after all others."""
    behind = score.max() + 1
    score = np.where(taken, -np.inf, score)
    beside = np.zeros(len(score), bool)
    chosen: list[int] = []

    def pass_by(row: int) -> None:
        around = linked.indices[linked.indptr[row] : linked.indptr[row + 1]]
        score[around[~beside[around]]] -= behind
        beside[around] = True

    for row in np.flatnonzero(taken):
        pass_by(int(row))
    for _ in range(min(count, int((~taken).sum()))):
        chosen.append(int(score.argmax()))
        score[chosen[-1]] = -np.inf
        pass_by(chosen[-1])
    return np.array(chosen, np.int64)


def affinities(graph: Graph) -> "csr_array":
    """Return S = D^-1/2 W D^-1/2 of a graph, float64 sparse (n, n), symmetric; see `spread`."""
    from scipy.sparse import coo_array, diags_array

    n, k = graph.rows.shape
    away = graph.distances.astype(np.float64)
    scale = away[:, -1]
    scale = np.where(scale > 0, scale, scale[scale > 0].min(initial=1.0))  # all k are copies of the image
    weights = np.exp(-np.square(away) / (scale[:, None] * scale[graph.rows]))
    rows = np.repeat(np.arange(n), k)
    directed = coo_array((weights.ravel(), (rows, graph.rows.ravel())), shape=(n, n)).tocsr()
    joined = directed.maximum(directed.T)  # the same from both sides, or 0 on one
    degree = np.asarray(joined.sum(axis=1)).ravel()
    half = diags_array(np.divide(1, np.sqrt(degree), out=np.zeros(n), where=degree > 0))
    return (half @ joined @ half).tocsr()


def _linked(graph: Graph) -> "csr_array":
    """Return which images are joined, sparse (n, n): those of which either is among the other's neighbours."""
    from scipy.sparse import coo_array

    n, k = graph.rows.shape
    ends = np.repeat(np.arange(n), k), graph.rows.ravel()
    directed = coo_array((np.ones(n * k, np.int8), ends), shape=(n, n)).tocsr()
    return directed.maximum(directed.T).tocsr()


def _shares(found: np.ndarray) -> np.ndarray:
    total = found.sum(axis=1, keepdims=True)
    return np.divide(found, total, out=np.zeros_like(found), where=total > 0)


def _check(graph: Graph, given: np.ndarray, n_classes: int, alpha: float) -> None:
    if given.shape != (len(graph.rows),):
        raise ConfigError(f"The neighbours are of {len(graph.rows)} images, but labels have the shape {given.shape}.")
    if not (given >= 0).any():
        raise ConfigError("No image is labelled; label at least one of each class.")
    if given.max() >= n_classes or given.min() < -1:
        raise ConfigError(f"Labels must be -1 or one of the {n_classes} classes, numbered from 0.")
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha = {alpha} must lie between 0 and 1.")

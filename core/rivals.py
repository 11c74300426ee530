"""Which group an image lies with: by centroids, by the nearest images of each group, and by its neighbours' votes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.neighbours import Graph
from core.progress import Callback, Progress, stopwatch

BLOCK = 2_000  # images weighed between two reports
CELLS = 4_000_000  # of a block's largest table, image × group or image × neighbour², so that memory stays bounded
NEIGHBOURS = 60  # what a graph should have: the silhouette looks this far for an image of the same group
VOTERS = 20  # nearest neighbours that vote
NEAREST = 5  # nearest images of a group that stand for it
FLOOR = 0.05  # no vote counts as nearer than this share of the last voter's distance


@dataclass(frozen=True, eq=False)
class Named:
    """A part's values, float32 (n,), and the groups that it would rather see the images in, int32 (n,), -1 = none."""

    values: np.ndarray
    rivals: np.ndarray


def compared(latents: np.ndarray, graph: Graph, groups: np.ndarray, callback: Callback) -> dict[str, Named]:
    """Margin, silhouette and neighbours, a block of images at a time."""
    n, k = len(groups), int(groups.max()) + 1
    sizes = np.bincount(groups[groups >= 0], minlength=k)
    centroids = _centroids(latents, groups, sizes)
    names = ("margin", "silhouette", "neighbours")
    found = {name: Named(np.empty(n, np.float32), np.empty(n, np.int32)) for name in names}
    block = max(1, min(BLOCK, CELLS // max(k, graph.k**2)))
    left = stopwatch(n)
    for start in range(0, n, block):
        rows = slice(start, min(n, start + block))
        own, near, away = groups[rows], groups[graph.rows[rows]], graph.distances[rows].astype(np.float64)
        part = {
            "margin": _border(_distances(latents[rows], centroids), own),
            "silhouette": _border(_to_nearest(near, away, own, sizes), own),
            "neighbours": _outvoted(_votes(near, away, k), own),
        }
        for name in names:
            found[name].values[rows], found[name].rivals[rows] = part[name].values, part[name].rivals
        callback(Progress("Weighing suspects", rows.stop, n, "image", left(rows.stop)))
    return found


def _centroids(latents: np.ndarray, groups: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Mean of each group, float64 (k, d); infinitely far where a number has no images."""
    sums = np.zeros((len(sizes), latents.shape[1]))
    there = groups >= 0
    np.add.at(sums, groups[there], latents[there])
    sums[sizes == 0] = np.inf
    return sums / np.maximum(sizes, 1)[:, None]


def _distances(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Euclidean distances, float64 (b, k)."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(values.astype(np.float64), centroids))


def _border(away: np.ndarray, own: np.ndarray) -> Named:
    """Turn distances to groups (b, k) into (1 - s) / 2 with s = (b - a) / max(a, b), which is 0 where both are 0.

    a is the distance to the own group and b that to the nearest other one: Rousseeuw's silhouette (1987), of centroids the
    simplified one (Hruschka, de Castro and Campello, 2004). An own group with no other image has s = 0, as in Rousseeuw.
    """
    a, b, rivals = _split(away, own, np.inf, np.argmin)
    longest = np.maximum(a, b)
    s = np.divide(b - a, longest, out=np.zeros(len(a)), where=np.isfinite(longest) & (longest > 0))
    return Named(np.where(own >= 0, (1 - s) / 2, np.nan), rivals)


def _to_nearest(near: np.ndarray, away: np.ndarray, own: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Mean distance to the `NEAREST` images of each group, float64 (b, k), as far as the neighbours (b, K) reach.

    Those further off count as the last neighbour, a lower bound; a group of fewer images is asked for all of them. The
    nearest, not all of a group as in Rousseeuw: a class may have several shapes, and an image need be near to one only.
    """
    k = len(sizes)
    asked = np.tile(np.minimum(sizes, NEAREST), (len(own), 1))  # (b, k)
    there = np.flatnonzero(own >= 0)
    asked[there, own[there]] = np.minimum(sizes[own[there]] - 1, NEAREST)
    same = near[:, :, None] == near[:, None, :]  # (b, K, K)
    nth = np.tril(same).sum(axis=2)
    taken = np.where(nth <= NEAREST, near, -1)
    sums, found = _by_group(taken, away, k), _by_group(taken, np.ones_like(away), k)
    sums += np.maximum(asked - found, 0) * away[:, -1:]
    return np.divide(sums, asked, out=np.full(sums.shape, np.inf), where=asked > 0)


def _votes(near: np.ndarray, away: np.ndarray, k: int) -> np.ndarray:
    """Share of the nearest `VOTERS` in each group, float64 (b, k), weighted by 1 / distance²; zeros if none is in any.

    Distance-weighted neighbours: Dudani (1976).
    """
    near, away = near[:, :VOTERS], away[:, :VOTERS]
    floor = np.maximum(away[:, -1:] * FLOOR, 1e-12)
    table = _by_group(near, 1 / np.maximum(away, floor) ** 2, k)
    total = table.sum(axis=1, keepdims=True)
    return np.divide(table, total, out=np.zeros_like(table), where=total > 0)


def _outvoted(votes: np.ndarray, own: np.ndarray) -> Named:
    """Mean of two shares: of neighbours in another group, and of neighbours in the strongest other group.

    1 where all are in one other group, 0.5 where the strongest other has as many as the own; NaN where none has a vote.
    """
    mine, most, rivals = _split(votes, own, -1.0, np.argmax)
    voted = votes.any(axis=1)
    values = np.where(voted & (own >= 0), (1 - mine + most) / 2, np.nan)
    return Named(values, np.where(most > 0, rivals, -1))


def _split(
    table: np.ndarray, own: np.ndarray, never: float, best: Callable[..., np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The own group's value, the best other one, and whose it is, each (b,); the own one is `never` without a group."""
    others, there = table.copy(), np.flatnonzero(own >= 0)
    mine = np.full(len(own), never)
    mine[there] = table[there, own[there]]
    others[there, own[there]] = never
    rivals = best(others, axis=1)
    return mine, others[np.arange(len(own)), rivals], rivals


def _by_group(groups: np.ndarray, values: np.ndarray, k: int) -> np.ndarray:
    """Sum values (b, K) by group, float64 (b, k); group -1 is left out."""
    rows, columns = np.nonzero(groups >= 0)
    cells = rows * k + groups[rows, columns]
    return np.bincount(cells, values[rows, columns], minlength=len(groups) * k).reshape(-1, k)

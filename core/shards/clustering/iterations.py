"""Lloyd's iterations over parts: workers add up what centers get, and the centers move here, between two passes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.clustering.kmeans import TOLERANCE, TRIED
from core.config import KMeansConfig
from core.engines import Engine
from core.errors import ConfigError
from core.progress import Callback, Progress
from core.shards.clustering.assigning import Assigned, assigned
from core.shards.columns import Vectors, everywhere, read
from core.shards.moments import moments
from core.shards.sampling import of_rows


@dataclass(frozen=True, eq=False)
class Sums:
    """What centers (k, d) get of a part or of all; `first` is the running number of each one's first row, n without any."""

    sums: np.ndarray
    counts: np.ndarray
    inertia: float
    first: np.ndarray


@dataclass(frozen=True, eq=False)
class Run:
    """Centers float32 (k, d), what they get, after how many iterations, and on how many rows the starts were chosen."""

    centers: np.ndarray
    found: Sums
    n_iter: int
    started_on: int = 0


def lloyd_over(engine: Engine, vectors: Vectors, method: KMeansConfig, size: int, callback: Callback) -> Run:
    """Find centers from starts that are chosen on a sample of `size` rows.

    Raises
    ------
    ConfigError : the rows fall together into fewer clusters. DataError : a part cannot be read. Cancelled : by the callback.
    """
    variances = moments(engine, vectors, callback).variances
    tolerance = TOLERANCE * float(variances.mean())
    starts = _starts(engine, vectors, method, size, tolerance, callback)
    runs = _to_the_end(engine, vectors, starts, method.max_iter, tolerance, callback)
    best = min(runs, key=lambda run: run.found.inertia)
    if not best.found.counts.all():
        k = method.n_clusters
        raise ConfigError(f"k = {k} clusters are too many: the points fall together into fewer.")
    return replace(best, started_on=size)


def _starts(
    engine: Engine, vectors: Vectors, method: KMeansConfig, size: int, tolerance: float, callback: Callback
) -> list[np.ndarray]:
    """Return the starts of `core.clustering.kmeans`, drawn as it draws them: the best `n_init` on a sample of `size` rows."""
    from core.clustering.lloyd import lloyd, spread

    k, rng = method.n_clusters, np.random.default_rng(method.seed)
    running = np.sort(rng.choice(vectors.n, size, replace=False))
    sample, found = of_rows(vectors, running, callback, engine).values, []
    for number in range(TRIED * method.n_init):
        chosen, draws = rng.integers(size), rng.random((k - 1, 2 + int(math.log(k))))
        centers = np.empty((k, sample.shape[1]), np.float32)
        centers[0] = sample[chosen]
        spread(sample, centers, 1, draws)
        inertia = lloyd(sample, centers, method.max_iter, tolerance)[1]
        found.append((inertia, centers))
        callback(Progress("Choosing starts", number + 1, TRIED * method.n_init, "start"))
    return [centers for _, centers in sorted(found, key=lambda run: run[0])[: method.n_init]]


def _to_the_end(
    engine: Engine, vectors: Vectors, starts: Sequence[np.ndarray], most: int, tolerance: float, callback: Callback
) -> list[Run]:
    """Bring all starts to their end together, so that each part is read once an iteration; see `core.clustering.lloyd`."""
    runs = [
        Run(centers, found, 0) for centers, found in zip(starts, look(engine, vectors, starts, callback), strict=True)
    ]
    going = list(range(len(runs)))
    for done in range(1, most + 1):
        report = _iteration(callback, done, most, len(going))
        before = {i: _refilled(engine, vectors, runs[i], report) for i in going}
        moved = {i: _moved(run) for i, run in before.items()}
        found = dict(zip(going, look(engine, vectors, [moved[i] for i in going], report), strict=True))
        for i in list(going):
            step = float(np.square(moved[i].astype(np.float64) - before[i].centers).sum())
            runs[i] = Run(moved[i], found[i], done)
            if step <= tolerance or np.array_equal(found[i].sums, before[i].found.sums):
                going.remove(i)
        if not going:
            break
    return runs


def _iteration(callback: Callback, done: int, most: int, going: int) -> Callback:
    """Tell of a pass over the parts as of an iteration."""

    def told(inner: Progress) -> None:
        callback(
            Progress("KMeans", done - 1, most, "iteration", metrics={"starts": float(going), "parts": inner.fraction})
        )

    return told


def _moved(run: Run) -> np.ndarray:
    """Return the means of what the centers got, float32 (k, d); one that got nothing stays."""
    counts = run.found.counts[:, None]
    means = np.divide(run.found.sums, counts, out=run.centers.astype(np.float64), where=counts > 0)
    return means.astype(np.float32)


def _refilled(engine: Engine, vectors: Vectors, run: Run, callback: Callback) -> Run:
    """Give each empty cluster the row that is farthest from its center, as `core.clustering.lloyd.fill` does."""
    empty = np.flatnonzero(run.found.counts == 0)
    if len(empty) == 0:
        return run
    enough = len(empty) + len(run.centers)
    away, labels, points = np.empty(0), np.empty(0, np.int32), np.empty((0, run.centers.shape[1]), np.float32)
    for part in everywhere(engine, _Farthest(vectors, run.centers, enough), vectors, callback, "KMeans"):
        away, labels = np.concatenate([away, part[0]]), np.concatenate([labels, part[1]])
        points = np.concatenate([points, part[2]])
        order = np.argsort(-away, kind="stable")[:enough]
        away, labels, points = away[order], labels[order], points[order]
    sums, counts, centers = run.found.sums.copy(), run.found.counts.copy(), run.centers.copy()
    candidates = iter([i for i in range(len(away)) if away[i] > 0])
    for c in empty:
        chosen = next((i for i in candidates if counts[labels[i]] > 1), None)
        if chosen is None:
            break
        counts[labels[chosen]] -= 1
        sums[labels[chosen]] -= points[chosen]
        counts[c], sums[c], centers[c] = 1, points[chosen], points[chosen]
    return Run(centers, replace(run.found, sums=sums, counts=counts), run.n_iter)


def look(
    engine: Engine, vectors: Vectors, sets: Sequence[Any], callback: Callback,
    assign: Callable[[np.ndarray, Any], Assigned] = assigned,
) -> list[Sums]:  # fmt: skip
    """Find what each of several sets of centers gets, in one pass over the parts, added up in their order.

    Parameters
    ----------
    assign : gives points to the centers of a set, which it may keep in another form, such as a mixture.
    """
    total: list[Sums] = []
    for part in everywhere(engine, _Assign(vectors, tuple(sets), assign), vectors, callback, "Assigning to centers"):
        total = [_added(a, b) for a, b in zip(total, part, strict=True)] if total else part
    return total


def _added(a: Sums, b: Sums) -> Sums:
    return Sums(a.sums + b.sums, a.counts + b.counts, a.inertia + b.inertia, np.minimum(a.first, b.first))


@dataclass(frozen=True, eq=False)
class _Assign:
    vectors: Vectors
    sets: tuple[Any, ...]
    assign: Callable[[np.ndarray, Any], Assigned]

    def __call__(self) -> Callable[[int], list[Sums]]:
        return self._assign

    def _assign(self, at: int) -> list[Sums]:
        points, found = read(self.vectors, at), []
        for centers in self.sets:
            got = self.assign(points, centers)
            first = np.full(len(got.counts), self.vectors.n)
            np.minimum.at(first, got.labels, self.vectors.starts[at] + np.arange(len(points)))
            found.append(Sums(got.sums, got.counts, float(np.square(got.away).sum()), first))
        return found


@dataclass(frozen=True, eq=False)
class _Farthest:
    """Finds the rows of a part that are farthest from their centers: distances, labels and the points themselves."""

    vectors: Vectors
    centers: np.ndarray
    enough: int

    def __call__(self) -> Callable[[int], tuple[np.ndarray, np.ndarray, np.ndarray]]:
        def farthest(at: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            points = read(self.vectors, at)
            got = assigned(points, self.centers)
            order = np.argsort(-got.away, kind="stable")[: self.enough]
            return got.away[order], got.labels[order], points[order]

        return farthest

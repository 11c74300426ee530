"""Which rows may be misassigned, over parts: by the groups of their neighbours in an index and by the groups' centroids."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core import parts
from core.engines import Engine
from core.errors import DataError
from core.progress import Callback, ignore
from core.rivals import FLOOR
from core.shards.columns import Vectors, everywhere, read, write_missing
from core.shards.grouping import Grouping, Groups, own_of, read_groups
from core.shards.index import open_index

STAGE = "suspects"
NEIGHBOURS = 10
CELLS = 4_000_000  # of a table row × group, so that memory stays bounded
ROWS = 8_192  # searched at a time


@dataclass(frozen=True)
class Suspected:
    """What was written: n rows, of which `grouped` have a group; the groups by name, and how many rows each has.

    Parameters
    ----------
    recall : share of the neighbours that the index finds, measured on `queries` rows; see `core.shards.index.IndexInfo`.
    """

    n: int
    grouped: int
    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    recall: float
    queries: int


def suspects(
    engine: Engine,
    vectors: Vectors,
    root: str,
    index_path: str,
    grouping: Grouping,
    key: str,
    callback: Callback = ignore,
) -> Suspected:
    """Weigh what speaks against the group of every row, and write stage `suspects`; parts for this key stay.

    Of each row, null where it has no group (no label):

    - `neighbours` : share of its 10 nearest others, as far as they have a group, that are of another one.
    - `looks_like` : the group with most of their weight, 1 / distance² as in `core.rivals`; its own where that has.
    - `margin` : (1 + (a - b) / max(a, b)) / 2, a the distance to its own group's centroid and b that to the nearest other's.
    - `suspect` : the mean of both, in [0, 1].

    These are two of the parts of `core.evidence`, simplified: `core.suspects` has the silhouette of near images, the clusters'
    majority, error, consensus and isolation beside them, of sets that fit one machine, and measured weights.

    Parameters
    ----------
    index_path : of an index of these vectors, which every worker must be able to read.
    grouping : "label" of stage `encoded` or "cluster" of stage `clustered`, in the same root as the vectors.

    Raises
    ------
    ConfigError : fewer than 2 groups or more than 10,000, or FAISS is not installed.
    DataError : a part or the index cannot be read or does not fit. Cancelled : raised by the callback.
    """
    info = open_index(index_path).info
    if info.n != vectors.n:
        raise DataError(f"The index {index_path} is of {info.n:,} rows; these are {vectors.n:,}.")
    groups = read_groups(engine, vectors, grouping, callback)
    sizes = np.bincount(groups.of[groups.of >= 0], minlength=len(groups.names))
    sums: np.ndarray | float = 0.0
    for part in everywhere(engine, _Sum(vectors, groups), vectors, callback, "Finding centroids"):
        sums = sums + part
    centroids = np.asarray(sums) / sizes[:, None]
    make = _Weigh(vectors, groups, centroids, index_path, root, key)
    write_missing(engine, make, vectors, root, STAGE, key, callback, "Weighing suspects")
    return Suspected(
        vectors.n, int(sizes.sum()), groups.names, tuple(map(int, sizes)), info.recall, info.queries
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Sum:
    vectors: Vectors
    groups: Groups

    def __call__(self) -> Callable[[int], np.ndarray]:
        def add(at: int) -> np.ndarray:
            values, own = read(self.vectors, at), own_of(self.groups, self.vectors, at)
            sums = np.zeros((len(self.groups.names), values.shape[1]))
            np.add.at(sums, own[own >= 0], values[own >= 0])
            return sums

        return add


@dataclass(frozen=True, eq=False)
class _Weigh:
    vectors: Vectors
    groups: Groups
    centroids: np.ndarray
    index_path: str
    root: str
    key: str

    def __call__(self) -> Callable[[int], int]:
        index = open_index(self.index_path)

        def weigh(at: int) -> int:
            values, own = read(self.vectors, at), own_of(self.groups, self.vectors, at)
            near, away = np.empty((len(values), NEIGHBOURS), np.int64), np.empty((len(values), NEIGHBOURS))
            for start in range(0, len(values), ROWS):
                rows = slice(start, min(len(values), start + ROWS))
                found = index.search(values[rows], NEIGHBOURS + 1)
                running = self.vectors.starts[at] + np.arange(rows.start, rows.stop)
                near[rows], away[rows] = without_own(found.rows, found.distances, running)
            others, looks_like = voted(np.where(near >= 0, self.groups.of[near], -1), away, own)
            table = _table(own, others, looks_like, margin(values, own, self.centroids), self.groups.names)
            return parts.write(self.root, STAGE, self.vectors.numbers[at], table, self.key, {}).rows

        return weigh


def without_own(rows: np.ndarray, away: np.ndarray, running: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out of (b, k + 1) neighbours each row itself, or the last where others that are equal stand before it."""
    own = rows == running[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(rows), rows.shape[1] - 1)
    return rows[~own].reshape(shape), away[~own].reshape(shape)


def voted(groups: np.ndarray, away: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Let neighbours vote.

    Parameters
    ----------
    groups : (b, k), of the neighbours, nearest first, -1 without any. away : (b, k), their distances. own : (b,).

    Returns
    -------
    others : float64 (b,), share of those with a group that are of another than the own; NaN where none has any.
    looks_like : (b,), the group with most weight, of equal ones the nearest's; -1 where none has any.
    """
    there = groups >= 0
    count = there.sum(axis=1)
    others = np.divide(
        (there & (groups != own[:, None])).sum(axis=1), count, out=np.full(len(own), np.nan), where=count > 0
    )
    last = np.where(np.isfinite(away), away, 0).max(axis=1, initial=0, keepdims=True)
    weights = np.where(there, 1 / np.maximum(away, np.maximum(last * FLOOR, 1e-12)) ** 2, 0)
    same = groups[:, :, None] == groups[:, None, :]  # (b, k, k)
    best = np.where(there, (same * weights[:, None, :]).sum(axis=2), -1).argmax(axis=1)
    return others, groups[np.arange(len(own)), best]


def margin(values: np.ndarray, own: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Compare the distance to the own centroid with that to the nearest other, float64 (b,) in [0, 1], NaN without a group.

    The simplified silhouette s (Hruschka, de Castro and Campello, 2004) as (1 - s) / 2: above 0.5 another is nearer.
    """
    from scipy.spatial.distance import cdist

    found = np.full(len(own), np.nan)
    grouped = np.flatnonzero(own >= 0)
    step = max(1, CELLS // len(centroids))
    for start in range(0, len(grouped), step):
        rows = grouped[start : start + step]
        away = cdist(values[rows].astype(np.float64), centroids)  # (batch, groups)
        at = np.arange(len(rows)), own[rows]
        a = away[at]
        away[at] = np.inf
        b = away.min(axis=1)
        longest = np.maximum(a, b)
        found[rows] = (1 + np.divide(a - b, longest, out=np.zeros(len(rows)), where=longest > 0)) / 2
    return found


def _table(
    own: np.ndarray, others: np.ndarray, looks_like: np.ndarray, margins: np.ndarray, names: tuple[str, ...]
) -> pa.Table:
    none = own < 0
    suspect = np.where(np.isnan(others), margins, (others + margins) / 2)
    named = [None if missing or group < 0 else names[group] for missing, group in zip(none, looks_like, strict=True)]
    return pa.table(
        {
            "suspect": pa.array(suspect.astype(np.float32), mask=none),
            "looks_like": pa.array(named, pa.string()),
            "neighbours": pa.array(others.astype(np.float32), mask=none | np.isnan(others)),
            "margin": pa.array(margins.astype(np.float32), mask=none),
        }
    )

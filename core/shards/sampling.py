"""Samples of the vectors of all parts: at random, or in proportion from strata; the parts are read, never held together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core import parts
from core.engines import Engine, Local
from core.errors import ConfigError, DataError
from core.progress import Callback, ignore
from core.projection.checks import SMALL_WORK, one_thread_if
from core.projection.sampling import MOST_STRATA, STRATA_FROM, shares
from core.shards.clustering.assigning import assigned
from core.shards.columns import Vectors, everywhere, in_order, read

SURE = 6.0  # standard deviations


@dataclass(frozen=True, eq=False)
class Sample:
    """m of n rows, in the order of parts and rows.

    Parameters
    ----------
    n : rows that it was drawn from.
    numbers : int32 (m,), of each one's part. rows : int64 (m,), its row there. values : float32 (m, d).
    """

    n: int
    numbers: np.ndarray
    rows: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def running(self, vectors: Vectors) -> np.ndarray:
        """Return the running number of each row among all, int64 (m,)."""
        found: np.ndarray = vectors.starts[_places(vectors.numbers, self.numbers)] + self.rows
        return found


def uniform(vectors: Vectors, m: int, seed: int, callback: Callback = ignore, engine: Engine | None = None) -> Sample:
    """Choose m of n rows at random, each with the same chance; all where there are no more.

    Raises
    ------
    ConfigError : m below 1. DataError : a part cannot be read. Cancelled : raised by the callback.
    """
    _check(m)
    if m >= vectors.n:
        running = np.arange(vectors.n)
    else:
        running = np.sort(np.random.default_rng(seed).choice(vectors.n, m, replace=False))
    return of_rows(vectors, running, callback, engine)


def of_rows(
    vectors: Vectors, running: np.ndarray, callback: Callback = ignore, engine: Engine | None = None
) -> Sample:
    """Return the rows of these running numbers, int64 (m,), rising, as a sample; raises as `gather` does."""
    at, rows = vectors.located(running)
    numbers = np.array(vectors.numbers, np.int32)[at]
    return Sample(vectors.n, numbers, rows, gather(vectors, numbers, rows, callback, engine))


def gather(
    vectors: Vectors, numbers: np.ndarray, rows: np.ndarray, callback: Callback = ignore, engine: Engine | None = None
) -> np.ndarray:
    """Return the vectors of some rows of some parts, float32 (m, d), in the order asked; only these parts are read.

    Raises
    ------
    DataError : a part cannot be read or has no such row. Cancelled : raised by the callback.
    """
    at = _places(vectors.numbers, numbers)
    items = [(int(place), rows[at == place]) for place in np.unique(at)]
    found: np.ndarray | None = None
    pieces = in_order(engine or Local(), _Take(vectors), items, callback, "Reading a sample")
    for (place, _), values in zip(items, pieces, strict=True):
        if found is None:
            found = np.empty((len(rows), values.shape[1]), np.float32)
        if values.shape[1] != found.shape[1]:
            raise DataError(f"Some parts have vectors of {found.shape[1]} numbers, others of {values.shape[1]}.")
        found[at == place] = values
    return np.empty((0, 0), np.float32) if found is None else found


def gather_column(
    root: str, stage: str, column: str, numbers: np.ndarray, rows: np.ndarray, callback: Callback = ignore
) -> pa.Array:
    """Return the values of a column, such as labels, in some rows of some parts, in the order asked; raises as `gather`."""
    different = np.unique(numbers)
    pieces, places = [], []
    take = _TakeColumn(root, stage, column)
    items = [(int(number), rows[numbers == number]) for number in different]
    for (number, _), piece in zip(items, in_order(Local(), take, items, callback, "Reading a column"), strict=True):
        pieces.append(piece)
        places.append(np.flatnonzero(numbers == number))
    if not pieces:
        return pa.nulls(0)
    return pa.concat_arrays(pieces).take(pa.array(np.argsort(np.concatenate(places))))


def stratified(engine: Engine, vectors: Vectors, m: int, seed: int, callback: Callback = ignore) -> Sample:
    """Choose m of n rows in proportion from strata that are found without labels; see `core.projection.sampling.stratified`.

    The strata are found on a random sample of at most 50,000 rows. One pass counts them; in another each row has a random
    key, which hangs on the seed and its part alone, and those with the smallest keys of each stratum are taken. Beside the
    50,000 and the m nothing is held.

    Raises
    ------
    ConfigError : m below 1. DataError : a part cannot be read. Cancelled : raised by the callback.
    """
    _check(m)
    if m >= vectors.n:
        return of_rows(vectors, np.arange(vectors.n), callback, engine)
    centers = _strata(uniform(vectors, STRATA_FROM, seed, callback, engine).values, m, seed)
    sizes = np.zeros(len(centers), np.int64)
    for counts in everywhere(engine, _Count(vectors, centers), vectors, callback, "Counting strata"):
        sizes += counts
    quotas = shares(sizes, m)
    # The smallest keys are below this but for once in thousands of millions: workers need not send more, and else send all.
    likely = np.minimum(1.0, (quotas + SURE * np.sqrt(quotas) + 10) / np.maximum(sizes, 1))
    running = _smallest(engine, _Draw(vectors, centers, quotas, likely, seed), callback)
    if len(running) < m:
        running = _smallest(engine, _Draw(vectors, centers, quotas, np.ones(len(centers)), seed), callback)
    return of_rows(vectors, running, callback, engine)


def _strata(values: np.ndarray, m: int, seed: int) -> np.ndarray:
    """Find centers of the strata, float32 (k, d)."""
    from sklearn.cluster import MiniBatchKMeans

    k = max(1, min(MOST_STRATA, m // 20, len(values)))
    with one_thread_if(len(values) * k * values.shape[1] < SMALL_WORK / 100):
        found = MiniBatchKMeans(k, batch_size=4096, n_init=1, random_state=seed).fit(values)
    return np.ascontiguousarray(found.cluster_centers_, np.float32)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Rows with the smallest keys of each stratum in a part: running numbers, keys and strata, each (c,)."""

    running: np.ndarray
    keys: np.ndarray
    strata: np.ndarray


@dataclass(frozen=True, eq=False)
class _Count:
    vectors: Vectors
    centers: np.ndarray

    def __call__(self) -> Callable[[int], np.ndarray]:
        return lambda at: assigned(read(self.vectors, at), self.centers).counts


@dataclass(frozen=True, eq=False)
class _Draw:
    vectors: Vectors
    centers: np.ndarray
    quotas: np.ndarray
    below: np.ndarray
    seed: int

    def __call__(self) -> Callable[[int], _Drawn]:
        return self._draw

    def _draw(self, at: int) -> _Drawn:
        strata = assigned(read(self.vectors, at), self.centers).labels
        keys = np.random.default_rng([self.seed, self.vectors.numbers[at]]).random(len(strata))
        rows = np.flatnonzero(keys <= self.below[strata])
        return _least(_Drawn(self.vectors.starts[at] + rows, keys[rows], strata[rows]), self.quotas)


def _smallest(engine: Engine, make: _Draw, callback: Callback) -> np.ndarray:
    """Return the running numbers of the rows with the smallest keys of each stratum, int64, rising."""
    found = _Drawn(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int32))
    for part in everywhere(engine, make, make.vectors, callback, "Choosing a sample"):
        both = [np.concatenate(pair) for pair in zip(_columns(found), _columns(part), strict=True)]
        found = _least(_Drawn(*both), make.quotas)
    return np.sort(found.running)


def _columns(drawn: _Drawn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return drawn.running, drawn.keys, drawn.strata


def _least(drawn: _Drawn, quotas: np.ndarray) -> _Drawn:
    """Keep of each stratum as many rows as its quota, those with the smallest keys; of equal ones the first."""
    order = np.lexsort((drawn.running, drawn.keys, drawn.strata))
    sizes = np.bincount(drawn.strata, minlength=len(quotas))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = order[rank < np.repeat(quotas, sizes)]
    return _Drawn(*(column[kept] for column in _columns(drawn)))


@dataclass(frozen=True)
class _Take:
    vectors: Vectors

    def __call__(self) -> Callable[[tuple[int, np.ndarray]], np.ndarray]:
        def take(item: tuple[int, np.ndarray]) -> np.ndarray:
            at, rows = item
            _check_rows(rows, self.vectors.sizes[at], self.vectors.numbers[at])
            found: np.ndarray = read(self.vectors, at)[rows]
            return found

        return take


@dataclass(frozen=True)
class _TakeColumn:
    root: str
    stage: str
    column: str

    def __call__(self) -> Callable[[tuple[int, np.ndarray]], pa.Array]:
        def take(item: tuple[int, np.ndarray]) -> pa.Array:
            number, rows = item
            column = parts.read(self.root, self.stage, number, [self.column]).column(self.column)
            _check_rows(rows, len(column), number)
            return column.combine_chunks().take(pa.array(rows))

        return take


def _places(known: Sequence[int], numbers: np.ndarray) -> np.ndarray:
    """Return the place of each part's number among those known, int64 (m,)."""
    order = np.argsort(known, kind="stable")
    at = np.minimum(np.searchsorted(np.asarray(known), numbers, sorter=order), len(known) - 1)
    found: np.ndarray = order[at]
    unknown = numbers[np.asarray(known)[found] != numbers]
    if len(unknown):
        raise DataError(f"There is no part {int(unknown[0])} among the {len(known):,} that are worked on.")
    return found


def _check(m: int) -> None:
    if m < 1:
        raise ConfigError(f"A sample needs at least 1 image; {m} are asked for.")


def _check_rows(rows: np.ndarray, size: int, number: int) -> None:
    if len(rows) and not 0 <= rows.min() <= rows.max() < size:
        raise DataError(f"Part {number} has {size:,} rows; row {int(rows.max())} is asked for.")

"""Vectors of all shards as a stage has them, read a part at a time, and how to go through the parts in their order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from core import parts
from core.engines import Engine, Make
from core.errors import DataError
from core.progress import Callback

WIDEST = 8_192  # numbers of a vector


@dataclass(frozen=True)
class Vectors:
    """What is worked on: a column of vectors of a stage, or several columns of numbers side by side, in some parts.

    Rows are counted through all parts: the running number of a row is its row in its part plus the rows of those before.

    Parameters
    ----------
    numbers : of the parts, in the order that counts. sizes : rows of each.
    """

    root: str
    stage: str
    column: str | tuple[str, ...]
    numbers: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def n(self) -> int:
        """Rows of all parts."""
        return sum(self.sizes)

    @cached_property
    def starts(self) -> np.ndarray:
        """Running number of each part's first row, int64 (parts,)."""
        return np.cumsum([0, *self.sizes[:-1]], dtype=np.int64)[: len(self.sizes)]

    def located(self, running: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the place of each row's part among the parts, and its row there, int64 (m,) each."""
        at = (
            np.searchsorted(self.starts, running, side="right") - 1
        )  # of parts without rows the last one: it has some
        return at, running - self.starts[at]


def find(root: str, stage: str, column: str | tuple[str, ...], numbers: Sequence[int]) -> Vectors:
    """Look how many rows each part has.

    Raises
    ------
    DataError : a part is not there, or all are empty.
    """
    sizes = []
    for number in numbers:
        part = parts.look(root, stage, number)
        if part is None:
            raise DataError(f"{parts.path_of(root, stage, number)} is not there or cannot be read.")
        sizes.append(part.rows)
    if sum(sizes) == 0:
        raise DataError(f"The {len(sizes):,} parts of {stage} in {root} hold no images.")
    return Vectors(root, stage, column, tuple(numbers), tuple(sizes))


def read(vectors: Vectors, at: int) -> np.ndarray:
    """Read the vectors of the part at a place, finite float32 (rows, d), of their own memory.

    Raises
    ------
    DataError : it cannot be read, has other rows than were counted, or holds what are no finite numbers.
    """
    number, columns = vectors.numbers[at], vectors.column
    path = parts.path_of(vectors.root, vectors.stage, number)
    table = parts.read(vectors.root, vectors.stage, number, [columns] if isinstance(columns, str) else columns)
    if table.num_rows != vectors.sizes[at]:
        raise DataError(f"{path} has {table.num_rows:,} rows, where {vectors.sizes[at]:,} were counted.")
    values = (
        _vectors(table.column(columns), path) if isinstance(columns, str) else _side_by_side(table, columns, path)
    )
    bad = int(np.count_nonzero(~np.isfinite(values).all(axis=1)))
    if bad:
        raise DataError(f"{path} holds {bad:,} rows with values that are not finite.")
    return values


def _vectors(column: pa.ChunkedArray, path: str) -> np.ndarray:
    kind = column.type
    if not (pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type)) or column.null_count:
        raise DataError(f"{path} has no whole vectors of numbers; its column is of type {kind!s:.80}.")
    if not 1 <= kind.list_size <= WIDEST:
        raise DataError(f"{path} has vectors of {kind.list_size:,} numbers; there may be 1 to {WIDEST:,}.")
    return np.array(parts.matrix(column), np.float32, order="C")


def _side_by_side(table: pa.Table, columns: Sequence[str], path: str) -> np.ndarray:
    values = np.empty((table.num_rows, len(columns)), np.float32)
    for place, name in enumerate(columns):
        column = table.column(name)
        if not pa.types.is_floating(column.type) or column.null_count:
            raise DataError(f"{path} has no whole column {name!r} of numbers; it is of type {column.type!s:.80}.")
        values[:, place] = column.to_numpy()
    return values


def in_order(engine: Engine, make: Make, items: Sequence[Any], callback: Callback, stage: str) -> Iterator[Any]:
    """Give what comes of each item in the items' order, whatever order they end in, so that sums are always the same.

    Raises
    ------
    DataError : an item could not be done. Cancelled : raised by the callback.
    """
    early: dict[int, Any] = {}
    due = 0
    for outcome in engine.each(make, items, callback, stage, heavy=False):
        if outcome.problem is not None:
            raise DataError(outcome.problem)
        early[outcome.index] = outcome.value
        while due in early:
            yield early.pop(due)
            due += 1


def everywhere(engine: Engine, make: Make, vectors: Vectors, callback: Callback, stage: str) -> Iterator[Any]:
    """Give what comes of every part's place, in order; raises as `in_order` does."""
    return in_order(engine, make, range(len(vectors.numbers)), callback, stage)


def write_missing(
    engine: Engine, make: Make, vectors: Vectors, root: str, stage: str, key: str, callback: Callback, told: str
) -> None:
    """Have those parts of a stage written that are not there for this key, by what is called with a part's place.

    Raises
    ------
    DataError : a part could not be read or written. Cancelled : raised by the callback.
    """
    there = parts.there(root, stage, vectors.numbers, key)
    missing = [
        at for at, (number, size) in enumerate(zip(vectors.numbers, vectors.sizes, strict=True))
        if number not in there or there[number].rows != size
    ]  # fmt: skip
    for _ in in_order(engine, make, missing, callback, told):
        pass

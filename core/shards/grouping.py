"""The group of every row, its label or its cluster, as numbers that take two bytes a row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from core import parts
from core.engines import Engine
from core.errors import ConfigError, DataError
from core.progress import Callback
from core.shards.clustering import kmeans
from core.shards.columns import Vectors, everywhere

MOST_GROUPS = 10_000
LONGEST = 200  # letters of a label
Grouping = Literal["label", "cluster"]


@dataclass(frozen=True, eq=False)
class Groups:
    """Names of groups, and the group of every row by running number, -1 for none, int16 (n,): 2 bytes a row."""

    names: tuple[str, ...]
    of: np.ndarray


def read_groups(engine: Engine, vectors: Vectors, grouping: Grouping, callback: Callback) -> Groups:
    """Read the label of every row from stage `encoded`, or its cluster from `clustered`, in the root of these vectors.

    Labels in the order of their text, clusters in that of their numbers. An empty label is none, and noise is no cluster.

    Raises
    ------
    ConfigError : fewer than 2 groups, or more than 10,000.
    DataError : a part cannot be read, or a label is longer than 200 letters. Cancelled : raised by the callback.
    """
    of = np.empty(vectors.n, np.int16)
    found: dict[str, int] = {}
    for at, (names, codes) in enumerate(
        everywhere(engine, _Read(vectors, grouping), vectors, callback, "Reading groups")
    ):
        for name in names:
            found.setdefault(name, len(found))
        if len(found) > MOST_GROUPS:
            raise ConfigError(
                f"There are more than {MOST_GROUPS:,} different {grouping}s; choose fewer, or clusters."
            )
        own = np.array([*(found[name] for name in names), -1], np.int16)  # the last is found by -1
        of[vectors.starts[at] : vectors.starts[at] + len(codes)] = own[codes]
    if len(found) < 2:
        raise ConfigError(f"Suspects need at least 2 different {grouping}s; these rows have {len(found)}.")
    order = sorted(found, key=lambda name: (len(name), name) if grouping == "cluster" else (0, name))
    places = np.empty(len(found) + 1, np.int16)
    places[-1] = -1
    places[[found[name] for name in order]] = np.arange(len(found))
    return Groups(tuple(order), places[of])


@dataclass(frozen=True)
class _Read:
    """Reads the groups of a part: names, at most one more than there may be, and the place of each row's among them, or -1."""

    vectors: Vectors
    grouping: Grouping

    def __call__(self) -> Callable[[int], tuple[list[str], np.ndarray]]:
        return self._read

    def _read(self, at: int) -> tuple[list[str], np.ndarray]:
        number = self.vectors.numbers[at]
        stage = "encoded" if self.grouping == "label" else kmeans.STAGE
        column = parts.read(self.vectors.root, stage, number, [self.grouping]).column(self.grouping)
        if len(column) != self.vectors.sizes[at]:
            path = parts.path_of(self.vectors.root, stage, number)
            raise DataError(f"{path} has {len(column):,} rows, where {self.vectors.sizes[at]:,} were counted.")
        names, codes = _coded(column, parts.path_of(self.vectors.root, stage, number))
        return names, codes


def _coded(column: pa.ChunkedArray, path: str) -> tuple[list[str], np.ndarray]:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)):
        raise DataError(f"{path} has groups of type {kind!s:.80}; they must be text or whole numbers.")
    coded = column.cast(kind).combine_chunks().dictionary_encode()  # without names that no row has
    if len(coded.dictionary) > MOST_GROUPS + 1:  # one may be null
        return [str(i) for i in range(MOST_GROUPS + 1)], np.full(len(column), -1)  # too many: nobody looks at them
    values = [_name(value) for value in coded.dictionary.to_pylist()]
    there = np.array([*(value is not None for value in values), False])
    places = np.where(there, np.cumsum(there) - 1, -1)  # the last is found by -1
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return [value for value in values if value is not None], places[codes]


def _name(value: object) -> str | None:
    if value is None or value == "" or (isinstance(value, int) and value < 0):
        return None
    text = str(value)
    if len(text) > LONGEST:
        raise DataError(f"A label has {len(text):,} letters; there may be {LONGEST}: {text[:40]!r} …")
    return text


def own_of(groups: Groups, vectors: Vectors, at: int) -> np.ndarray:
    """Return the groups of a part's rows, int16 (rows,)."""
    return groups.of[vectors.starts[at] : vectors.starts[at] + vectors.sizes[at]]

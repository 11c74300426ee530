"""Results of a run over shards: for each stage a folder with one Parquet file a shard, there whole or not at all.

A file lies at `<root>/<stage>/<number>.parquet`, number being the shard's, and its rows are those of the shard in `encoded`,
in the same order in every stage. Its metadata say which key it was made for, so that a run that goes on, or another one with
other settings, knows what is missing. `root` is a folder or an address that fsspec understands.
"""

import io
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DataError
from core.readers import remote
from core.readers.addresses import is_address

_INFO = b"embedding_explorer"
LOOKING = 16  # parts at an address that are looked at at once
ROWS = 4_096  # of a row group: what one look at a few rows reads


@dataclass(frozen=True)
class Part:
    """The results of a stage for one shard: its number, rows, and what was written beside them."""

    number: int
    rows: int
    info: Mapping[str, Any]


def path_of(root: str, stage: str, number: int) -> str:
    """Return where a part lies."""
    name = f"{number:06d}.parquet"
    return posixpath.join(root, stage, name) if is_address(root) else str(Path(root) / stage / name)


def beside(root: str, name: str) -> str:
    """Return where a file of this name lies in `root`."""
    return posixpath.join(root, name) if is_address(root) else str(Path(root) / name)


def write(root: str, stage: str, number: int, table: pa.Table, key: str, info: Mapping[str, Any]) -> Part:
    """Write a part, whole or not at all; one that was there is replaced.

    Raises
    ------
    ExportError : it cannot be written.
    """
    told = {**info, "key": key}
    table = table.replace_schema_metadata({_INFO: json.dumps(told).encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=ROWS, compression="zstd")
    remote.write(path_of(root, stage, number), buffer.getvalue())
    return Part(number, table.num_rows, told)


def read(root: str, stage: str, number: int, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a part, or some of its columns.

    Raises
    ------
    DataError : it is not there or cannot be read.
    """
    path = path_of(root, stage, number)
    try:
        with opened(path) as file:
            return pq.read_table(file, columns=None if columns is None else list(columns))
    except (OSError, DataError, pa.ArrowException, KeyError) as error:
        raise DataError(f"{path} cannot be read: {error!s:.200}.") from error


def look(root: str, stage: str, number: int) -> Part | None:
    """Return what a part says of itself, or None where there is none that is whole."""
    try:
        with opened(path_of(root, stage, number)) as file:
            found = pq.read_metadata(file)
        info = json.loads((found.metadata or {})[_INFO])
    except (OSError, DataError, pa.ArrowException, LookupError, ValueError):
        return None
    return Part(number, found.num_rows, info) if isinstance(info, dict) else None


def columns(root: str, stage: str, number: int) -> tuple[str, ...]:
    """Return the names of a part's columns.

    Raises
    ------
    DataError : it is not there or cannot be read.
    """
    path = path_of(root, stage, number)
    try:
        with opened(path) as file:
            return tuple(pq.read_schema(file).names)
    except (OSError, DataError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error!s:.200}.") from error


def looked(root: str, stage: str, numbers: Iterable[int]) -> dict[int, Part]:
    """Return the parts that are whole, by number, whatever they were made for."""
    listed = list(numbers)
    with ThreadPoolExecutor(LOOKING if is_address(root) else 1) as pool:  # an answer takes its time
        found = dict(zip(listed, pool.map(lambda number: look(root, stage, number), listed), strict=True))
    return {number: part for number, part in found.items() if part is not None}


def there(root: str, stage: str, numbers: Iterable[int], key: str) -> dict[int, Part]:
    """Return the parts that were made for this key, by number."""
    return {number: part for number, part in looked(root, stage, numbers).items() if part.info.get("key") == key}


def vectors(values: np.ndarray) -> pa.Array:
    """Turn float32 (n, d) into a column of n vectors of fixed length."""
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def matrix(column: pa.ChunkedArray) -> np.ndarray:
    """Turn a column of vectors of fixed length back into float32 (n, d)."""
    if not pa.types.is_fixed_size_list(column.type):
        raise DataError(f"A column of vectors is of type {column.type!s:.80}.")
    width = column.type.list_size
    pieces = [chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, width) for chunk in column.chunks]
    return np.concatenate(pieces).astype(np.float32, copy=False) if pieces else np.empty((0, width), np.float32)


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """Open a file at a path or an address to be read.

    Raises
    ------
    DataError : an address cannot be read. OSError : a path cannot.
    """
    if is_address(path):
        with remote.opened(path) as file:
            yield file
    else:
        with Path(path).open("rb") as file:
            yield file

"""Rows of a Parquet file with encoded pictures, a few at a time, whatever its row groups hold.

Pictures lie in a column of bytes, or in HuggingFace's structure of `bytes` and `path`; a path is never opened. Of the other
columns numbers become floats, texts, truth values and dates texts, and what is nested is left out.
"""

import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import DataError
from core.readers.parquet_columns import Columns, find_columns, is_number
from core.readers.rows import (
    MAX_ID,
    PICTURE_BYTES,
    TOO_LARGE,
    Row,
    Value,
    as_label,
    clean_id,
    decoded,
    short,
)  # fmt: skip
from core.readers.sources import ShardedSource

MOST_ROWS = 5_000_000
GROUP_BYTES = 8 << 30  # of what is read of a row group, unpacked, as the file says
RATIO, FREE_BYTES = 100, 64 << 20  # ... which may be so many times what it takes in the file, and so much
BATCH_BYTES = 64 << 20  # unpacked at a time, should each cell be as large as all of its column's values
MOST_BATCH = 256
_BROKEN = (
    OSError, ValueError, TypeError, NotImplementedError, RuntimeError, LookupError, ArithmeticError, MemoryError,
)  # fmt: skip


def rows(file: BinaryIO, source: ShardedSource, name: str, remote: bool) -> Iterator[Row]:
    """Yield the rows of an open Parquet file.

    Raises
    ------
    DataError : it is damaged, holds too much or no pictures, or lacks a column that the source names.
    """
    try:
        opened = pq.ParquetFile(file, pre_buffer=remote, buffer_size=0 if remote else 1 << 20)
        columns = find_columns(opened.schema_arrow, source, name)
        _check_size(opened.metadata.num_rows, name)
        for group in range(opened.num_row_groups):
            size = _unpacked(opened.metadata.row_group(group), columns.leaves, name)
            step = max(1, min(MOST_BATCH, BATCH_BYTES // max(1, size)))
            batches = opened.iter_batches(step, [group], list(columns.leaves), use_threads=False)
            for batch in batches:
                yield from _rows(batch, columns)
    except _BROKEN as error:
        words = " ".join(str(error).split())[:150]
        raise DataError(f"{name} is not a Parquet file that can be read: {words}.") from error


def _check_size(count: int, name: str) -> None:
    if count == 0:
        raise DataError(f"{name} has no rows.")
    if count > MOST_ROWS:
        raise DataError(f"{name} has {count:,} rows; {MOST_ROWS:,} is the limit of a shard.")


def _unpacked(group: Any, leaves: Sequence[str], name: str) -> int:
    """Return the bytes of what is read of a row group, unpacked, as the file says."""
    columns = [group.column(i) for i in range(group.num_columns)]
    columns = [item for item in columns if item.path_in_schema in leaves]
    size = sum(max(0, item.total_uncompressed_size) for item in columns)
    limit = min(GROUP_BYTES, FREE_BYTES + RATIO * sum(max(0, item.total_compressed_size) for item in columns))
    if size > limit:
        raise DataError(
            f"{name} has a row group that would unpack to {size / 2**30:,.2f} GiB; {limit / 2**30:,.2f} GiB is the limit."
        )
    return size


def _rows(batch: pa.RecordBatch, columns: Columns) -> Iterator[Row]:
    pictures = batch.column(columns.image)
    labels = _labels(batch, columns)
    ids = _ids(batch.column(columns.id)) if columns.id else [None] * batch.num_rows
    values: dict[str, Sequence[Value]] = {title: _numbers(batch.column(title)) for title in columns.numbers}
    values |= {title: [short(text or "") for text in _texts(batch.column(title))] for title in columns.texts}
    for row in range(batch.num_rows):
        own = {title: cells[row] for title, cells in values.items()}
        picture = _content(pictures, row)
        if isinstance(picture, str):
            yield Row(clean_id(ids[row] or ""), picture, labels[row], own)
        else:
            yield Row(clean_id(ids[row] or ""), partial(io.BytesIO, picture), labels[row], own, len(picture))


def _ids(column: pa.Array) -> Sequence[str | None]:
    if pa.types.is_integer(column.type):
        return [None if value is None else str(value) for value in column.to_pylist()]
    return [as_label(value) for value in _numbers(column)] if is_number(column.type) else _texts(column)


def _content(pictures: pa.Array, row: int) -> bytes | str:
    """Return an encoded picture, or why there is none."""
    cell = pictures[row]
    if isinstance(cell, pa.StructScalar) and cell.is_valid:
        cell = cell["bytes"]
        if not cell.is_valid:
            return "no picture in the shard, but perhaps the path of one, which is never opened"
    if not cell.is_valid:
        return "no picture"
    content = cell.as_buffer()
    return TOO_LARGE if content.size > PICTURE_BYTES else content.to_pybytes()


def _labels(batch: pa.RecordBatch, columns: Columns) -> Sequence[str | None]:
    if not columns.label:
        return [None] * batch.num_rows
    column, names = batch.column(columns.label), columns.classes
    if pa.types.is_integer(column.type):
        known = dict(enumerate(names)) | ({-1: None} if names else {})  # HuggingFace: -1 is not known
        return [known[number] if number in known else as_label(number) for number in column.to_pylist()]
    return [as_label(cell) for cell in (_numbers(column) if is_number(column.type) else _texts(column))]


def _numbers(column: pa.Array) -> list[float]:
    """Return a column as floats, NaN where it has none."""
    plain = column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column
    return plain.to_numpy(zero_copy_only=False).astype(np.float64).tolist()


def _texts(column: pa.Array) -> list[str | None]:
    """Return a column as short texts; what is no UTF-8 in it is escaped."""
    if pa.types.is_dictionary(column.type):
        known = _texts(column.dictionary)
        return [None if index is None else known[index] for index in column.indices.to_pylist()]
    if pa.types.is_boolean(column.type):
        return [None if value is None else str(value) for value in column.to_pylist()]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp(column.type.unit))  # in UTC: the names of zones are not needed
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.string())
    return [None if value is None else decoded(value) for value in _bytes(column)]


def _bytes(column: pa.Array) -> list[bytes | None]:
    """Return the first bytes of each text: of one letter 4 at most, and of an id as many as are looked at."""
    return pc.binary_slice(column.cast(pa.large_binary()), 0, 4 * MAX_ID).to_pylist()

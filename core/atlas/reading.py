"""Parts of a run as they are read for an atlas: opened one at a time, their columns of the types that the table has."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core import parts
from core.errors import DataError
from core.readers.addresses import is_address


@contextlib.contextmanager
def opened(root: str, stage: str, number: int) -> Iterator[pq.ParquetFile]:
    """Open a part for what is done with it inside this context.

    Raises
    ------
    DataError : it cannot be read, also while it is.
    """
    path = parts.path_of(root, stage, number)
    try:
        if is_address(root):
            import fsspec

            with fsspec.open(path, "rb") as source, pq.ParquetFile(source) as file:
                yield file
        else:
            with pq.ParquetFile(path) as file:
                yield file
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error!s:.200}.") from error


def cast(column: Any, kind: pa.DataType, name: str) -> Any:
    """Return a column, chunked or not, of the atlas's type; a number that is none (nan) becomes a gap.

    Raises
    ------
    DataError : it cannot be of that type.
    """
    try:
        made = column if column.type == kind else pc.cast(column, kind)
    except pa.ArrowException as error:
        raise DataError(f"The column {name[:80]!r} cannot be read as {kind!s:.40}: {error!s:.200}.") from error
    if pa.types.is_floating(kind):
        nan = pc.fill_null(pc.is_nan(made), False)
        made = pc.if_else(nan, pa.scalar(None, kind), made) if pc.any(nan).as_py() else made
    return made

"""Rows sorted along the curve into Parquet files, by DuckDB, which uses the disk for what the memory cannot hold."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.atlas.asking import literal
from core.atlas.described import File
from core.atlas.joining import CURVE
from core.errors import ConfigError, DataError, ExportError
from core.progress import Callback, Progress

GROUP = 4_096  # rows of a row group: what a look at a few points reads
FILE_GROUPS = 244  # row groups of a file: just below a million rows
_SECONDS = 0.2  # between two reports


def sort(
    folder: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch], n: int, callback: Callback, memory: str
) -> list[Path]:
    """Write n rows into files below `folder`, in the order of their places on the curve, within one place in that of the parts.

    Each row gets its place in the table, `at`; the place on the curve is left out. Returns the files in their order.

    Parameters
    ----------
    memory : most that DuckDB takes; what is more goes to a folder in `folder`, which is gone at the end.

    Raises
    ------
    ConfigError : `memory` is no size. DataError : raised by the batches.
    ExportError : it cannot be written, or takes more memory: a few thousand rows for each core must have room.
    Cancelled : raised by the callback.
    """
    import duckdb

    spilled, out = folder / "spilled", folder / "sorted"
    try:
        connection = duckdb.connect(config={"memory_limit": memory, "temp_directory": str(spilled)})
    except duckdb.Error as error:
        raise ConfigError(f"Memory {memory!r:.40} is no size, such as 4GB: {error!s:.200}") from error
    source = _Source(batches)
    with connection:
        connection.register("source", pa.RecordBatchReader.from_batches(schema, source.all()))
        sql = (
            f'COPY (SELECT (row_number() OVER () - 1)::BIGINT AS "at", * EXCLUDE ({CURVE}) '
            f'FROM (SELECT * FROM source ORDER BY {CURVE}, "part", "row")) TO {literal(str(out))} '
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {GROUP}, ROW_GROUPS_PER_FILE {FILE_GROUPS})"
        )
        try:
            _told(connection, sql, lambda: callback(_progress(source.rows, out, n)))
        except duckdb.OutOfMemoryException as error:
            raise ExportError(f"Sorting {n:,} rows takes more memory than {memory}; allow more.") from error
        except duckdb.Error as error:
            if source.problem is not None:
                raise source.problem from error
            raise ExportError(
                f"The atlas cannot be sorted in {folder}: {str(error).splitlines()[0][:300]}"
            ) from error
    return sorted(out.glob("*.parquet"), key=lambda path: int(path.stem.rpartition("_")[2]))


def looked_at(path: Path, name: str) -> File:
    """Return what an atlas says of one of its files: its rows, and the rectangle that its points lie in."""
    found = pq.read_metadata(path)
    places = {found.schema.column(i).path: i for i in range(found.num_columns)}
    edges = []
    for axis in ("x", "y"):
        statistics = [found.row_group(i).column(places[axis]).statistics for i in range(found.num_row_groups)]
        edges += [min(float(item.min) for item in statistics), max(float(item.max) for item in statistics)]
    return File(name, found.num_rows, *edges)


class _Source:
    """Batches on their way into DuckDB, which asks for them in a thread of its own and hides what goes wrong there."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.rows = 0
        self.problem: DataError | None = None

    def all(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self.rows += len(batch)
                yield batch
        except DataError as error:
            self.problem = error
            raise


def _told(connection: Any, sql: str, tell: Callable[[], None]) -> None:
    """Run a statement in a thread, and tell of it from this one; if telling raises, the statement ends."""
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(connection.execute, sql)
        try:
            while not wait([job], _SECONDS).done:
                tell()
        except BaseException:
            connection.interrupt()
            raise
        job.result()


def _progress(rows: int, out: Path, n: int) -> Progress:
    if rows < n:
        return Progress("Joining the parts", rows, n, "image")
    files = len(list(out.glob("*.parquet"))) - 1  # the last one is being written
    return Progress("Sorting the atlas", min(n, max(0, files) * GROUP * FILE_GROUPS), n, "image")

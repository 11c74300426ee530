"""How DuckDB is asked: a connection that reads one folder, names as identifiers, values as parameters, errors as ours."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from core.errors import ConfigError, DataError


def connect(folder: str, system: Any, memory: str, threads: int | None) -> Any:
    """Open a database in memory that can read files of one folder, local or of an fsspec system, and nothing else.

    Extensions are neither loaded nor fetched, nothing spills to a disk, and no setting can be changed any more.

    Raises
    ------
    ConfigError : `memory` or `threads` is no such setting.
    """
    import duckdb

    config: dict[str, Any] = {
        "memory_limit": memory,
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,  # else a table's name could be one of our variables
    }
    if threads is not None:
        config["threads"] = threads
    try:
        connection = duckdb.connect(config=config)
    except duckdb.Error as error:
        raise ConfigError(
            f"DuckDB cannot work with memory {memory!r:.40} and threads {threads}: {_line(error)}"
        ) from error
    if system is not None:
        connection.register_filesystem(system)
    connection.execute(f"SET allowed_directories = [{literal(folder.rstrip('/') + '/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def identifier(name: str) -> str:
    """Quote a column's name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text; only for settings, which take no parameters."""
    return "'" + text.replace("'", "''") + "'"


def types(connection: Any, paths: Sequence[str]) -> Mapping[str, str]:
    """Return DuckDB's types of the columns of Parquet files.

    Raises
    ------
    DataError : they cannot be read.
    """
    with _told(), connection.cursor() as cursor:
        relation = cursor.sql("SELECT * FROM read_parquet($files)", params={"files": list(paths)})
        return dict(zip(relation.columns, map(str, relation.types), strict=True))


def table(connection: Any, sql: str, parameters: Mapping[str, Any]) -> pa.Table:
    """Ask for a table; another thread may ask at the same time.

    Raises
    ------
    DataError : the table's files cannot be read, or the answer takes more memory than is allowed.
    """
    with _told(), connection.cursor() as cursor:
        return cursor.sql(sql, params=dict(parameters)).to_arrow_table()


@contextlib.contextmanager
def stream(connection: Any, sql: str, parameters: Mapping[str, Any], rows: int) -> Iterator[pa.RecordBatchReader]:
    """Ask for rows that come in batches, of which only the last few are in memory.

    Raises
    ------
    DataError : as for `table`, also while the batches are read.
    """
    with _told(), connection.cursor() as cursor:
        yield cursor.sql(sql, params=dict(parameters)).to_arrow_reader(rows)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Tell of DuckDB's errors in one sentence."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise DataError(
            "This question takes more memory than the atlas was opened with; ask for a smaller view."
        ) from error
    except (duckdb.Error, pa.ArrowException) as error:
        raise DataError(f"The atlas cannot be read: {_line(error)}") from error


def _line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]

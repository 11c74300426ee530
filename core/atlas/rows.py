"""Rows of an atlas, never more than a limit: of a view, by their place in the table, or the topmost by a number.

Which rows these are is found out first, from the columns that this takes; then the others are read where the rows lie.
"""

from bisect import bisect_left
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from core.atlas import asking
from core.atlas.asking import identifier
from core.atlas.columns import PICTURES, VECTORS, Filter, View, column_of
from core.atlas.conditions import rows_of
from core.atlas.described import File
from core.atlas.table import Atlas
from core.errors import ConfigError

MOST_ROWS = 20_000  # of one answer
_GOLDEN, _TURN = 2_654_435_761, 1 << 32  # the golden ratio of a turn of 2³², and the turn


def rows(
    atlas: Atlas, view: View | None, limit: int, filters: Sequence[Filter] = (), columns: Sequence[str] | None = None
) -> pa.Table:
    """Return rows of a view, with their place in the table, `at`, in its order; where they are too many, some of them.

    Which ones are chosen depends on the rows alone: the smallest fractions of their place × the golden ratio. Places that
    are chosen so are spread evenly along the curve, and so over the map as the points are; and those that are shown of a
    view stay when one looks closer.

    Parameters
    ----------
    columns : names of `atlas.fetched`; None: all but pictures and latents. Latents are lists of fixed size.

    Raises
    ------
    ConfigError : more than 20,000 rows are asked for; a column or filter that cannot be.
    DataError : the table cannot be read.
    """
    _check_limit(limit)
    wanted = columns_of(atlas, columns)
    found = rows_of(atlas, view, filters)
    sql = f'SELECT "at" FROM {found.sql} ORDER BY ("at" % {_TURN})::UBIGINT * {_GOLDEN}::UBIGINT % {_TURN} LIMIT {limit}'
    return fetch(atlas, sorted(asking.table(atlas.connection, sql, found.parameters)["at"].to_pylist()), wanted)


def fetch(atlas: Atlas, at: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows at some places of the table, in the order asked; one that is asked for twice comes twice.

    Raises
    ------
    ConfigError : more than 20,000, a place or a column that is not there. DataError : the table cannot be read.
    """
    places = [int(place) for place in at]
    if len(places) > MOST_ROWS:
        raise ConfigError(f"{len(places):,} rows are too many at once; {MOST_ROWS:,} is the limit.")
    for place in places:
        if not 0 <= place < atlas.n:
            raise ConfigError(f"The atlas has no row {place:,}; it has {atlas.n:,}.")
    wanted = sorted(set(places))
    sql = (
        f"SELECT {selected(atlas, columns)} FROM read_parquet($files) "
        'WHERE "at" BETWEEN $low AND $high AND "at" IN (SELECT unnest($wanted::BIGINT[]))'
    )
    asked = {"files": atlas.paths(_holding(atlas, wanted)), "wanted": wanted}
    asked |= {"low": min(wanted, default=0), "high": max(wanted, default=-1)}
    found = asking.table(atlas.connection, sql, asked)
    return found.take(pc.index_in(pa.array(places, pa.int64()), value_set=found["at"].combine_chunks()))


def top(
    atlas: Atlas,
    by: str,
    n: int,
    view: View | None = None,
    filters: Sequence[Filter] = (),
    columns: Sequence[str] | None = None,
    ascending: bool = False,
) -> pa.Table:
    """Return the n rows of a view where a number is largest, or smallest, in this order; rows that have none are left out.

    Raises
    ------
    ConfigError : more than 20,000 rows, no such number, a column or filter that cannot be.
    DataError : the table cannot be read.
    """
    _check_limit(n)
    wanted = columns_of(atlas, columns)
    quoted = identifier(column_of(atlas.columns, by, ("number",)).name)
    found = rows_of(atlas, view, filters, [f"{quoted} IS NOT NULL"])
    sql = f'SELECT "at" FROM {found.sql} ORDER BY {quoted} {"ASC" if ascending else "DESC"}, "at" LIMIT {n}'
    return fetch(atlas, asking.table(atlas.connection, sql, found.parameters)["at"].to_pylist(), wanted)


def selected(atlas: Atlas, columns: Sequence[str] | None, place: str = '"at"') -> str:
    """Return columns, behind the rows' place, as they stand behind SELECT.

    Raises
    ------
    ConfigError : the atlas has no such column.
    """
    wanted = [name for name in columns_of(atlas, columns) if name != "at"]
    quoted = [
        f"{identifier(name)}::FLOAT[{atlas.d}] AS {identifier(name)}" if name == VECTORS else identifier(name)
        for name in wanted
    ]
    return ", ".join([place, *quoted] if place else quoted)


def columns_of(atlas: Atlas, columns: Sequence[str] | None) -> list[str]:
    """Return the columns that are meant, each once: all but pictures and latents where none are named.

    Raises
    ------
    ConfigError : the atlas has no such column.
    """
    if columns is None:
        return [name for name in atlas.fetched if name not in (PICTURES, VECTORS)]
    for name in columns:
        if name not in atlas.fetched and name != "at":
            raise ConfigError(f"The atlas has no column {str(name)[:80]!r}.")
    return list(dict.fromkeys(columns))


def _holding(atlas: Atlas, wanted: Sequence[int]) -> tuple[File, ...]:
    """Return the files that hold rows at some ordered places; the first one where none is wanted."""
    start, found = 0, []
    for file in atlas.files:
        i = bisect_left(wanted, start)
        if i < len(wanted) and wanted[i] < start + file.rows:
            found.append(file)
        start += file.rows
    return tuple(found) or atlas.files[:1]


def _check_limit(n: int) -> None:
    if not isinstance(n, int) or not 0 <= n <= MOST_ROWS:
        raise ConfigError(f"{n} rows are not in 0 to {MOST_ROWS:,}.")

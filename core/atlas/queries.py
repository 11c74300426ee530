"""Questions to an atlas whose answers are counts: how many, how dense, how often, how often together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.atlas import asking
from core.atlas.asking import identifier
from core.atlas.columns import Column, Filter, View, column_of
from core.atlas.conditions import Rows, rows_of
from core.atlas.results import OTHER, Density, Histogram, Matrix
from core.atlas.rows import fetch, rows, top
from core.atlas.saving import save
from core.atlas.table import Atlas
from core.errors import ConfigError

__all__ = ["MOST_CELLS", "MOST_COLORS", "count", "density", "fetch", "histogram", "matrix", "rows", "save", "top"]

MOST_CELLS = 2_100_000  # of a density: a full screen's
MOST_COLORS = 12  # values of a category that a density tells apart
MOST_BINS = 1_000


def count(atlas: Atlas, view: View | None = None, filters: Sequence[Filter] = ()) -> int:
    """Count the rows of a view that all filters hold for.

    Raises
    ------
    ConfigError : a filter that cannot be. DataError : the table cannot be read.
    """
    if view is None and not filters:
        return atlas.n
    found = rows_of(atlas, view, filters)
    answer = asking.table(atlas.connection, f"SELECT count(*) AS n FROM {found.sql}", found.parameters)
    return int(answer["n"][0].as_py())


def density(
    atlas: Atlas,
    view: View,
    width: int,
    height: int,
    filters: Sequence[Filter] = (),
    color: str | None = None,
) -> Density:
    """Count the rows in each of width × height cells of a view; coloured by a column, also say of what kind they are.

    A point on the edge between two cells is counted in the right or lower one, on the view's edge in the outermost.
    Which values of a category are told apart does not depend on the view, so that its colours stay while it moves:
    of those that the filters let through the 12 largest of the whole atlas.

    Raises
    ------
    ConfigError : more than 2,100,000 cells; a column or filter that cannot be. DataError : the table cannot be read.
    """
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        raise ConfigError(f"A density of {width} × {height} cells cannot be.")
    if width * height > MOST_CELLS:
        raise ConfigError(f"A density of {width} × {height} cells is too large; {MOST_CELLS:,} is the limit.")
    found = rows_of(atlas, view, filters)
    cell = f'(least({height - 1}, trunc(($y1 - "y") * $sy)) * {width} + least({width - 1}, trunc(("x" - $x0) * $sx)))::UINTEGER'
    found.parameters["sx"] = width / (float(view.x1) - float(view.x0))
    found.parameters["sy"] = height / (float(view.y1) - float(view.y0))
    if color is None:
        cells, n, _ = _asked(atlas, found, cell, "")
        return Density(view, _scattered(cells, n, width * height).reshape(height, width))
    column = column_of(atlas.columns, color, ("category", "number"))
    if column.kind == "number":
        return _of_number(atlas, found, cell, column, view, (height, width))
    return _of_category(atlas, found, cell, _told_apart(column, filters), column, view, (height, width))


def _of_number(atlas: Atlas, found: Rows, cell: str, column: Column, view: View, shape: tuple[int, int]) -> Density:
    cells, n, values = _asked(atlas, found, cell, f", avg({identifier(column.name)})::FLOAT AS v")
    means = np.full(shape[0] * shape[1], np.nan, np.float32)
    means[cells] = values
    counts = _scattered(cells, n, len(means))
    return Density(view, counts.reshape(shape), means=means.reshape(shape), low=column.low, high=column.high)


def _of_category(
    atlas: Atlas, found: Rows, cell: str, names: tuple[str, ...], column: Column, view: View, shape: tuple[int, int]
) -> Density:
    found.parameters["names"] = list(names)
    place = f", coalesce(list_position($names::VARCHAR[], coalesce({identifier(column.name)}::VARCHAR, '')), 0)::UTINYINT AS v"
    cells, n, which = _asked(atlas, found, cell, place)
    rest = bool((which == 0).any())
    k = len(names) + rest
    which = np.where(which == 0, k - 1, which - 1)  # from 0; what is not named comes last
    size = shape[0] * shape[1]
    split = _scattered(cells.astype(np.int64) * k + which, n, size * k).reshape(size, k)
    counts = split.sum(axis=1, dtype=np.uint32)
    shares = split.astype(np.float32)
    shares /= np.maximum(counts, 1)[:, None]
    other = OTHER if OTHER not in names else f"all {OTHER}"
    told = (*names, other) if rest else names
    return Density(view, counts.reshape(shape), shares.reshape(*shape, k), told, rest)


def _told_apart(column: Column, filters: Sequence[Filter]) -> tuple[str, ...]:
    """Return the values of a category that get a colour of their own: the largest that the filters let through."""
    sizes = dict(zip(column.values, column.counts, strict=True))
    for rule in filters:
        if rule.column == column.name and rule.values is not None:
            sizes = {value: size for value, size in sizes.items() if value in rule.values}
    return tuple(sorted(sizes, key=lambda value: -sizes[value])[:MOST_COLORS])  # stable: of equal ones the first


def _asked(atlas: Atlas, found: Rows, cell: str, more: str) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return for each cell that has rows its number, uint32 (m,), its rows, uint32 (m,), and what more was asked for."""
    sql = f"SELECT {cell} AS c, count(*)::UINTEGER AS n{more} FROM {found.sql} GROUP BY c{', v' if '$names' in more else ''}"
    answer = asking.table(atlas.connection, sql, found.parameters)
    extra = answer["v"].to_numpy() if more else None
    return answer["c"].to_numpy(), answer["n"].to_numpy(), extra


def _scattered(places: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Put values, each of a place of its own, into zeros, uint32 (size,)."""
    made = np.zeros(size, np.uint32)
    made[places] = values
    return made


def histogram(
    atlas: Atlas, column: str, bins: int = 50, view: View | None = None, filters: Sequence[Filter] = ()
) -> Histogram:
    """Count how often the values of a column occur: of a category each, of a number in `bins` ranges of equal width.

    The ranges are those of the whole atlas, whatever the view, the last one with its end.

    Raises
    ------
    ConfigError : a text, no such column, bins not in 1..1,000. DataError : the table cannot be read.
    """
    asked = column_of(atlas.columns, column, ("category", "number"))
    if not (isinstance(bins, int) and 1 <= bins <= MOST_BINS):
        raise ConfigError(f"{bins} bins are not in 1 to {MOST_BINS:,}.")
    quoted = identifier(column)
    if asked.kind == "category":
        found = rows_of(atlas, view, filters)
        sql = f"SELECT coalesce({quoted}::VARCHAR, '') AS v, count(*) AS n FROM {found.sql} GROUP BY v"
        answer = asking.table(atlas.connection, sql, found.parameters)
        sizes = dict(zip(answer["v"].to_pylist(), answer["n"].to_pylist(), strict=True))
        return Histogram(np.array([sizes.get(value, 0) for value in asked.values], np.int64), names=asked.values)
    if asked.low is None or asked.high is None:
        return Histogram(np.zeros(bins, np.int64), np.linspace(0, 1, bins + 1))
    low, high = (asked.low, asked.high) if asked.low < asked.high else (asked.low - 0.5, asked.high + 0.5)
    found = rows_of(atlas, view, filters, [f"isfinite({quoted}::DOUBLE)"])
    found.parameters.update(low=low, scale=bins / (high - low))
    place = f"greatest(0, least({bins - 1}, trunc(({quoted} - $low) * $scale)))::UINTEGER"
    answer = asking.table(
        atlas.connection, f"SELECT {place} AS v, count(*) AS n FROM {found.sql} GROUP BY v", found.parameters
    )
    counts = np.zeros(bins, np.int64)
    counts[answer["v"].to_numpy()] = answer["n"].to_numpy()
    return Histogram(counts, np.linspace(low, high, bins + 1))


def matrix(atlas: Atlas, rows: str, columns: str, view: View | None = None, filters: Sequence[Filter] = ()) -> Matrix:
    """Count how often the values of two categories occur together.

    Raises
    ------
    ConfigError : one of them is no category. DataError : the table cannot be read.
    """
    down, across = (column_of(atlas.columns, name, ("category",)) for name in (rows, columns))
    found = rows_of(atlas, view, filters)
    sql = (
        f"SELECT coalesce({identifier(rows)}::VARCHAR, '') AS r, coalesce({identifier(columns)}::VARCHAR, '') AS c, "
        f"count(*) AS n FROM {found.sql} GROUP BY r, c"
    )
    answer = asking.table(atlas.connection, sql, found.parameters).to_pydict()
    place_down = {value: i for i, value in enumerate(down.values)}
    place_across = {value: i for i, value in enumerate(across.values)}
    counts = np.zeros((len(place_down), len(place_across)), np.int64)
    for r, c, n in zip(answer["r"], answer["c"], answer["n"], strict=True):
        if r in place_down and c in place_across:
            counts[place_down[r], place_across[c]] = n
    return Matrix(down.values, across.values, counts)

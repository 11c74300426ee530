"""Filters and views as SQL: which files are to be looked into, and which rows of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.atlas.asking import identifier
from core.atlas.columns import MOST_FILTERS, Column, Filter, View, column_of
from core.atlas.table import Atlas
from core.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of the table: what follows FROM, and the values of its parameters."""

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)


def rows_of(atlas: Atlas, view: View | None, filters: Sequence[Filter], where: Sequence[str] = ()) -> Rows:
    """Return the rows of a view that all filters hold for; no view: of the whole table.

    Only files that have a point in the view are opened, and DuckDB passes over row groups that have none.

    Raises
    ------
    ConfigError : a filter is of no column, of one of another kind, or there are more than 20.
    """
    if len(filters) > MOST_FILTERS:
        raise ConfigError(f"{len(filters)} filters are too many; the limit is {MOST_FILTERS}.")
    parameters: dict[str, Any] = {"files": atlas.paths(atlas.files if view is None else _touched(atlas, view))}
    conditions = list(where)
    if view is not None:
        conditions.append('"x" BETWEEN $x0 AND $x1 AND "y" BETWEEN $y0 AND $y1')
        parameters |= {edge: float(getattr(view, edge)) for edge in ("x0", "x1", "y0", "y1")}
    for i, rule in enumerate(filters):
        conditions.append(_condition(atlas, rule, f"f{i}", parameters))
    found = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return Rows(f"read_parquet($files){found}", parameters)


def _touched(atlas: Atlas, view: View) -> tuple[Any, ...]:
    """Return the files that have a point in the view; the first one where none has, as there must be one to ask."""
    found = tuple(
        file for file in atlas.files
        if file.x0 <= view.x1 and file.x1 >= view.x0 and file.y0 <= view.y1 and file.y1 >= view.y0
    )  # fmt: skip
    return found or atlas.files[:1]


def _condition(atlas: Atlas, rule: Filter, name: str, parameters: dict[str, Any]) -> str:
    """Return a filter as SQL, and put its values among the parameters."""
    if rule.values is None:
        column_of(atlas.columns, rule.column, ("number",))
        quoted, parts = identifier(rule.column), []
        for end, sign in (("low", ">="), ("high", "<=")):
            value = getattr(rule, end)
            if value is not None:
                parameters[f"{name}_{end}"] = float(value)
                parts.append(f"{quoted} {sign} ${name}_{end}")
        return " AND ".join(parts)
    column = column_of(atlas.columns, rule.column, ("category", "text"))
    return _one_of(column, atlas.types[column.name], rule.values, name, parameters)


def _one_of(column: Column, kind: str, values: Sequence[str], name: str, parameters: dict[str, Any]) -> str:
    quoted = identifier(column.name)
    wanted: list[Any] = [value for value in values if column.kind == "text" or value in column.values]
    if kind != "VARCHAR":  # numbers of clusters, told as texts
        wanted = [int(value) for value in wanted if value.lstrip("-").isdecimal()]
    places = []
    for i, value in enumerate(wanted):
        parameters[f"{name}_{i}"] = value
        places.append(f"${name}_{i}")
    parts = [f"{quoted} IN ({', '.join(places)})"] if places else []
    if "" in values:
        parts.append(f"{quoted} IS NULL")
    return f"({' OR '.join(parts)})" if parts else "false"

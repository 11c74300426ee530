"""What an atlas is asked with: a view of the map, columns, and filters that hold together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.errors import ConfigError

Kind = Literal["category", "number", "text"]
MOST_VALUES = 200  # different values of a category
MOST_COLUMNS = 200
MOST_NAME = 200  # letters of a column's name
MOST_TEXT = 1_000  # letters of a value that is filtered by
MOST_FILTERS = 20
FARTHEST, NARROWEST = 1e30, 1e-30  # of a view, in map units
PICTURES, VECTORS = (
    "thumbnail",
    "latents",
)  # columns of bytes and of vectors: fetched, but neither filtered nor counted by


@dataclass(frozen=True)
class View:
    """A rectangle of the map, its edges included, in map units: x0 < x1 and y0 < y1.

    Raises
    ------
    ConfigError : it is none.
    """

    x0: float
    x1: float
    y0: float
    y1: float

    def __post_init__(self) -> None:
        edges = (self.x0, self.x1, self.y0, self.y1)
        if not all(_is_number(edge) and abs(edge) <= FARTHEST for edge in edges):
            raise ConfigError(f"A view's edges must be four numbers of at most {FARTHEST:g}.")
        if self.x1 - self.x0 < NARROWEST or self.y1 - self.y0 < NARROWEST:
            raise ConfigError(f"A view from {self.x0:g} to {self.x1:g} by {self.y0:g} to {self.y1:g} holds nothing.")


@dataclass(frozen=True)
class Column:
    """A column that can be filtered and counted by.

    Parameters
    ----------
    kind : a category has at most 200 different values, listed in `values`; a number lies in [low, high]; a text is neither.
    values : a category's values as texts, in natural order; "" stands for none.
    counts : rows of each of them in the whole atlas.
    low, high : the range of a number's finite values; None where it has none.
    """

    name: str
    kind: Kind
    values: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Filter:
    """What rows must be like: one of `values` (of a category or text), or a number in [low, high]; several must all hold.

    A row that has no number is in no range.

    Raises
    ------
    ConfigError : neither values nor an end of a range, or of a wrong type or size.
    """

    column: str
    values: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.column, str):
            raise ConfigError("A filter's column must be a name.")
        ends = [end for end in (self.low, self.high) if end is not None]
        if (self.values is None) == (not ends):
            raise ConfigError(f"A filter of {self.column[:80]!r} needs either values or a range.")
        if self.values is not None and not (
            isinstance(self.values, tuple)
            and len(self.values) <= MOST_VALUES
            and all(isinstance(value, str) and len(value) <= MOST_TEXT for value in self.values)
        ):
            raise ConfigError(
                f"A filter of {self.column[:80]!r} takes at most {MOST_VALUES} texts of at most {MOST_TEXT:,} letters."
            )
        if not all(_is_number(end) for end in ends):
            raise ConfigError(f"The range of a filter of {self.column[:80]!r} must be of finite numbers.")


def column_of(columns: Sequence[Column], name: str, kinds: Sequence[Kind]) -> Column:
    """Return a column by its name.

    Raises
    ------
    ConfigError : there is none of these kinds.
    """
    for column in columns:
        if column.name == name:
            if column.kind in kinds:
                return column
            raise ConfigError(
                f"The atlas's column {name[:80]!r} is a {column.kind}; a {' or a '.join(kinds)} is needed."
            )
    raise ConfigError(f"The atlas has no column {str(name)[:80]!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

"""What an atlas says of itself, `atlas.json`: written by `build`, and believed only after it was checked."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from core.atlas.columns import MOST_COLUMNS, MOST_NAME, MOST_VALUES, Column, Kind, View
from core.errors import ConfigError, DataError

VERSION = 1
NAME = "atlas.json"
FOLDER = "atlas"
MOST_BYTES = 16 << 20  # of atlas.json
MOST_FILES = 10_000
MOST_SIDE = 1_024  # pixels of an image
WIDEST = 8_192  # numbers of a vector
_MOST_ROWS = 1 << 40
_KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class File:
    """One Parquet file of the table: its name, rows, and the rectangle that its points lie in."""

    name: str
    rows: int
    x0: float
    x1: float
    y0: float
    y1: float


@dataclass(frozen=True, eq=False)
class Described:
    """What `atlas.json` holds; the fields are those of `Atlas`. `d` is the length of the latents, 0 where there are none."""

    key: str
    n: int
    d: int
    columns: tuple[Column, ...]
    fetched: tuple[str, ...]
    bounds: View
    image_shape: tuple[int, int, int]
    about: Mapping[str, Any]
    files: tuple[File, ...]


def to_json(described: Described) -> bytes:
    """Write it as JSON.

    Raises
    ------
    ConfigError : `about` holds what is no JSON.
    """
    try:
        return json.dumps({"version": VERSION, **asdict(described)}, allow_nan=False, indent=1).encode()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"What an atlas is told about itself must be JSON: {error!s:.200}.") from error


def from_json(data: bytes) -> Described:
    """Read it, checking each value.

    Raises
    ------
    DataError : it is not what `to_json` writes, or of another version.
    """
    try:
        values = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{NAME} is no JSON that can be read: {error!s:.100}.") from error
    if not isinstance(values, dict):
        raise DataError(f"{NAME} does not describe an atlas.")
    if values.get("version") != VERSION:
        raise DataError(f"{NAME} is of version {values.get('version')!s:.20}; only {VERSION} can be read.")
    try:
        found = _described(values)
    except (KeyError, TypeError, ValueError, OverflowError, ConfigError) as error:
        raise DataError(f"{NAME} does not describe an atlas: {error!s:.200}.") from error
    return found


def shape_of(value: object) -> tuple[int, int, int]:
    """Check an image's (h, w, c).

    Raises
    ------
    ConfigError : it is none.
    """
    if (
        not isinstance(value, list | tuple)
        or len(value) != 3
        or not all(_is_count(side, 1, MOST_SIDE) for side in value)
    ):
        raise ConfigError(f"image_shape {value!s:.60} must be height, width and channels, 1 to {MOST_SIDE:,} each.")
    return int(value[0]), int(value[1]), int(value[2])


def _described(values: dict[str, Any]) -> Described:
    """Raises KeyError, TypeError, ValueError or ConfigError where something is not as it should be."""
    key, n, d = values["key"], values["n"], values["d"]
    _check(isinstance(key, str) and _KEY.fullmatch(key) is not None, "its key")
    _check(_is_count(n, 1, _MOST_ROWS), "its number of rows")
    _check(_is_count(d, 0, WIDEST), "the length of its latents")
    about, fetched = values["about"], values["fetched"]
    _check(isinstance(about, dict), "what it is about")
    for listed in (fetched, values["columns"]):
        _check(isinstance(listed, list) and len(listed) <= MOST_COLUMNS, f"its columns, at most {MOST_COLUMNS}")
    columns = tuple(_column(item, n) for item in values["columns"])
    names = [name.casefold() for name in fetched if _is_name(name)]
    _check(len(set(names)) == len(fetched), "its columns' names")
    _check({column.name for column in columns} <= set(fetched), "its columns' names")
    _check(len({column.name for column in columns}) == len(columns), "its columns' names")
    _check(isinstance(values["files"], list) and 1 <= len(values["files"]) <= MOST_FILES, "its files")
    files = tuple(_file(item, key, i) for i, item in enumerate(values["files"]))
    _check(sum(file.rows for file in files) == n, "its number of rows")
    bounds = View(**{edge: values["bounds"][edge] for edge in ("x0", "x1", "y0", "y1")})
    return Described(key, n, d, columns, tuple(fetched), bounds, shape_of(values["image_shape"]), about, files)


def _column(item: dict[str, Any], n: int) -> Column:
    name, kind, low, high = item["name"], item["kind"], item["low"], item["high"]
    _check(_is_name(name) and kind in get_args(Kind), "a column's name or kind")
    values, counts = tuple(item["values"]), tuple(item["counts"])
    _check(all(isinstance(value, str) and len(value) <= MOST_NAME for value in values), f"the values of {name!r:.80}")
    _check(len(set(values)) == len(values) == len(counts) <= MOST_VALUES, f"the values of {name!r:.80}")
    _check(all(_is_count(count, 0, n) for count in counts), f"the counts of {name!r:.80}")
    _check((kind == "category") == bool(values), f"the values of {name!r:.80}")
    _check((low is None) == (high is None), f"the range of {name!r:.80}")
    if low is not None:
        _check(kind == "number" and float(low) <= float(high), f"the range of {name!r:.80}")
        low, high = float(low), float(high)
    return Column(name, kind, values, counts, low, high)


def _file(item: dict[str, Any], key: str, i: int) -> File:
    name, rows = item["name"], item["rows"]
    _check(name == file_name(key, i) and _is_count(rows, 1, _MOST_ROWS), "a file's name or rows")
    edges = [float(item[edge]) for edge in ("x0", "x1", "y0", "y1")]
    _check(edges[0] <= edges[1] and edges[2] <= edges[3], "where a file's points lie")
    return File(name, rows, *edges)


def file_name(key: str, i: int) -> str:
    """Return the name of the i-th file of the table; none is ever that of a file of another making."""
    return f"{key}-{i:06d}.parquet"


def _check(good: bool, what: str) -> None:
    if not good:
        raise ValueError(f"{what} cannot be right")


def _is_count(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MOST_NAME


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")

"""What all kinds of shards are read to: rows, each of a picture that is not decoded yet and what is said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.errors import DataError
from core.imageset import Skipped
from core.readers.csv_files import MOST_COLUMNS
from core.readers.pictures import Opened
from core.readers.sources import as_text

PICTURE_BYTES = 64 << 20  # of an encoded picture
MAX_TEXT = 200  # letters of a label or a text in a column
MAX_ID = 1000
LABELS = ("label", "class", "cls", "y")  # what a column of labels may be called, likeliest first
IDS = ("id", "key", "filename", "path")
TOO_LARGE = f"larger than {PICTURE_BYTES >> 20} MiB"
LARGEST = float(np.finfo(np.float32).max)  # of a number that is drawn
EXACT = 2**53  # whole numbers up to here are exact as floats
Value = float | str | None


@dataclass(frozen=True)
class Row:
    """A picture of a shard.

    Parameters
    ----------
    id : what the shard calls it, "" for nothing.
    opened : opens the encoded picture, or says in a few words why there is none.
    values : of further columns; None where there is none.
    size : bytes of the encoded picture, 0 where they are not known yet.
    """

    id: str
    opened: Opened | str
    label: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    size: int = 0


def clean_id(text: str) -> str:
    """Return an id as a relative path that leads nowhere else, "" when nothing is left: "/data/../a.png" is "data/a.png"."""
    return "/".join(part for part in as_text(text[:MAX_ID]).split("/") if part not in ("", ".", ".."))


def as_label(value: object) -> str | None:
    """Return a label as a text, None for none: a whole number without a fraction, a text without blanks around it."""
    if value is None or value != value:  # NaN
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return short(str(value)).strip() or None


def short(text: str) -> str:
    """Return the first letters of a text, in valid Unicode."""
    return as_text(text[:MAX_TEXT])


def decoded(content: bytes) -> str:
    """Return bytes as text: those that are not UTF-8 become `\\xff`."""
    return content.decode("utf-8", "backslashreplace")


def columns_of(values: Sequence[Mapping[str, Value]], name: str) -> dict[str, np.ndarray]:
    """Turn the values of n rows into columns (n,): float64 with NaN where all are numbers, else texts with "".

    Raises
    ------
    DataError : there are too many columns.
    """
    titles: dict[str, None] = {}
    for row in values:
        titles.update(dict.fromkeys(row))
        if len(titles) > MOST_COLUMNS:
            raise DataError(f"{name} has more than {MOST_COLUMNS} columns, the limit.")
    return {title: _column([row.get(title) for row in values]) for title in titles}


def _column(values: Sequence[Value]) -> np.ndarray:
    if not any(isinstance(value, str) for value in values):
        return np.array([np.nan if value is None else value for value in values], np.float64)
    texts = ["" if value is None else value if isinstance(value, str) else f"{value:g}" for value in values]
    return np.array(texts, object)


def joined_columns(
    parts: Sequence[tuple[Mapping[str, np.ndarray], int]],
) -> tuple[dict[str, np.ndarray], tuple[Skipped, ...]]:
    """Join the columns of shards with so many rows each; one that is numbers in some and texts in others is texts.

    Returns
    -------
    Columns of all rows, and those that cannot be drawn, each with the reason.
    """
    titles = dict.fromkeys(title for columns, _ in parts for title in columns)
    found: dict[str, np.ndarray] = {}
    left_out: list[Skipped] = []
    for title in titles:
        own = [columns.get(title, np.full(count, np.nan)) for columns, count in parts]
        if all(values.dtype.kind == "f" for values in own):
            whole = np.concatenate(own)
            large = whole[np.isfinite(whole) & (np.abs(whole) > LARGEST)][:1]
            if large.size:
                reason = f"the column has the number {large[0]:g}, which is too large to be drawn"
                left_out.append(Skipped(title, reason))
                continue
            exact = bool((np.abs(whole) <= EXACT).all() and (whole == np.round(whole)).all())  # and no NaN
            found[title] = whole.astype(np.int64) if exact else whole
        else:
            found[title] = np.concatenate([np.array(_written(values), str) for values in own])
    return found, tuple(left_out)


def _written(values: np.ndarray) -> list[str]:
    if values.dtype.kind != "f":
        return list(values)
    return ["" if np.isnan(value) else f"{value:g}" for value in values]

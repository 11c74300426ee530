"""A table of further values, CSV or Parquet, joined to images by id or file name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from core import roots
from core.errors import ConfigError, DataError
from core.imageset import ImageSet

LIMIT_BYTES = 500 << 20
MOST_COLUMNS = 200
MOST_TEXT = 200  # letters of a value
IDS = (
    "id",
    "path",
    "file",
    "filename",
    "file_name",
    "image",
    "name",
)  # columns that may name images, likeliest first
NAMED = 5


@dataclass(frozen=True, eq=False)
class Joined:
    """Images with the columns of a table.

    Parameters
    ----------
    images : the set with these columns; where an image has no row, numbers are NaN and texts "".
    by : says for people how rows found their images.
    without_row : ids of images that have no row. without_image : what rows name that is no image.
    """

    images: ImageSet
    by: str
    without_row: tuple[str, ...]
    without_image: tuple[str, ...]


def read(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file.

    Raises
    ------
    DataError : it cannot be read, is too large, or has no rows.
    """
    try:
        if path.stat().st_size > LIMIT_BYTES:
            raise DataError(f"{path.name} has more than {LIMIT_BYTES >> 20} MiB, the limit of a metadata file.")
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path, engine="pyarrow")
        elif path.suffix.lower() == ".csv":
            frame = pd.read_csv(path, encoding="utf-8-sig", keep_default_na=True, low_memory=False)
        else:
            raise DataError(f"{path.name} must end in .csv or .parquet.")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:  # pandas' and pyarrow's parse errors
        raise DataError(f"{path.name} cannot be read as a table: {' '.join(str(error).split())[:150]}") from error
    if not len(frame) or not len(frame.columns):
        raise DataError(f"{path.name} has no rows.")
    if len(frame.columns) > MOST_COLUMNS:
        raise DataError(f"{path.name} has {len(frame.columns)} columns; {MOST_COLUMNS} is the limit.")
    frame.columns = [str(name)[:60] for name in frame.columns]
    if frame.columns.duplicated().any():
        raise DataError(f"{path.name} has the column {frame.columns[frame.columns.duplicated()][0]!r} twice.")
    return frame


def join(images: ImageSet, frame: pd.DataFrame, name: str = "the table") -> Joined:
    """Join a table's columns to images by the column that names most of them: their ids, or else their file names.

    Raises
    ------
    DataError : no column names an image, or a row's image is named twice.
    """
    files = [PurePosixPath(found).name for found in images.ids]
    ways = {"id": list(images.ids)}
    if len(set(files)) == len(files):
        ways |= {"file name": files, "file name without its ending": [PurePosixPath(file).stem for file in files]}
    column, way, texts = _best(frame, ways)
    if column is None:
        raise DataError(
            f"No column of {name} names these images; one must hold their ids, which are like {images.ids[0]!r}."
        )
    number = {text: i for i, text in enumerate(ways[way])}
    there = np.array([number.get(text, -1) for text in texts])
    rows, counts = np.unique(there[there >= 0], return_counts=True)
    if (counts > 1).any():
        twice = images.ids[int(rows[counts > 1][0])]
        raise DataError(f"{name} has more than one row for image {twice!r}; keep one of them.")
    row_of = np.full(len(images), -1)
    row_of[there[there >= 0]] = np.flatnonzero(there >= 0)
    found = dict(images.columns)
    for title in frame.columns:
        if title != column:
            key = title if title not in found else f"{title} (metadata)"
            found[key] = _column(frame[title], row_of)
    return Joined(
        replace(images, columns=found),
        f"{(row_of >= 0).sum():,} of {len(images):,} images have a row, by {way} in column {column!r}",
        tuple(images.ids[i] for i in np.flatnonzero(row_of < 0)),
        tuple(texts[i] for i in np.flatnonzero(there < 0)),
    )


def attached(images: ImageSet, path: str) -> ImageSet:
    """Return images with the columns of a file; "" leaves them as they are.

    Raises
    ------
    ConfigError, DataError : the file cannot be read or names none of the images.
    """
    return images if not path else describe(images, path).images


def describe(images: ImageSet, path: str) -> Joined:
    """Join a file to images, and say how.

    Raises
    ------
    ConfigError, DataError : the file cannot be read or names none of the images.
    """
    try:
        file = Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"The folder that {path[:80]!r} begins with is not known.") from error
    roots.check(file)
    return join(images, read(file), file.name)


def _best(frame: pd.DataFrame, ways: dict[str, list[str]]) -> tuple[str | None, str, list[str]]:
    """Return the column and the way that find most images; the likeliest name wins a tie."""
    order = sorted(frame.columns, key=lambda title: IDS.index(title.lower()) if title.lower() in IDS else len(IDS))
    best: tuple[int, str | None, str, list[str]] = (0, None, "id", [])
    for title in order:
        if pd.api.types.is_float_dtype(frame[title]) or pd.api.types.is_bool_dtype(frame[title]):
            continue
        texts = [str(value).replace("\\", "/") for value in frame[title]]
        for way, names in ways.items():
            hits = len(set(names) & set(texts))
            if hits > best[0]:
                best = (hits, title, way, texts)
    return best[1], best[2], best[3]


def _column(values: Any, row_of: np.ndarray) -> np.ndarray:
    there = row_of >= 0
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        if there.all() and np.isfinite(numbers).all() and (numbers == np.round(numbers)).all():
            return np.asarray(numbers[row_of].astype(np.int64))
        found = np.full(len(row_of), np.nan, np.float32)
        found[there] = numbers[row_of[there]]
        return found
    texts = ["" if value is None or value != value else str(value)[:MOST_TEXT] for value in values]
    return np.array([texts[i] if i >= 0 else "" for i in row_of])


def shortened(names: Sequence[str]) -> str:
    """Write some names for people: the first five, and how many more."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(name[:80] for name in names[:NAMED]) + more

"""A table of further values, CSV or Parquet, joined to images by id or file name."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from core import roots
from core.errors import ConfigError, DataError
from core.imageset import ImageSet
from core.readers.csv_files import check_csv, check_titles
from core.readers.opening import open_file, size_of
from core.readers.sources import as_text

LIMIT_BYTES = 500 << 20
MOST_CELLS = 20_000_000  # of a Parquet file, which may hold very many in few bytes
MOST_TEXT = 200  # letters of a value
EXACT = 2**53  # whole numbers up to here are exact as floats; columns with larger ones are texts
LARGEST = float(np.finfo(np.float32).max)
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
_BROKEN = (
    ValueError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    csv.Error,
)


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
    name = as_text(path.name)[:80]
    readers = {".csv": _csv, ".parquet": _parquet}
    try:
        with open_file(path) as file:
            if size_of(file) > LIMIT_BYTES:
                raise DataError(f"{name} has more than {LIMIT_BYTES >> 20} MiB, the limit of a metadata file.")
            if path.suffix.lower() not in readers:
                raise DataError(f"{name} must end in .csv or .parquet.")
            frame = readers[path.suffix.lower()](file, name)
    except OSError as error:
        why = " ".join(str(error.strerror or error).split())[:150]
        raise DataError(f"{as_text(str(path))[:500]} cannot be read: {why}.") from error
    except _BROKEN as error:  # pandas' and pyarrow's parse errors
        raise DataError(f"{name} cannot be read as a table: {' '.join(str(error).split())[:150]}") from error
    if not len(frame) or not len(frame.columns):
        raise DataError(f"{name} has no rows.")
    frame.columns = [str(title)[:60] for title in frame.columns]
    check_titles(list(frame.columns), name)
    return frame


def _csv(file: BinaryIO, name: str) -> pd.DataFrame:
    check_csv(file, name)
    frame = pd.read_csv(file, encoding="utf-8-sig", keep_default_na=True, low_memory=False)
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"{name} has rows with more values than columns.")
    return frame


def _parquet(file: BinaryIO, name: str) -> pd.DataFrame:
    """Read a Parquet file; a text that is there once for many rows is cut before each row gets it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.ParquetFile(file).schema_arrow
    check_titles(schema.names, name)
    for item in schema:
        if pa.types.is_nested(item.type):
            raise DataError(f"{name}: column {item.name[:60]!r} holds lists or structures; a value must be one.")
    texts = [item.name for item in schema if pa.types.is_binary(item.type) or pa.types.is_string(item.type)]
    file.seek(0)
    opened = pq.ParquetFile(file, read_dictionary=texts)
    cells = opened.metadata.num_rows * len(schema.names)
    if cells > MOST_CELLS:
        raise DataError(
            f"{name} has {opened.metadata.num_rows:,} rows of {len(schema.names)} values; {MOST_CELLS:,} values "
            "are the limit."
        )
    table = opened.read()
    columns = {title: _cut(table.column(title)) for title in table.column_names}
    return pa.table(columns).to_pandas(ignore_metadata=True)


def _cut(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return column
    kind = column.type.value_type
    chunks = []
    for chunk in column.chunks:
        values = chunk.dictionary
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            values = pc.utf8_slice_codeunits(values, 0, MOST_TEXT)
        elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            values = pc.binary_slice(values, 0, MOST_TEXT)
        chunks.append(values.take(chunk.indices))
    return pa.chunked_array(chunks) if chunks else pa.chunked_array([], kind)


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
            found[key] = _column(frame[title], row_of, title, name)
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


def _column(values: Any, row_of: np.ndarray, title: str, name: str) -> np.ndarray:
    there = row_of >= 0
    whole = pd.api.types.is_integer_dtype(values)
    exact = not whole or not len(values) or max(abs(int(values.max())), abs(int(values.min()))) <= EXACT
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values) and exact:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        for number in numbers[np.isfinite(numbers) & (np.abs(numbers) > LARGEST)][:1]:
            raise DataError(f"{name}: column {title!r} has the number {number:g}, which is too large to be drawn.")
        if there.all() and (np.abs(numbers) <= EXACT).all() and (numbers == np.round(numbers)).all():
            return np.asarray(numbers[row_of].astype(np.int64))
        found = np.full(len(row_of), np.nan, np.float32)
        found[there] = numbers[row_of[there]]
        return found
    texts = ["" if pd.isna(value) else str(value)[:MOST_TEXT] for value in values]
    return np.array([texts[i] if i >= 0 else "" for i in row_of])


def shortened(names: Sequence[str]) -> str:
    """Write some names for people: the first five, and how many more."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(name[:80] for name in names[:NAMED]) + more

"""Labels in a CSV with the columns `id` and `label`, a row an image; it may name only some images."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.errors import DataError
from core.imageset import ImageSet
from core.readers.csv_files import check_titles, lines
from core.readers.files import natural_key
from core.readers.opening import open_file, size_of
from core.readers.sources import as_text

LIMIT_BYTES = 100 << 20
MAX_TEXT = 200  # letters of a label
NAMED = 5  # ids that an error names
MAGIC = b"\x93NUMPY"


def is_csv(path: str) -> bool:
    """Say whether a file of labels is a CSV: by its name's end, else by whether it begins as NumPy's files do."""
    suffix = Path(path).suffix.lower()
    if suffix in (".csv", ".npy"):
        return suffix == ".csv"
    try:
        with open_file(Path(path)) as file:
            return file.read(len(MAGIC)) != MAGIC
    except (OSError, ValueError):
        return False  # the reader says what is wrong with it


def labelled(images: ImageSet, path: str) -> ImageSet:
    """Return images with the labels of a CSV in place of their own; those it does not name, or names without, have none.

    Classes are in natural order, "2" before "10".

    Raises
    ------
    DataError : it cannot be read, names an image that is not there or one twice, or holds no label.
    """
    file = Path(path)
    rows = [(name, label[:MAX_TEXT]) for name, label in read_rows(file)]
    classes = sorted({label for _, label in rows if label}, key=natural_key)
    at = rows_of([name for name, _ in rows], images.ids, as_text(file.name))
    if not classes:
        raise DataError(f"{as_text(file.name)} has no row with a label.")
    number = {name: i for i, name in enumerate(classes)}
    y = np.full(len(images), -1, np.int64)
    y[at] = [number.get(label, -1) for _, label in rows]
    y.flags.writeable = False
    return replace(images, y=y, classes=tuple(classes))


def read_rows(path: Path) -> list[tuple[str, str]]:
    """Return the id and the label of each row, "" where there is none.

    Raises
    ------
    DataError : it cannot be read, is too large, or has no such columns.
    """
    name = as_text(path.name)
    try:
        with open_file(path) as file:
            if size_of(file) > LIMIT_BYTES:
                raise DataError(f"{name} has more than {LIMIT_BYTES >> 20} MiB, the limit of a CSV of labels.")
            reader = csv.DictReader(lines(file, name))
            titles = reader.fieldnames or ()
            check_titles(titles, name)
            if not {"id", "label"} <= set(titles):
                raise DataError(f"{name} needs the columns 'id' and 'label' in its first line.")
            return [(row["id"] or "", row["label"] or "") for row in reader]
    except (OSError, ValueError) as error:  # a text that is no UTF-8 is a ValueError
        raise DataError(f"{name[:80] or path} cannot be read as a CSV of labels, a text in UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{name} is not a CSV that can be read: {error}.") from error


def rows_of(named: Sequence[str], ids: Sequence[str], name: str) -> np.ndarray:
    """Return the row, int64 (m,), of each of m ids that a file names.

    Raises
    ------
    DataError : an image that is not there, or one twice.
    """
    number = {text: i for i, text in enumerate(ids)}
    unknown = [text for text in named if text not in number]
    if unknown:
        more = f" and {len(unknown) - NAMED:,} more" if len(unknown) > NAMED else ""
        shown = ", ".join(repr(text[:80]) for text in unknown[:NAMED])
        raise DataError(f"{name} names images that are not there: {shown}{more}. The ids are like {ids[0]!r}.")
    seen: set[str] = set()
    for text in named:
        if text in seen:
            raise DataError(f"{name} gives image {text[:80]!r} twice; keep one of the two rows.")
        seen.add(text)
    return np.array([number[text] for text in named], np.int64)

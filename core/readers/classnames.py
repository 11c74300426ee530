"""The names of a classifier's classes, from a JSON file, and how folders' names find their class among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import DataError
from core.readers.json_text import parsed
from core.readers.opening import open_file, size_of

LIMIT_BYTES = 10 << 20
NAMED = 5  # classes that an error names


@dataclass(frozen=True)
class ClassName:
    """A class: its code, such as n01440764, and its name for people; both the same when there is only one."""

    id: str
    name: str


def read_class_names(path: Path) -> tuple[ClassName, ...]:
    """Read names from `{"0": "cat", …}`, `["cat", …]` or `{"0": ["n01440764", "tench"], …}`.

    Raises
    ------
    DataError : the file cannot be read, or does not name classes 0..m-1.
    """
    try:
        with open_file(path) as file:
            if size_of(file) > LIMIT_BYTES:
                raise DataError(
                    f"{path.name} has more than {LIMIT_BYTES >> 20} MiB, the limit of a file of class names."
                )
            values = parsed(file.read())
    except OSError as error:
        raise DataError(f"The class names {path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise DataError(f"{path.name} is not a JSON file.") from error
    if isinstance(values, dict):
        missing = next((i for i in range(len(values)) if str(i) not in values), None)
        if missing is not None:
            raise DataError(
                f"{path.name} must name every class from 0 to {len(values) - 1}; class {missing} is missing."
            )
        values = [values[str(i)] for i in range(len(values))]
    if not isinstance(values, list) or not values:
        raise DataError(f'{path.name} must hold an object such as {{"0": "cat", "1": "dog"}}, or a list of names.')
    return tuple(_name(value, i, path) for i, value in enumerate(values))


def match_classes(folders: Sequence[str], known: Sequence[ClassName]) -> np.ndarray:
    """Return the class of each folder, int64: by its code, else its name, else its number.

    Raises
    ------
    DataError : folders whose class is not there, or whose name several classes have.
    """
    tables = [{}, {}, {str(i): [i] for i in range(len(known))}]  # type: list[dict[str, list[int]]]
    for i, item in enumerate(known):
        tables[0].setdefault(item.id, []).append(i)
        tables[1].setdefault(item.name, []).append(i)
    found = [next((t[name][0] for t in tables if len(t.get(name, ())) == 1), -1) for name in folders]
    lacking = [name for name, number in zip(folders, found, strict=True) if number < 0]
    if lacking:
        more = f" and {len(lacking) - NAMED:,} more" if len(lacking) > NAMED else ""
        raise DataError(
            f"{', '.join(repr(name[:60]) for name in lacking[:NAMED])}{more} are not among the classifier's "
            f"{len(known):,} classes. Give the file of names whose classes the folders are, or do not compare labels."
        )
    return np.array(found, np.int64)


def _name(value: Any, i: int, path: Path) -> ClassName:
    texts = value if isinstance(value, list) else [value]
    if not 1 <= len(texts) <= 2 or not all(isinstance(text, str) and 0 < len(text) <= 500 for text in texts):
        raise DataError(f"{path.name}: class {i} must have a name, or a code and a name.")
    return ClassName(texts[0], texts[-1])

"""A look at a CSV before it is read: how long its lines are and how many columns it has, whatever it claims to be."""

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from core.errors import DataError

LINE_BYTES = 1 << 20
MOST_COLUMNS = 200


def lines(file: BinaryIO, name: str) -> Iterator[str]:
    """Return the lines of a text in UTF-8 with their ends.

    Raises
    ------
    DataError : a line is too long. UnicodeDecodeError : it is no UTF-8.
    """
    encoding = "utf-8-sig"
    while line := file.readline(LINE_BYTES + 1):
        _check_length(line, name)
        yield line.decode(encoding)
        encoding = "utf-8"


def check_csv(file: BinaryIO, name: str) -> None:
    """Check the length of each line and the titles of the columns; the file is then where it was at first.

    Raises
    ------
    DataError : a line is too long, or there are too many columns, or two of one title. ValueError : it is no UTF-8.
    """
    start = file.tell()
    titles = next(csv.reader(lines(file, name)), [])
    while line := file.readline(LINE_BYTES + 1):
        _check_length(line, name)
    file.seek(start)
    check_titles(titles, name)


def check_titles(titles: Sequence[str], name: str) -> None:
    """Raise DataError when there are too many columns, or two of one title."""
    if len(titles) > MOST_COLUMNS:
        raise DataError(f"{name} has {len(titles):,} columns; {MOST_COLUMNS} is the limit.")
    twice = next((title for i, title in enumerate(titles) if title and title in titles[:i]), None)
    if twice is not None:
        raise DataError(f"{name} has the column {twice[:80]!r} twice; keep one of them.")


def _check_length(line: bytes, name: str) -> None:
    if len(line) > LINE_BYTES:
        raise DataError(f"{name} has a line that is too long; {LINE_BYTES >> 20} MiB is the limit.")

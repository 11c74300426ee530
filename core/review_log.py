"""The file that keeps a review: a line of JSON an event, only ever appended to, one file a set of images.

A writer holds the file's lock, appends with one write, and returns when the disk has it. So decisions of two tabs or
two processes follow one another whole, and a process that is killed loses nothing that was kept. What a kill in the
middle of a write leaves is a line without an end: the next writer ends it, readers pass over it. Each line carries its
checksum, so that one that was damaged later is passed over, too, and told of, and never taken for another decision.
"""

import contextlib
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.checkpoints import models_root
from core.checksums import sealed, unsealed
from core.errors import ReviewError
from core.locks import held
from core.readers.opening import open_file

LIMIT_BYTES = 256 << 20  # of a file: about a million decisions
LINE_BYTES = 512 << 10  # of an event
CANCEL = (
    b"\x18"  # spoils a line that lacks nothing but its end: readers have passed over it, so it must not come back
)
_FINGERPRINT = re.compile(r"[0-9a-f]{8,64}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cursor:
    """How far a file has been read: bytes, lines, and which file it was."""

    offset: int = 0
    lines: int = 0
    file: int = 0


@dataclass(frozen=True, eq=False)
class Lines:
    """What was read from a file.

    Parameters
    ----------
    records : the number of each line, from 0, and the JSON that it holds.
    cursor : where the next reading begins.
    skipped : lines that hold no JSON, are damaged or too long. torn : bytes after the last whole line.
    restarted : the file is another one than the cursor's, and was read from its beginning.
    """

    records: tuple[tuple[int, Any], ...]
    cursor: Cursor
    skipped: int = 0
    torn: int = 0
    restarted: bool = False


def reviews_root() -> Path:
    """Return the folder of reviews: `EMBEDDING_EXPLORER_REVIEWS`, else `reviews` beside the kept models."""
    given = os.environ.get("EMBEDDING_EXPLORER_REVIEWS")
    return Path(given) if given else models_root().parent / "reviews"


def log_path(fingerprint: str, root: Path | None = None) -> Path:
    """Return the file that keeps the review of a set of images, whether or not it is there.

    Raises
    ------
    ReviewError : it is not an image set's fingerprint.
    """
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ReviewError(f"{fingerprint[:80]!r} is not the fingerprint of a set of images.")
    return (root or reviews_root()) / f"{fingerprint}.jsonl"


def append(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write events behind those that are there; they are on the disk when this returns, or none of them is.

    Raises
    ------
    ReviewError : the file cannot be written, or it or an event would be too large.
    """
    lines = [sealed(record, allow_nan=False, separators=(",", ":")) + b"\n" for record in records]
    for size in [len(line) for line in lines if len(line) > LINE_BYTES][:1]:
        raise ReviewError(f"A decision of {size:,} bytes is too large to be kept; {LINE_BYTES:,} is the limit.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        file = os.open(path, flags, 0o666)
        try:
            with held(file, shared=False, what="The review's file"):
                _write(file, b"".join(lines), path)
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise ReviewError(
            f"The review cannot be kept in {path} ({error.strerror or error}); the last decision is not recorded."
        ) from error


def read(path: Path, since: Cursor | None = None) -> Lines:
    """Read the events of a file that are new since an earlier reading; none where there is no file.

    Raises
    ------
    ReviewError : the file cannot be read.
    """
    since = since or Cursor()
    try:
        with open_file(path) as file, held(file.fileno(), shared=True, what="The review's file"):
            status = os.fstat(file.fileno())
            start, restarted = since, since.offset > 0 and not _goes_on(file.fileno(), status, since)
            if restarted:
                start = Cursor()
            file.seek(start.offset)
            data = file.read(max(0, min(status.st_size, 2 * LIMIT_BYTES) - start.offset))
    except FileNotFoundError:
        return Lines((), Cursor(), restarted=since.offset > 0)
    except OSError as error:
        raise ReviewError(f"The review {path} cannot be read: {error.strerror or error}.") from error
    return _parsed(data, start, status.st_ino, since, restarted, path)


def _parsed(data: bytes, start: Cursor, file: int, since: Cursor, restarted: bool, path: Path) -> Lines:
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].split(b"\n")[:-1]
    records, skipped = [], 0
    for number, line in enumerate(lines, start.lines):
        if not line:
            continue
        try:
            if len(line) > LINE_BYTES:
                raise ValueError("too long")
            records.append((number, unsealed(line)))
        except (ValueError, RecursionError):
            skipped += 1
    torn = len(data) - whole
    cursor = Cursor(start.offset + whole, start.lines + len(lines), file)
    if skipped:
        _log.warning(
            "%s: %d line(s) cannot be read and are passed over: what was decided there does not count.", path, skipped
        )
    if torn and (cursor != since or not since.offset):  # a torn end is told of once, not at every poll
        _log.warning("%s: the last line has no end, as after a kill, and is passed over.", path)
    return Lines(tuple(records), cursor, skipped, torn, restarted)


def _goes_on(file: int, status: os.stat_result, since: Cursor) -> bool:
    """Say whether this is the file that was read before: the same one, not shorter, with a line's end at the cursor."""
    if status.st_ino != since.file or status.st_size < since.offset:
        return False
    os.lseek(file, since.offset - 1, os.SEEK_SET)
    return os.read(file, 1) == b"\n"


def _write(file: int, data: bytes, path: Path) -> None:
    """Append in one write; what a full disk takes only in part is taken back. The lock is held."""
    size = os.fstat(file).st_size
    if size + len(data) > LIMIT_BYTES:
        raise ReviewError(
            f"The review {path} would have more than {LIMIT_BYTES >> 20} MiB, its limit; "
            "export the corrections, then move that file away and import them into a new one."
        )
    if size:
        os.lseek(file, size - 1, os.SEEK_SET)
        if os.read(file, 1) != b"\n":
            data = CANCEL + b"\n" + data  # ends what a killed writer began, such that it stays passed over
    try:
        written = os.write(file, data)
        while written < len(data):
            written += os.write(file, data[written:])
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(file, size)
        raise

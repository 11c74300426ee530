"""Shards of a data set too large for one machine: listed, looked at, and read one at a time to arrays.

Each is read on its own by whoever has the source, so they can be read anywhere and in any order. What is wrong with one shard
is a `DataError` of that one; what is wrong with a picture in it, a `Skipped`.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Literal

import numpy as np

from core import scratch
from core.errors import DataError
from core.imageset import MAX_SIDE, MIN_SIDE, Skipped
from core.readers import remote, tars
from core.readers.addresses import is_address
from core.readers.folders import DEFAULT_SIDE, quiet_pillow
from core.readers.opening import open_file
from core.readers.pictures import Frame, read_header, read_picture
from core.readers.rows import Row, columns_of
from core.readers.shard_lists import Shard, list_shards, told
from core.readers.shard_pictures import picture_rows
from core.readers.sources import ShardedSource

__all__ = ["Shard", "ShardImages", "find_frame", "list_shards", "read_shard"]

SHARD_BYTES = 16 << 30  # of a shard's images
LOOKED_AT = 4_096  # pictures of a shard that are looked at for their size and colour
TRIED = 20  # shards, should the first ones be damaged
AT_ONCE = 16  # pictures held encoded
STACKED = 1_024  # images in an array before they are joined
SMALL_BYTES = 4_096  # of a picture that is decoded faster than it is handed to a thread
REPEATED = "another picture has this id"


@dataclass(frozen=True, eq=False)
class ShardImages:
    """The images of a shard.

    Parameters
    ----------
    x : uint8 (n, h, w, c), n at least 1.
    ids : of each image, all different within the shard.
    labels : of each image, None where it has none; None where the shard has no labels.
    columns : further values (n,): texts as objects, or numbers as float64.
    skipped : pictures of the shard that could not be used.
    """

    x: np.ndarray
    ids: tuple[str, ...]
    labels: tuple[str | None, ...] | None
    columns: Mapping[str, np.ndarray]
    skipped: tuple[Skipped, ...]


def find_frame(source: ShardedSource, shards: Sequence[Shard]) -> Frame:
    """Find what every picture is brought to, from the source and the first shard that can be read.

    Raises
    ------
    DataError : none of the first shards can be read.
    """
    if source.size is not None and source.color != "auto":
        return Frame(source.size, source.size, 1 if source.color == "gray" else 3)
    problems: list[str] = []
    for shard in shards[:TRIED]:
        try:
            sizes, gray = _looked(source, shard)
        except DataError as error:
            problems.append(str(error))
            continue
        if sizes:
            return _frame(source, sizes, gray if source.color == "auto" else source.color == "gray")
        problems.append(f"{shard.name} has no picture that can be read")
    raise DataError(told(problems or ["There are no shards"]))


def read_shard(
    source: ShardedSource, shard: Shard, frame: Frame, between: Callable[[int], None] = lambda rows: None
) -> ShardImages:
    """Read the pictures of a shard, each brought to the frame.

    Parameters
    ----------
    between : called with the rows that are done, now and then; what it raises ends the reading.

    Raises
    ------
    DataError : it is not there, is damaged, holds too much, or none of its pictures can be read.
    """
    images: list[np.ndarray] = []
    rows: list[Row] = []
    reasons: dict[int, str] = {}  # by row: why it is skipped
    most = SHARD_BYTES // (frame.h * frame.w * frame.channels)
    waiting: list[np.ndarray] = []
    for batch, done in _decoded(_rows(source, shard), _Decode(frame)):
        waiting += [found for found in done if not isinstance(found, str)]
        reasons |= {len(rows) + i: found for i, found in enumerate(done) if isinstance(found, str)}
        rows += [Row(row.id, "", row.label, row.values) for row in batch]  # without its picture
        if len(rows) > most:
            raise DataError(f"{shard.name} takes more than {SHARD_BYTES >> 30} GiB, the limit of a shard.")
        if len(waiting) >= STACKED:
            images, waiting = settled([*images, np.stack(waiting)]), []
        between(len(rows))
    if waiting:
        images = settled([*images, np.stack(waiting)])
    return _images(source, shard, images, rows, reasons)


def settled(pieces: list[np.ndarray]) -> list[np.ndarray]:
    """Return arrays of which the last ones are joined, to a file, once those in memory are large."""
    at = len(pieces)
    while at and not scratch.is_mapped(pieces[at - 1]):
        at -= 1
    if sum(piece.nbytes for piece in pieces[at:]) <= scratch.LARGE:
        return pieces
    return [*pieces[:at], scratch.joined(pieces[at:])]


def _decoded(
    rows: Iterator[Row], decode: Callable[[Row], np.ndarray | str]
) -> Iterator[tuple[list[Row], list[np.ndarray | str]]]:
    """Decode rows some at a time, in threads where that is faster."""
    with quiet_pillow(), ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        while batch := list(islice(rows, AT_ONCE)):
            small = all(0 < row.size < SMALL_BYTES for row in batch)
            yield batch, list(map(decode, batch) if small else pool.map(decode, batch))


class _Decode:
    """Decodes rows to a frame, large pictures one at a time."""

    def __init__(self, frame: Frame) -> None:
        self._frame, self._large = frame, Lock()

    def __call__(self, row: Row) -> np.ndarray | str:
        if isinstance(row.opened, str):
            return row.opened
        try:
            return read_picture(row.opened, self._frame, self._large)
        except DataError as error:
            return str(error)


def _images(
    source: ShardedSource, shard: Shard, images: list[np.ndarray], rows: list[Row], reasons: dict[int, str]
) -> ShardImages:
    ids = [row.id for row in rows]
    known = [id for id in ids if id]
    if not source.id and len(set(known)) < len(known):
        ids = [""] * len(ids)  # what was taken for ids are none
    ids = [id or f"{shard.name}/{row}" for row, id in enumerate(ids)]
    read = [row for row in range(len(rows)) if row not in reasons]
    first = {ids[row]: row for row in reversed(read)}
    kept = [row for row in read if first[ids[row]] == row]
    reasons = reasons | {row: REPEATED for row in read if first[ids[row]] != row}
    if not kept:
        why = f": {ids[0]}: {reasons[0]}" if rows else ""
        raise DataError(f"{shard.name} has no picture that can be read{why}.")
    x = images[0] if len(images) == 1 else scratch.joined(images)
    if len(kept) < len(read):
        x = scratch.take(x, np.searchsorted(read, kept))
    labels = tuple(rows[row].label for row in kept)
    return ShardImages(
        x,
        tuple(ids[row] for row in kept),
        labels if any(label is not None for label in labels) else None,
        columns_of([rows[row].values for row in kept], shard.name),
        tuple(Skipped(ids[row], reasons[row]) for row in sorted(reasons)),
    )


def _looked(source: ShardedSource, shard: Shard) -> tuple[set[tuple[int, int]], bool]:
    """Return the sizes of a shard's first pictures, and whether all are gray, as far as it matters."""
    sizes: set[tuple[int, int]] = set()
    gray, large = True, Lock()
    with quiet_pillow():
        for row in islice(_rows(source, shard), LOOKED_AT):
            if isinstance(row.opened, str):
                continue
            try:
                header = read_header(row.opened)
                if gray and not header.gray:
                    small = read_picture(row.opened, Frame(DEFAULT_SIDE, DEFAULT_SIDE, 3), large)
                    gray = bool((small == small[..., :1]).all())
            except DataError:
                continue  # it is skipped when the shard is read
            sizes.add((header.h, header.w))
            fitted = source.size is not None or (len(sizes) > 1 and max(map(max, sizes)) >= DEFAULT_SIDE)
            if fitted and (not gray or source.color != "auto"):
                break
    return sizes, gray


def _frame(source: ShardedSource, sizes: set[tuple[int, int]], gray: bool) -> Frame:
    channels: Literal[1, 3] = 1 if gray else 3
    if source.size is None and len(sizes) == 1:
        ((h, w),) = sizes
        if min(h, w) >= MIN_SIDE and max(h, w) <= MAX_SIDE:
            return Frame(h, w, channels)
    side = source.size or max(MIN_SIDE, min(DEFAULT_SIDE, max(map(max, sizes))))
    return Frame(side, side, channels)


def _rows(source: ShardedSource, shard: Shard) -> Iterator[Row]:
    """Yield the rows of a shard."""
    remote.check(shard.url)
    if shard.kind == "pictures":
        yield from picture_rows(shard)
        return
    with _opened(shard) as file:
        if shard.kind == "tar":
            yield from tars.rows(file, source, shard.name)
        else:
            from core.readers import parquet  # pyarrow takes a while to load

            yield from parquet.rows(file, source, shard.name, is_address(shard.url))


@contextmanager
def _opened(shard: Shard) -> Iterator[BinaryIO]:
    if is_address(shard.url):
        with remote.opened(shard.url) as file:
            yield file
        return
    try:
        with open_file(Path(shard.url), links=False) as file:
            yield file
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{shard.name} cannot be opened: {reason}.") from error

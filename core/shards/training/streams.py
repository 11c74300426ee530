"""What a training over shards reads, and when: a few streams of images, the same however many processes share them.

Every epoch lays the shards end to end in a new order, and cuts the line into streams of as many rows each. A step takes as
many rows from each stream, one stream after the other; a process owns neighbouring streams and reads only their shards. So
a batch is the same for any number of processes, and an epoch meets every image. Rows are shuffled inside a shard, and
inside a window of a few shards, as no more is ever in memory. Some rows of each shard are held out and never met.
"""

import math
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np

from core.errors import ConfigError, DataError

WINDOW_BYTES = 32 << 20  # of pixels that a stream shuffles together; a shard's part in it may be larger
HELD_OUT = 8_192  # rows of all shards together at most: they stay in memory
# What is drawn at random, each from a state of its own: [seed, one of these, …].
_ORDER, _ROWS, _WINDOW, _HELD, JITTER = range(1, 6)


class Named(Protocol):
    """A shard, of which a training knows its name."""

    @property
    def name(self) -> str:
        """Name for people."""
        ...


@dataclass(frozen=True, eq=False)
class Shards:
    """Images in shards.

    Parameters
    ----------
    read : returns a shard's pictures that can be used, uint8 (n, h, w, c), always the same.
    image_shape : (h, w, c) of them.
    name : for people.
    """

    items: Sequence[Named]
    read: Callable[[Any], np.ndarray]
    image_shape: tuple[int, int, int]
    name: str = ""


@dataclass(frozen=True)
class Plan:
    """How the rows of shards become batches.

    Parameters
    ----------
    sizes : rows of each shard; 0 where it cannot be read.
    share : of the rows, held out; `HELD_OUT` at most.
    """

    sizes: tuple[int, ...]
    streams: int
    batch_size: int
    share: float
    seed: int

    @cached_property
    def learnt(self) -> tuple[int, ...]:
        """Rows of each shard that are learnt from."""
        of = len(self.sizes)
        return tuple(rows - _held(rows, number, of, self.share) for number, rows in enumerate(self.sizes))

    @cached_property
    def steps(self) -> int:
        """Batches of an epoch; the last is filled up with rows that were met before."""
        return math.ceil(sum(self.learnt) / self.batch_size)

    @property
    def each(self) -> int:
        """Rows of a batch from each stream."""
        return self.batch_size // self.streams


def split(rows: int, number: int, of: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows of the shard of this number, of so many shards, are learnt from, and which are held out."""
    order, held = np.random.default_rng([seed, _HELD, number]).permutation(rows), _held(rows, number, of, share)
    return np.sort(order[held:]), np.sort(order[:held])


def _held(rows: int, number: int, of: int, share: float) -> int:
    most = (number + 1) * HELD_OUT // of - number * HELD_OUT // of
    return max(0, min(round(rows * share), most, rows - 1))


@dataclass(frozen=True)
class Piece:
    """Rows `start` up to `stop` of a shard's rows as an epoch has shuffled them."""

    shard: int
    start: int
    stop: int


def check(streams: int, batch_size: int, world: int, accumulate: int) -> None:
    """Check that batches can be put together so.

    Raises
    ------
    ConfigError : they cannot.
    """
    if not 1 <= streams <= 1024 or streams & (streams - 1):
        raise ConfigError(f"streams {streams} must be a power of two between 1 and 1024.")
    if batch_size % streams:
        raise ConfigError(f"batch_size {batch_size} must be a multiple of the {streams} streams of shards.")
    if streams % world:
        raise ConfigError(
            f"{world} processes cannot share {streams} streams of shards evenly: start 1, 2, 4, … {streams} processes, "
            "or set streams higher."
        )
    if accumulate < 1 or streams // world % accumulate:
        raise ConfigError(
            f"accumulate {accumulate} must divide the {streams // world} streams that each of {world} processes reads."
        )


def deal(plan: Plan, epoch: int) -> tuple[tuple[Piece, ...], ...]:
    """Return what each stream reads in an epoch, one piece after the other.

    Raises
    ------
    DataError : there are fewer rows than streams.
    """
    rows = plan.learnt
    total = sum(rows)
    if total < plan.streams:
        raise DataError(f"{plan.streams} streams need as many images to learn from; the shards have {total}.")
    order = np.random.default_rng([plan.seed, _ORDER, epoch]).permutation(len(rows))
    ends = np.cumsum([rows[i] for i in order])
    dealt = []
    for stream in range(plan.streams):
        low, high = stream * total // plan.streams, (stream + 1) * total // plan.streams
        first, last = np.searchsorted(ends, [low, high - 1], side="right")
        pieces = []
        for i in range(first, last + 1):
            start = int(ends[i]) - rows[order[i]]
            pieces.append(Piece(int(order[i]), max(low - start, 0), min(high - start, rows[order[i]])))
        dealt.append(tuple(piece for piece in pieces if piece.start < piece.stop))
    return tuple(dealt)


def batches(shards: Shards, plan: Plan, epoch: int, own: range) -> Generator[tuple[np.ndarray, ...], None, None]:
    """Give what a process's own streams bring to each step of an epoch, uint8 (b, h, w, c) a stream, in their order.

    The next windows are read meanwhile by a thread. A stream at its end begins anew. Close the iterator when you stop early.

    Raises
    ------
    DataError : a shard cannot be read any more, or has other rows than before.
    """
    row_bytes, dealt = math.prod(shards.image_shape), deal(plan, epoch)
    windows = {stream: _windows(dealt[stream], row_bytes) for stream in own}
    reader = _Reader(shards, plan, epoch)
    tasks = [partial(reader.window, stream, i, windows[stream][i]) for stream, i in _needed(windows, plan)]
    ahead = _ahead(tasks, len(own))
    left = {stream: np.empty((0, *shards.image_shape), np.uint8) for stream in own}
    try:
        for _ in range(plan.steps):
            step = []
            for stream in own:
                rows = left[stream]
                while len(rows) < plan.each:
                    rows = np.concatenate([rows, next(ahead)]) if len(rows) else next(ahead)
                step.append(rows[: plan.each])
                left[stream] = rows[plan.each :]
            yield tuple(step)
    finally:
        ahead.close()


def read(shards: Shards, number: int) -> np.ndarray:
    """Return a shard's pictures, uint8 (n, h, w, c).

    Raises
    ------
    DataError : it cannot be read, or they have another shape.
    """
    x = shards.read(shards.items[number])
    if x.dtype != np.uint8 or x.shape[1:] != tuple(shards.image_shape):
        raise DataError(
            f"Shard {shards.items[number].name} has pictures {x.dtype} {x.shape[1:]}, not uint8 {shards.image_shape}."
        )
    return x


class _Reader:
    """Reads windows of an epoch; two neighbouring streams often meet in a shard, so the last one stays."""

    def __init__(self, shards: Shards, plan: Plan, epoch: int) -> None:
        self._shards, self._plan, self._epoch = shards, plan, epoch
        self._last: tuple[int, np.ndarray] | None = None

    def window(self, stream: int, window: int, pieces: Sequence[Piece]) -> np.ndarray:
        """Return the rows of a stream's window, shuffled."""
        found = [self._piece(piece) for piece in pieces]
        rows = np.concatenate(found) if len(found) > 1 else found[0]
        order = np.random.default_rng([self._plan.seed, _WINDOW, self._epoch, stream, window]).permutation(len(rows))
        return rows[order]

    def _piece(self, piece: Piece) -> np.ndarray:
        number, plan = piece.shard, self._plan
        if self._last is None or self._last[0] != number:
            x = read(self._shards, number)
            if len(x) != plan.sizes[number]:
                raise DataError(
                    f"Shard {self._shards.items[number].name} has {len(x):,} pictures that can be used; at first it had "
                    f"{plan.sizes[number]:,}. Leave the data as they are while a training reads them."
                )
            self._last = number, x
        learnt = split(plan.sizes[number], number, len(plan.sizes), plan.share, plan.seed)[0]
        order = np.random.default_rng([plan.seed, _ROWS, self._epoch, number]).permutation(learnt)
        return self._last[1][order[piece.start : piece.stop]]


def _windows(pieces: Sequence[Piece], row_bytes: int) -> tuple[tuple[Piece, ...], ...]:
    """Group a stream's pieces into windows of `WINDOW_BYTES`, with one piece at least."""
    found: list[list[Piece]] = []
    room = 0
    for piece in pieces:
        size = (piece.stop - piece.start) * row_bytes
        if not found or size > room:
            found.append([])
            room = WINDOW_BYTES
        found[-1].append(piece)
        room -= size
    return tuple(tuple(window) for window in found)


def _needed(windows: Mapping[int, Sequence[Sequence[Piece]]], plan: Plan) -> list[tuple[int, int]]:
    """Return (stream, window) in the order in which an epoch's steps ask for them."""
    found = []
    for stream, own in windows.items():
        row = number = 0
        while row < plan.steps * plan.each:
            found.append((row // plan.each, stream, number % len(own)))
            row += sum(piece.stop - piece.start for piece in own[number % len(own)])
            number += 1
    return [(stream, window) for _, stream, window in sorted(found, key=lambda need: need[:2])]


def _ahead(tasks: Sequence[Callable[[], np.ndarray]], most: int) -> Generator[np.ndarray, None, None]:
    """Give the results of tasks, in their order, that a thread does: at most so many before they are asked for."""
    waiting: deque[Future[np.ndarray]] = deque()
    with ThreadPoolExecutor(1, "shards") as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(task))
                if len(waiting) > most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

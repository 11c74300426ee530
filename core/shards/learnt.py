"""Images of a sharded set in memory: all where they are few, else a random sample, to learn from and to set defaults by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.engines import Engine
from core.errors import DataError
from core.imageset import MIN_IMAGES, ImageSet, Skipped, image_set
from core.progress import Callback, ignore
from core.projection.sampling import shares
from core.readers.files import natural_key
from core.readers.pictures import Frame
from core.readers.shards import Shard, ShardImages, read_shard
from core.readers.sources import ShardedSource

SHARDS = 64  # that a sample is drawn from at most


@dataclass(frozen=True, eq=False)
class Drawn:
    """Images in memory, whether they are all that can be read, how many that is, and the shards that could not be.

    `n` is an estimate from the shards that were looked at where these are not all.
    """

    images: ImageSet
    whole: bool
    n: int
    problems: tuple[Skipped, ...]


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some images of a shard, in order, and how many it has."""

    shard: Shard
    found: ShardImages
    n: int


@dataclass(frozen=True)
class _Draw:
    """Makes what reads a shard and keeps at most `most` of its images, chosen at random."""

    source: ShardedSource
    frame: Frame
    most: int
    seed: int

    def __call__(self) -> Callable[[Shard], _Piece]:
        return self._of

    def _of(self, shard: Shard) -> _Piece:
        found = read_shard(self.source, shard, self.frame)
        n = len(found.x)
        random = np.random.default_rng([self.seed, shard.number])
        return _Piece(shard, _rows(found, np.sort(random.permutation(n)[: self.most])), n)


def draw(
    engine: Engine,
    source: ShardedSource,
    shards: Sequence[Shard],
    frame: Frame,
    limit: int,
    seed: int = 0,
    callback: Callback = ignore,
) -> Drawn:
    """Read at most `limit` images: all where there are no more, else some of each of at most 64 shards chosen at random.

    Images are in the order of their shards. Where a set is sorted, and has far more than 64 shards, a sample may lack groups.

    Raises
    ------
    DataError : fewer than 2 images can be read. Cancelled : raised by the callback.
    """
    random = np.random.default_rng(seed)
    chosen = [shards[i] for i in np.sort(random.permutation(len(shards))[:SHARDS])]
    most = min(limit, -(-2 * limit // len(chosen)))
    pieces, problems = _read(engine, _Draw(source, frame, most, seed), chosen, callback)
    cut = [piece.shard for piece in pieces if len(piece.found.x) < piece.n]
    total = sum(piece.n for piece in pieces)
    if cut and total <= limit:
        again, _ = _read(engine, _Draw(source, frame, limit, seed), cut, callback)
        whole = {piece.shard.number: piece for piece in again}
        pieces = [whole.get(piece.shard.number, piece) for piece in pieces]
    elif total > limit:
        quotas = shares(np.array([piece.n for piece in pieces]), limit)
        pieces = [_at_most(piece, int(quota), seed) for piece, quota in zip(pieces, quotas, strict=True)]
    complete = total <= limit and len(chosen) == len(shards)
    n = round(total / max(1, len(chosen)) * len(shards))
    return Drawn(_joined(source, [piece.found for piece in pieces]), complete, n, problems)


def _read(
    engine: Engine, work: _Draw, shards: Sequence[Shard], callback: Callback
) -> tuple[list[_Piece], tuple[Skipped, ...]]:
    pieces: list[_Piece] = []
    problems: list[Skipped] = []
    for outcome in engine.each(work, shards, callback, "Reading images to learn from", heavy=False):
        if outcome.value is None:
            problems.append(Skipped(shards[outcome.index].name, outcome.problem or "cannot be read"))
        elif outcome.value.n:
            pieces.append(outcome.value)
    pieces.sort(key=lambda piece: piece.shard.number)
    return pieces, tuple(problems)


def _at_most(piece: _Piece, quota: int, seed: int) -> _Piece:
    n = len(piece.found.x)
    if quota >= n:
        return piece
    random = np.random.default_rng([seed, piece.shard.number, quota])
    return replace(piece, found=_rows(piece.found, np.sort(random.permutation(n)[:quota])))


def _rows(found: ShardImages, rows: np.ndarray) -> ShardImages:
    if len(rows) == len(found.x):
        return found
    labels = None if found.labels is None else tuple(found.labels[row] for row in rows)
    columns = {name: values[rows] for name, values in found.columns.items()}
    return replace(found, x=found.x[rows], ids=tuple(found.ids[row] for row in rows), labels=labels, columns=columns)


def _joined(source: ShardedSource, pieces: Sequence[ShardImages]) -> ImageSet:
    n = sum(len(piece.x) for piece in pieces)
    if n < MIN_IMAGES:
        raise DataError(f"{source.path} has {n} images that can be read; at least {MIN_IMAGES} are needed.")
    labels = [label for piece in pieces for label in (piece.labels or (None,) * len(piece.x))]
    classes = sorted({label for label in labels if label is not None}, key=natural_key)
    number = {name: code for code, name in enumerate(classes)}
    y = np.array([-1 if label is None else number[label] for label in labels], np.int64) if classes else None
    return image_set(
        np.concatenate([piece.x for piece in pieces]),  # (n, h, w, c)
        y,
        classes,
        ids=[id for piece in pieces for id in piece.ids],
        name=source.path.rstrip("/").rsplit("/", 1)[-1],
    )

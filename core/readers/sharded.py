"""All shards of a source one after the other to an `ImageSet`, for what fits into this computer."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from core import scratch
from core.errors import DataError
from core.imageset import MAPPED_BYTES, MIN_IMAGES, ImageSet, Skipped, check_bytes, image_set
from core.progress import Callback, Progress, ignore, stopwatch
from core.readers.files import natural_key
from core.readers.rows import joined_columns
from core.readers.shard_lists import Shard, name_of
from core.readers.shards import ShardImages, find_frame, list_shards, read_shard, settled
from core.readers.sources import ShardedSource

STAGE = "Reading images"


def read_sharded(source: ShardedSource, callback: Callback = ignore) -> ImageSet:
    """Read the images of every shard; shards and pictures that cannot be read are in `skipped`.

    Raises
    ------
    DataError : there are no shards, or fewer than two pictures in them can be read.
    """
    shards = list_shards(source)
    frame = find_frame(source, shards)
    pieces: list[np.ndarray] = []
    read: list[tuple[Shard, ShardImages]] = []
    skipped: list[Skipped] = []
    left, size = stopwatch(len(shards)), 0
    for done, shard in enumerate(shards):
        report = Progress(STAGE, done, len(shards), "shard", left(done))
        try:
            found = read_shard(source, shard, frame, partial(_again, callback, report))
        except DataError as error:
            skipped.append(Skipped(shard.name, str(error)))
        else:
            size += found.x.nbytes
            check_bytes(size, name_of(source), MAPPED_BYTES)
            pieces = settled([*pieces, found.x])
            read.append((shard, _without_images(found)))
            skipped += found.skipped
    callback(Progress(STAGE, len(shards), len(shards), "shard", 0.0))
    return _joined(source, pieces, read, skipped)


def _again(callback: Callback, report: Progress, rows: int) -> None:
    """Tell what was told, so that the callback can stop the reading within a shard."""
    callback(report)


def _without_images(found: ShardImages) -> ShardImages:
    """Return a shard's images without their pixels, which lie among all others'."""
    return ShardImages(found.x[:0].copy(), found.ids, found.labels, found.columns, ())


def _joined(
    source: ShardedSource, pieces: list[np.ndarray], read: Sequence[tuple[Shard, ShardImages]], skipped: list[Skipped]
) -> ImageSet:
    name, count = name_of(source), sum(map(len, pieces))
    if count < MIN_IMAGES:
        first = (
            f"; the first that cannot be read, {skipped[0].id}: {skipped[0].reason.rstrip('.')}" if skipped else ""
        )
        raise DataError(f"{name} needs at least {MIN_IMAGES} images; it has {count}{first}.")
    labels = [label for _, found in read for label in found.labels or [None] * len(found.ids)]
    classes = sorted({label for label in labels if label is not None}, key=natural_key)
    number: dict[str | None, int] = {label: i for i, label in enumerate(classes)}
    columns, left_out = joined_columns([(found.columns, len(found.ids)) for _, found in read])
    return image_set(
        pieces[0] if len(pieces) == 1 else scratch.joined(pieces),
        np.array([number.get(label, -1) for label in labels], np.int64) if classes else None,
        classes,
        ids=_ids(read),
        name=name,
        skipped=[*skipped, *left_out],
        columns=columns,
    )


def _ids(read: Sequence[tuple[Shard, ShardImages]]) -> list[str]:
    """Return the ids of all images, which begin with the shard's name where two shards have one."""
    ids = [id for _, found in read for id in found.ids]
    if len(set(ids)) == len(ids):
        return ids
    whole = [(f"{shard.name}/", id) for shard, found in read for id in found.ids]
    return [id if id.startswith(start) else start + id for start, id in whole]

"""The first look at shards: how many pictures of each can be used, and those that a training holds out."""

import logging
from collections.abc import Sequence

import numpy as np
import torch

from core.config import TrainingConfig
from core.errors import DataError, one_line
from core.progress import Callback, Cancelled, Progress, stopwatch
from core.shards.training.distributed import rank, summed, world
from core.shards.training.streams import Plan, Shards, read, split

NAMED = 20  # shards that cannot be read
_log = logging.getLogger(__name__)


def look_through(
    shards: Shards, training: TrainingConfig, streams: int, callback: Callback, device: torch.device
) -> tuple[Plan, dict[int, np.ndarray], tuple[str, ...]]:
    """Read each shard once, every process some of them; a warning names those that cannot be read.

    Returns
    -------
    The plan of the training, this process's pictures that are held out, uint8 (k, h, w, c), by shard, and the names of those
    that cannot be read.

    Raises
    ------
    DataError : no shard can be read. Cancelled : a callback asked to stop, in any process.
    """
    own = range(rank(), len(shards.items), world())
    stop = False
    try:
        found = _own(shards, own, training.validation_share, training.seed, callback)
    except Cancelled:
        found, stop = ({}, {}, {}), True
    *sizes, stopped = summed([*(found[0].get(i, 0) for i in range(len(shards.items))), stop], device)
    if stopped:
        raise Cancelled
    for number, why in found[2].items():
        _log.warning(
            "Shard %s cannot be read and is left out: %s", one_line(shards.items[number].name), one_line(why)
        )
    left_out = tuple(one_line(item.name) for item, size in zip(shards.items, sizes, strict=True) if not size)
    if len(left_out) == len(shards.items):
        raise DataError(f"None of the {len(left_out):,} shards can be read: {', '.join(left_out[:3])} …")
    if left_out and rank() == 0:
        names = ", ".join(left_out[:NAMED]) + (" …" if len(left_out) > NAMED else "")
        _log.warning("%d of %d shards are left out: %s", len(left_out), len(shards.items), names)
    rows = tuple(int(size) for size in sizes)
    plan = Plan(rows, streams, training.batch_size, training.validation_share, training.seed)
    return plan, found[1], left_out


def _own(
    shards: Shards, numbers: Sequence[int], share: float, seed: int, callback: Callback
) -> tuple[dict[int, int], dict[int, np.ndarray], dict[int, str]]:
    """Read some shards once, as what their pictures are is known only then.

    Returns
    -------
    The rows of each, the pictures of each that are held out, uint8 (k, h, w, c), and why some cannot be read.
    """
    sizes: dict[int, int] = {}
    held: dict[int, np.ndarray] = {}
    unread: dict[int, str] = {}
    left = stopwatch(len(numbers))
    for done, number in enumerate(numbers):
        callback(Progress("Looking through the shards", done, len(numbers), "shard", left(done)))
        try:
            x = read(shards, number)
        except DataError as error:
            unread[number] = str(error)
            continue
        if not len(x):
            unread[number] = "it has no picture that can be used"
            continue
        sizes[number] = len(x)
        chosen = split(len(x), number, len(shards.items), share, seed)[1]
        if len(chosen):
            held[number] = x[chosen]
    return sizes, held, unread

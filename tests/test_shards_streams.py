"""Streams of shards: the same batches for any number of processes, every image met, and little read by each."""

import threading
import time
from contextlib import closing
from itertools import islice

import numpy as np
import pytest

from core.errors import ConfigError, DataError
from core.shards.training import streams
from core.shards.training.streams import Plan, Shards, batches, check, deal, split
from tests.sharded import Item

SIDE = 8


class Numbered:
    """Reads shards whose images each carry their own number, and notes what is read, and by which thread."""

    def __init__(self, sizes):
        self.sizes, self.reads, self.threads = tuple(sizes), [], set()

    def __call__(self, item):
        self.reads.append(item.number)
        self.threads.add(threading.current_thread().name)
        first = sum(self.sizes[: item.number])
        x = np.zeros((self.sizes[item.number], SIDE, SIDE, 1), np.uint8)
        x[:, 0, :4, 0] = np.arange(first, first + len(x), dtype="<u4").view(np.uint8).reshape(-1, 4)
        return x


def made(sizes, streams=4, batch_size=16, share=0.0, seed=0):
    """Return made-up shards and the plan of a training over them."""
    read = Numbered(sizes)
    items = tuple(Item(f"part-{i}", i) for i in range(len(sizes)))
    return Shards(items, read, (SIDE, SIDE, 1)), Plan(tuple(sizes), streams, batch_size, share, seed)


def numbers(x):
    """Return the number that each image carries."""
    return np.ascontiguousarray(x[:, 0, :4, 0]).view("<u4")[:, 0]


def epoch(shards, plan, number=1, own=None):
    """Return the numbers of an epoch's images, (steps, b)."""
    found = [np.concatenate(step) for step in batches(shards, plan, number, own or range(plan.streams))]
    return np.array([numbers(x) for x in found])


UNEVEN = (70, 3, 41, 100, 1, 22, 63)


@pytest.mark.parametrize("sizes", [UNEVEN, (300,), (40,) * 12, (0, 50, 0, 51)])
@pytest.mark.parametrize("world", [2, 4])
def test_a_batch_is_the_same_however_many_processes_share_it(sizes, world):
    one, plan = made(sizes)
    whole = epoch(one, plan)
    each = plan.streams // world
    parts = [epoch(made(sizes)[0], plan, own=range(r * each, (r + 1) * each)) for r in range(world)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize("sizes", [UNEVEN, (300,), (40,) * 12, (0, 50, 0, 51), (64,)])
@pytest.mark.parametrize("window", [1, 40 * SIDE**2, 32 << 20])
def test_an_epoch_meets_every_image_and_hardly_any_twice(sizes, window, monkeypatch):
    monkeypatch.setattr(streams, "WINDOW_BYTES", window)
    shards, plan = made(sizes)
    met = epoch(shards, plan)
    assert met.shape == (-(-sum(sizes) // 16), 16)
    assert set(met.ravel()) == set(range(sum(sizes)))
    assert met.size - sum(sizes) < 16
    assert np.unique(met, return_counts=True)[1].max() <= 2


def test_what_is_held_out_is_never_met_and_all_else_is():
    shards, plan = made(UNEVEN, share=0.2)
    starts = np.cumsum((0, *UNEVEN))
    parts = [split(rows, i, len(UNEVEN), 0.2, 0) for i, rows in enumerate(UNEVEN)]
    held = {int(starts[i] + row) for i, (_, rows) in enumerate(parts) for row in rows}
    assert [len(rows) for _, rows in parts] == [14, 1, 8, 20, 0, 4, 13]
    assert [len(rows) for rows, _ in parts] == list(plan.learnt)
    for number in (1, 2):
        assert set(epoch(shards, plan, number).ravel()) == set(range(sum(UNEVEN))) - held


def test_no_more_is_held_out_than_stays_in_memory(monkeypatch):
    monkeypatch.setattr(streams, "HELD_OUT", 10)
    sizes = (100,) * 30
    held = [len(split(rows, i, len(sizes), 0.5, 0)[1]) for i, rows in enumerate(sizes)]
    assert sum(held) == 10
    assert max(held) == 1
    assert sum(made(sizes, share=0.5)[1].learnt) == 3000 - 10


def test_epochs_and_seeds_differ_and_repeat():
    shards, plan = made(UNEVEN)
    first = epoch(shards, plan, 1)
    assert np.array_equal(epoch(shards, plan, 1), first)
    other = made(UNEVEN, seed=1)[1]
    for met in (epoch(shards, plan, 2), epoch(shards, other, 1)):
        assert (met == first).mean() < 0.1


def test_images_are_mixed_within_a_stream_and_a_batch():
    shards, plan = made((200,) * 8, streams=4, batch_size=32)
    met = epoch(shards, plan)
    assert all(len(set(row // 200)) >= 3 for row in met)
    for stream in range(4):
        own = met[:, stream * 8 : (stream + 1) * 8].ravel()
        assert abs(np.corrcoef(own % 200, np.arange(len(own)))[0, 1]) < 0.2  # a shard's rows, in no order
        assert (np.diff(own.astype(int)) == 1).mean() < 0.05


@pytest.mark.parametrize("world", [1, 2, 4])
def test_a_process_reads_its_part_and_the_shards_where_streams_meet(world):
    sizes = (50,) * 40
    plan = made(sizes, streams=8)[1]
    each = 8 // world
    read = []
    for r in range(world):
        shards = made(sizes)[0]
        epoch(shards, plan, own=range(r * each, (r + 1) * each))
        assert len(shards.read.reads) <= 40 / world + each
        read.append(set(shards.read.reads))
    assert set.union(*read) == set(range(40))
    assert all(len(read[a] & read[b]) <= 1 for a in range(world) for b in range(a))


def test_streams_that_share_one_shard_read_it_once():
    shards, plan = made((500,), streams=8)
    epoch(shards, plan)
    assert shards.read.reads == [0]


def test_windows_are_read_ahead_by_a_thread_and_no_further_than_memory_does_for(monkeypatch):
    monkeypatch.setattr(streams, "WINDOW_BYTES", 1)  # a window is a piece
    shards, plan = made((16,) * 64, streams=4)
    with closing(batches(shards, plan, 1, range(4))) as found:
        next(found)
        deadline = time.monotonic() + 10
        while len(shards.read.reads) < 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(shards.read.reads) == 8  # a window of each stream, and the next of each
    assert {name.split("_")[0] for name in shards.read.threads} == {"shards"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("shards")]


def test_an_error_of_the_reader_reaches_who_asks():
    shards, plan = made(UNEVEN)

    def read(item):
        if item.number == 3:
            raise DataError("part-3 is cut off")
        return shards.read(item)

    with pytest.raises(DataError, match="part-3 is cut off"):
        epoch(Shards(shards.items, read, shards.image_shape), plan)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("shards")]


def test_a_shard_that_changed_is_named():
    shards = made(UNEVEN)[0]
    plan = made((70, 3, 41, 99, 1, 22, 63))[1]
    with pytest.raises(DataError, match=r"part-3 has 100 pictures .* at first it had 99"):
        epoch(shards, plan)
    with pytest.raises(DataError, match=r"part-\d has pictures uint8 \(8, 8, 1\), not uint8 \(8, 8, 3\)"):
        list(islice(batches(Shards(shards.items, shards.read, (8, 8, 3)), plan, 1, range(4)), 1))


def test_streams_have_as_many_rows_each():
    dealt = deal(made(UNEVEN, streams=8)[1], 1)
    rows = [sum(piece.stop - piece.start for piece in pieces) for pieces in dealt]
    assert sum(rows) == sum(UNEVEN)
    assert max(rows) - min(rows) <= 1


def test_there_must_be_a_row_for_each_stream():
    assert len(deal(made((5, 3), streams=8)[1], 1)) == 8
    with pytest.raises(DataError, match="8 streams need as many images to learn from; the shards have 7"):
        deal(made((5, 2), streams=8)[1], 1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((6, 60, 1, 1), "streams 6 must be a power of two between 1 and 1024"),
        ((0, 64, 1, 1), "streams 0 must be a power of two"),
        ((2048, 2048, 1, 1), "streams 2048 must be a power of two"),
        ((8, 100, 1, 1), "batch_size 100 must be a multiple of the 8 streams"),
        ((8, 64, 3, 1), "3 processes cannot share 8 streams"),
        ((8, 64, 16, 1), "16 processes cannot share 8 streams"),
        ((8, 64, 2, 3), "accumulate 3 must divide the 4 streams that each of 2 processes reads"),
        ((8, 64, 1, 0), "accumulate 0 must divide"),
    ],
)
def test_what_cannot_be_shared_evenly_is_refused(given, told):
    with pytest.raises(ConfigError, match=told):
        check(*given)
    check(8, 64, 2, 4)

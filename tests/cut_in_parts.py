"""Vectors cut into parts on the disk, and an engine that works as remote workers do: copies by pickle, ends in any order."""

import pickle
from functools import cache

import numpy as np
import pyarrow as pa

from core import parts
from core.engines import Outcome
from core.errors import ExplorerError
from core.images import SampleSource, load
from core.latents import encode
from core.plans import KeptModel
from core.progress import Progress
from core.shards import columns
from core.stages import read_model

SIZES = (700, 0, 1300, 1, 999)  # in turn, until all rows are in a part


def cut(root, values, stage="encoded", column="latents", sizes=SIZES, **more):
    """Write values (n, d) and columns beside them as parts of these sizes; the numbers leave gaps."""
    start, number, numbers = 0, 3, []
    while start < len(values):
        rows = slice(start, start + sizes[len(numbers) % len(sizes)])
        table = pa.table({column: parts.vectors(values[rows]), **{name: given[rows] for name, given in more.items()}})
        parts.write(str(root), stage, number, table, "made", {})
        start, number = rows.stop, number + 2
        numbers.append(number - 2)
    return columns.find(str(root), stage, column, numbers)


def whole(root, vectors, stage, column):
    """Return a column of all parts of a stage, one after another."""
    tables = [parts.read(str(root), stage, number, [column]) for number in vectors.numbers]
    column = pa.concat_tables(tables).column(column)
    return parts.matrix(column) if pa.types.is_fixed_size_list(column.type) else np.array(column.to_pylist())


class Shuffled:
    """Sends everything through pickle and gives outcomes in an order that is drawn at random."""

    name = "shuffled"

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)

    def each(self, make, items, callback, stage, *, unit="shard", heavy=True):
        assert not heavy
        for done, index in enumerate(self.random.permutation(len(items))):
            work = pickle.loads(pickle.dumps(make))()
            try:
                outcome = Outcome(int(index), work(pickle.loads(pickle.dumps(items[index]))))
            except ExplorerError as error:
                outcome = Outcome(int(index), None, str(error))
            yield pickle.loads(pickle.dumps(outcome))
            callback(Progress(stage, done + 1, len(items), unit))


@cache
def digits():
    """Return latents float32 (5000, d) of the shipped digits by the shipped model, and labels (5000,)."""
    images = load(SampleSource("digits"))
    return encode(read_model(KeptModel("digits")), images).latents, images.y


def blobs(n=6000, k=5, d=8, seed=0):
    """Return k well separated groups of different sizes, float32 (n, d), and their numbers, in a random order."""
    rng = np.random.default_rng(seed)
    y = rng.choice(k, n, p=np.arange(1, k + 1) / (k * (k + 1) / 2))
    return (rng.normal(size=(n, d)) + 12 * np.eye(k, d)[y]).astype(np.float32), y

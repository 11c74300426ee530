"""Some images of a run over shards as `Results` in memory, for what is drawn: pages and pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core import parts
from core.clustering import Clustering
from core.engines import Engine
from core.errors import DataError
from core.images import ImageSet
from core.imageset import image_set
from core.latents import Latents, decode
from core.plans import Results, Staged
from core.progress import Callback, ignore
from core.projection import Projection, Reduced
from core.readers.pictures import Frame
from core.readers.shards import Shard, read_shard
from core.readers.sources import ShardedSource
from core.shards.columns import Vectors
from core.shards.results import ShardedResults
from core.shards.rows import Rows

MOST = 20_000  # images of a page


@dataclass(frozen=True)
class _Pixels:
    """Makes what reads the images of some rows of a shard, uint8 (m, h, w, c)."""

    source: ShardedSource
    frame: Frame

    def __call__(self) -> Callable[[tuple[Shard, np.ndarray]], np.ndarray]:
        return self._of

    def _of(self, item: tuple[Shard, np.ndarray]) -> np.ndarray:
        shard, rows = item
        return np.ascontiguousarray(read_shard(self.source, shard, self.frame).x[rows])


def chosen(results: ShardedResults, most: int = MOST, seed: int = 0) -> np.ndarray:
    """Return all rows, or `most` of them chosen at random and in order, int64 (m,)."""
    if results.n <= most:
        return np.arange(results.n)
    return np.sort(np.random.default_rng(seed).choice(results.n, most, replace=False))


def gathered(
    results: ShardedResults, engine: Engine, rows: np.ndarray, dimensions: int = 2, callback: Callback = ignore
) -> Results:
    """Return some images with all that was found of them, their reconstructions made anew of their latents.

    Raises
    ------
    DataError : a shard cannot be read any more. Cancelled : raised by the callback.
    """
    sizes = tuple(part.rows for part in results.encoded.parts)

    def vectors(stage: str, column: str) -> np.ndarray:
        return Rows(Vectors(results.root, stage, column, results.numbers, sizes))[rows]

    latents = vectors("encoded", "latents")
    centers, on = results.centers, results.plan.cluster.on
    clustering = Clustering(results.labels[rows], centers.centers, centers.inertia, centers.n_iter)
    reduced = latents if results.variance is None else vectors("reduced", "values")
    placed = results.maps[dimensions]
    axes = ("x", "y", "z")[:dimensions]
    places = np.stack([_column(results, f"map{dimensions}", axis)[rows] for axis in axes], axis=1)  # (m, dimensions)
    sampled = placed.fitted < placed.n
    projection = Projection(
        places, placed.explained_variance_ratio, placed.kl_divergence, placed.fitted if sampled else None,
        placed.kept_fitted.share if sampled and placed.kept_fitted else None,
        placed.kept_placed.share if sampled and placed.kept_placed else None,
    )  # fmt: skip
    encoded = Latents(latents, decode(results.model.value, latents), results.errors[rows])
    return Results(
        _staged(_images(results, engine, rows, callback)), _staged(results.model.value), _staged(encoded),
        _staged(Reduced(reduced, results.variance)), None, _staged(projection), _staged(clustering), on, plan=results.plan,
    )  # fmt: skip


def _staged(value: Any) -> Staged[Any]:
    return Staged(value, "", False, 0.0)  # some rows of a stage are in no store


def _column(results: ShardedResults, stage: str, name: str) -> np.ndarray:
    """Return a column of numbers of all rows, (n,)."""
    found = [parts.read(results.root, stage, number, [name])[name].to_numpy() for number in results.numbers]
    return np.concatenate(found)


def _images(results: ShardedResults, engine: Engine, rows: np.ndarray, callback: Callback) -> ImageSet:
    by_number = {shard.number: shard for shard in results.shards}
    items, ids, at = [], [], 0
    for part in results.encoded.parts:
        own = rows[(rows >= at) & (rows < at + part.rows)] - at
        at += part.rows
        if len(own):
            items.append((by_number[part.number], own))
            ids += parts.read(results.root, "encoded", part.number, ["id"])["id"].take(own).to_pylist()
    found: dict[int, np.ndarray] = {}
    for outcome in engine.each(
        _Pixels(results.source, results.frame), items, callback, "Reading images to show", heavy=False
    ):
        if outcome.value is None:
            raise DataError(f"{items[outcome.index][0].name} cannot be read any more: {outcome.problem}")
        found[outcome.index] = outcome.value
    x = np.concatenate([found[i] for i in range(len(items))])  # (m, h, w, c)
    y = None if results.y is None else results.y[rows].astype(np.int64)
    name = results.name if len(rows) == results.n else f"{results.name}, {len(rows):,} of {results.n:,}"
    return image_set(x, y, results.classes, ids=ids, name=name)

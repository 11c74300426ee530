"""Encode a set shard by shard: each becomes a part of latents, errors, thumbnails and what the data say of each image.

Latents are those that `core.latents.encode` gives of the whole set at once, to the last bit on a CPU with as many threads, as
every batch here is a full one: there a row's bits do not hang on the other rows, but matrices of a few rows are multiplied in
another way (measured: batches of 1 to 3, and with 2 threads the rows beyond a multiple of 4, have other last bits).
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from core import latents, parts
from core.config import FeaturesConfig
from core.engines import Engine
from core.errors import CheckpointError, ExplorerError, ExportError, one_line
from core.imageset import Skipped, image_set
from core.latents import BATCH
from core.models import TrainedModel
from core.parts import Part
from core.progress import Callback, ignore
from core.readers.pictures import Frame
from core.readers.shards import Shard, ShardImages, read_shard
from core.readers.sources import ShardedSource
from core.shards.thumbnails import thumbnails
from core.store import key_of

STAGE = "encoded"
SLICE = 64 * BATCH  # images of a shard that are encoded at a time
SLICE_BYTES = 64 << 20  # and at most so much of them
NAMED = 20  # pictures that could not be used and are named in a part
LONGEST = 100  # letters of a column's name
RESERVED = (  # columns of all stages, and those of the table that is made of them
    *("id", "label", "error", "latents", "thumbnail", "values", "cluster", "distance", "x", "y", "z", "fitted"),
    *("suspect", "looks_like", "neighbours", "margin", "part", "row", "at"),
)


@dataclass(frozen=True)
class Encoded:
    """The encoded parts of a set.

    Parameters
    ----------
    parts : by number. problems : shards of which there is none, and why.
    n : images in all parts. skipped : pictures of them that could not be used.
    found : how many parts were there already.
    """

    parts: tuple[Part, ...]
    problems: tuple[Skipped, ...]
    n: int
    skipped: int
    found: int


def encode(
    engine: Engine,
    source: ShardedSource,
    shards: Sequence[Shard],
    frame: Frame,
    model: TrainedModel,
    root: str,
    key: str,
    callback: Callback = ignore,
    device: str | None = None,
) -> Encoded:
    """Encode the shards of which there is no part of this key yet: of other shards a part may be there, and stay.

    A shard that cannot be read is a problem of its own; the others are encoded.

    Raises
    ------
    CheckpointError : the model reads other images, or gives latents that are not finite.
    ExportError : a part cannot be written.
    """
    if isinstance(model.autoencoder, FeaturesConfig):
        raise CheckpointError("Features of a pretrained network cannot be made shard by shard; take another model.")
    if model.image_shape != (frame.h, frame.w, frame.channels):
        given = (frame.h, frame.w, frame.channels)
        raise CheckpointError(
            f"The model reads images {model.image_shape}; those of the shards are brought to {given}."
        )
    there = parts_of(root, shards, key)
    made, problems = dict(there), []
    missing = [shard for shard in shards if shard.number not in there]
    work = Encoding(source, frame, model, root, key, device)
    for outcome in engine.each(work, missing, callback, "Encoding"):
        shard = missing[outcome.index]
        if isinstance(outcome.value, ExplorerError):
            raise outcome.value
        if outcome.value is None:
            problems.append((shard.number, Skipped(shard.name, outcome.problem or "it gave nothing")))
        else:
            made[shard.number] = outcome.value
    found = [made[number] for number in sorted(made)]
    return Encoded(
        tuple(found),
        tuple(problem for _, problem in sorted(problems, key=lambda item: item[0])),
        sum(part.rows for part in found),
        sum(int(part.info.get("skipped", 0)) for part in found),
        len(there),
    )


@dataclass(frozen=True, eq=False)
class Encoding:
    """What a worker needs to encode shards."""

    source: ShardedSource
    frame: Frame
    model: TrainedModel
    root: str
    key: str
    device: str | None = None

    def __call__(self) -> Callable[[Shard], Part | ExplorerError]:
        """Return what encodes a shard. A worker has the model from here on; its weights came along, once."""
        return self._of

    def _of(self, shard: Shard) -> Part | ExplorerError:
        """Encode a shard and write its part, or return what is wrong with more than this shard.

        Raises
        ------
        DataError : the shard cannot be read.
        """
        there = parts_of(self.root, [shard], self.key)  # by another run, or by a worker that died
        if shard.number in there:
            return there[shard.number]
        started = time.perf_counter()
        images = read_shard(self.source, shard, self.frame)
        try:
            table = table_of(self.model, images, shard.name, self.device)
            named = [[item.id, item.reason] for item in images.skipped[:NAMED]]
            info = {"shard": shard.name, "skipped": len(images.skipped), "named": named}
            seconds = round(time.perf_counter() - started, 3)
            own = key_of_part(self.key, shard)
            return parts.write(self.root, STAGE, shard.number, table, own, {**info, "seconds": seconds})
        except (CheckpointError, ExportError) as error:
            return error


def key_of_part(key: str, shard: Shard) -> str:
    """Key of a shard's part: a shard that is one of more, or of fewer, than before is not encoded again."""
    return key_of(1, key, shard.name, shard.size, len(shard.names))


def parts_of(root: str, shards: Sequence[Shard], key: str) -> dict[int, Part]:
    """Return the parts that are there of these shards, by number."""
    wanted = {shard.number: key_of_part(key, shard) for shard in shards}
    found = parts.looked(root, STAGE, wanted)
    return {number: part for number, part in found.items() if part.info.get("key") == wanted[number]}


def table_of(model: TrainedModel, images: ShardImages, name: str, device: str | None = None) -> pa.Table:
    """Encode the images of a shard: the columns of its part, a row each.

    Raises
    ------
    CheckpointError : the model gives latents that are not finite.
    """
    z, errors = _encoded(model, images.x, name, device)
    columns: dict[str, Any] = {
        "id": _texts(images.ids),
        "label": _texts(images.labels or [None] * len(images.ids)),
        "error": pa.array(errors, pa.float32()),
        "latents": parts.vectors(z),
        "thumbnail": thumbnails(images.x),
    }
    names = own_names(images.columns)
    columns |= {names[column]: _column(values) for column, values in images.columns.items()}
    return pa.table(columns)


def own_names(columns: Iterable[str]) -> dict[str, str]:
    """Return a name for each column of the data that no other column of any stage has, in capitals or not."""
    taken = set(RESERVED)
    names: dict[str, str] = {}
    for column in columns:
        name = one_line(column)[:LONGEST].strip() or "column"
        while name.casefold() in taken:
            name = f"{name} (data)"
        taken.add(name.casefold())
        names[column] = name
    return names


def _encoded(model: TrainedModel, x: np.ndarray, name: str, device: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return latents, float32 (n, d), and errors, float32 (n,), of images uint8 (n, h, w, c)."""
    step = min(SLICE, max(1, SLICE_BYTES // (x[0].nbytes * BATCH)) * BATCH)
    z, errors = np.empty((len(x), model.n_latents), np.float32), np.empty(len(x), np.float32)
    for start in range(0, len(x), step):
        some = x[start : start + step]
        rows, lacking = len(some), -len(some) % BATCH
        if lacking:
            some = np.concatenate([some, np.repeat(some[-1:], lacking, axis=0)])
        made = latents.encode(model, image_set(some, name=name), device=device)
        assert made.errors is not None  # only a classifier gives none
        z[start : start + rows], errors[start : start + rows] = made.latents[:rows], made.errors[:rows]
    return z, errors


def _texts(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, pa.string())


def _column(values: np.ndarray) -> pa.Array:
    if values.dtype.kind == "f":
        return pa.array(values, pa.float64())
    return _texts([str(value) for value in values])

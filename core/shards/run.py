"""A whole run over shards: each stage in its turn, those that are there already left as they are.

Keys chain as in `core.keys`: encoded ← model + shards; reduced ← encoded + config; clustered, maps ← what they are made of +
config; suspects ← latents + groups. Where the parts lie on this computer, two runs in one place go one after the other.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from core import atlas, checkpoints, locks, parts, report
from core.config import ReductionConfig, to_json
from core.engines import Engine
from core.errors import DataError
from core.images import source_to_json
from core.models import TrainedModel
from core.plans import Plan, Staged
from core.progress import Callback, Progress, ignore
from core.readers import remote
from core.readers.addresses import is_address
from core.readers.pictures import Frame
from core.readers.shards import Shard
from core.readers.sources import ShardedSource
from core.shards import index, moments, placing, records, summaries, suspects
from core.shards.clustering import kmeans
from core.shards.columns import Vectors
from core.shards.encoding import encode
from core.shards.placing import Placed
from core.shards.results import ShardedResults
from core.shards.suspects import Grouping
from core.store import key_of

# Bump a number when its stage's algorithm changes: old parts are then made again.
VERSIONS = {"encoded": 1, "reduced": 1, "clustered": 1, "map": 1, "index": 1, "suspects": 1, "atlas": 1}
LOCK, MODEL, INDEX = ".lock", "model.safetensors", "index.faiss"
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Run:
    """What is to be done with the images of some shards, and where its parts lie; `solid` asks for a 3-D map as well."""

    root: str
    source: ShardedSource
    shards: tuple[Shard, ...]
    frame: Frame
    plan: Plan
    model: Staged[TrainedModel]
    solid: bool = False
    device: str | None = None


@dataclass
class _Clock:
    """Seconds of each stage, and whether it was there already."""

    told: Callable[[str, float], None]
    seconds: dict[str, float] = field(default_factory=dict)
    found: dict[str, bool] = field(default_factory=dict)

    def tell(self, stage: str, started: float, found: bool) -> None:
        self.seconds[stage], self.found[stage] = time.perf_counter() - started, found
        self.told(stage, self.seconds[stage])


def run(
    engine: Engine,
    asked: Run,
    callback: Callback = ignore,
    told: Callable[[str, float], None] = lambda stage, seconds: None,
) -> ShardedResults:
    """Encode, reduce, cluster, lay out, look for suspects, and make the atlas that the dashboard opens.

    Parameters
    ----------
    told : gets the name and seconds of each stage when it has ended.

    Raises
    ------
    ConfigError : a setting cannot work with shards or with so many images.
    DataError : no shard can be read. ExportError : the parts cannot be written. Cancelled : raised by the callback.
    """
    with _alone(asked.root, callback):
        return _stages(engine, asked, callback, _Clock(told))


def _stages(engine: Engine, asked: Run, callback: Callback, clock: _Clock) -> ShardedResults:
    root, plan, model = asked.root, asked.plan, asked.model.value
    clock.seconds["model"], clock.found["model"] = asked.model.seconds, asked.model.found
    key = encoded_key(asked)
    started = time.perf_counter()
    encoded = encode(engine, asked.source, asked.shards, asked.frame, model, root, key, callback, asked.device)
    clock.tell("encoded", started, encoded.found == len(encoded.parts))
    if not encoded.parts:
        first = next((f" The first: {item.id}: {item.reason}." for item in encoded.problems), "")
        raise DataError(f"None of the {len(asked.shards):,} shards of {asked.source.path} can be read.{first}")
    remote.write(parts.beside(root, MODEL), checkpoints.checkpoint_bytes(model))
    numbers, sizes = tuple(part.number for part in encoded.parts), tuple(part.rows for part in encoded.parts)
    key = key_of(
        VERSIONS["encoded"], [part.info["key"] for part in encoded.parts], list(sizes)
    )  # one more changes the rest
    latents = Vectors(root, "encoded", "latents", numbers, sizes)
    variance, reduced, reduced_key = _reduced(engine, asked, latents, key, callback, clock)
    maps = {
        d: _map(engine, asked, reduced, d, reduced_key, callback, clock) for d in ((2, 3) if asked.solid else (2,))
    }
    on = {"latents": latents, "reduced": reduced, "projection": replace(reduced, stage="map2", column=("x", "y"))}
    what = on[plan.cluster.on]
    cluster_key = key_of(VERSIONS["clustered"], reduced_key if what is not latents else key, to_json(plan.cluster))
    if plan.cluster.on == "projection":
        cluster_key = key_of(VERSIONS["clustered"], cluster_key, to_json(plan.projection))
    centers = _kept(
        root, "clustered", cluster_key, clock, numbers, records.centers_to_json, records.centers_from_json,
        lambda: kmeans.cluster(engine, what, plan.cluster.method, root, cluster_key, callback),
    )  # fmt: skip
    made = ShardedResults(
        root, asked.source, asked.shards, asked.frame, plan, asked.model, encoded, reduced, what, centers, maps, variance,
        seconds=clock.seconds, found=clock.found,
    )  # fmt: skip
    made = _suspected(engine, made, latents, (key, cluster_key), callback, clock)
    _atlas(made, key_of(VERSIONS["map"], reduced_key, to_json(plan.projection), cluster_key), callback, clock)
    return made


def encoded_key(asked: Run) -> str:
    """Key of the encoded parts: the model, and how images are read; each part has its shard's name and size beside it."""
    frame = asked.frame
    read = {name: value for name, value in source_to_json(asked.source).items() if name != "path"}
    how = [frame.h, frame.w, frame.channels, read]
    return key_of(VERSIONS["encoded"], asked.model.value.fingerprint, how)


def _reduced(
    engine: Engine, asked: Run, latents: Vectors, key: str, callback: Callback, clock: _Clock
) -> tuple[Any, Vectors, str]:
    """Return the variance that is kept, what is mapped, and its key: the latents where nothing is done to them."""
    config = asked.plan.reduction
    if config == ReductionConfig():
        return None, latents, key
    own = key_of(VERSIONS["reduced"], key, to_json(config))
    found = _kept(
        asked.root, "reduced", own, clock, latents.numbers, records.reduced_to_json, records.reduced_from_json,
        lambda: moments.reduce(engine, latents, config, asked.root, own, callback),
    )  # fmt: skip
    return found.explained_variance_ratio, replace(latents, stage="reduced", column="values"), own


def _map(
    engine: Engine, asked: Run, reduced: Vectors, dimensions: int, key: str, callback: Callback, clock: _Clock
) -> Placed:
    config: Any = replace(asked.plan.projection, n_components=dimensions)
    own = key_of(VERSIONS["map"], key, to_json(config))
    return _kept(
        asked.root, f"map{dimensions}", own, clock, reduced.numbers, records.placed_to_json, records.placed_from_json,
        lambda: placing.project(engine, reduced, config, dimensions, asked.root, own, callback),
    )  # fmt: skip


def _suspected(
    engine: Engine, made: ShardedResults, latents: Vectors, keys: tuple[str, str], callback: Callback, clock: _Clock
) -> ShardedResults:
    """Look for suspects where there are groups to compare and FAISS is installed."""
    grouping: Grouping = "label" if len(made.classes) > 1 else "cluster"
    if find_spec("faiss") is None or (grouping == "cluster" and (made.centers.sizes > 0).sum() < 2):
        return made
    path, (key, cluster_key) = parts.beside(made.root, INDEX), keys
    index_key = key_of(VERSIONS["index"], key)
    info = _kept(
        made.root, "index", index_key, clock, (), records.index_to_json, records.index_from_json,
        lambda: index.build_index(latents, path, callback),
    )  # fmt: skip
    own = key_of(VERSIONS["suspects"], index_key, grouping, cluster_key if grouping == "cluster" else "")
    found = _kept(
        made.root, "suspects", own, clock, made.numbers, records.suspected_to_json, records.suspected_from_json,
        lambda: suspects.suspects(engine, latents, made.root, path, grouping, own, callback),
    )  # fmt: skip
    return replace(made, index=info, suspected=found)


def _atlas(made: ShardedResults, key: str, callback: Callback, clock: _Clock) -> None:
    own = key_of(VERSIONS["atlas"], key, made.suspected is not None, made.index is not None)

    def make() -> dict[str, Any]:
        there = ("encoded", "clustered", "map2", *(("suspects",) if made.suspected is not None else ()))
        atlas.build(made.root, made.numbers, about(made), callback, stages=there)
        return {"n": made.n}

    _kept(made.root, "atlas", own, clock, (), lambda value: value, lambda value: value, make)


def about(made: ShardedResults) -> dict[str, Any]:
    """Return what is told of a run wherever its atlas is looked at, as plain JSON values."""
    flat, frame = made.maps[2], made.frame
    return {
        "data": made.name,
        "n": made.n,
        "shards": len(made.shards),
        "shards_skipped": len(made.problems),
        "images_skipped": made.encoded.skipped,
        "image_shape": [frame.h, frame.w, frame.channels],
        "map": report.title_of(made.plan.projection),
        "fitted": flat.fitted,
        "kept_fitted": None if flat.kept_fitted is None else flat.kept_fitted.share,
        "kept_placed": None if flat.kept_placed is None else flat.kept_placed.share,
        "groups": "" if made.suspected is None else made.grouping,
    }


def _kept(
    root: str,
    stage: str,
    key: str,
    clock: _Clock,
    numbers: tuple[int, ...],
    to_json: Callable[[T], dict[str, Any]],
    from_json: Callable[[dict[str, Any]], T],
    make: Callable[[], T],
) -> T:
    """Return what a stage found, from its summary where that and all its parts are there, or made and kept."""
    started = time.perf_counter()
    values = summaries.read(root, stage, key)
    if values is not None and len(parts.there(root, stage, numbers, key)) == len(numbers):
        try:
            value = from_json(values)
        except (LookupError, TypeError, ValueError):
            value = None
        if value is not None:
            clock.tell(stage, started, True)
            return value
    made = make()
    summaries.write(root, stage, key, to_json(made))
    clock.tell(stage, started, False)
    return made


@contextmanager
def _alone(root: str, callback: Callback) -> Iterator[None]:
    """Wait until no other run works in this folder; at an address, where there are no locks, both go on and write the same."""
    if is_address(root):
        yield
        return
    folder = Path(root)
    folder.mkdir(parents=True, exist_ok=True)
    with locks.only_one(folder / LOCK, lambda: callback(Progress("Waiting for another run in this folder", 0, 0))):
        yield

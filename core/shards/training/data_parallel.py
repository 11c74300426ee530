"""A model trained on all shards of a set: by this process, by those that torchrun started, or by workers of Ray."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core import models
from core.config import to_json
from core.images import source_to_json
from core.models import TrainedModel, identity
from core.plans import Staged, TrainSpec
from core.progress import Callback
from core.readers.shards import Shard
from core.readers.sources import ShardedSource
from core.store import Store, key_of

TOLD = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # to each process by torchrun
VERSION = 1  # bump it when the training changes
FOLDER = "training"  # of states, from which an interrupted training goes on


@dataclass(frozen=True)
class OnRay:
    """Workers of a Ray cluster, and its address; None for one on this machine."""

    workers: int
    address: str | None = None


def in_torchrun() -> bool:
    """Say whether torchrun, or something like it, started this process as one of a group."""
    return all(os.environ.get(name) for name in TOLD)


def first_of_group() -> bool:
    """Say whether this process is alone, or the first of those that torchrun started."""
    return not in_torchrun() or os.environ["RANK"] == "0"


def trained(
    store: Store,
    source: ShardedSource,
    shards: Sequence[Shard],
    spec: TrainSpec,
    place: Path,
    callback: Callback,
    device: str | None = None,
    ray: OnRay | None = None,
) -> Staged[TrainedModel]:
    """Find a model in the store, or train it on all shards.

    Parameters
    ----------
    place : folder for the states of a training, which all its processes must have.

    Raises
    ------
    ConfigError : settings that cannot work over shards. TrainingError : the loss is not finite.
    Cancelled : the callback asked to stop within the first epoch.
    """
    listed = [[shard.name, shard.size, len(shard.names)] for shard in shards]
    key = key_of(VERSION, source_to_json(source), listed, identity(spec.autoencoder), to_json(spec.training))
    entry = store.get("model", key)
    if entry is not None:
        return Staged(models.from_entry(entry), key, True, entry.seconds)
    started, folder = time.perf_counter(), place / FOLDER / key
    if ray is None:
        from core.shards.training.loop import train  # torch

        found = train(source, spec.autoencoder, spec.training, checkpoint=folder, callback=callback, device=device)
    else:
        from core.shards.training.on_ray import ray_train

        found = ray_train(
            source, spec.autoencoder, spec.training, place / FOLDER, workers=ray.workers, address=ray.address,
            checkpoint=folder, callback=callback,
        )  # fmt: skip
    seconds = time.perf_counter() - started
    if first_of_group() and not found.stopped_early:
        arrays, info = models.to_entry(found)
        store.put("model", key, arrays, {**info, "images": found.trained_on}, seconds)
    return Staged(found, key, False, seconds)

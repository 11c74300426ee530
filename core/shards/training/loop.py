"""Train an autoencoder on images in shards, by any number of processes that each read a part of them.

The model is that of one process: a batch is the same, put together by `streams`, and so are what is drawn at random and the
gradient, the mean over the processes. Only the rounding of sums differs. The networks, the losses and the settings are
those of `core.training`; own labels are not, as looking for clusters takes the latents of all images at once.
"""

import dataclasses
import posixpath
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from core.autoencoders import build
from core.config import FeaturesConfig, ModelConfig, TrainingConfig
from core.devices import algorithms, arrange, halves, to_batch
from core.errors import ConfigError, TrainingError, one_line
from core.latents import to_images
from core.models import TrainedModel
from core.progress import Callback, Cancelled, ignore
from core.readers.pictures import Frame
from core.readers.shards import Shard, find_frame, list_shards, read_shard
from core.readers.sources import ShardedSource
from core.shards.training import steps
from core.shards.training import streams as reading
from core.shards.training.distributed import normalised_together, own_device, rank, still_biases, world
from core.shards.training.keeping import go_on, keep, told_of
from core.shards.training.steps import Run, Views
from core.shards.training.streams import Plan, Shards
from core.shards.training.survey import look_through
from core.training import LOSSES, PREVIEWED, optimizer_of, seeded


def train(
    source: ShardedSource | Shards,
    autoencoder: ModelConfig,
    training: TrainingConfig,
    *,
    streams: int = 8,
    accumulate: int = 1,
    checkpoint: Path | None = None,
    callback: Callback = ignore,
    device: str | None = None,
) -> TrainedModel:
    """Train an autoencoder on shards; every process of a group calls this, and gets the same model.

    Each shard is read once before the first epoch: that tells its pictures that can be used, and keeps in memory those that
    are held out. Shards that cannot be read then are left out, and a warning names them; one that cannot be read later, or
    has changed, is an error. Batch normalisation sees the images of all processes, and leaves the biases before it as they are.

    `callback` gets what the one of `core.training` gets, with pictures where this process holds some out. When it asks to
    stop in one process, all stop after their batch.

    Parameters
    ----------
    streams : what batches are put together from; a power of two that the processes share evenly.
    accumulate : parts of a process's share of a batch that are computed one after the other, where memory does not do for all.
        Batch normalisation then sees the parts.
    checkpoint : folder where the state is kept after each epoch, by the first process, and where it goes on from, to the
        same weights; also with other processes, or with more epochs.

    Raises
    ------
    TrainingError : the loss is not finite. Cancelled : a callback asked to stop within the first epoch.
    ConfigError : settings that cannot work over shards. DataError : there is nothing to learn from, or it changes meanwhile.
    CheckpointError : the state cannot be kept, or is of another training.
    """
    _check(autoencoder, training, streams, accumulate)
    on = own_device(device)
    shards = source if isinstance(source, Shards) else opened(source)
    plan, held, left_out = look_through(shards, training, streams, callback, on)
    run = _begun(shards, autoencoder, training, plan, held, on)
    run.accumulate, run.callback, run.left_out = accumulate, callback, left_out
    told = told_of(run, autoencoder)
    go_on(run, checkpoint, told)
    with algorithms(training.deterministic), _quiet():
        stopped = _epochs(run, checkpoint, told)
    done = dataclasses.replace(training, epochs=len(run.history))
    history = tuple(run.history)
    return TrainedModel(
        autoencoder, done, shards.image_shape, run.complete, history, shards.name, stopped_early=stopped
    )


def opened(source: ShardedSource) -> Shards:
    """List the shards of a source, each to be read when its turn comes.

    Raises
    ------
    DataError : there are none, or none of the first can be read.
    """
    listed = list_shards(source)
    frame = find_frame(source, listed)
    name = posixpath.basename(source.path.rstrip("/")) or source.path
    return Shards(listed, _Read(source, frame), (frame.h, frame.w, frame.channels), one_line(name))


@dataclasses.dataclass(frozen=True)
class _Read:
    """Reads the pictures of a shard, without what else it holds."""

    source: ShardedSource
    frame: Frame

    def __call__(self, shard: Shard) -> np.ndarray:
        return read_shard(self.source, shard, self.frame).x


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out a warning of weights for images of one channel, for which two layouts of memory are the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides", UserWarning)
        yield


def _epochs(run: Run, checkpoint: Path | None, told: dict[str, Any]) -> bool:
    """Train the epochs that are left and return whether it was stopped before the last."""
    try:
        for number in range(len(run.history) + 1, run.config.epochs + 1):
            steps.epoch(run, number)
            keep(run, checkpoint, told)
            _report_epoch(run)
    except Cancelled:
        if not run.history:
            raise
        return True
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingError(
            f"The device has too little memory for {run.plan.batch_size // world() // run.accumulate} images at once; set "
            f"accumulate above {run.accumulate}, or start more processes."
        ) from error
    return False


def _check(autoencoder: ModelConfig, training: TrainingConfig, streams: int, accumulate: int) -> None:
    reading.check(streams, training.batch_size, world(), accumulate)
    if isinstance(autoencoder, FeaturesConfig):
        raise ConfigError("Pretrained features cannot be decoded over shards; choose an autoencoder.")
    if training.self_label_clusters:
        raise ConfigError(
            f"self_label_clusters {training.self_label_clusters} must be 0 over shards: own labels need the latents of all "
            "images at once; train on a sample on one machine."
        )
    if training.contrast and accumulate > 1:
        raise ConfigError(
            f"accumulate {accumulate} must be 1 with contrast, which tells images of the whole batch apart."
        )


def _begun(
    shards: Shards,
    autoencoder: ModelConfig,
    training: TrainingConfig,
    plan: Plan,
    held: dict[int, np.ndarray],
    device: torch.device,
) -> Run:
    with seeded(training.seed):
        module = build(autoencoder, shards.image_shape)
    still_biases(module)
    arrange(normalised_together(module.to(device), device))
    module.train()
    forward: nn.Module = Views(module)
    if world() > 1:
        ids = [device] if device.type == "cuda" else None
        forward = DistributedDataParallel(forward, device_ids=ids)
    each = plan.streams // world()
    run = Run(
        shards, training, plan, device, range(rank() * each, (rank() + 1) * each), held, module, forward,
        optimizer_of([p for p in module.parameters() if p.requires_grad], training), LOSSES[training.loss](),
        torch.amp.GradScaler(device.type, enabled=halves(training.precision, device) == torch.float16),
        autoencoder.value_range,
    )  # fmt: skip
    run.start_clock()
    return run


@torch.inference_mode()
def _report_epoch(run: Run) -> None:
    last = run.history[-1]
    metrics = {"epoch": float(last.epoch), "train_loss": last.train_loss}
    if last.validation_loss is not None:
        metrics["validation_loss"] = last.validation_loss
    preview: dict[str, object] = {"epoch": last.epoch, "history": tuple(run.history)}
    shown = next(iter(run.held.values()), None)
    if shown is not None:
        run.module.eval()
        made = run.module(to_batch(shown[:PREVIEWED], run.device, run.value_range))
        preview |= {"originals": shown[:PREVIEWED], "reconstructions": to_images(made, run.value_range)}
    run.report(metrics, preview)

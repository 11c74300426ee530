"""The epochs of a training over shards: what they share in one process, and what a step computes."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from core.autoencoders import Autoencoder, to_weights
from core.config import TrainingConfig, ValueRange
from core.contrast import nt_xent
from core.devices import autocast, to_batch
from core.errors import DataError, TrainingError
from core.jitter import jittered
from core.models import Epoch
from core.progress import Callback, Cancelled, Progress, ignore, stopwatch
from core.shards.training.distributed import agree, gathered, raise_any, rank, summed, world
from core.shards.training.streams import JITTER, Plan, Shards, batches

REPORT_SECONDS = 0.1
AT_ONCE = 512  # held-out images that are looked at together
Batches = Iterator[tuple[np.ndarray, ...]]


@dataclass
class Run:
    """What the epochs of one training share, in one process, and how far they are.

    Parameters
    ----------
    own : the streams that this process reads. held : its held-out images, uint8 (k, h, w, c), by shard.
    complete : the weights after the last complete epoch.
    stop : whether this process's callback asked to.
    """

    shards: Shards
    config: TrainingConfig
    plan: Plan
    device: torch.device
    own: range
    held: dict[int, np.ndarray]
    module: Autoencoder
    forward: nn.Module
    optimizer: torch.optim.Optimizer
    loss: nn.Module
    scaler: torch.amp.GradScaler
    value_range: ValueRange
    accumulate: int = 1
    callback: Callback = ignore
    left_out: tuple[str, ...] = ()
    history: list[Epoch] = field(default_factory=list)
    complete: dict[str, np.ndarray] = field(default_factory=dict)
    went_on: str = ""
    stop: bool = False
    step: int = 0
    total: float = 0.0
    reported: float = 0.0

    def start_clock(self) -> None:
        """Estimate the time left from here on."""
        self._before = self.done
        self._seconds_left = stopwatch(self.config.epochs * self.plan.steps - self._before)

    @property
    def done(self) -> int:
        return len(self.history) * self.plan.steps + self.step

    def report(self, metrics: dict[str, float], preview: dict[str, object] | None = None) -> None:
        left = self._seconds_left(self.done - self._before)
        if preview is not None:
            preview |= {"left_out": self.left_out} if self.left_out else {}
            preview |= {"went_on": self.went_on} if self.went_on else {}
        total = self.config.epochs * self.plan.steps
        try:
            self.callback(Progress("Training", self.done, total, "batch", left, metrics, preview))
        except Cancelled:
            self.stop = True  # the others are told after the next batch
        self.reported = time.monotonic()


class Views(nn.Module):
    """What a step computes of its images, in one call, as the gradients of all processes meet only after such a one."""

    def __init__(self, module: Autoencoder) -> None:
        super().__init__()
        self.module = module

    def forward(self, *views: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the first view's images (b, c, h, w) as they come back, and the latents (b, d) of each view."""
        latents = self.module.encode(torch.cat(views))
        parts = latents.split(len(views[0]))
        return self.module.decode(parts[0]), *parts


def epoch(run: Run, number: int) -> None:
    """Train an epoch.

    Raises
    ------
    TrainingError : the loss is not finite. Cancelled : a callback asked to stop, in any process.
    DataError : a shard cannot be read any more.
    """
    started = time.perf_counter()
    for group in run.optimizer.param_groups:
        group["lr"] = run.config.learning_rate * run.config.decay ** (number - 1)
    run.module.train()
    run.step, run.total = 0, 0.0
    with closing(batches(run.shards, run.plan, number, run.own)) as found:
        rows, problem = _next(found)
        agree(problem, run.device)
        while rows is not None:
            value, rows = _step(run, number, rows, found)
            run.total += value
            run.step += 1
            now = time.monotonic()
            if now - run.reported >= REPORT_SECONDS:
                run.report({"epoch": number, "train_loss": run.total / run.step})
    run.step = 0
    validation = _validation_loss(run)
    seconds = summed([0.0 if rank() else round(time.perf_counter() - started, 3)], run.device)[0]
    weights = to_weights(run.module)
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise _ran_away(f"The weights are not finite after epoch {number}", run)
    run.history.append(Epoch(number, run.total / run.plan.steps, validation, seconds))
    run.complete = weights


def _next(found: Batches) -> tuple[tuple[np.ndarray, ...] | None, DataError | None]:
    """Return the next rows, None at the end, or why they cannot be read: an error that all processes must hear of."""
    try:
        return next(found, None), None
    except DataError as error:
        return None, error


def _step(
    run: Run, number: int, rows: Sequence[np.ndarray], found: Batches
) -> tuple[float, tuple[np.ndarray, ...] | None]:
    """Learn from a batch, and return its loss of the reconstruction, over all processes, and the next batch's rows."""
    run.optimizer.zero_grad(set_to_none=True)
    size, total = len(run.own) // run.accumulate, 0.0
    for start in range(0, len(run.own), size):
        part = slice(start, start + size)
        last = start + size == len(run.own)
        together = (
            run.forward.no_sync() if isinstance(run.forward, DistributedDataParallel) and not last else nullcontext()
        )
        with together:
            told, loss = _losses(run, number, run.own[part], rows[part])
            run.scaler.scale(loss / run.accumulate).backward()
        total += float(told.detach()) / run.accumulate if math.isfinite(float(loss.detach())) else math.nan
    coming, problem = _next(found)
    value, stopped, failed = summed([total / world(), run.stop, problem is not None], run.device)
    raise_any(problem, failed)
    if not math.isfinite(value):
        raise _ran_away(f"The loss is {value} in epoch {number}", run)
    if stopped:
        raise Cancelled
    run.scaler.step(run.optimizer)
    run.scaler.update()
    return value, coming


def _losses(
    run: Run, number: int, streams: Sequence[int], rows: Sequence[np.ndarray]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of the reconstruction of some streams' images, and that which is learnt from."""
    config = run.config
    contrast = config.contrast if config.batch_size > 1 else 0.0
    views: list[list[torch.Tensor]] = [[], []]
    for stream, x in zip(streams, rows, strict=True):
        batch = to_batch(x, run.device, run.value_range)  # (b / streams, c, h, w)
        random = np.random.default_rng([config.seed, JITTER, number, run.step, stream])
        for view in views[: 2 if contrast else 1]:
            view.append(jittered(batch, config.jitter, random))
    first, *others = (torch.cat(view) for view in views if view)  # (b, c, h, w)
    with autocast(config.precision, run.device):
        made, *latents = run.forward(first, *others)
    told: torch.Tensor = run.loss(made.float(), first)
    if not contrast:
        return told, told
    one, other = (gathered(found.float()) for found in latents)  # (batch_size, d)
    return told, told + contrast * nt_xent(one, other, config.temperature)


@torch.inference_mode()
def _validation_loss(run: Run) -> float | None:
    run.module.eval()
    total, count = 0.0, 0
    for x in run.held.values():
        for start in range(0, len(x), AT_ONCE):
            batch = to_batch(x[start : start + AT_ONCE], run.device, run.value_range)
            total += float(run.loss(run.module(batch), batch)) * len(batch)
            count += len(batch)
    total, of = summed([total, count], run.device)
    return total / of if of else None


def _ran_away(what: str, run: Run) -> TrainingError:
    return TrainingError(
        f"{what}: training with learning_rate {run.config.learning_rate:g} ran away. "
        "Lower the learning rate, or choose Adam."
    )

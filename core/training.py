"""Train the autoencoder: the same seed gives the same weights on one device, whatever the random state outside.

A training that is stopped returns its completed epochs, and is then exactly the training of so many epochs: nothing
here depends on how many were planned.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from core.autoencoders import Autoencoder, build, to_weights
from core.config import ModelConfig, TrainingConfig, ValueRange
from core.devices import Pixels, arrange, autocast, compiled_if_it_pays, fit_memory, halves
from core.errors import CheckpointError, TrainingError
from core.imageset import ImageSet
from core.latents import pick_device, to_images
from core.models import Epoch, TrainedModel
from core.progress import Callback, Cancelled, Progress, ignore, stopwatch

PREVIEWED = 8  # images whose reconstruction is shown after each epoch
REPORT_SECONDS = 0.1
_LOSSES: dict[str, Callable[[], nn.Module]] = {
    "mse": nn.MSELoss,
    "l1": nn.L1Loss,
    "huber": lambda: nn.HuberLoss(delta=0.1),
}


@dataclass
class _Run:
    """What the epochs of one training share."""

    images: ImageSet
    config: TrainingConfig
    device: torch.device
    callback: Callback
    rows: np.ndarray  # (n_train,) rows learnt from
    validated: ImageSet
    held_out: np.ndarray  # (n_validation,) rows of `validated`
    module: Autoencoder
    optimizer: torch.optim.Optimizer
    loss: nn.Module
    scaler: torch.amp.GradScaler
    value_range: ValueRange
    history: list[Epoch] = field(default_factory=list)
    reported: float = 0.0

    def __post_init__(self) -> None:
        self.learnt = Pixels(self.images, self.device, self.value_range)
        same = self.validated is self.images
        self.checked = self.learnt if same else Pixels(self.validated, self.device, self.value_range)
        self.at_once = self.config.batch_size  # images whose gradient the memory does for
        self.forward: Callable[[torch.Tensor], torch.Tensor] = self.module

    @property
    def batches(self) -> int:
        return math.ceil(len(self.rows) / self.config.batch_size)

    @property
    def amp(self) -> Any:
        return autocast(self.config.precision, self.device)


def train(
    images: ImageSet,
    autoencoder: ModelConfig,
    training: TrainingConfig,
    callback: Callback = ignore,
    device: str | None = None,
    *,
    validation: ImageSet | None = None,
    checkpoint: Callable[[TrainedModel], object] | None = None,
    checkpoint_every: int = 0,
) -> TrainedModel:
    """Train an autoencoder on images; on CUDA when there is one, there in mixed precision.

    When the memory does not do for a batch, the gradients of its halves are added up, and a warning says so: the
    steps are the same, but for batch normalisation, which then sees the halves.

    `callback` gets batches done and the latest losses and, after each epoch, a preview: `epoch`, `history`, and
    `originals` and `reconstructions`, uint8 (8, h, w, c), of held-out images when there are any.

    Parameters
    ----------
    validation : images that are not learnt from, in place of `training.validation_share` of `images`.
    checkpoint : gets the model as it is after every `checkpoint_every` epochs but the last; 0 never.

    Raises
    ------
    TrainingError : the loss is not finite. Cancelled : the callback asked to stop within the first epoch.
    ConfigError : the layers do not fit the images. CheckpointError : validation images of another shape.
    """
    if validation is not None and validation.image_shape != images.image_shape:
        raise CheckpointError(
            f"Validation images are {validation.image_shape}, training images {images.image_shape}; bring them to one shape."
        )
    on = torch.device(pick_device(device))
    order = np.random.default_rng(training.seed).permutation(len(images))
    held = min(round(len(images) * training.validation_share), len(images) - 1) if validation is None else 0
    with _seeded(training.seed):
        module = build(autoencoder, images.image_shape)
    arrange(module.to(on))
    run = _Run(
        images, training, on, callback, np.sort(order[held:]), validation or images,
        np.sort(order[:held]) if validation is None else np.arange(len(validation)), module,
        _optimizer(module, training), _LOSSES[training.loss](),
        torch.amp.GradScaler(on.type, enabled=halves(training.precision, on) == torch.float16), autoencoder.value_range,
    )  # fmt: skip

    def model(weights: dict[str, np.ndarray], stopped: bool = False) -> TrainedModel:
        done = dataclasses.replace(training, epochs=len(run.history))
        history = tuple(run.history)
        return TrainedModel(
            autoencoder, done, images.image_shape, weights, history, images.name, stopped_early=stopped
        )

    def keep(weights: dict[str, np.ndarray]) -> None:
        done = len(run.history)
        if checkpoint is not None and checkpoint_every and done % checkpoint_every == 0 and done < training.epochs:
            checkpoint(model(weights))

    with _algorithms(training.deterministic):
        return model(*_epochs(run, keep))


@contextmanager
def _algorithms(deterministic: bool) -> Iterator[None]:
    """Let torch use only deterministic algorithms, or whichever is fastest, and bring its settings back after."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with ExitStack() as stack:
        stack.enter_context(
            torch.backends.cudnn.flags(enabled=True, benchmark=not deterministic, deterministic=deterministic)
        )
        stack.callback(torch.use_deterministic_algorithms, before[0], warn_only=before[1])
        # cuBLAS is deterministic only with a workspace set before CUDA starts: warn of the rest, do not fail.
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
        # Filling memory that is about to be written changes nothing and took an eighth of an epoch.
        memory: Any = torch.utils.deterministic
        stack.callback(setattr, memory, "fill_uninitialized_memory", memory.fill_uninitialized_memory)
        memory.fill_uninitialized_memory = False
        yield


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    # torch.manual_seed would seed every GPU as well, and fork_rng not give all of them back.
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        yield


def _optimizer(module: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(module.parameters(), rate, momentum=0.9, weight_decay=decay)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(module.parameters(), rate, weight_decay=decay)


def _epochs(run: _Run, keep: Callable[[dict[str, np.ndarray]], None]) -> tuple[dict[str, np.ndarray], bool]:
    seconds_left = stopwatch(run.config.epochs * run.batches)
    weights: dict[str, np.ndarray] = {}
    for epoch in range(1, run.config.epochs + 1):
        try:
            if epoch == 2 and not run.config.deterministic:  # compiled layers round otherwise
                left = run.history[0].seconds * (run.config.epochs - 1)
                run.forward = compiled_if_it_pays(run.module, run.device, left)
            _epoch(run, epoch, seconds_left)
            weights = _finite(to_weights(run.module), run)
            keep(weights)
            _report_epoch(run, seconds_left)
        except Cancelled:
            if not weights:
                raise
            return weights, len(run.history) < run.config.epochs
    return weights, False


def _epoch(run: _Run, epoch: int, seconds_left: Any) -> None:
    started = time.perf_counter()
    # Shuffled anew each epoch, and not from torch's state, which the weights' start used.
    order = np.random.default_rng([run.config.seed, epoch]).permutation(run.rows)
    run.module.train()
    total, seen = 0.0, 0
    for batch in range(run.batches):
        rows = order[batch * run.config.batch_size : (batch + 1) * run.config.batch_size]
        total += _step(run, rows, epoch) * len(rows)
        seen += len(rows)
        now = time.monotonic()
        if now - run.reported >= REPORT_SECONDS and batch + 1 < run.batches:
            run.reported = now
            done = (epoch - 1) * run.batches + batch + 1
            run.callback(_progress(run, done, seconds_left(done), {"epoch": epoch, "train_loss": total / seen}))
    validation = _validation_loss(run) if len(run.held_out) else None
    run.history.append(Epoch(epoch, total / len(run.rows), validation, round(time.perf_counter() - started, 3)))


def _step(run: _Run, rows: np.ndarray, epoch: int) -> float:
    value, run.at_once = fit_memory(lambda at_once: _gradient(run, rows, at_once), run.at_once)
    if not math.isfinite(value):
        raise _ran_away(f"The loss is {value} in epoch {epoch}", run)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    return value


def _gradient(run: _Run, rows: np.ndarray, at_once: int) -> float:
    """Set the gradients of the mean loss over these rows and return it, with `at_once` images in memory at a time."""
    run.optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for start in range(0, len(rows), at_once):
        part = rows[start : start + at_once]
        x = run.learnt.batch(part)
        with run.amp:
            made = run.forward(x)
        loss = run.loss(made.float(), x) * (len(part) / len(rows))
        run.scaler.scale(loss).backward()
        total += float(loss.detach())
    return total


def _finite(weights: dict[str, np.ndarray], run: _Run) -> dict[str, np.ndarray]:
    # The last step of an epoch can spoil weights after the last loss was looked at.
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise _ran_away(f"The weights are not finite after epoch {len(run.history)}", run)
    return weights


def _ran_away(what: str, run: _Run) -> TrainingError:
    return TrainingError(
        f"{what}: training with learning_rate {run.config.learning_rate:g} ran away. "
        "Lower the learning rate, or choose Adam."
    )


@torch.inference_mode()
def _validation_loss(run: _Run) -> float:
    run.module.eval()

    def summed(at_once: int) -> float:
        total = 0.0
        for start in range(0, len(run.held_out), at_once):
            x = run.checked.batch(run.held_out[start : start + at_once])
            total += float(run.loss(run.module(x), x)) * len(x)
        return total

    return fit_memory(summed, 512)[0] / len(run.held_out)


@torch.inference_mode()
def _report_epoch(run: _Run, seconds_left: Any) -> None:
    run.module.eval()
    held = len(run.held_out) > 0
    images, pixels, pool = (run.validated, run.checked, run.held_out) if held else (run.images, run.learnt, run.rows)
    shown = pool[np.linspace(0, len(pool) - 1, min(PREVIEWED, len(pool))).astype(int)]  # spread over the classes
    decoded = to_images(run.module(pixels.batch(shown)), run.value_range)
    last = run.history[-1]
    metrics = {"epoch": float(last.epoch), "train_loss": last.train_loss}
    if last.validation_loss is not None:
        metrics["validation_loss"] = last.validation_loss
    preview = {
        "epoch": last.epoch,
        "history": tuple(run.history),
        "originals": images.x[shown],
        "reconstructions": decoded,  # (8, h, w, c)
    }
    done = last.epoch * run.batches
    run.reported = time.monotonic()
    run.callback(dataclasses.replace(_progress(run, done, seconds_left(done), metrics), preview=preview))


def _progress(run: _Run, done: int, left: float | None, metrics: dict[str, float]) -> Progress:
    return Progress("Training", done, run.config.epochs * run.batches, "batch", left, metrics)

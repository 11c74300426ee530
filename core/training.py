"""Train the autoencoder: the same seed gives the same weights on one device, whatever the random state outside.

A training that is stopped returns its completed epochs, and is then exactly the training of so many epochs: nothing
here depends on how many were planned. It hands out its state now and then, and goes on from one to the same weights, bit
for bit on a CPU, as if it had never been interrupted.
"""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from core import self_labels, steps
from core.autoencoders import FeatureDecoder, build
from core.config import ModelConfig, TrainingConfig, latent_shape
from core.devices import algorithms, arrange, compiled_if_it_pays, halves, on_threads
from core.errors import CheckpointError, ConfigError
from core.imageset import ImageSet
from core.latents import pick_device, to_images
from core.models import TrainedModel
from core.progress import Callback, Cancelled, Progress, ignore
from core.self_labels import Head
from core.threads import cores
from core.training_run import Run, bring_back, state_of
from core.training_state import Position, State

PREVIEWED = 8  # images whose reconstruction is shown after each epoch
KEEP_SHARE = 0.01  # of the time may go into keeping states
KEEP_SECONDS = 5.0  # between two states at least: what a killed training loses, and disks wear
Keep = Callable[[State], object]
_log = logging.getLogger(__name__)
LOSSES: dict[str, Callable[[], nn.Module]] = {
    "mse": nn.MSELoss,
    "l1": nn.L1Loss,
    "huber": lambda: nn.HuberLoss(delta=0.1),
}


def train(
    images: ImageSet,
    autoencoder: ModelConfig,
    training: TrainingConfig,
    callback: Callback = ignore,
    device: str | None = None,
    *,
    validation: ImageSet | None = None,
    features: tuple[np.ndarray, np.ndarray] | None = None,
    checkpoint: Callable[[TrainedModel], object] | None = None,
    checkpoint_every: int = 0,
    state: State | None = None,
    keep: Keep | None = None,
) -> TrainedModel:
    """Train an autoencoder on images; on CUDA when there is one, there in mixed precision.

    When the memory does not do for a batch, the gradients of its halves are added up, and a warning says so: the
    steps are the same, but for batch normalisation, which then sees the halves. On a CPU the number of threads decides how
    sums are rounded: a deterministic training takes all cores, or as many as its state was computed with.

    `callback` gets batches done and the latest losses and, after each epoch, a preview: `epoch`, `history`, and
    `originals` and `reconstructions`, uint8 (8, h, w, c), of held-out images when there are any; `went_on` says after
    what the training went on, if it did ("epoch 7 of 20, batch 120"), first in a preview without pictures before any batch.

    Parameters
    ----------
    validation : images that are not learnt from, in place of `training.validation_share` of `images`.
    features : those that a pretrained network finds in `images` and in the images that are held out, float32 (n, d), for a
        decoder of them.
    checkpoint : gets the model as it is after every `checkpoint_every` epochs but the last; 0 never.
    state : where to go on; one that does not fit is a warning, and the training begins anew.
    keep : gets the state now and then, when the training is stopped, and at its end.

    Raises
    ------
    TrainingError : the loss is not finite. Cancelled : the callback asked to stop within the first epoch.
    ConfigError : the layers do not fit the images. CheckpointError : validation images of another shape.
    """
    if validation is not None and validation.image_shape != images.image_shape:
        raise CheckpointError(
            f"Validation images are {validation.image_shape}, training images {images.image_shape}; bring them to one shape."
        )
    if features is not None and training.jitter:
        raise ConfigError("jitter is for autoencoders, which read the images; a decoder of features goes without.")
    run = _begun(images, autoencoder, training, torch.device(pick_device(device)), validation, features)
    position = _gone_on(run, state)

    def model(weights: dict[str, np.ndarray], stopped: bool = False) -> TrainedModel:
        done = dataclasses.replace(training, epochs=len(run.history))
        history = tuple(run.history)
        return TrainedModel(
            autoencoder, done, images.image_shape, weights, history, images.name, stopped_early=stopped
        )

    def completed() -> None:
        done = len(run.history)
        if checkpoint is not None and checkpoint_every and done % checkpoint_every == 0 and done < training.epochs:
            checkpoint(model(run.complete))

    fixed = training.deterministic and run.device.type == "cpu"
    threads = _threads(run, None if position is None else state) if fixed else 0
    with algorithms(training.deterministic), on_threads(threads) as again:

        def report(progress: Progress) -> None:
            if progress.preview is not None and position is not None:
                after = position.text(training.epochs)
                progress = dataclasses.replace(progress, preview={**progress.preview, "went_on": after})
            callback(progress)
            again()  # others may have shared out the cores anew meanwhile

        run.callback = report
        stopped = _epochs(run, completed, _Keeping(run, keep, threads), gone_on=position is not None)
        return model(run.complete, stopped)


def _begun(
    images: ImageSet,
    autoencoder: ModelConfig,
    training: TrainingConfig,
    on: torch.device,
    validation: ImageSet | None,
    features: tuple[np.ndarray, np.ndarray] | None = None,
) -> Run:
    order = np.random.default_rng(training.seed).permutation(len(images))
    held = min(round(len(images) * training.validation_share), len(images) - 1) if validation is None else 0
    with seeded(training.seed):
        module = build(autoencoder, images.image_shape)
    rows = np.sort(order[held:])
    if isinstance(module, FeatureDecoder) and features is not None:
        module.standardise(features[0], rows)
    arrange(module.to(on))
    k, head = training.self_label_clusters, None
    if k:
        self_labels.check_size(k, len(images) - held)
        head = Head(math.prod(latent_shape(autoencoder, images.image_shape)), k, training.seed).to(on)
    learnt = [*module.parameters(), *(head.parameters() if head is not None else ())]
    return Run(
        images, training, on, ignore, rows, validation or images,
        np.sort(order[:held]) if validation is None else np.arange(len(validation)), module,
        optimizer_of(learnt, training), LOSSES[training.loss](),
        torch.amp.GradScaler(on.type, enabled=halves(training.precision, on) == torch.float16), autoencoder.value_range,
        head, features,
    )  # fmt: skip


def _gone_on(run: Run, state: State | None) -> Position | None:
    """Bring a state back and return its position; None where there is none, or it does not fit."""
    if state is None:
        return None
    try:
        bring_back(run, state)
    except (ValueError, LookupError) as error:
        _log.warning("The state of this training cannot be used (%s); it begins anew.", error)
        return None
    if (state.device, state.torch) != (run.device.type, torch.__version__):
        _log.warning(
            "This training was begun with PyTorch %s on %s and goes on with %s on %s; its weights may differ in the last "
            "digits from those of one that was not interrupted.", state.torch, state.device, torch.__version__, run.device.type
        )  # fmt: skip
    return state.position


def _threads(run: Run, state: State | None) -> int:
    """Return the threads to compute with: all cores, or those of the state, as another number rounds otherwise."""
    if state is None or not state.threads or state.device != run.device.type:
        return cores()
    if state.threads > cores():
        _log.warning(
            "This training was begun with %d threads and goes on with %d, as there are no more cores; its weights may differ "
            "in the last digits from those of one that was not interrupted.", state.threads, cores()
        )  # fmt: skip
    return min(state.threads, cores())


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw the weights that a network starts with from a state of this seed; the state outside stays as it was."""
    # torch.manual_seed would seed every GPU as well, and fork_rng not give all of them back.
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        yield


def optimizer_of(learnt: list[nn.Parameter], config: TrainingConfig) -> torch.optim.Optimizer:
    """Make the optimiser of these parameters."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(learnt, rate, momentum=0.9, weight_decay=decay)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(learnt, rate, weight_decay=decay)


class _Keeping:
    """Hands out the state, and not so often that it would cost more than `KEEP_SHARE` of the time."""

    def __init__(self, run: Run, keep: Keep | None, threads: int) -> None:
        self._run, self._keep, self._threads = run, keep, threads
        self._kept = run.position
        self._due = time.monotonic() + KEEP_SECONDS

    def if_due(self) -> None:
        """Keep the state when the time has come."""
        if time.monotonic() >= self._due:
            self.now()

    def now(self) -> None:
        """Keep the state, unless it has been."""
        if self._keep is None or self._kept == self._run.position:
            return
        started = time.monotonic()
        self._keep(state_of(self._run, self._threads))
        self._kept, ended = self._run.position, time.monotonic()
        self._due = ended + max(KEEP_SECONDS, (ended - started) / KEEP_SHARE)


def _epochs(run: Run, completed: Callable[[], None], keeping: _Keeping, gone_on: bool) -> bool:
    """Train the epochs that are left and return whether it was stopped before the last."""
    first = len(run.history) + 1
    try:
        if gone_on:
            preview = {"epoch": len(run.history), "history": tuple(run.history)}
            run.callback(dataclasses.replace(run.progress({}), preview=preview))
        for epoch in range(first, run.config.epochs + 1):
            if epoch == max(first, 2) and not run.config.deterministic:  # compiled layers round otherwise
                left = run.history[0].seconds * (run.config.epochs - len(run.history))
                run.forward = compiled_if_it_pays(run.module, run.device, left)
            steps.epoch(run, keeping.if_due)
            completed()
            keeping.now() if epoch == run.config.epochs else keeping.if_due()
            _report_epoch(run)
    except Cancelled:
        keeping.now()
        if not run.complete:
            raise
    return len(run.history) < run.config.epochs


@torch.inference_mode()
def _report_epoch(run: Run) -> None:
    run.module.eval()
    held = len(run.held_out) > 0
    images, pixels, pool = (run.validated, run.checked, run.held_out) if held else (run.images, run.learnt, run.rows)
    shown = pool[np.linspace(0, len(pool) - 1, min(PREVIEWED, len(pool))).astype(int)]  # spread over the classes
    decoded = to_images(run.module(run.read(shown, pixels.batch(shown), checked=held)), run.value_range)
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
    run.reported = time.monotonic()
    run.callback(dataclasses.replace(run.progress(metrics), preview=preview))

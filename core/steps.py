"""The steps of a training: one epoch, the losses of a batch, and the clusters that it labels its images by."""

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from core import self_labels
from core.autoencoders import to_weights
from core.config import TrainingConfig
from core.contrast import nt_xent
from core.devices import fit_memory
from core.errors import TrainingError
from core.jitter import jittered
from core.models import Epoch
from core.progress import Progress
from core.self_labels import Head
from core.training_run import Run

REPORT_SECONDS = 0.1
AT_ONCE = 1024  # images that are encoded together to look for clusters


def epoch(run: Run, between: Callable[[], None]) -> None:
    """Train what is left of an epoch; `between` is called between two of its batches, when the run could go on from there.

    Raises
    ------
    TrainingError : the loss is not finite.
    """
    number, before, started = len(run.history) + 1, run.spent, time.perf_counter()
    for group in run.optimizer.param_groups:
        group["lr"] = run.config.learning_rate * run.config.decay ** (number - 1)
    if run.head is not None and run.batch == 0 and _looks(run.config, number):
        _look_for_clusters(run, run.head, number)
    # Shuffled anew each epoch, and not from torch's state, which the weights' start used.
    order = np.random.default_rng([run.config.seed, number]).permutation(run.rows)
    run.module.train()
    while run.batch < run.batches:
        rows = order[run.batch * run.config.batch_size : (run.batch + 1) * run.config.batch_size]
        run.total += _step(run, rows, number) * len(rows)
        run.batch += 1
        run.spent = before + time.perf_counter() - started
        if run.batch == run.batches:
            break
        between()
        _report(run)
    validation = _validation_loss(run) if len(run.held_out) else None
    seconds = round(before + time.perf_counter() - started, 3)
    run.history.append(Epoch(number, run.total / len(run.rows), validation, seconds))
    run.batch, run.total, run.spent = 0, 0.0, 0.0
    run.complete = _finite(to_weights(run.module), run)


def _report(run: Run) -> None:
    now = time.monotonic()
    if now - run.reported >= REPORT_SECONDS:
        run.reported = now
        seen = min(run.batch * run.config.batch_size, len(run.rows))
        run.callback(run.progress({"epoch": len(run.history) + 1, "train_loss": run.total / seen}))


def _step(run: Run, rows: np.ndarray, number: int) -> float:
    value, run.at_once = fit_memory(lambda at_once: _gradient(run, rows, at_once), run.at_once)
    if not math.isfinite(value):
        raise _ran_away(f"The loss is {value} in epoch {number}", run)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    return value


def _gradient(run: Run, rows: np.ndarray, at_once: int) -> float:
    """Set the gradients of the mean loss over these rows, with `at_once` images in memory at a time.

    Returns
    -------
    The loss of the reconstruction; not a number when what is learnt from is none.
    """
    run.optimizer.zero_grad(set_to_none=True)
    # Not from a state that moves on: a training that goes on in the middle draws what it would have drawn.
    random = np.random.default_rng([run.config.seed, len(run.history) + 1, run.batch])
    total = 0.0
    for start in range(0, len(rows), at_once):
        part = rows[start : start + at_once]
        share = len(part) / len(rows)
        told, loss = _losses(run, part, random)
        run.scaler.scale(loss * share).backward()
        total += float(told.detach()) * share if math.isfinite(float(loss.detach())) else math.nan
    return total


def _losses(run: Run, rows: np.ndarray, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of the reconstruction of the images of these rows, and that which is learnt from."""
    config, b, x = run.config, len(rows), run.learnt.batch(rows)  # (b, c, h, w)
    first = jittered(x, config.jitter, random)
    labels = run.labels if run.head is not None and run.labels is not None and len(run.labels.rows) else None
    contrast = config.contrast if b > 1 else 0.0
    if not contrast and labels is None:
        with run.amp:
            made = run.forward(run.read(rows, first))
        told = run.loss(made.float(), first)
        return told, told
    shown = [first, jittered(x, config.jitter, random)]
    if labels is not None:
        drawn = random.integers(0, len(labels.rows), max(1, b // 2))
        shown += [x, jittered(run.learnt.batch(labels.rows[drawn]), config.jitter, random)]
    with run.amp:
        latents = run.module.encode(torch.cat(shown))
        made = run.module.decode(latents[:b])
    told = learnt = run.loss(made.float(), first)
    parts = latents.float().split([len(part) for part in shown])
    if contrast:
        learnt = learnt + contrast * nt_xent(parts[0], parts[1], config.temperature)
    if labels is not None and run.head is not None:
        views, plain, known = (run.head(parts[0]), run.head(parts[1])), run.head(parts[2]), run.head(parts[3])
        target = torch.from_numpy(labels.labels[drawn]).to(x.device)
        own = functional.cross_entropy(known, target) + self_labels.agreement_loss(plain, views)
        learnt = learnt + config.self_label_weight * own
    return told, learnt


def _looks(config: TrainingConfig, number: int) -> bool:
    """Say whether clusters are looked for before the epoch of this number."""
    past = number - 1 - config.self_label_from
    return past >= 0 and past % config.self_label_every == 0


def _look_for_clusters(run: Run, head: Head, number: int) -> None:
    """Label the images that are learnt from by clusters of their latents, and begin the head anew."""
    config = run.config
    rows = self_labels.sample(run.rows, np.random.default_rng([config.seed, number]))

    def report(progress: Progress) -> None:
        stage = f"Looking for clusters: {progress.stage}"
        run.callback(dataclasses.replace(progress, stage=stage, metrics={"epoch": number}, preview=None))

    run.module.eval()
    with torch.inference_mode():
        parts = [run.module.encode(run.learnt.batch(rows[i : i + AT_ONCE])) for i in range(0, len(rows), AT_ONCE)]
        latents = torch.cat(parts).float().cpu().numpy()
    run.labels = self_labels.find(rows, latents, config.self_label_clusters, config.seed, report)
    head.begin(number)
    for parameter in head.parameters():
        run.optimizer.state.pop(parameter, None)


def _finite(weights: dict[str, np.ndarray], run: Run) -> dict[str, np.ndarray]:
    # The last step of an epoch can spoil weights after the last loss was looked at.
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise _ran_away(f"The weights are not finite after epoch {len(run.history)}", run)
    return weights


def _ran_away(what: str, run: Run) -> TrainingError:
    return TrainingError(
        f"{what}: training with learning_rate {run.config.learning_rate:g} ran away. "
        "Lower the learning rate, or choose Adam."
    )


@torch.inference_mode()
def _validation_loss(run: Run) -> float:
    run.module.eval()

    def summed(at_once: int) -> float:
        total = 0.0
        for start in range(0, len(run.held_out), at_once):
            part = run.held_out[start : start + at_once]
            x = run.checked.batch(part)
            total += float(run.loss(run.module(run.read(part, x, checked=True)), x)) * len(x)
            _report(run)  # also of use to stop it
        return total

    return fit_memory(summed, 512)[0] / len(run.held_out)

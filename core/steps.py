"""The steps of a training: what its epochs share, one epoch, and its state as it is kept and brought back."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from core.autoencoders import Autoencoder, to_weights
from core.config import TrainingConfig, ValueRange
from core.devices import Pixels, autocast, fit_memory
from core.errors import TrainingError
from core.imageset import ImageSet
from core.models import Epoch
from core.progress import Callback, Progress, stopwatch
from core.training_state import Position, State, packed

REPORT_SECONDS = 0.1


@dataclass
class Run:
    """What the epochs of one training share, and how far they are.

    Parameters
    ----------
    rows : (n_train,) rows learnt from. held_out : (n_validation,) rows of `validated`.
    features : what the module reads in place of `images` and of `validated`, float32 (n, d), row for row; None for images.
    complete : the weights after the last complete epoch.
    batch, total, spent : batches done of the running epoch, its losses summed over their images, and its seconds so far.
    """

    images: ImageSet
    config: TrainingConfig
    device: torch.device
    callback: Callback
    rows: np.ndarray
    validated: ImageSet
    held_out: np.ndarray
    module: Autoencoder
    optimizer: torch.optim.Optimizer
    loss: nn.Module
    scaler: torch.amp.GradScaler
    value_range: ValueRange
    features: tuple[np.ndarray, np.ndarray] | None = None
    history: list[Epoch] = field(default_factory=list)
    complete: dict[str, np.ndarray] = field(default_factory=dict)
    batch: int = 0
    total: float = 0.0
    spent: float = 0.0
    reported: float = 0.0

    def __post_init__(self) -> None:
        self.learnt = Pixels(self.images, self.device, self.value_range)
        same = self.validated is self.images
        self.checked = self.learnt if same else Pixels(self.validated, self.device, self.value_range)
        self.at_once = self.config.batch_size  # images whose gradient the memory does for
        self.forward: Callable[[torch.Tensor], torch.Tensor] = self.module
        self.start_clock()

    def start_clock(self) -> None:
        """Estimate the time left from here on: what an earlier process did took its own time."""
        self._before = self.done
        self._seconds_left = stopwatch(self.config.epochs * self.batches - self._before)

    def read(self, rows: np.ndarray, x: torch.Tensor, checked: bool = False) -> torch.Tensor:
        """Return what the module reads of these rows, whose images are `x`: of `validated` when it is `checked`."""
        if self.features is None:
            return x
        return torch.from_numpy(np.array(self.features[checked][rows])).to(self.device)  # (b, d)

    @property
    def batches(self) -> int:
        return math.ceil(len(self.rows) / self.config.batch_size)

    @property
    def done(self) -> int:
        return len(self.history) * self.batches + self.batch

    @property
    def position(self) -> Position:
        return Position(len(self.history), self.batch)

    @property
    def amp(self) -> Any:
        return autocast(self.config.precision, self.device)

    def progress(self, metrics: dict[str, float]) -> Progress:
        left = self._seconds_left(self.done - self._before)
        return Progress("Training", self.done, self.config.epochs * self.batches, "batch", left, metrics)


def epoch(run: Run, between: Callable[[], None]) -> None:
    """Train what is left of an epoch; `between` is called between two of its batches, when the run could go on from there.

    Raises
    ------
    TrainingError : the loss is not finite.
    """
    number, before, started = len(run.history) + 1, run.spent, time.perf_counter()
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
    """Set the gradients of the mean loss over these rows and return it, with `at_once` images in memory at a time."""
    run.optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for start in range(0, len(rows), at_once):
        part = rows[start : start + at_once]
        x = run.learnt.batch(part)
        with run.amp:
            made = run.forward(run.read(part, x))
        loss = run.loss(made.float(), x) * (len(part) / len(rows))
        run.scaler.scale(loss).backward()
        total += float(loss.detach())
    return total


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


def state_of(run: Run, threads: int) -> State:
    """Copy the state of a run as it is between two batches."""
    tensors = {f"module.{name}": _array(value) for name, value in run.module.state_dict().items()}
    for i, slots in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{slot}": _array(value) for slot, value in slots.items() if value is not None}
    if run.batch:  # else they are the module's
        tensors |= {f"complete.{name}": value for name, value in run.complete.items()}
    arrays, index = packed(tensors)
    return State(
        run.position, arrays, index, tuple(run.history), run.total, run.spent, run.at_once,
        threads, run.device.type, torch.__version__, run.scaler.state_dict(),
    )  # fmt: skip


def bring_back(run: Run, state: State) -> None:
    """Let a run that has just begun go on from a state, in the layout of memory that its own tensors have.

    Raises
    ------
    ValueError : the state is of another network or optimiser; the run is as it was.
    """
    weights, complete, slots = state.tensors("module"), state.tensors("complete"), state.tensors("optimizer")
    parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
    own = {name: tuple(value.shape) for name, value in run.module.state_dict().items()}
    shapes = [{name: array.shape for name, array in found.items()} for found in (weights, complete)]
    needed = {} if state.position.batch == 0 or not state.history else own
    if shapes != [own, needed] or state.position.batch > run.batches:  # all of them: stopped in its validation
        raise ValueError("it is of another network")
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in slots.items():
        i, _, slot = name.partition(".")
        if array.shape not in ((), tuple(parameters[int(i)].shape)):
            raise ValueError("it is of another optimiser")
        moments.setdefault(int(i), {})[slot] = _like(parameters[int(i)], array)
    groups = run.optimizer.state_dict()["param_groups"]
    run.module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    run.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    if state.scaler and run.scaler.is_enabled():
        run.scaler.load_state_dict(dict(state.scaler))
    run.history, run.at_once = list(state.history), min(state.at_once, run.config.batch_size)
    run.batch, run.total, run.spent = state.position.batch, state.total, state.seconds
    run.complete = {n: np.array(array) for n, array in (complete or (weights if run.history else {})).items()}
    run.start_clock()


def _array(tensor: torch.Tensor) -> np.ndarray:
    found: np.ndarray = tensor.detach().cpu().numpy()
    return found


def _like(parameter: torch.Tensor, array: np.ndarray) -> torch.Tensor:
    value = torch.from_numpy(np.array(array))
    # Sums over another layout of memory would round otherwise. A count of steps stays where the optimiser looks for it.
    return value if not array.shape else torch.empty_like(parameter, requires_grad=False).copy_(value)

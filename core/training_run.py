"""One training as it goes on: what its epochs share, and its state as it is kept and brought back."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from core.autoencoders import Autoencoder
from core.config import TrainingConfig, ValueRange
from core.devices import Pixels, autocast
from core.imageset import ImageSet
from core.models import Epoch
from core.progress import Callback, Progress, stopwatch
from core.self_labels import Head, SelfLabels
from core.training_state import Position, State, packed


@dataclass
class Run:
    """What the epochs of one training share, and how far they are.

    Parameters
    ----------
    rows : (n_train,) rows learnt from. held_out : (n_validation,) rows of `validated`.
    head : says which of its own labels an image has; None when it gives none.
    features : what the module reads in place of `images` and of `validated`, float32 (n, d), row for row; None for images.
    complete : the weights after the last complete epoch.
    labels : what clusters it last found among its latents.
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
    head: Head | None = None
    features: tuple[np.ndarray, np.ndarray] | None = None
    history: list[Epoch] = field(default_factory=list)
    complete: dict[str, np.ndarray] = field(default_factory=dict)
    labels: SelfLabels | None = None
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


def state_of(run: Run, threads: int) -> State:
    """Copy the state of a run as it is between two batches."""
    tensors = tensors_of(run.module, run.optimizer)
    if run.head is not None and run.labels is not None:
        tensors |= {f"head.{name}": _array(value) for name, value in run.head.state_dict().items()}
        tensors |= {"labels.rows": run.labels.rows, "labels.labels": run.labels.labels}
    if run.batch:  # else they are the module's
        tensors |= {f"complete.{name}": value for name, value in run.complete.items()}
    arrays, index = packed(tensors)
    return State(
        run.position, arrays, index, tuple(run.history), run.total, run.spent, run.at_once,
        threads, run.device.type, torch.__version__, run.scaler.state_dict(),
    )  # fmt: skip


def tensors_of(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, np.ndarray]:
    """Return what a network and its optimiser hold, by name."""
    tensors = {f"module.{name}": _array(value) for name, value in module.state_dict().items()}
    for i, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{slot}": _array(value) for slot, value in slots.items() if value is not None}
    return tensors


def fill(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    weights: Mapping[str, np.ndarray],
    slots: Mapping[str, np.ndarray],
) -> None:
    """Give a network of the same layers, and its optimiser, what `tensors_of` returned, in their own layout of memory.

    Raises
    ------
    ValueError : it is of another optimiser; both are as they were.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in slots.items():
        i, _, slot = name.partition(".")
        if array.shape not in ((), tuple(parameters[int(i)].shape)):
            raise ValueError("it is of another optimiser")
        moments.setdefault(int(i), {})[slot] = _like(parameters[int(i)], array)
    groups = optimizer.state_dict()["param_groups"]
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    optimizer.load_state_dict({"state": moments, "param_groups": groups})


def bring_back(run: Run, state: State) -> None:
    """Let a run that has just begun go on from a state, in the layout of memory that its own tensors have.

    Raises
    ------
    ValueError : the state is of another network or optimiser; the run is as it was.
    """
    weights, complete, slots = state.tensors("module"), state.tensors("complete"), state.tensors("optimizer")
    head, labels = state.tensors("head"), state.tensors("labels")
    if head and (run.head is None or {n: a.shape for n, a in head.items()} != _shapes(run.head)):
        raise ValueError("it has labels of another training")
    own = _shapes(run.module)
    shapes = [{name: array.shape for name, array in found.items()} for found in (weights, complete)]
    needed = {} if state.position.batch == 0 or not state.history else own
    if shapes != [own, needed] or state.position.batch > run.batches:  # all of them: stopped in its validation
        raise ValueError("it is of another network")
    fill(run.module, run.optimizer, weights, slots)
    if head and run.head is not None:
        run.head.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in head.items()})
        run.labels = SelfLabels(np.array(labels["rows"]), np.array(labels["labels"]))
    if state.scaler and run.scaler.is_enabled():
        run.scaler.load_state_dict(dict(state.scaler))
    run.history, run.at_once = list(state.history), min(state.at_once, run.config.batch_size)
    run.batch, run.total, run.spent = state.position.batch, state.total, state.seconds
    run.complete = {n: np.array(array) for n, array in (complete or (weights if run.history else {})).items()}
    run.start_clock()


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def _array(tensor: torch.Tensor) -> np.ndarray:
    found: np.ndarray = tensor.detach().cpu().numpy()
    return found


def _like(parameter: torch.Tensor, array: np.ndarray) -> torch.Tensor:
    value = torch.from_numpy(np.array(array))
    # Sums over another layout of memory would round otherwise. A count of steps stays where the optimiser looks for it.
    return value if not array.shape else torch.empty_like(parameter, requires_grad=False).copy_(value)

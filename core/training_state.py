"""The state of a training between two batches: everything that decides how it goes on, as arrays and plain numbers.

No random state belongs to it: images are shuffled by `[seed, epoch]`, a step draws what it needs by `[seed, epoch, batch]`,
and no layer draws a random number.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.models import Epoch
from core.store import Entry


@dataclass(frozen=True, order=True)
class Position:
    """How far a training is: complete epochs, and batches of the next one."""

    epoch: int
    batch: int = 0

    def text(self, epochs: int) -> str:
        """Write it for people: "epoch 7 of 20, batch 120"."""
        return f"epoch {self.epoch} of {epochs}" + (f", batch {self.batch:,}" if self.batch else "")


@dataclass(frozen=True, eq=False)
class State:
    """A training between two batches.

    Parameters
    ----------
    arrays : all tensors, those of one dtype one after the other, as `packed` joins them.
    index : name, dtype and shape of each.
    history : the complete epochs.
    total, seconds : the running epoch's sum of losses over the images seen, and the seconds it took so far.
    scaler : numbers of the gradient scaler; a scheduler of the learning rate would have its own beside them.
    at_once : images whose gradient the memory did for.
    threads, device, torch : how it was computed, as that decides the last digits; `threads` 0 for any number.
    """

    position: Position
    arrays: Mapping[str, np.ndarray]
    index: Sequence[Sequence[Any]]
    history: tuple[Epoch, ...]
    total: float
    seconds: float
    at_once: int
    threads: int
    device: str
    torch: str
    scaler: Mapping[str, float] = field(default_factory=dict)

    @property
    def spent(self) -> float:
        """Seconds of training that it holds."""
        return sum(epoch.seconds for epoch in self.history) + self.seconds

    def tensors(self, part: str) -> dict[str, np.ndarray]:
        """Return the tensors whose name begins with `part` and a dot, by the rest of their name."""
        found, starts = {}, dict.fromkeys(self.arrays, 0)
        for name, dtype, shape in self.index:
            start, stop = starts[dtype], starts[dtype] + math.prod(shape)
            starts[dtype] = stop
            if name.startswith(f"{part}."):
                found[name[len(part) + 1 :]] = self.arrays[dtype][start:stop].reshape(shape)
        return found


def packed(tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[list[Any]]]:
    """Copy tensors into one array a dtype, which is written at once, and return them with their index."""
    by_type: dict[str, list[np.ndarray]] = {}
    for array in tensors.values():
        by_type.setdefault(array.dtype.name, []).append(array.reshape(-1))
    index = [[name, array.dtype.name, list(array.shape)] for name, array in tensors.items()]
    return {dtype: np.concatenate(parts) for dtype, parts in by_type.items()}, index


def to_entry(state: State) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Split a state into arrays and JSON values, for a store entry."""
    losses = [(e.train_loss, math.nan if e.validation_loss is None else e.validation_loss) for e in state.history]
    history = np.array([(*pair, e.seconds) for pair, e in zip(losses, state.history, strict=True)]).reshape(-1, 3)
    names = ("index", "total", "seconds", "at_once", "threads", "device", "torch", "scaler")
    told = {name: getattr(state, name) for name in names}
    return {**state.arrays, "history": history}, told | {"epoch": state.position.epoch, "batch": state.position.batch}


def from_entry(entry: Entry) -> State:
    """Rebuild a state from a store entry.

    Raises
    ------
    ValueError, TypeError, LookupError : the entry is no whole state.
    """
    info, arrays = entry.info, dict(entry.arrays)
    rows = arrays.pop("history")
    sizes = dict.fromkeys(arrays, 0)
    for _, dtype, shape in info["index"]:
        sizes[dtype] += math.prod(shape)
    position = Position(int(info["epoch"]), int(info["batch"]))
    if sizes != {dtype: array.size for dtype, array in arrays.items()} or rows.shape != (position.epoch, 3):
        raise ValueError("its arrays are not those of its index")
    history = tuple(
        Epoch(i, float(loss), None if math.isnan(held_out) else float(held_out), float(seconds))
        for i, (loss, held_out, seconds) in enumerate(rows, 1)
    )
    return State(
        position, arrays, info["index"], history, float(info["total"]), float(info["seconds"]), int(info["at_once"]),
        int(info["threads"]), str(info["device"]), str(info["torch"]), dict(info["scaler"]),
    )  # fmt: skip

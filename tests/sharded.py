"""Trainings over made-up shards, in this process or in each of a group that torchrun starts."""

import json
import logging
import os
import sys
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from core.config import AutoencoderConfig, LayersConfig, TrainingConfig
from core.errors import DataError, ExplorerError
from core.images import SampleSource, load
from core.progress import Cancelled
from core.shards.training import distributed
from core.shards.training import steps as training_steps
from core.shards.training.loop import train
from core.shards.training.streams import Shards

ROWS = 100
LAYERS = LayersConfig("conv(6,3,2,1) relu conv(8,3,2,1) relu", "deconv(6,2,2,0) relu deconv(c,2,2,0) sigmoid", 8)
SMALL = AutoencoderConfig(latent_size=8, width=4)
TRAINING = TrainingConfig(epochs=3, batch_size=64, learning_rate=2e-3)
CASES = {
    "plain": (LAYERS, replace(TRAINING, learning_rate=1e-2), 1),
    "contrast": (LAYERS, replace(TRAINING, learning_rate=1e-2, jitter=1.0, contrast=0.3), 1),
    "accumulated": (LAYERS, replace(TRAINING, learning_rate=1e-2, jitter=1.0), 2),
    "normalised": (SMALL, TRAINING, 1),
    "normalised contrast": (SMALL, replace(TRAINING, jitter=1.0, contrast=0.3), 1),
    "sgd": (SMALL, replace(TRAINING, optimizer="sgd", learning_rate=0.1, decay=0.8, loss="huber"), 1),
    "mixed": (SMALL, replace(TRAINING, precision="mixed"), 1),
}


@dataclass(frozen=True)
class Item:
    """A made-up shard."""

    name: str
    number: int


@dataclass
class Digits:
    """Reads shards of digits, and counts."""

    damaged: tuple[int, ...] = ()
    reads: list[int] = field(default_factory=list)

    def __call__(self, item):
        self.reads.append(item.number)
        if item.number in self.damaged:
            raise DataError(f"{item.name} is cut off")
        return digits()[item.number * ROWS : (item.number + 1) * ROWS]


@cache
def digits():
    """Return the digits of the sample."""
    return load(SampleSource("digits")).x


def shards(count=6, read=None):
    """Return so many shards of digits; the last may be shorter."""
    items = tuple(Item(f"part-{i}.parquet", i) for i in range(count))
    return Shards(items, read or Digits(), digits().shape[1:], "digits")


def curve(model):
    """Return the losses of a model's epochs, (epochs, 2)."""
    return np.array([(epoch.train_loss, epoch.validation_loss) for epoch in model.history], dtype=float)


@dataclass
class Dying(Digits):
    """Reads shards of digits until a shard is read for so many times, then kills its process, once for a file."""

    file: str = ""
    at: int = 0

    def __call__(self, item):
        x = super().__call__(item)
        if len(self.reads) == self.at and not Path(self.file).exists():
            Path(self.file).touch()
            os._exit(9)
        return x


def everything(folder):
    """Train every case in this process of a group, and write what came of it beside what the others write."""
    told = {}
    for name, (network, training, accumulate) in CASES.items():
        read = Digits()
        model = train(shards(read=read), network, training, accumulate=accumulate, device="cpu")
        told[name] = {"curve": curve(model).tolist(), "reads": read.reads, "fingerprint": model.fingerprint}
    (folder / f"{distributed.rank()}.json").write_text(json.dumps(told))


def dying(folder):
    """Train, but for a process that dies in the second epoch; when all are started again, it goes on."""
    network, training, _ = CASES["normalised contrast"]
    read = Dying(file=str(folder / "died"), at=3 + 6 + 2) if distributed.rank() == 1 else Digits()
    model = train(shards(read=read), network, training, checkpoint=folder / "kept", device="cpu")
    told = {"fingerprint": model.fingerprint, "reads": len(read.reads)}
    (folder / f"{distributed.rank()}.json").write_text(json.dumps(told))


def asking(folder):
    """Train until the callback of the second process asks to stop, in the second epoch."""

    def stop(progress):
        if distributed.rank() == 1 and progress.metrics.get("epoch") == 2:
            raise Cancelled

    training_steps.REPORT_SECONDS = 0.0
    model = train(shards(), LAYERS, TRAINING, callback=stop, device="cpu")
    told = {"epochs": len(model.history), "stopped": model.stopped_early, "fingerprint": model.fingerprint}
    (folder / f"{distributed.rank()}.json").write_text(json.dumps(told))


class Vanishing(Digits):
    """Reads shards of digits until, in the second epoch, one is gone."""

    def __call__(self, item):
        x = super().__call__(item)
        if len(self.reads) == 3 + 6 + 2:
            raise DataError(f"{item.name} is gone")
        return x


def losing(folder):
    """Train until a shard of the second process is gone."""
    read = Vanishing() if distributed.rank() == 1 else Digits()
    try:
        train(shards(read=read), LAYERS, TRAINING, device="cpu")
    except ExplorerError as error:
        (folder / f"{distributed.rank()}.json").write_text(json.dumps(str(error)))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    with distributed.group("cpu"):
        {"everything": everything, "dying": dying, "asking": asking, "losing": losing}[sys.argv[1]](Path(sys.argv[2]))

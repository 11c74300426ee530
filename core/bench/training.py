"""An epoch of training against the plain PyTorch loop over a `DataLoader`: same weights to start from, same batches.

In float32 on a CPU the limit is oneDNN's convolutions: by profile (one thread, AVX-512) about 90 % of an epoch of conv-pool
and 75 % of conv-mnist, then ReLU and pooling; optimiser, losses and batches are about 5 %. 9×9 transposed convolutions run at
about 70 G multiply-adds a second there, and took 4 times as long backwards when written as convolutions. bfloat16 (`mixed`)
is what goes further; `auto` stays float32 on every CPU, so that one key is one model whatever the processor.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from core.architectures import architecture
from core.bench.data import Data
from core.bench.runner import Benchmark, Side
from core.config import ModelConfig, TrainingConfig
from core.errors import ConfigError
from core.images import ImageSet, image_set
from core.plans import TrainSpec
from core.recipes import RECIPES

EPOCHS = 2
CURVE = 0.01  # relative difference up to which two loss curves are the same


@dataclass(frozen=True)
class Prepared:
    """Images, and how an autoencoder is trained on them."""

    images: ImageSet
    model: ModelConfig
    training: TrainingConfig


@dataclass(frozen=True)
class Made:
    """The mean loss and the seconds of each epoch."""

    losses: tuple[float, ...]
    seconds: tuple[float, ...]


def pictures(data: Data, n: int, shape: tuple[int, int, int]) -> ImageSet:
    """Return n images (h, w, c): the data's, again from the start when there are fewer, or noise when they do not fit."""
    if data.images.image_shape == shape:
        return image_set(data.images.x[np.arange(n) % len(data.images)])
    return image_set(np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8))


def _prepare(name: str, n: int, shape: tuple[int, int, int], data: Data) -> Prepared:
    spec = RECIPES[name].model
    if not isinstance(spec, TrainSpec):
        raise ConfigError(f"The recipe {name} trains no autoencoder.")
    training = replace(spec.training, epochs=EPOCHS, validation_share=0.0)
    return Prepared(pictures(data, n, shape), architecture(name), training)


def _ours(precision: Any, prepared: Prepared) -> Made:
    from core.training import train

    settings = replace(prepared.training, precision=precision)
    history = train(prepared.images, prepared.model, settings).history
    return Made(tuple(item.train_loss for item in history), tuple(item.seconds for item in history))


def _plain(prepared: Prepared) -> Made:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from core.autoencoders import build
    from core.latents import pick_device

    on, settings = torch.device(pick_device()), prepared.training
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(settings.seed)
        # Written down as published: layers one after the other.
        module: Any = build(prepared.model, prepared.images.image_shape)
    plain = torch.nn.Sequential(*module.encoder, *module.decoder).to(on)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    optimizer = kind(plain.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    x = torch.from_numpy(np.array(prepared.images.x)).permute(0, 3, 1, 2).contiguous().float() / 255 * 2 - 1
    losses, seconds = [], []
    for epoch in range(1, settings.epochs + 1):
        order = np.random.default_rng([settings.seed, epoch]).permutation(len(x)).tolist()
        total, started = 0.0, time.perf_counter()
        for (batch,) in DataLoader(TensorDataset(x), settings.batch_size, sampler=order):
            batch = batch.to(on)
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(plain(batch), batch)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        losses.append(total / len(x))
        seconds.append(time.perf_counter() - started)
    return Made(tuple(losses), tuple(seconds))


def _losses(prepared: Prepared, made: Made) -> dict[str, float]:
    found = {f"loss_{epoch}": loss for epoch, loss in enumerate(made.losses, 1)}
    return found | {"images_per_s": len(prepared.images) / max(min(made.seconds), 1e-3)}


def _same_curve(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    off = max(abs(ours[name] / theirs[name] - 1) for name in theirs if name.startswith("loss_"))
    return "" if off <= CURVE else f"the loss curves differ by {off:.1%}"


def _benchmark(name: str, recipe: str, n: int, shape: tuple[int, int, int], precision: str = "auto") -> Benchmark:
    words = {"auto": "", "mixed": ", layers in 16 bits"}[precision]
    return Benchmark(
        name=name,
        what=f"{EPOCHS} epochs of {recipe} on {n:,} images, on the device there is",
        prepare=partial(_prepare, recipe, n, shape),
        ours=Side(f"core.training{words}", partial(_ours, precision), _losses),
        theirs=Side("plain loop over a DataLoader", _plain, _losses),
        target=1.5,
        fair=_same_curve,
    )


TRAINING = (
    _benchmark("train-conv-mnist", "conv-mnist", 60_000, (28, 28, 1)),
    _benchmark("train-conv-pool", "conv-pool", 2_000, (32, 32, 3)),
    _benchmark("train-conv-mnist-mixed", "conv-mnist", 60_000, (28, 28, 1), "mixed"),
    _benchmark("train-conv-pool-mixed", "conv-pool", 2_000, (32, 32, 3), "mixed"),
    _benchmark("throughput", "conv-mnist", 6_000, (28, 28, 1), "mixed"),
)

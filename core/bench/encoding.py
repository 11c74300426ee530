"""Encoding 70,000 images against a plain loop that joins its results with `np.concatenate` after each batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.architectures import architecture
from core.bench.data import Data
from core.bench.runner import Benchmark, Side
from core.bench.training import pictures
from core.images import ImageSet
from core.models import TrainedModel

N = 70_000
BATCH = 256


@dataclass(frozen=True)
class _Prepared:
    images: ImageSet
    model: TrainedModel


def _prepare(data: Data) -> _Prepared:
    import torch

    from core.autoencoders import build, to_weights

    config, shape = architecture("conv-mnist"), (28, 28, 1)
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        weights = to_weights(build(config, shape))
    return _Prepared(pictures(data, N, shape), TrainedModel(config, None, shape, weights))


def _ours(prepared: _Prepared) -> tuple[np.ndarray, Any]:
    from core.latents import encode

    made = encode(prepared.model, prepared.images)
    return made.latents, made.reconstructions


def _plain(prepared: _Prepared) -> tuple[np.ndarray, np.ndarray]:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from core.autoencoders import from_model
    from core.latents import pick_device

    on = torch.device(pick_device())
    module: Any = from_model(prepared.model, on)
    encoder, decoder = torch.nn.Sequential(*module.encoder), torch.nn.Sequential(*module.decoder)
    x = torch.from_numpy(np.array(prepared.images.x)).permute(0, 3, 1, 2).contiguous().float() / 255 * 2 - 1
    latents: np.ndarray | None = None
    images: np.ndarray | None = None
    with torch.no_grad():
        for (batch,) in DataLoader(TensorDataset(x), BATCH):
            inner = encoder(batch.to(on))
            z, made = inner.flatten(1).cpu().numpy(), decoder(inner).cpu().numpy()
            latents = z if latents is None else np.concatenate([latents, z])
            images = made if images is None else np.concatenate([images, made])
    if latents is None or images is None:
        raise ValueError("there are no images")
    return latents, np.rint((images.clip(-1, 1) + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)


def _sums(prepared: _Prepared, made: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    return {"mean_latent": float(np.abs(made[0]).mean()), "mean_pixel": float(made[1].mean())}


def _same(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    same = all(abs(ours[name] / theirs[name] - 1) < 1e-4 for name in theirs)
    return "" if same else "the two sides give other latents or pictures"


ENCODE = Benchmark(
    name="encode",
    what=f"latents and reconstructions of {N:,} images by conv-mnist",
    prepare=_prepare,
    ours=Side("core.latents.encode, which gives the errors too", _ours, _sums),
    theirs=Side("plain loop, np.concatenate a batch", _plain, _sums),
    target=2.0,
    fair=_same,
)

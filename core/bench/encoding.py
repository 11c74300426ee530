"""Encoding 70,000 images against a plain loop that joins its results with `np.concatenate` after each batch."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.architectures import architecture
from core.bench.data import Data
from core.bench.runner import Benchmark, Side
from core.bench.training import pictures
from core.config import latent_shape
from core.images import ImageSet, image_set
from core.models import TrainedModel

N = 70_000
BATCH = 256
SHAPE = (28, 28, 1)


@dataclass(frozen=True)
class _Prepared:
    images: ImageSet
    model: TrainedModel


def _prepare(data: Data) -> _Prepared:
    return _with_model(pictures(data, N, SHAPE))


def _with_model(images: ImageSet) -> _Prepared:
    import torch

    from core.autoencoders import build, to_weights

    config = architecture("conv-mnist")
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        weights = to_weights(build(config, SHAPE))
    return _Prepared(images, TrainedModel(config, None, SHAPE, weights))


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


def grown(side: str, n: int) -> float:
    """Return the MB by which this process's peak memory grows while one side encodes n images."""
    work = {"ours": _ours, "plain": _plain}[side]
    noise = np.random.default_rng(0).integers(0, 256, (n, *SHAPE), np.uint8)
    work(_with_model(image_set(noise[:BATCH])))  # libraries are loaded, buffers made
    prepared = _with_model(image_set(noise))
    before = _peak()
    work(prepared)
    return _peak() - before


def _peak() -> float:
    """Return the most memory that this process has had so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # what `getrusage` says would begin at the peak of the process that started this one
        (line,) = (line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def _grown_apart(side: str, n: int) -> float:
    code = f"from core.bench import encoding; print(encoding.grown({side!r}, {n}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _memory(prepared: int, made: float) -> dict[str, float]:
    latents = 4 * int(np.prod(latent_shape(architecture("conv-mnist"), SHAPE)))
    return {"peak_mb": made, "results_mb": prepared * (latents + int(np.prod(SHAPE))) / (1 << 20)}


ENCODE = Benchmark(
    name="encode",
    what=f"latents and reconstructions of {N:,} images by conv-mnist",
    prepare=_prepare,
    ours=Side("core.latents.encode, which gives the errors too", _ours, _sums),
    theirs=Side("plain loop, np.concatenate a batch", _plain, _sums),
    target=2.0,
    fair=_same,
)
ENCODE_MEMORY = Benchmark(
    name="encode-memory",
    what=f"the most memory that encoding {N:,} images takes beyond the images, results included",
    prepare=lambda data: N,
    ours=Side("core.latents.encode", lambda n: _grown_apart("ours", n), _memory),
    theirs=Side("plain loop, np.concatenate a batch", lambda n: _grown_apart("plain", n), _memory),
    target=2.0,
    repeats=1,
    by="peak_mb",
)

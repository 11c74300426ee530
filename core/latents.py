"""Encode images to latents, decode them again, and say how far each reconstruction is off."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from core import scratch
from core.config import FeaturesConfig, ValueRange
from core.errors import CheckpointError, ConfigError
from core.imageset import ImageSet
from core.models import TrainedModel
from core.progress import Callback, Progress, ignore, stopwatch

if TYPE_CHECKING:
    import torch

BATCH = 256


@dataclass(frozen=True, eq=False)
class Latents:
    """What a model makes of n images; a classifier gives probabilities, and neither reconstructions nor errors.

    Parameters
    ----------
    latents : float32 (n, d), d = latent_size or the encoder's c · h · w.
    reconstructions : uint8 (n, h, w, c).
    errors : float32 (n,), mean squared error of each image with pixels in [0, 1], of the 8-bit reconstruction,
        so that what is shown is what is scored.
    probabilities : float32 (n, classes), each row's sum is 1.
    """

    latents: np.ndarray
    reconstructions: np.ndarray | None = None
    errors: np.ndarray | None = None
    probabilities: np.ndarray | None = None


def pick_device(device: str | None = None) -> str:
    """Return the device given, else "cuda" when there is one, else "cpu"."""
    import torch

    return device or ("cuda" if torch.cuda.is_available() else "cpu")


def describe_device(device: str | None = None) -> str:
    """Name the device for people."""
    import torch

    chosen = pick_device(device)
    if chosen.startswith("cuda"):
        return torch.cuda.get_device_name(chosen)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'' if threads == 1 else 's'}"


def encode(
    model: TrainedModel,
    images: ImageSet,
    callback: Callback = ignore,
    device: str | None = None,
    *,
    features: np.ndarray | None = None,
) -> Latents:
    """Encode and decode every image.

    Parameters
    ----------
    features : float32 (n, d) of the images, for a model that decodes those of a pretrained network: they are its latents.

    Raises
    ------
    CheckpointError : the model is of another architecture, reads images of another shape, or yields values
        that are not finite.
    """
    import torch

    from core.autoencoders import from_model
    from core.devices import Pixels, arrange, fit_memory

    if model.image_shape != images.image_shape:
        raise CheckpointError(f"The model reads images {model.image_shape}; these are {images.image_shape}.")
    if isinstance(model.autoencoder, FeaturesConfig) != (features is not None):
        raise CheckpointError(
            "A model of pretrained features needs the features of the images, and no other has use for them."
        )
    on = torch.device(pick_device(device))
    module = from_model(model, on)
    arrange(module)
    n = len(images)
    values = model.autoencoder.value_range
    pixels = Pixels(images, on, values)
    latents = scratch.empty((n, model.n_latents), np.float32)
    reconstructions = scratch.empty(images.x.shape, np.uint8)
    errors = np.empty(n, np.float32)
    seconds_left = stopwatch(n)

    def work(start: int, size: int) -> None:
        part = slice(start, min(n, start + size))
        x = pixels.batch(part) if features is None else torch.from_numpy(np.array(features[part])).to(on)
        z = module.encode(x)
        shown = module.decode(z)
        if not (z.isfinite().all() and shown.isfinite().all()):
            raise CheckpointError("The model's weights give latents that are not finite; train it anew.")
        latents[part] = z.cpu().numpy()
        reconstructions[part] = to_images(shown, values)
        errors[part] = squared_errors(images.x[part], reconstructions[part])

    start, at_once = 0, BATCH
    with torch.inference_mode():
        while start < n:
            _, at_once = fit_memory(partial(work, start), at_once)
            start = min(n, start + at_once)
            callback(Progress("Encoding", start, n, "image", seconds_left(start)))
    return Latents(latents, reconstructions, errors)


def decode(model: TrainedModel, latents: np.ndarray, device: str | None = None) -> np.ndarray:
    """Return the images, uint8 (n, h, w, c), that a model makes of latents, float32 (n, d).

    Raises
    ------
    CheckpointError : the weights are of another architecture. ConfigError : the latents have another length.
    """
    import torch

    from core.autoencoders import from_model

    if latents.ndim != 2 or latents.shape[1] != model.n_latents:
        raise ConfigError(f"The model decodes rows of {model.n_latents} latents; these are {latents.shape}.")
    on = torch.device(pick_device(device))
    module = from_model(model, on)
    images = np.empty((len(latents), *model.image_shape), np.uint8)
    with torch.inference_mode():
        for start in range(0, len(latents), BATCH):
            part = slice(start, start + BATCH)
            z = torch.from_numpy(np.array(latents[part], np.float32)).to(on)
            images[part] = to_images(module.decode(z), model.autoencoder.value_range)
    return images


def to_images(batch: "torch.Tensor", value_range: ValueRange = "unit") -> np.ndarray:
    """Turn float images (b, c, h, w) in [0, 1] or [-1, 1] into uint8 (b, h, w, c); what is outside is cut off."""
    import torch

    unit = batch if value_range == "unit" else batch.add(1).div(2)
    decoded = unit.clamp(0, 1).mul(255).round().to(torch.uint8)
    images: np.ndarray = decoded.permute(0, 2, 3, 1).cpu().numpy()
    return images


def squared_errors(x: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """Return each image's mean squared error, float32 (b,), of uint8 arrays (b, h, w, c) read as [0, 1]."""
    difference = (x.astype(np.float32) - reconstructions.astype(np.float32)) / 255
    return np.square(difference).mean(axis=(1, 2, 3), dtype=np.float32)

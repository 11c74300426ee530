"""Features of a pretrained network as latents: computed once for a set of images, chunk by chunk in the store, and decoded."""

from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO

import numpy as np

from core import latents, pretrained, scratch
from core.classifier import outputs
from core.config import FeaturesConfig
from core.errors import CheckpointError
from core.imageset import ImageSet
from core.keys import features_key
from core.latents import Latents, pick_device
from core.models import TrainedModel
from core.networks import Classifier, averaged
from core.progress import Callback, Progress, ignore, stopwatch
from core.readers.pictures import read_rgb
from core.readers.pixels import Pixels, prepared
from core.store import Store, key_of

STAGE = "features"
CHUNK = 256  # images whose features are kept at once, so that what was stopped goes on from there


def encode(
    store: Store, model: TrainedModel, images: ImageSet, callback: Callback = ignore, device: str | None = None
) -> Latents:
    """Return the features of every image, and what the model's decoder makes of them.

    Raises
    ------
    CheckpointError : the weights or the decoder are others. ConfigError : the weights are not on this computer.
    DataError : a picture cannot be read any more.
    """
    assert isinstance(model.autoencoder, FeaturesConfig)
    found = compute(store, model.autoencoder, images, callback, device)
    return latents.encode(model, images, callback, device, features=found)


def compute(
    store: Store, config: FeaturesConfig, images: ImageSet, callback: Callback = ignore, device: str | None = None
) -> np.ndarray:
    """Return the features of every image, float32 (n, n_features); those that the store has are not computed again.

    Raises
    ------
    ConfigError, CheckpointError : the network's weights are not on this computer, or others.
    DataError : a picture cannot be read any more.
    """
    n, key = len(images), features_key(config, images)
    made = scratch.empty((n, config.n_features), np.float32)
    missing = []
    for start in range(0, n, CHUNK):
        part = made[start : start + CHUNK]
        entry = store.get(STAGE, key_of(1, key, start))
        if entry is not None and entry.arrays["features"].shape == part.shape:
            part[:] = entry.arrays["features"]
        else:
            missing.append(start)
    if not missing:
        return made
    done, total = 0, sum(len(made[start : start + CHUNK]) for start in missing)
    seconds_left = stopwatch(total)
    for start, stop, batch in _batches(config, images, missing, device):
        made[start:stop] = batch
        done += stop - start
        if stop % CHUNK == 0 or stop == n:
            first = (stop - 1) // CHUNK * CHUNK
            told = {"of": key, "start": first}
            store.put(STAGE, key_of(1, key, first), {"features": np.array(made[first:stop])}, told, 0.0)
        callback(Progress("Reading features", n - total + done, n, "image", seconds_left(done)))
    return made


def of_picture(
    config: FeaturesConfig, content: bytes, x: np.ndarray, like: ImageSet, device: str | None = None
) -> np.ndarray:
    """Return the features, float32 (n_features,), of a picture that belongs to no set, read as those of a set are.

    Parameters
    ----------
    content : its file. x : uint8 (h, w, c), as it would be in that set.

    Raises
    ------
    ConfigError, CheckpointError : the network's weights are not on this computer, or others.
    DataError : the picture cannot be decoded.
    """
    how = config.network
    if like.originals is None:
        pixels = prepared(x, how.resize, how.crop)
    else:
        pixels = read_rgb(partial(BytesIO, content), how.resize, how.crop)
    on = pick_device(device)
    return _features(pretrained.load(config, on), config, np.stack([pixels]), on)[0]


def _batches(
    config: FeaturesConfig, images: ImageSet, starts: Sequence[int], device: str | None
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield first row, end and features of each batch of the chunks that begin at `starts`."""
    from core.devices import fit_memory  # torch

    on, size = pick_device(device), config.network.batch_size
    network = pretrained.load(config, on)
    source = None if images.originals is None else images.originals.source
    pixels = Pixels(source, images, config.network.resize, config.network.crop)

    def batch(start: int, end: int, at_once: int) -> np.ndarray:
        return _features(network, config, pixels(start, min(end, start + at_once)), on)

    for start in starts:
        row, end = start, min(len(images), start + CHUNK)
        while row < end:
            found, size = fit_memory(partial(batch, row, end), size)
            yield row, row + len(found), found
            row += len(found)


def _features(network: Classifier, config: FeaturesConfig, pixels: np.ndarray, device: str) -> np.ndarray:
    """Return the features, float32 (b, n_features), of prepared pictures, uint8 (b, h, w, 3)."""
    found: np.ndarray = averaged(outputs(network, pixels, device)[1]).cpu().numpy()
    if found.shape[1] != config.n_features or not np.isfinite(found).all():
        raise CheckpointError(
            f"The weights of {config.network.model} give {found.shape[1]:,} numbers an image, or some that are not finite; "
            f"{config.n_features:,} finite ones are expected."
        )
    return found

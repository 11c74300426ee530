"""Encoding: what is shown is what is scored."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core import autoencoders, latents
from core.config import AutoencoderConfig
from core.errors import CheckpointError
from core.images import image_set
from core.models import TrainedModel
from core.progress import Cancelled
from tests.made_up import blobs

N = 300  # more than a batch


@pytest.fixture(scope="module")
def model():
    """An autoencoder with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = autoencoders.build(AutoencoderConfig(3, 4), (8, 8, 1))
    return TrainedModel(AutoencoderConfig(3, 4), None, (8, 8, 1), autoencoders.to_weights(module))


def test_latents_reconstructions_and_errors_are_the_models(model):
    found = image_set(blobs(N)[0])
    encoded = latents.encode(model, found)
    module = autoencoders.from_model(model)
    with torch.no_grad():
        x = torch.from_numpy(found.x.astype(np.float32) / 255).permute(0, 3, 1, 2)
        z = module.encode(x)
        decoded = module.decode(z).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(encoded.latents, z, atol=1e-5)
    assert np.abs(encoded.reconstructions - 255 * decoded).max() <= 0.51
    errors = ((found.x / 255 - encoded.reconstructions / 255) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(encoded.errors, errors, rtol=1e-4)
    assert (encoded.latents.dtype, encoded.reconstructions.dtype, encoded.errors.dtype) == (
        np.float32,
        np.uint8,
        np.float32,
    )


def test_errors_by_hand():
    x = np.zeros((1, 8, 8, 1), np.uint8)
    other = x.copy()
    other[0, :4] = 255  # half of the pixels off by 1
    assert latents.squared_errors(x, other) == pytest.approx([0.5])


def test_an_image_is_encoded_alike_in_any_company(model):
    found = image_set(blobs(N)[0])
    part = image_set(found.x[280:290])
    np.testing.assert_allclose(
        latents.encode(model, part).latents, latents.encode(model, found).latents[280:290], atol=1e-5
    )


def test_progress_counts_images_and_can_stop(model):
    seen = []
    latents.encode(model, image_set(blobs(N)[0]), seen.append)
    assert [p.done for p in seen] == [256, 300]

    def stop(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        latents.encode(model, image_set(blobs(N)[0]), stop)


def test_images_of_another_shape_are_refused(model):
    with pytest.raises(CheckpointError, match="reads images"):
        latents.encode(model, image_set(blobs(4, side=9)[0]))
    with pytest.raises(CheckpointError, match="another architecture"):
        latents.encode(replace(model, autoencoder=AutoencoderConfig(4, 4)), image_set(blobs(4)[0]))


def test_device_is_named():
    assert latents.describe_device("cpu").startswith("CPU")
    assert latents.pick_device("cpu") == "cpu"
    assert latents.pick_device() in ("cpu", "cuda")


def test_weights_that_give_no_finite_latents_are_refused(model):
    weights = {n: -np.ones_like(a) if n.endswith("running_var") else a for n, a in model.weights.items()}
    with pytest.raises(CheckpointError, match="latents that are not finite"):
        latents.encode(replace(model, weights=weights), image_set(blobs(4)[0]))

"""The architecture: any image comes back in its size, and foreign weights are named."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core import autoencoders
from core.architectures import ARCHITECTURES
from core.config import AutoencoderConfig
from core.errors import CheckpointError, ConfigError
from core.models import TrainedModel

CONFIG = AutoencoderConfig(3, 4)


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 13, 3), (28, 28, 1), (31, 64, 3), (128, 8, 1), (127, 128, 3)])
def test_images_of_any_size_come_back_in_it_with_values_in_0_1(shape):
    h, w, c = shape
    module = autoencoders.build(CONFIG, shape).eval()
    with torch.no_grad():
        latents = module.encode(torch.rand(2, c, h, w))
        images = module.decode(latents)
    assert latents.shape == (2, 3)
    assert images.shape == (2, c, h, w)
    assert images.min() >= 0 and images.max() <= 1


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 13, 3), (128, 64, 1)])
def test_layer_table_is_what_the_layers_put_out(shape):
    module = autoencoders.build(CONFIG, shape).eval()
    seen = []
    for layer in module.modules():
        if not list(layer.children()):
            layer.register_forward_hook(lambda layer, before, after: seen.append(tuple(after.shape[1:])))
    with torch.no_grad():
        module(torch.rand(1, shape[2], shape[0], shape[1]))
    summary = autoencoders.summarize(CONFIG, shape)
    assert [row.output_shape for row in summary.layers] == seen
    assert summary.n_parameters == sum(p.numel() for p in module.parameters())
    assert summary.parameter_bytes == 4 * summary.n_parameters
    assert summary.latent_shape == (3,)


@pytest.mark.parametrize(
    "name, parameters, latents",
    [
        ("conv-pool", 1_909_251, (256, 4, 4)),
        ("strided-small", 2_011, (16, 8, 8)),
        ("conv-mnist", 50_161, (64, 2, 2)),
        ("deep-bn", 2_222, (6, 2, 2)),
    ],
)
def test_published_architectures_have_the_published_size(name, parameters, latents):
    known = ARCHITECTURES[name]
    summary = autoencoders.summarize(known.config, known.image_shape)
    assert (summary.n_parameters, summary.n_trainable, summary.latent_shape) == (parameters, parameters, latents)
    assert f"{parameters:,}" in autoencoders.table_text(summary)


def test_convolutions_of_conv_mnist_have_320_and_18496_parameters():
    known = ARCHITECTURES["conv-mnist"]
    rows = autoencoders.summarize(known.config, known.image_shape).layers
    assert [row.n_parameters for row in rows if row.name.startswith("encoder") and row.n_parameters] == [320, 18_496]


def test_a_latent_size_squeezes_what_the_layers_give():
    config = replace(ARCHITECTURES["strided-small"].config, latent_size=7)
    module = autoencoders.build(config, (32, 32, 3))
    latents = module.encode(torch.rand(2, 3, 32, 32))
    assert latents.shape == (2, 7)
    assert module.decode(latents).shape == (2, 3, 32, 32)
    squeezed = 2_011 + (1024 * 7 + 7) + (7 * 1024 + 1024)
    assert autoencoders.summarize(config, (32, 32, 3)).n_parameters == squeezed


def test_layers_that_do_not_bring_the_image_back_say_which_sides_fit():
    with pytest.raises(ConfigError, match=r"out of 30×30 with 1\. It fits sides of 16, 28, 40"):
        autoencoders.build(ARCHITECTURES["conv-mnist"].config, (30, 30, 1))


def model_of(shape=(8, 8, 1)):
    return TrainedModel(CONFIG, None, shape, autoencoders.to_weights(autoencoders.build(CONFIG, shape)))


def test_weights_go_in_and_out_unchanged():
    model = model_of()
    back = autoencoders.to_weights(autoencoders.from_model(model))
    for name, array in model.weights.items():
        np.testing.assert_array_equal(array, back[name])


def test_another_architecture_is_named_with_both_shapes():
    model = model_of()
    with pytest.raises(CheckpointError, match=r"another architecture: 'to_latents.weight' has shape \(3, .*\(5, "):
        autoencoders.from_model(replace(model, autoencoder=AutoencoderConfig(5, 4)))
    lacking = {name: array for name, array in model.weights.items() if name != "to_image.bias"}
    with pytest.raises(CheckpointError, match=r"needs .to_image\.bias."):
        autoencoders.from_model(replace(model, weights=lacking))
    with pytest.raises(CheckpointError, match="'more' is not part"):
        autoencoders.from_model(replace(model, weights={**model.weights, "more": np.zeros(1, np.float32)}))

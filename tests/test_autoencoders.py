"""The architecture: any image comes back in its size, and foreign weights are named."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core import autoencoders
from core.config import AutoencoderConfig
from core.errors import CheckpointError
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
    layers = [*module.down, module.to_latents, module.from_latents, *module.up, module.to_image]
    for layer in layers:
        layer.register_forward_hook(lambda layer, before, after: seen.append(after.shape[1:].numel()))
    with torch.no_grad():
        module(torch.rand(1, shape[2], shape[0], shape[1]))
    table = autoencoders.layer_table(CONFIG, shape)
    assert [int(np.prod(row.output_shape)) for row in table] == seen
    assert sum(row.n_parameters for row in table) == sum(p.numel() for p in module.parameters())


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

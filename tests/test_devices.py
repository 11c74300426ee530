"""Devices say how, not what: other layouts, fewer images at once and 16 bits leave the model what it is."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

from core import autoencoders, devices, latents
from core.config import AutoencoderConfig, LayersConfig, TrainingConfig
from core.errors import TrainingError
from core.images import image_set
from core.keys import model_key
from core.plans import TrainSpec
from core.training import train
from tests.made_up import blobs

CPU = torch.device("cpu")
LAYERS = LayersConfig(
    "conv(8,3,1,1) relu maxpool(2)", "deconv(8,2,2,0) relu conv(c,3,1,1) tanh", value_range="symmetric"
)


def images(n=40):
    return image_set(blobs(n)[0])


def config(**changes):
    return TrainingConfig(**({"epochs": 3, "batch_size": 16, "validation_share": 0.0} | changes))


def fails_above(limit, monkeypatch, name="forward"):
    """Let every autoencoder run out of memory with more than `limit` images; return the sizes that were tried."""
    tried = []
    kind = autoencoders.LayeredAutoencoder
    whole = getattr(kind, name)

    def scarce(self, x):
        tried.append(len(x))
        if len(x) > limit:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return whole(self, x)

    monkeypatch.setattr(kind, name, scarce)
    return tried


def plain_loop(found, settings):
    """Train as a plain loop over shuffled float images does; return the weights and the loss of each epoch."""
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        module = autoencoders.build(LAYERS, found.image_shape)
    x = torch.from_numpy(found.x.copy()).permute(0, 3, 1, 2).float() / 255 * 2 - 1
    optimizer = torch.optim.Adam(module.parameters(), settings.learning_rate)
    losses = []
    for epoch in range(1, settings.epochs + 1):
        order = torch.from_numpy(np.random.default_rng([settings.seed, epoch]).permutation(len(x)))
        total = 0.0
        for rows in order.split(settings.batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(module(x[rows]), x[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / len(x))
    return autoencoders.to_weights(module), losses


def test_training_is_the_plain_loops():
    weights, losses = plain_loop(images(), config(seed=3))
    model = train(images(), LAYERS, config(seed=3))
    np.testing.assert_allclose([item.train_loss for item in model.history], losses, rtol=1e-6)
    for name, array in weights.items():
        np.testing.assert_allclose(model.weights[name], array, atol=1e-6)


def test_pooling_before_relu_changes_no_bit_of_output_or_gradient():
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 1, 3),
    ]
    x = torch.randn(5, 1, 12, 12)
    found = []
    for kind in (nn.Sequential, autoencoders._Sequence):
        module = kind(*layers)
        module.zero_grad()
        made = module(x)
        made.square().sum().backward()
        found.append([made.detach(), *(p.grad.clone() for p in module.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_a_relu_that_comes_first_leaves_its_input_alone():
    x = torch.tensor([[-1.0, 2.0]])
    assert autoencoders._Sequence(nn.ReLU(), nn.ReLU())(x).tolist() == [[0.0, 2.0]]
    assert x.tolist() == [[-1.0, 2.0]]


def test_out_of_memory_halves_the_batch_says_so_and_trains_the_same_model(monkeypatch, caplog):
    whole = train(images(), LAYERS, config())
    assert caplog.records == []
    tried = fails_above(8, monkeypatch)
    with caplog.at_level(logging.WARNING):
        halved = train(images(), LAYERS, config())
    assert tried[:6] == [16, 8, 8, 8, 8, 8]  # 40 = 16 + 16 + 8, and after the first no more than 8 at once
    assert [record.getMessage() for record in caplog.records] == [
        "The device has too little memory for 16 images at once; going on with 8.",
    ]
    np.testing.assert_allclose(
        [item.train_loss for item in halved.history], [item.train_loss for item in whole.history], rtol=1e-5
    )


def test_out_of_memory_while_validating_changes_no_validation_loss(monkeypatch, caplog):
    settings = config(validation_share=0.5, batch_size=8)
    whole = train(images(), LAYERS, settings)
    fails_above(10, monkeypatch)
    halved = train(images(), LAYERS, settings)
    assert "20 images" not in caplog.text and "going on with 8" in caplog.text
    losses = [[item.validation_loss for item in model.history] for model in (halved, whole)]
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_memory_that_does_not_do_for_one_image_is_an_error(monkeypatch):
    fails_above(0, monkeypatch)
    with pytest.raises(TrainingError, match="too little memory for 1 image"):
        train(images(), LAYERS, config())


def test_out_of_memory_while_encoding_leaves_no_row_out(monkeypatch, caplog):
    model = train(images(), LAYERS, config(epochs=1))
    whole = latents.encode(model, images(300))
    fails_above(100, monkeypatch, "encode")
    seen = []
    halved = latents.encode(model, images(300), seen.append)
    np.testing.assert_allclose(halved.latents, whole.latents, atol=1e-6)
    assert [item.done for item in seen] == [64, 128, 192, 256, 300]
    assert "going on with 64" in caplog.text


def test_sixteen_bits_are_for_gpus_unless_asked_for():
    gpu = torch.device("cuda")
    assert devices.halves("auto", CPU) is None and devices.halves("auto", gpu) == torch.float16
    assert devices.halves("mixed", CPU) == torch.bfloat16 and devices.halves("full", gpu) is None


def test_mixed_precision_has_the_loss_curve_of_full():
    full = train(images(), LAYERS, config())
    mixed = train(images(), LAYERS, config(precision="mixed"))
    assert mixed.fingerprint != full.fingerprint
    assert all(array.dtype == np.float32 for array in mixed.weights.values())
    np.testing.assert_allclose(
        [item.train_loss for item in mixed.history], [item.train_loss for item in full.history], rtol=0.01
    )


def test_the_precision_asked_for_is_part_of_a_models_key():
    keys = {model_key(images(), TrainSpec(LAYERS, config(precision=it))) for it in ("auto", "mixed", "full")}
    assert len(keys) == 3


def test_uninitialised_memory_is_filled_again_after_training():
    before = torch.utils.deterministic.fill_uninitialized_memory
    train(images(), LAYERS, config(epochs=1))
    assert torch.utils.deterministic.fill_uninitialized_memory == before


def test_batch_normalised_networks_keep_their_layout_while_they_are_trained_on_a_cpu():
    plain = devices.arrange(autoencoders.build(LAYERS, (8, 8, 3)))
    assert plain.encoder[0].weight.is_contiguous(memory_format=torch.channels_last)
    normalised = devices.arrange(autoencoders.build(AutoencoderConfig(4, 4), (8, 8, 3)))
    assert all(p.is_contiguous() for p in normalised.parameters())
    assert not all(p.is_contiguous() for p in devices.arrange(normalised.eval()).parameters())


@pytest.mark.parametrize(("values", "expected"), [("unit", [0.0, 0.2, 1.0]), ("symmetric", [-1.0, -0.6, 1.0])])
def test_pixels_by_hand(values, expected):
    x = np.zeros((3, 8, 8, 1), np.uint8)
    x[1], x[2] = 51, 255
    x.flags.writeable = False
    found = image_set(x)
    batch = devices.Pixels(found, CPU, values).batch(np.array([0, 1, 2]))
    assert batch.shape == (3, 1, 8, 8) and batch.dtype == torch.float32
    np.testing.assert_allclose(batch[:, 0, 0, 0], expected, atol=1e-6)
    assert found.x.max() == 255


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("precision", ["auto", "full"])
def test_a_gpu_trains_and_encodes_as_the_cpu_does(precision):
    here = train(images(), LAYERS, config(), device="cpu")
    there = train(images(), LAYERS, config(precision=precision), device="cuda")
    np.testing.assert_allclose(
        [item.train_loss for item in there.history], [item.train_loss for item in here.history], rtol=0.01
    )
    encoded = [latents.encode(here, images(300), device=device).latents for device in ("cpu", "cuda")]
    np.testing.assert_allclose(*encoded, atol=1e-2)


def test_a_small_set_is_kept_where_there_is_room_and_a_large_one_is_streamed(monkeypatch):
    found = images(10)  # 10 images of 8 × 8 × 1 bytes
    rows = np.array([7, 0, 3])
    streamed = devices.Pixels(found, CPU, "unit")
    assert streamed._kept is None  # a CPU has no memory of its own
    monkeypatch.setattr(devices, "PIECE", 3 * 64)  # ... in pieces of 3, 3, 3 and 1
    for free, kept in ((4 * found.x.nbytes, True), (4 * found.x.nbytes - 1, False)):
        monkeypatch.setattr(devices, "_free", lambda device, free=free: free)
        pixels = devices.Pixels(found, CPU, "unit")
        assert (pixels._kept is not None) == kept
        for chosen in (rows, slice(2, 9)):
            assert torch.equal(pixels.batch(chosen), streamed.batch(chosen))


def test_memory_that_is_free_but_in_pieces_streams_the_images(monkeypatch):
    def scarce(*given, **named):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(devices, "_free", lambda device: 1 << 40)
    monkeypatch.setattr(devices.torch, "empty", scarce)
    assert devices.Pixels(images(10), CPU, "unit")._kept is None


def test_batches_for_a_gpu_are_sent_from_pinned_memory_while_the_program_goes_on(monkeypatch):
    done = []

    class Sent:
        def pin_memory(self):
            done.append("pinned")
            return self

        def to(self, device, non_blocking=False):
            done.append((device.type, non_blocking))
            return torch.zeros(2, 8, 8, 1, dtype=torch.uint8)

    monkeypatch.setattr(devices.torch, "from_numpy", lambda x: Sent())
    assert devices.to_batch(np.zeros((2, 8, 8, 1), np.uint8), torch.device("cuda")).shape == (2, 1, 8, 8)
    assert done == ["pinned", ("cuda", True)]


def test_a_network_is_compiled_only_for_long_training_on_a_gpu(monkeypatch):
    made = []
    monkeypatch.setattr(devices, "find_spec", lambda name: object())
    monkeypatch.setattr(devices.torch, "compile", lambda module: made.append(module) or (lambda x: x + 1))
    module, gpu = nn.Identity(), torch.device("cuda")
    assert devices.compiled_if_it_pays(module, CPU, 1e6) is module
    assert devices.compiled_if_it_pays(module, gpu, 599) is module
    assert made == []
    assert devices.compiled_if_it_pays(module, gpu, 600)(torch.zeros(1)).item() == 1
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    assert devices.compiled_if_it_pays(module, gpu, 600) is module and made == [module]


def test_a_network_that_cannot_be_compiled_is_trained_as_it_is(monkeypatch, caplog):
    from torch._dynamo.exc import TorchDynamoException

    def broken(x):
        raise TorchDynamoException("no compiler")

    monkeypatch.setattr(devices, "find_spec", lambda name: object())
    monkeypatch.setattr(devices.torch, "compile", lambda module: broken)
    forward = devices.compiled_if_it_pays(nn.Identity(), torch.device("cuda"), 1e4)
    assert forward(torch.ones(1)).item() == forward(torch.ones(1)).item() == 1
    assert caplog.text.count("cannot be compiled") == 1


@pytest.mark.parametrize(("deterministic", "expected"), [(True, 0), (False, 6)])
def test_only_training_that_may_round_otherwise_is_compiled_and_from_its_second_epoch(
    deterministic, expected, monkeypatch
):
    from core import training

    steps = []

    def quick(module, device, seconds):
        assert seconds >= 0
        return lambda x: steps.append(len(x)) or module(x)

    monkeypatch.setattr(training, "compiled_if_it_pays", quick)
    whole = train(images(), LAYERS, config(deterministic=deterministic))
    assert len(steps) == expected  # 3 batches in each of epochs 2 and 3
    monkeypatch.undo()
    again = train(images(), LAYERS, config(deterministic=deterministic))
    np.testing.assert_allclose(again.history[-1].train_loss, whole.history[-1].train_loss, rtol=1e-5)

"""What a training begins with: by the images alone, the same on the page, on the command line and in recipes."""

from dataclasses import replace

import numpy as np
import pytest

from core import recipes, usual_training
from core.cli import arguments, parser
from core.config import AutoencoderConfig, LayersConfig, TrainingConfig
from core.images import ArraySource, SampleSource, image_set
from core.plans import KeptModel, TrainSpec
from core.usual_training import usual

GREY, COLOUR, PHOTOGRAPH = (28, 28, 1), (32, 32, 3), (96, 128, 3)


@pytest.fixture(autouse=True)
def slow_16_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(usual_training, "CPU_INFO", tmp_path / "cpuinfo")
    return tmp_path / "cpuinfo"


@pytest.mark.parametrize("shape", [GREY, COLOUR, PHOTOGRAPH])
@pytest.mark.parametrize("n", [2, 20, 590, 5_000, 60_000, 2_000_000])
@pytest.mark.parametrize("k", [0, 1, 10, 1000])
def test_any_number_of_images_of_any_kind_can_be_begun_with(shape, n, k):
    training = usual(shape, n, k).training
    assert 6 <= training.epochs <= 100 and 32 <= training.batch_size <= 256
    assert training.self_label_clusters in (0, k)
    assert training.decay**training.epochs == pytest.approx(0.15, abs=0.06)


def test_more_images_need_fewer_epochs_and_no_number_of_them_few_steps():
    found = {n: usual(GREY, n).training for n in (2_000, 5_000, 20_000, 60_000, 500_000)}
    epochs = [item.epochs for item in found.values()]
    steps = [item.epochs * n / item.batch_size for n, item in found.items()]
    assert epochs == sorted(epochs, reverse=True) and min(steps) > 2_000 and max(steps) == steps[-1]


def test_photographs_are_squeezed_into_more_numbers():
    assert [usual(shape, 5_000).autoencoder.latent_size for shape in (GREY, COLOUR, PHOTOGRAPH)] == [32, 32, 64]


def test_clusters_are_learnt_from_where_there_are_images_enough_and_after_the_first_epochs():
    assert usual(GREY, 999, 10).training.self_label_clusters == 0
    assert usual(GREY, 1_000, 10).training.self_label_clusters == 10
    assert usual(GREY, 1_000, 1).training.self_label_clusters == 0
    found = usual(GREY, 60_000, 10).training
    assert (found.epochs, found.self_label_from, found.self_label_every) == (18, 6, 6)


def test_16_bits_are_begun_with_where_the_processor_has_instructions_for_them(slow_16_bits):
    assert usual(GREY, 100).training.precision == "auto"
    slow_16_bits.write_text("flags : fpu avx512f avx512_bf16\n")
    assert usual(GREY, 100).training.precision == "mixed"


def _asked(tmp_path, *flags, labels=True):
    x = np.random.default_rng(0).integers(0, 256, (1200, 12, 12), np.uint8)
    np.savez(tmp_path / "a.npz", x=x, **({"y": np.arange(1200) % 3} if labels else {}))
    args = parser.build().parse_args(["run", "--data", str(tmp_path / "a.npz"), "--out", str(tmp_path / "o"), *flags])
    recipe, source = arguments.asked(args)
    found = image_set(x, np.arange(1200) % 3 if labels else None, ("a", "b", "c") if labels else ())
    return arguments.plan(args, recipe, source, found, found).model, found


def test_the_command_line_begins_with_it_and_flags_change_what_they_name(tmp_path):
    model, found = _asked(tmp_path)
    assert model == usual(found.image_shape, 1200, 3)
    changed, _ = _asked(tmp_path, "--epochs", "2", "--latent-size", "5")
    assert changed == replace(
        model, autoencoder=replace(model.autoencoder, latent_size=5), training=replace(model.training, epochs=2)
    )
    assert _asked(tmp_path, "--clusters", "5")[0].training.self_label_clusters == 5
    assert _asked(tmp_path, labels=False)[0].training.self_label_clusters == 0
    assert _asked(tmp_path, "--seed", "4")[0].training.seed == 4


def test_own_layers_and_published_systems_are_trained_plainly(tmp_path):
    model, _ = _asked(tmp_path, "--encoder", "conv(4,3,2,1)", "--decoder", "deconv(1,2,2,0)")
    assert isinstance(model.autoencoder, LayersConfig) and model.training == TrainingConfig()


def test_recipes_begin_with_it_but_for_samples_which_have_a_model():
    found = image_set(np.zeros((500, 28, 28), np.uint8) + np.arange(500, dtype=np.uint8)[:, None, None])
    for recipe in (recipes.Recipe(), recipes.RECIPES["manifold"]):
        assert recipes.model_of(recipe, ArraySource("/a.npy"), found) == usual(GREY, 500)
        assert recipes.model_of(recipe, SampleSource("digits"), found) == KeptModel("digits")
    assert isinstance(recipes.model_of(recipes.RECIPES["deep-bn"], SampleSource("digits"), found), TrainSpec)
    assert usual(GREY, 500).autoencoder == AutoencoderConfig(32, 16)

"""Pretrained features as latents, and the decoder that learns the way back, with the packaged network and a small one."""

from dataclasses import replace
from pathlib import Path

import made_up
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

from core import checkpoints, features, keys, latents, pipeline, pretrained, recipes, stages, trainings
from core.config import KMeansConfig, PCAConfig, TrainingConfig
from core.errors import CheckpointError, ConfigError
from core.images import ArraySource, FolderSource
from core.plans import CheckpointFile, ClusterConfig, Plan, TrainSpec
from core.progress import Cancelled, ignore

LITE = "efficientnet-lite0"
SHORT = TrainingConfig(epochs=2, batch_size=20)


def at_side(config, side):
    return replace(config, network=replace(config.network, resize=side, crop=side))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Features of a small torchvision network with random weights, that reads pictures of 32×32."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "s.safetensors"
    save_file(models.squeezenet1_1().state_dict(), path)
    return at_side(pretrained.choose("squeezenet1_1", str(path), width=4), 32)


@pytest.fixture
def store(tmp_path):
    return pipeline.open_store(tmp_path / "store")


@pytest.fixture
def source(tmp_path):
    return ArraySource(str(made_up.write(tmp_path)))


def plan(source, config, training=SHORT):
    return Plan(source, TrainSpec(config, training), projection=PCAConfig(2), cluster=ClusterConfig(KMeansConfig(3)))


def test_the_latents_are_what_enters_the_packaged_networks_last_layer(store, tmp_path):
    source = ArraySource(str(made_up.write(tmp_path, n=3, side=16, channels=3)))
    config = at_side(pretrained.choose(LITE), 64)
    images = stages.images(store, source).value
    found = features.compute(store, config, images)
    network = pretrained.load(config).module
    big = [np.asarray(Image.fromarray(x).resize((64, 64), Image.Resampling.BILINEAR)) for x in images.x]
    x = torch.from_numpy((np.stack(big).transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128)
    with torch.inference_mode():
        expected = network.extract_features(x).mean(dim=(2, 3)).numpy()
    assert found.dtype == np.float32 and found.shape == (3, 1280)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_grey_pictures_of_any_size_are_read_decoded_mapped_and_found_again(store, source, small):
    asked = plan(source, small)
    seen = []
    made = pipeline.run(store, asked, callback=lambda progress: seen.append(progress.stage))
    assert list(dict.fromkeys(seen))[1:4] == ["Reading features", "Training", "Encoding"]
    found = made.latents.value
    assert found.latents.shape == (60, 512) and found.probabilities is None
    assert found.reconstructions.shape == (60, 8, 8, 1) and found.reconstructions.dtype == np.uint8
    model = made.model.value
    np.testing.assert_array_equal(latents.decode(model, found.latents), found.reconstructions)
    np.testing.assert_allclose(found.errors, latents.squared_errors(made.images.value.x, found.reconstructions))
    assert len(model.history) == 2 and model.history[-1].validation_loss is not None
    again = pipeline.run(store, asked)
    assert again.model.found and again.latents.found and again.projection.key == made.projection.key


def test_a_decoder_of_more_epochs_needs_no_network_any_more_and_goes_on(store, source, small, monkeypatch):
    few = pipeline.run(store, plan(source, small), "model").model.value
    monkeypatch.setattr(pretrained, "load", None)
    more = pipeline.run(store, plan(source, small, replace(SHORT, epochs=4)), "latents")
    assert more.model.value.history[:2] == few.history
    fresh = pipeline.run(store, plan(source, replace(small, width=8)), "latents")
    np.testing.assert_array_equal(fresh.latents.value.latents, more.latents.value.latents)


def test_a_decoder_learns_to_tell_the_pictures_apart(store, source, small):
    made = pipeline.run(store, plan(source, small, TrainingConfig(epochs=60, batch_size=20)), "latents")
    x = made.images.value.x / 255
    assert made.latents.value.errors.mean() < 0.5 * np.square(x - x.mean(axis=0)).mean()


def test_chunks_that_were_finished_before_a_stop_are_not_read_again(store, source, small, monkeypatch):
    monkeypatch.setattr(features, "CHUNK", 16)
    config = replace(small, network=replace(small.network, batch_size=8))
    images = stages.images(store, source).value

    def stop(progress):
        if progress.done == 40:
            raise Cancelled

    with pytest.raises(Cancelled):
        features.compute(store, config, images, stop)
    seen = []
    whole = features.compute(store, config, images, lambda progress: seen.append(progress.done))
    assert seen == [40, 48, 56, 60] and seen[0] > 32
    anew = pipeline.open_store(Path(store.root).parent / "another")
    np.testing.assert_allclose(whole, features.compute(anew, config, images), atol=1e-5)


def test_a_training_that_was_stopped_goes_on_to_the_same_decoder(store, source, small, tmp_path):
    spec = TrainSpec(small, replace(SHORT, epochs=3))
    images = stages.images(store, source).value

    def stop(progress):
        if progress.stage == "Training" and (progress.preview or {}).get("epoch") == 1:
            raise Cancelled

    stopped = stages.model(store, spec, images, stop).value
    assert len(stopped.history) == 1 and [left.spec for left in trainings.interrupted(store, images)] == [spec]
    whole = stages.model(store, spec, images).value
    alone = stages.model(pipeline.open_store(tmp_path / "another"), spec, images).value
    for name, array in alone.weights.items():
        np.testing.assert_array_equal(whole.weights[name], array)


def test_validation_images_have_features_of_their_own(store, source, small, tmp_path):
    other = ArraySource(str(made_up.write(tmp_path / "..", n=12)))
    spec = replace(plan(source, small).model, validation=other)
    model = pipeline.run(store, replace(plan(source, small), model=spec), "model").model.value
    assert model.history[-1].validation_loss is not None


@pytest.fixture
def folders(tmp_path):
    """The same pictures large, and as the small images that are made of them."""
    rng = np.random.default_rng(0)
    for i in range(4):
        picture = Image.fromarray(rng.integers(0, 255, (128, 128, 3), dtype=np.uint8))
        for name, side in (("large", 128), ("little", 16)):
            (tmp_path / name).mkdir(exist_ok=True)
            picture.resize((side, side), Image.Resampling.BOX).save(tmp_path / name / f"{i}.png")
    return FolderSource(str(tmp_path / "large"), 16), FolderSource(str(tmp_path / "little"), 16)


def test_files_are_read_in_their_own_size_and_are_in_the_key(store, folders, small):
    large, little = (stages.images(store, folder).value for folder in folders)
    config = at_side(small, 64)
    of_large, of_little = (features.compute(store, config, images) for images in (large, little))
    assert np.abs(of_large - of_little).max() > 1e-3
    again = replace(little, originals=large.originals)  # the same pixels, of other files
    assert keys.model_key(little, TrainSpec(config)) != keys.model_key(again, TrainSpec(config))
    assert keys.model_key(little, TrainSpec()) == keys.model_key(again, TrainSpec())
    content = Path(folders[0].path, "0.png").read_bytes()
    np.testing.assert_allclose(features.of_picture(config, content, large.x[0], large), of_large[0], atol=1e-5)
    alone = replace(little, originals=None)
    np.testing.assert_allclose(features.of_picture(config, b"", little.x[0], alone), of_little[0], atol=1e-5)


def test_a_model_file_decodes_anywhere_and_reads_images_where_its_network_is(store, source, small, tmp_path):
    made = pipeline.run(store, plan(source, small), "latents")
    checkpoints.write_checkpoint(made.model.value, tmp_path / "m.safetensors")
    asked = replace(plan(source, small), model=CheckpointFile(str(tmp_path / "m.safetensors")))
    again = pipeline.run(pipeline.open_store(tmp_path / "another"), asked, "latents")
    assert again.model.key == made.model.value.fingerprint
    np.testing.assert_array_equal(again.latents.value.reconstructions, made.latents.value.reconstructions)
    moved = replace(made.model.value, autoencoder=replace(small, file="/elsewhere.safetensors"))
    assert moved.fingerprint == made.model.value.fingerprint
    latents.decode(moved, made.latents.value.latents)
    with pytest.raises(CheckpointError, match=r"weights /elsewhere.safetensors cannot be read"):
        features.encode(pipeline.open_store(tmp_path / "third"), moved, made.images.value)
    with pytest.raises(CheckpointError, match="needs the features of the images"):
        latents.encode(made.model.value, made.images.value)


def test_a_recipe_brings_the_features_back(store, source, small):
    asked = plan(source, small)
    values = recipes.to_json(recipes.of_plan(asked, "mine"))
    back = recipes.plan_of(recipes.from_json(values), source, stages.images(store, source, ignore).value)
    assert back.model == asked.model
    values["model"]["autoencoder"]["network"]["model"] = "os:system"
    with pytest.raises(ConfigError, match="named network"):
        recipes.from_json(values)

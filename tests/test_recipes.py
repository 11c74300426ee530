"""The five systems: their numbers, and that a recipe runs again to the same result."""

import csv
import json

import made_up
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from core import recipes
from core.__main__ import main
from core.checkpoints import read_checkpoint
from core.config import KernelPCAConfig, KMeansConfig, MiniBatchKMeansConfig, PCAConfig, TSNEConfig
from core.errors import ConfigError
from core.images import FolderSource, TorchvisionSource, image_set
from core.plans import TrainedClassifier, TrainSpec
from core.recipes import RECIPES

SHORT = ["--perplexity", "5", "--n-iter", "20", "--early-exaggeration-iter", "10", "--no-pictures", "--quiet"]


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EMBEDDING_EXPLORER_MODELS", str(tmp_path / "models"))


@pytest.fixture
def colours(tmp_path):
    """Forty colour images in two groups, with labels."""
    x, y = made_up.blobs(60, 32, 3)
    np.savez(tmp_path / "two.npz", x=x[y < 2], y=y[y < 2], classes=np.array(["0", "1"]))
    return str(tmp_path / "two.npz")


def _rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_numbers_are_those_of_the_published_systems():
    pool, small, digits, deep = (RECIPES[n] for n in ("conv-pool", "strided-small", "conv-mnist", "deep-bn"))
    told = {
        name: (t.loss, t.optimizer, t.learning_rate, t.weight_decay, t.batch_size, t.epochs)
        for name, t in ((r.name, r.model.training) for r in (pool, small, digits, deep))
    }
    assert told == {
        "conv-pool": ("mse", "adam", 1e-5, 1e-5, 64, 100),
        "strided-small": ("l1", "adam", 1e-3, 0.0, 32, 20),
        "conv-mnist": ("mse", "adamw", 1e-3, 1e-5, 256, 20),
        "deep-bn": ("l1", "adam", 5e-4, 0.0, 100, 20),
    }
    ranges = {r.name: r.model.autoencoder.value_range for r in (pool, small, digits, deep)}
    assert ranges == dict.fromkeys(told, "symmetric") | {"deep-bn": "unit"}
    assert all(r.model.training.deterministic and r.model.training.seed == 0 for r in (pool, small, digits, deep))
    assert pool.model.checkpoint_every == 10
    assert (pool.reduction.method, pool.reduction.standardize) == (KernelPCAConfig(200, "rbf"), False)
    assert (pool.cluster.method, pool.cluster.on) == (MiniBatchKMeansConfig(2, seed=0), "projection")
    assert pool.projection == TSNEConfig(2)
    assert (small.reduction.method, small.reduction.standardize) == (PCAConfig(32), True)
    assert (small.cluster.method, small.cluster.on, small.known) == (KMeansConfig(2), "reduced", "first:5=0")
    config = RECIPES["classifier"].model.config
    assert (config.model, config.layer, config.resize, config.crop) == ("vgg16", "classifier.4", 256, 224)
    assert (config.mean, config.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_recipe_survives_json(recipe):
    assert recipes.from_json(json.loads(json.dumps(recipes.to_json(recipe)))) == recipe


def test_a_recipe_learns_from_one_part_and_maps_another():
    recipe, mapped = recipes.with_parts(RECIPES["conv-mnist"], TorchvisionSource("/d", "mnist"))
    assert mapped == TorchvisionSource("/d", "mnist", train=False)
    assert recipe.model.data == TorchvisionSource("/d", "mnist", train=True)
    assert recipe.model.validation == mapped
    assert recipes.with_parts(RECIPES["conv-mnist"], FolderSource("/none"))[1] == FolderSource("/none")


def test_clusters_are_as_many_as_classes_unless_the_recipe_says():
    images = image_set(np.zeros((30, 8, 8), np.uint8), np.arange(30) % 3, "abc")
    source = FolderSource("/none")
    assert recipes.plan_of(RECIPES["deep-bn"], source, images).cluster.method.n_clusters == 3
    assert recipes.plan_of(RECIPES["conv-pool"], source, images).cluster.method.n_clusters == 2


def test_a_run_writes_its_recipe_and_both_predictions_and_the_recipe_runs_again(tmp_path, colours):
    out, again = tmp_path / "out", tmp_path / "again"
    command = ["run", "--recipe", "strided-small", "--data", colours, "--epochs", "1", *SHORT]
    assert main([*command, "--out", str(out)]) == 0
    written = recipes.find(str(out / "recipe.json"))
    assert (written.name, written.model.training.epochs, written.model.training.loss) == ("strided-small", 1, "l1")
    plain, inverted = _rows(out / "prediction.csv"), _rows(out / "prediction_invert.csv")
    assert list(plain[0]) == ["id", "label"]
    assert all({mine["label"], other["label"]} == {"0", "1"} for mine, other in zip(plain, inverted, strict=True))
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["recipe"], metrics["parameters"], metrics["known"]) == ("strided-small", 2011, 5)
    assert "5 of 40 labels were known (the first 5 images are '0')" in metrics["known_labels"]
    assert [row["label"] for row in plain[:5]].count("0") >= 3  # most of the known ones keep what they are
    (tmp_path / "store").rename(tmp_path / "gone")
    assert main(["run", "--recipe", str(out / "recipe.json"), "--no-pictures", "--quiet", "--out", str(again)]) == 0
    for name in ("prediction.csv", "table.csv", "latents.npy", "recipe.json"):
        assert (again / name).read_bytes() == (out / name).read_bytes(), name
    first, second = (read_checkpoint(folder / "model.safetensors") for folder in (out, again))
    assert first.fingerprint == second.fingerprint


def test_checkpoints_and_pictures_lie_beside_the_results(tmp_path, colours):
    out = tmp_path / "out"
    flags = ["--recipe", "conv-pool", "--data", colours, "--epochs", "3", "--checkpoint-every", "1"]
    fewer = ["--reduction-components", "8", "--architecture", "strided-small"]
    assert main(["run", *flags, *fewer, *[f for f in SHORT if f != "--no-pictures"], "--out", str(out)]) == 0
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == [
        "epoch-0001.safetensors",
        "epoch-0002.safetensors",
    ]
    names = {path.name for path in (out / "pictures").iterdir()}
    stems = {"reconstructions", "grids", "losses", "map-2d-label-names", "map-2d-label-markers", "map-2d-label-bar"}
    assert {f"{stem}.{kind}" for stem in stems for kind in ("png", "pdf")} <= names
    assert (out / "prediction_invert.csv").exists()


def test_an_ensemble_of_seeds_and_reductions_says_how_sure_it_is(tmp_path, colours):
    out = tmp_path / "out"
    command = ["run", "--recipe", "strided-small", "--data", colours, "--epochs", "1", *SHORT]
    members = ["--ensemble-seeds", "1", "2", "--ensemble-reductions", "svd:8", "none", "--ensemble-clusters", "3"]
    assert main([*command, *members, "--out", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["ensemble_members"], metrics["k"]) == (6, 2)
    shares = {float(row["confidence"]) * 6 for row in _rows(out / "table.csv")}
    assert all(round(share) == pytest.approx(share, abs=1e-4) and 1 <= share <= 6.001 for share in shares)
    assert len(recipes.find(str(out / "recipe.json")).others) == 5


def test_new_images_are_mapped_with_the_model_trained_before(tmp_path, colours):
    x, y = made_up.blobs(60, 32, 3)
    np.savez(tmp_path / "new.npz", x=x[y == 2], y=y[y == 2], classes=np.array(["0", "1", "2"]))
    base = ["--recipe", "strided-small", "--epochs", "1", "--known", "labels", "--reduction-components", "4", *SHORT]
    assert main(["run", *base, "--data", colours, "--out", str(tmp_path / "a")]) == 0
    new = ["--data", str(tmp_path / "new.npz"), "--train-data", colours]
    assert main(["run", *base, *new, "--out", str(tmp_path / "b")]) == 0
    metrics = json.loads((tmp_path / "b" / "metrics.json").read_text())
    assert (metrics["n"], metrics["found"]["model"], metrics["found"]["latents"]) == (20, True, False)


def test_classify_writes_answers_features_and_maps(tmp_path, colours, capsys):
    torch.manual_seed(0)
    save_file(models.squeezenet1_1(num_classes=2).state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "c.json").write_text('{"0": "0", "1": "1"}')
    out = tmp_path / "out"
    command = [
        "classify",
        "--data",
        colours,
        "--model",
        "squeezenet1_1",
        "--weights",
        str(tmp_path / "w.safetensors"),
    ]
    more = [
        "--classes",
        str(tmp_path / "c.json"),
        "--layer",
        "features.3",
        "--resize",
        "32",
        "--crop",
        "32",
        "--top",
        "2",
    ]
    assert main([*command, *more, *SHORT, "--out", str(out)]) == 0
    assert np.load(out / "latents.npy").shape[0] == 40
    assert np.load(out / "latents.npy").dtype == np.float32
    answers = _rows(out / "classes.csv")
    assert float(answers[0]["confidence 0"]) + float(answers[0]["confidence 1"]) == pytest.approx(1, abs=1e-5)
    assert {"t-SNE-2D.csv", "t-SNE-3D.csv", "t-SNE-2D-true.html", "t-SNE-3D-predicted.html"} <= {
        path.name for path in out.iterdir()
    }
    assert list(_rows(out / "t-SNE-3D.csv")[0]) == ["path", "label", "predicted", "cluster", "x", "y", "z"]
    assert "classifier: accuracy" in capsys.readouterr().out
    assert main(["compare", str(out), str(out)]) == 0
    assert "trustworthiness" in capsys.readouterr().out


def test_mistakes_are_one_sentence(tmp_path, colours, capsys):
    (tmp_path / "r.json").write_text('{"type": "Recipe", "model": 5}')
    (tmp_path / "p.json").write_text('{"type": "PCAConfig"}')
    out = ["--out", str(tmp_path / "out"), "--quiet"]
    for command, sentence in (
        (["run", "--recipe", "no-such", "--data", colours, *out], "There is no recipe 'no-such'"),
        (["run", "--recipe", str(tmp_path / "r.json"), "--data", colours, *out], "not a recipe"),
        (["run", "--recipe", str(tmp_path / "p.json"), "--data", colours, *out], "not a recipe"),
        (["run", "--recipe", "deep-bn", *out], "--data is needed"),
        (["run", "--recipe", "classifier", "--data", colours, *out], "--weights is needed"),
        (["run", "--recipe", "conv-mnist", "--data", colours, *out], "out of 32×32 with 3"),
        (["run", "--recipe", "conv-pool", "--width", "8", "--data", colours, *out], "--width is not a setting"),
        (["run", "--encoder", "relu", "--data", colours, *out], "--encoder and --decoder"),
        (["run", "--known", "first:99=0", "--data", colours, *out], "there are 40 images"),
        (["models", "no-such"], "There is no model"),
        (["compare", str(tmp_path)], "holds no finished run"),
    ):
        assert main(command) == 2, command
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1, said
        assert sentence in said[0]


def test_listings_name_the_recipes_and_the_published_sizes(capsys):
    assert main(["recipes"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(RECIPES)
    assert main(["models", "--json"]) == 0
    listed = {item["name"]: item for item in json.loads(capsys.readouterr().out)}
    assert listed["conv-pool"]["parameters"] == 1_909_251
    assert listed["conv-mnist"]["latent_shape"] == [64, 2, 2]
    assert main(["models", "deep-bn"]) == 0
    assert "2,222, 2,222 of them trainable" in capsys.readouterr().out


def test_what_is_no_recipe_is_refused():
    for values in ({"type": "Recipe", "cluster": {"type": "PCAConfig"}}, {"type": "Recipe", "nothing": 1}, [], None):
        with pytest.raises(ConfigError):
            recipes.from_json(values)
    assert isinstance(RECIPES["classifier"].model, TrainedClassifier)
    assert isinstance(RECIPES["deep-bn"].model, TrainSpec)

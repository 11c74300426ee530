"""The command line: what it writes, what it says, and how it ends."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import made_up
import numpy as np
import pytest
import torch
from torchvision import models

from core import checkpoints
from core.__main__ import main
from core.cli import arguments, parser
from core.config import KernelPCAConfig, MiniBatchKMeansConfig, PCAConfig, UMAPConfig
from core.images import image_set
from core.plans import CheckpointFile, KeptModel, TrainSpec
from core.usual_training import usual

TINY = ["--latent-size", "4", "--width", "4", "--epochs", "2", "--batch-size", "20"]
SHORT = ["--perplexity", "5", "--n-iter", "20", "--early-exaggeration-iter", "10"]
WRITTEN = {"predictions.csv", "table.csv", "projection-2d.html", "projection-3d.html", "latents.npy", "metrics.json"}
FILES = WRITTEN | {"recipe.json", "model.safetensors", "pictures"}


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EMBEDDING_EXPLORER_MODELS", str(tmp_path / "models"))


@pytest.fixture
def data(tmp_path):
    """Path of a tiny file of images."""
    return str(made_up.write(tmp_path))


def _rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _parsed(*flags):
    return parser.build().parse_args(["run", "--data", "digits", "--out", "x", *flags])


def test_run_writes_everything_and_finds_it_all_the_second_time(tmp_path, data, capsys):
    out = tmp_path / "results"
    command = ["run", "--data", data, *TINY, *SHORT, "--out", str(out)]
    assert main(command) == 0
    said = capsys.readouterr()
    assert {path.name for path in out.iterdir()} == FILES
    assert "60 images of 8×8 gray, 3 classes, 3 clusters" in said.out
    assert "Training" in said.err  # a progress bar
    assert [line.split(":")[0] for line in said.err.splitlines() if line.startswith("epoch")] == [
        "epoch 1",
        "epoch 2",
    ]

    predictions, table = _rows(out / "predictions.csv"), _rows(out / "table.csv")
    assert list(predictions[0]) == ["id", "label"]
    assert [row["id"] for row in predictions] == [str(i) for i in range(60)]
    assert {row["label"] for row in predictions} <= {"top", "middle", "bottom"}
    assert [row["label"] for row in table] == ["top", "middle", "bottom"] * 20
    metrics = json.loads((out / "metrics.json").read_text())
    right = sum(mine["label"] == true["label"] for mine, true in zip(predictions, table, strict=True))
    assert metrics["accuracy"] == pytest.approx(right / 60)
    assert (metrics["n"], metrics["k"]) == (60, 3)
    assert np.load(out / "latents.npy").shape == (60, 4)
    errors = [float(row["error"]) for row in table]
    assert metrics["reconstruction_error"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert set(metrics["seconds"]) == {
        "images", "model", "latents", "reduced", "projection", "projection-3d", "clustering",
    }  # fmt: skip
    assert not any(metrics["found"].values())
    assert metrics["versions"]["numpy"] == np.__version__

    before = {name: (out / name).read_bytes() for name in FILES - {"metrics.json", "pictures"}}
    assert main(command) == 0
    assert all(json.loads((out / "metrics.json").read_text())["found"].values())
    assert {name: (out / name).read_bytes() for name in before} == before


def test_quiet_runs_say_nothing_on_stderr(tmp_path, data, capsys):
    out = str(tmp_path / "results")
    assert main(["run", "--data", data, *TINY, "--projection", "pca", "--out", out, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_without_labels_the_prediction_is_the_cluster(tmp_path):
    np.save(tmp_path / "x.npy", made_up.blobs()[0])
    data = str(tmp_path / "x.npy")
    command = ["export", "predictions", "--data", data, *TINY, "--projection", "pca", "--clusters", "4"]
    assert main([*command, "--out", str(tmp_path / "p.csv")]) == 0
    assert {row["label"] for row in _rows(tmp_path / "p.csv")} == {"0", "1", "2", "3"}


def test_a_map_that_has_only_two_dimensions_is_named_and_the_rest_is_written(tmp_path, data, capsys):
    flags = ["--reduction", "pca", "--reduction-components", "2", "--projection", "pca"]
    assert main(["run", "--data", data, *TINY, *flags, "--out", str(tmp_path / "results")]) == 0
    assert {path.name for path in (tmp_path / "results").iterdir()} == FILES - {"projection-3d.html"}
    assert "projection-3d.html is not written: n_components 3 must be at most 2" in capsys.readouterr().err


def test_a_kept_model_is_listed_used_and_not_replaced(tmp_path, data, capsys):
    command = ["train", "--data", data, *TINY, "--name", "mine", "--quiet"]
    assert main(command) == 0
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out.split("\n", 3)[-1])
    (mine,) = [item for item in listed if item["name"] == "mine"]
    kept = checkpoints.load(tmp_path / "models" / "mine")
    assert mine == {
        "name": "mine", "origin": "kept", "image_shape": [8, 8, 1], "latent_shape": [4],
        "parameters": kept.n_parameters, "trained_on": kept.trained_on, "epochs": 2,
    }  # fmt: skip
    assert [item["name"] for item in listed[:2]] == ["digits", "emoji"]

    out = tmp_path / "latents.npy"
    assert main(["export", "latents", "--data", data, "--model", "mine", "--out", str(out)]) == 0
    assert np.load(out).shape == (60, 4)
    assert main(command) == 2
    assert "mine" in capsys.readouterr().err


def test_a_model_file_gives_the_same_latents_as_the_training_that_made_it(tmp_path, data):
    file = tmp_path / "model.safetensors"
    assert main(["train", "--data", data, *TINY, "--out", str(file)]) == 0
    latents = []
    for number, flags in enumerate((TINY, ["--model", str(file)])):
        out = tmp_path / f"{number}.npy"
        assert main(["export", "latents", "--data", data, *flags, "--out", str(out)]) == 0
        latents.append(np.load(out))
    np.testing.assert_array_equal(*latents)


def test_existing_files_are_replaced_only_when_asked(tmp_path, data, capsys):
    out = tmp_path / "table.csv"
    out.write_text("mine")
    command = ["export", "table", "--data", data, *TINY, "--projection", "pca", "--out", str(out)]
    assert main(command) == 2
    assert out.read_text() == "mine"
    assert "exists already" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert len(_rows(out)) == 60


def test_the_samples_and_other_sources_are_listed(capsys):
    assert main(["datasets"]) == 0
    said = capsys.readouterr().out
    assert "5,000 images of 28×28 gray, 10 classes" in said
    assert "emoji" in said
    assert "fashion-mnist:" in said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--data", "{tmp}/nowhere"], "nowhere"),
        (["--data", "{tmp}/nowhere.npz"], "nowhere.npz"),
        (
            ["--data", "{data}", "--projection", "pca", "--clusters", "61"],
            "k = 61 clusters need at least 61 images; this set has 60.",
        ),
        (["--data", "{data}", "--clusters", "0"], "n_clusters 0 must be at least 1."),
        (["--data", "{data}", "--perplexity", "20"], "20 .*61 images.* 60"),
        (["--data", "{data}", "--model", "digits"], "28×28 gray.*8×8 gray"),
        (["--data", "{data}", "--model", "nobody"], "nobody"),
        (["--data", "{data}", "--model", "../x"], r"\.\./x"),
        (["--data", "{data}", "--projection", "pca", "--perplexity", "5"], "--perplexity is not a setting of .* pca"),
        (["--data", "{data}", "--model", "digits", "--epochs", "3"], "--epochs is for training"),
        (["--data", "{data}", "--reduction", "pca"], "--reduction pca needs --reduction-components"),
        (["--data", "{data}", "--reduction-components", "2"], "--reduction-components needs a --reduction"),
        (["--data", "{data}", "--learning-rate", "-1"], "learning_rate -1.0 must be greater than 0."),
        (["--data", "{data}", "--device", "abacus"], "Device 'abacus' cannot be used here"),
        (["--data", "digits", "--size", "32"], "A size can only be given for a folder"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(tmp_path, data, capsys, flags, words):
    flags = [flag.format(tmp=tmp_path, data=data) for flag in flags]
    tiny = [] if {"--model", "--learning-rate"} & set(flags) or "digits" in flags else TINY
    assert main(["run", *flags, *tiny, "--out", str(tmp_path / "results"), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(f"error: .*{words}.*\n", said), said
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("flags", [["--perplexity", "inf"], ["--loss", "bce"], ["--nonsense", "1"]])
def test_flags_that_cannot_be_read_end_with_2(flags):
    with pytest.raises(SystemExit) as ended:
        _parsed(*flags)
    assert ended.value.code == 2


def test_an_output_that_cannot_be_written_is_a_sentence(tmp_path, data, capsys):
    (tmp_path / "file").write_text("")
    assert main(["run", "--data", data, *TINY, "--out", str(tmp_path / "file")]) == 2
    assert "is a file; --out must be a folder" in capsys.readouterr().err
    command = ["export", "model", "--data", data, *TINY, "--quiet"]
    assert main([*command, "--out", str(tmp_path / "file" / "m.safetensors")]) == 2
    assert "m.safetensors cannot be written" in capsys.readouterr().err


def test_pictures_that_cannot_be_read_are_named(tmp_path, capsys):
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, image in enumerate(made_up.blobs(30)[0]):
        Image.fromarray(image[..., 0]).save(folder / f"{i}.png")
    for i in range(7):
        (folder / f"broken-{i}.png").write_bytes(b"no picture")
    command = ["export", "latents", "--data", str(folder), *TINY, "--out", str(tmp_path / "l.npy")]
    assert main(command) == 0
    said = capsys.readouterr().err
    assert "7 pictures could not be used:" in said
    assert said.count("broken-") == 5
    assert "and 2 more" in said


def test_the_model_is_the_samples_own_unless_one_is_named_or_settings_of_a_training_are(tmp_path):
    images = image_set(*made_up.blobs(), ("a", "b", "c"))
    args = _parsed()
    assert arguments.plan(args, *arguments.asked(args), images, images).model == KeptModel("digits")
    assert arguments.asked(_parsed("--model", "emoji"))[0].model == KeptModel("emoji")
    path = tmp_path / "m.safetensors"
    assert arguments.asked(_parsed("--model", str(path)))[0].model == CheckpointFile(str(path))
    args = _parsed("--epochs", "3")
    trained = arguments.plan(args, *arguments.asked(args), images, images).model
    assert isinstance(trained, TrainSpec)
    assert trained.training == replace(usual(images.image_shape, len(images), len(images.classes)).training, epochs=3)


def test_flags_become_the_settings_of_the_chosen_methods(data):
    images = image_set(*made_up.blobs(), ("a", "b", "c"))
    args = _parsed(
        "--projection", "umap", "--n-neighbors", "7", "--min-dist", "0.5", "--seed", "3", "--batch-size", "9",
        "--reduction", "kernel-pca", "--reduction-components", "5", "--standardize",
        "--cluster-method", "minibatch", "--cluster-on", "reduced", "--clusters", "4",
    )  # fmt: skip
    plan = arguments.plan(args, *arguments.asked(args), images, images)
    assert plan.projection == UMAPConfig(2, n_neighbors=7, min_dist=0.5, seed=3)
    assert plan.reduction.standardize
    assert plan.reduction.method == KernelPCAConfig(5, seed=3)
    assert plan.cluster.method == MiniBatchKMeansConfig(4, seed=3)  # --batch-size is the training's
    assert plan.cluster.on == "reduced"
    args = _parsed("--reduction", "pca", "--reduction-components", "5", "--clusters", "2")
    assert arguments.plan(args, *arguments.asked(args), images, images).reduction.method == PCAConfig(5)


def test_ctrl_c_keeps_the_complete_epochs_and_ends_with_130(tmp_path, data):
    command = ["train", "--data", data, *TINY, "--epochs", "50000", "--name", "stopped"]
    process = subprocess.Popen(
        [sys.executable, "-m", "core", *command], cwd=Path(__file__).parents[1], stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL, env=os.environ,
    )  # fmt: skip
    said = ""
    with process:
        while not re.search(r"epoch=[2-9]", said):
            piece = process.stderr.read(1)
            assert piece, said
            said += piece
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    kept = checkpoints.load(tmp_path / "models" / "stopped")
    assert 1 <= len(kept.history) < 50_000
    assert f"Stopped after {len(kept.history)} of 50000 epochs." in said


def test_features_of_a_pretrained_network_and_a_decoder_that_is_trained(tmp_path, data, capsys):
    torch.manual_seed(0)
    torch.save(models.squeezenet1_1(num_classes=3).state_dict(), tmp_path / "s.pth")
    named = ["--features", "squeezenet1_1", "--features-weights", str(tmp_path / "s.pth")]
    command = ["run", "--data", data, *named, "--width", "4", "--epochs", "1", *SHORT, "--no-pictures"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert np.load(tmp_path / "out" / "latents.npy").shape == (60, 512)
    assert float(_rows(tmp_path / "out" / "table.csv")[0]["error"]) > 0
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["model"] == "features of squeezenet1_1"
    kept = checkpoints.read_checkpoint(tmp_path / "out" / "model.safetensors")
    assert (kept.autoencoder.network.model, kept.autoencoder.width) == ("squeezenet1_1", 4)
    capsys.readouterr()
    for flags, sentence in (
        (["--features", "resnet81"], "near are resnet18"),
        (["--features-weights", "x.pth"], "--features-weights needs --features"),
        ([*named, "--architecture", "deep-bn"], "--architecture cannot be given with --features"),
        ([*named, "--latent-size", "8"], "--latent-size is not a setting of this architecture"),
        ([*named, "--model", "digits"], "is for training; it cannot be given with --model"),
    ):
        assert main(["run", "--data", data, *flags, "--out", str(tmp_path / "no")]) == 2
        assert sentence in capsys.readouterr().err

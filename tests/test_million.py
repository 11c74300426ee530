"""The run of a million images, on a thousand; and what pages do at a million that must not grow with it."""

import json

import numpy as np
import pytest

from core.__main__ import main
from core.bench import million


def test_the_run_tells_each_stage_its_memory_and_what_placing_costs(tmp_path, capsys):
    told = tmp_path / "told.json"
    store = tmp_path / "store"
    assert main(["bench", "million", "--count", "1000", "--store", str(store), "--json", str(told), "--quiet"]) == 0
    said = capsys.readouterr().out.splitlines()
    stages = [
        "images",
        "model",
        "latents",
        "reduced",
        "PCA map",
        "MiniBatchKMeans",
        "t-SNE map",
        "scores",
        "map as bytes",
    ]
    assert [line.partition(":")[0] for line in said[: len(stages)]] == stages
    assert said[len(stages)].startswith("Fitted on 500 of 1,000 images; the others are placed")
    found = json.loads(told.read_text())
    assert (found["n"], found["fitted"], len(found["stages"])) == (1000, 500, len(stages))
    assert 0 < found["kept_placed"] <= 1
    assert main(["bench", "million", "--count", "1000", "--store", str(store), "--quiet"]) == 0
    assert "t-SNE map: found in the store" in capsys.readouterr().out


def test_generated_images_are_the_same_each_time(tmp_path):
    million.write(tmp_path / "a.npy", 100)
    million.write(tmp_path / "b.npy", 100)
    first = np.load(tmp_path / "a.npy")
    assert first.shape == (100, 8, 8) and first.dtype == np.uint8 and first.std() > 30
    assert (first == np.load(tmp_path / "b.npy")).all()


@pytest.mark.parametrize(
    ("flags", "said"),
    [(["--count", "10"], "--count 10 must be at least 1000"), (["kmeans"], "million runs alone")],
)
def test_it_says_what_it_needs(flags, said, capsys):
    assert main(["bench", "million", *flags]) == 2
    assert said in capsys.readouterr().err


def test_it_is_listed(capsys):
    assert main(["bench", "--list"]) == 0
    assert any(line.startswith("million ") for line in capsys.readouterr().out.splitlines())

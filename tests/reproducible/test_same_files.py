"""The same seed gives the same files: byte for byte in another process, and as far as threads leave it to us with more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up import write

from tests.reproducible.stages import SAME_BITS

ROOT = Path(__file__).parents[2]
BRIEF = ("--epochs", "1", "--latent-size", "4", "--width", "4", "--perplexity", "5", "--n-iter", "30", "--clusters", "3",
         "--early-exaggeration-iter", "10", "--reduction", "kernel-pca", "--reduction-components", "3")  # fmt: skip
TOLD = ("seconds", "found")  # of metrics.json: how long it took, and what the store had; all else says what came out


def run(command, threads, seed, **environment):
    limits = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | limits | {"PYTHONHASHSEED": str(seed)} | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_two_processes_write_the_same_files(tmp_path):
    path = write(tmp_path)
    folders = [tmp_path / "one", tmp_path / "two"]
    for seed, folder in enumerate(folders, 1):
        store = {"EMBEDDING_EXPLORER_STORE": str(tmp_path / f"store {seed}")}
        run(["core", "run", "--quiet", "--data", path, "--out", folder, *BRIEF], 1, seed, **store)
    names = [sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file()) for folder in folders]
    assert names[0] == names[1]
    assert {path.suffix for path in names[0]} == {".csv", ".html", ".json", ".npy", ".pdf", ".png", ".safetensors"}
    for name in names[0]:
        one, other = ((folder / name).read_bytes() for folder in folders)
        if name.name == "metrics.json":
            one, other = ({k: v for k, v in json.loads(data).items() if k not in TOLD} for data in (one, other))
        assert one == other, name


@pytest.fixture(scope="module")
def of_threads(tmp_path_factory):
    """What the stages give that are our own work, or of libraries in a fixed order, with one thread and with two."""
    folder = tmp_path_factory.mktemp("threads")
    for threads in (1, 2):
        run(
            ["tests.reproducible.stages", "--n", 8_000, "--write", folder / f"{threads}.npz", "--same"],
            threads,
            threads,
        )
    return [dict(np.load(folder / f"{threads}.npz")) for threads in (1, 2)]


@pytest.mark.parametrize("name", SAME_BITS)
def test_a_stage_gives_the_same_bits_with_two_threads(name, of_threads):
    one, two = of_threads
    assert one[name].tobytes() == two[name].tobytes()

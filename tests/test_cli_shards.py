"""The command line on sets in shards: the same files as of sets in memory, whoever does the work."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ray_cluster import ray_cluster  # noqa: F401 (a fixture)

from core import checkpoints
from core.__main__ import main
from core.images import ArraySource, SampleSource, SubsetSource, load
from core.readers.shard_writing import write_shards

ROOT = Path(__file__).parents[1]
MNIST = ROOT.parent / "shared" / "data" / "mnist_test.npz"
SHORT = ["--projection", "pca", "--cluster-method", "kmeans", "--quiet", "--no-pictures"]
FILES = {
    "predictions.csv",
    "table.csv",
    "projection-2d.html",
    "latents.npy",
    "metrics.json",
    "recipe.json",
    "model.safetensors",
}


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("EMBEDDING_EXPLORER_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("RAY_DISABLE_DOCKER_CPU_WARNING", "1")


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A folder of 1,150 digits in three shards of unlike sizes."""
    root = tmp_path_factory.mktemp("shards") / "digits"
    images = load(SubsetSource(SampleSource("digits"), 1150))
    write_shards(images, str(root), rows=500)
    return root


def _table(folder):
    return pd.read_csv(folder / "table.csv")


def _metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def _same(one, other):
    """Check that two runs found the same, clusters up to their names."""
    assert np.load(one / "latents.npy").tobytes() == np.load(other / "latents.npy").tobytes()
    a, b = _table(one), _table(other)
    assert list(a["path"]) == list(b["path"])
    pairs = set(zip(a["cluster"], b["cluster"], strict=True))
    assert len(pairs) == a["cluster"].nunique() == b["cluster"].nunique()
    pd.testing.assert_series_equal(a["error"], b["error"])
    for axis in ("x", "y"):
        np.testing.assert_allclose(a[axis], b[axis], atol=1e-4)


def test_shard_by_shard_the_results_are_those_of_one_array_in_memory(shards, tmp_path):
    assert main(["run", "--data", str(shards), "--model", "digits", *SHORT, "--out", str(tmp_path / "memory")]) == 0
    assert (
        main(
            [
                "run",
                "--data",
                str(shards),
                "--model",
                "digits",
                *SHORT,
                "--engine",
                "local",
                "--out",
                str(tmp_path / "parts"),
            ]
        )
        == 0
    )
    _same(tmp_path / "memory", tmp_path / "parts")
    one, other = _metrics(tmp_path / "memory"), _metrics(tmp_path / "parts")
    for name in (
        "accuracy",
        "nmi",
        "ari",
        "silhouette",
        "reconstruction_error",
        "explained_variance",
        "trustworthiness",
    ):
        assert other[name] == pytest.approx(one[name], abs=1e-5), name
    assert {path.name for path in (tmp_path / "parts").iterdir()} >= FILES
    assert (tmp_path / "memory" / "predictions.csv").read_bytes() == (
        tmp_path / "parts" / "predictions.csv"
    ).read_bytes()


def test_what_is_there_is_found_again_and_only_what_is_missing_is_made(shards, tmp_path, capsys):
    command = [
        "run",
        "--data",
        str(shards),
        "--model",
        "digits",
        *SHORT,
        "--engine",
        "local",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(command) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    assert main(command) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")} == before
    assert all(_metrics(tmp_path / "out")["found"].values())
    (tmp_path / "out" / "clustered" / "000001.parquet").unlink()  # as a run that was killed leaves it
    assert main(command) == 0
    found = _metrics(tmp_path / "out")["found"]
    assert [name for name, there in found.items() if not there] == ["clustered"]
    assert (tmp_path / "out" / "clustered" / "000001.parquet").exists()


def test_a_new_shard_is_encoded_and_those_that_were_there_are_not_again(shards, tmp_path):
    data = tmp_path / "growing"
    data.mkdir()
    *first, last = sorted(shards.iterdir())
    for path in first:
        (data / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out"
    command = ["run", "--data", str(data), "--model", "digits", *SHORT, "--engine", "local", "--out", str(out)]
    assert main(command) == 0
    assert _metrics(out)["n"] == 1000
    before = {path.name: path.stat().st_mtime_ns for path in (out / "encoded").iterdir()}
    (data / last.name).write_bytes(last.read_bytes())
    assert main(command) == 0
    assert _metrics(out)["n"] == 1150 and len(_table(out)) == 1150
    after = {path.name: path.stat().st_mtime_ns for path in (out / "encoded").iterdir()}
    assert len(after) == 3 and before.items() <= after.items()


def test_a_new_shard_before_the_others_takes_the_part_of_none_of_them(shards, tmp_path):
    data = tmp_path / "growing"
    data.mkdir()
    first, *rest = sorted(shards.iterdir())
    for path in rest:
        (data / path.name).write_bytes(path.read_bytes())
    command = ["run", "--model", "digits", *SHORT, "--engine", "local", "--data"]
    assert main([*command, str(data), "--out", str(tmp_path / "out")]) == 0
    (data / first.name).write_bytes(first.read_bytes())
    assert main([*command, str(data), "--out", str(tmp_path / "out")]) == 0
    assert main([*command, str(shards), "--out", str(tmp_path / "fresh")]) == 0
    _same(tmp_path / "fresh", tmp_path / "out")


def test_columns_that_only_some_shards_have_stay_under_their_names(tmp_path):
    for number, name in enumerate(("site", "year")):
        part = load(SubsetSource(SampleSource("digits"), 600, (str(number),)))
        own = replace(part, columns={name: np.array([f"{name} {i}" for i in range(len(part))], object)})
        write_shards(own, str(tmp_path / "some" / str(number)))
    out = tmp_path / "out"
    command = ["run", "--data", str(tmp_path / "some"), "--model", "digits", *SHORT, "--engine", "local"]
    assert main([*command, "--out", str(out)]) == 0
    table = _table(out)
    assert list(table["site"].dropna().str.split().str[0].unique()) == ["site"]
    assert list(table["year"].dropna().str.split().str[0].unique()) == ["year"]
    assert (table["site"].isna() == table["year"].notna()).all() and (
        table["label"].eq(0) == table["site"].notna()
    ).all()


def test_a_damaged_shard_is_named_counted_and_left_out(shards, tmp_path, capsys):
    data = tmp_path / "some"
    data.mkdir()
    for path in shards.iterdir():
        (data / path.name).write_bytes(path.read_bytes())
    bad = sorted(data.iterdir())[1]
    bad.write_bytes(bad.read_bytes()[:2000])
    out = tmp_path / "out"
    assert (
        main(["run", "--data", str(data), "--model", "digits", *SHORT, "--engine", "local", "--out", str(out)]) == 0
    )
    said = capsys.readouterr().err
    assert "1 of 3 shards could not be read" in said and bad.name in said
    told = _metrics(out)
    assert told["n"] == 650 and [name for name, _ in told["shards_skipped"]] == [bad.name]
    assert len(_table(out)) == 650


def test_a_model_is_trained_on_a_sample_and_every_figure_of_a_sample_says_of_how_many(shards, tmp_path):
    out = tmp_path / "out"
    short = ["--latent-size", "4", "--width", "4", "--epochs", "2", "--train-sample", "300", "--engine", "local"]
    flags = ["--projection", "umap", "--sample", "400", "--clusters", "5", "--quiet", "--no-pictures"]
    assert main(["run", "--data", str(shards), *short, *flags, "--out", str(out)]) == 0
    told = _metrics(out)
    assert told["n"] == 1150 and told["k"] == 5
    assert told["samples"]["map2"]["fitted"] == 400 and told["samples"]["map2"]["n"] == 1150
    assert told["samples"]["map2"]["kept_placed"]["sample"] == 750
    assert 0 < told["samples"]["map2"]["kept_placed"]["standard_error"] < 0.05
    assert told["samples"]["silhouette"] == {"n": 1150, "sample": 1150}
    assert told["kept_fitted"] == told["samples"]["map2"]["kept_fitted"]["share"]


@pytest.mark.parametrize(
    "what, name", [("predictions", "p.csv"), ("table", "t.csv"), ("latents", "l.npy"), ("model", "m.safetensors")]
)
def test_one_result_is_exported_as_of_a_set_in_memory(shards, tmp_path, what, name):
    common = [
        "--data",
        str(shards),
        "--model",
        "digits",
        "--projection",
        "pca",
        "--cluster-method",
        "kmeans",
        "--quiet",
    ]
    assert main(["export", what, *common, "--out", str(tmp_path / f"memory-{name}")]) == 0
    assert main(["export", what, *common, "--engine", "local", "--out", str(tmp_path / name)]) == 0
    one, other = tmp_path / f"memory-{name}", tmp_path / name
    if what == "table":
        a, b = pd.read_csv(one), pd.read_csv(other)
        pd.testing.assert_frame_equal(
            a.drop(columns=["x", "y"]), b[list(a.columns)].drop(columns=["x", "y"]), rtol=1e-4
        )
    else:
        assert one.read_bytes() == other.read_bytes()


def test_an_export_without_settings_begins_with_random_batches_where_images_are_many(shards, tmp_path):
    common = ["export", "predictions", "--data", str(shards), "--engine", "local", "--quiet", "--projection", "pca"]
    short = ["--latent-size", "4", "--width", "4", "--epochs", "1", "--train-sample", "200"]
    assert main([*common, *short, "--out", str(tmp_path / "p.csv")]) == 0
    assert len(pd.read_csv(tmp_path / "p.csv")) == 1150
    assert json.loads((tmp_path / "p.parts" / "clustered.json").read_text())["values"]["n"] == 1150


def test_a_review_lists_planted_labels_first(shards, tmp_path):
    images = load(ArraySource(str(_planted(shards, tmp_path))))
    write_shards(images, str(tmp_path / "planted"), rows=400)
    out = tmp_path / "found"
    data = [
        "--data",
        str(tmp_path / "planted"),
        "--model",
        "digits",
        "--projection",
        "pca",
        "--engine",
        "local",
        "--quiet",
    ]
    assert main(["review", *data, "--out", str(out)]) == 0
    listed = pd.read_csv(out / "suspects.csv", dtype={"id": str})
    first = set(listed["id"][:30])
    assert len(first & {str(i) for i in range(0, 1150, 50)}) >= 17  # of 23 that were planted
    assert list(listed["score"]) == sorted(listed["score"], reverse=True)
    assert pd.read_csv(out / "matrix.csv").iloc[:, 1:].to_numpy().sum() == 1150
    assert pd.read_csv(out / "clusters.csv")["size"].sum() == 1150


def _planted(shards, tmp_path):
    images = load(SubsetSource(SampleSource("digits"), 1150))
    y = images.y.copy()
    y[::50] = (y[::50] + 5) % 10
    path = tmp_path / "planted.npz"
    np.savez(path, x=images.x, y=y, classes=np.array(images.classes))
    return path


@pytest.mark.parametrize(
    "flags, told",
    [
        (["--cluster-on", "manifold"], "--cluster-on manifold is not for sets in shards"),
        (["--ensemble-seeds", "1"], "An ensemble is not for sets in shards"),
        (["--known", "labels"], "--known is not for sets in shards"),
        (["--limit", "100"], "--limit, --only and --labels are not for sets in shards"),
        (["--train-sample", "1"], "--train-sample 1 must be at least 2"),
        (["--workers", "0"], "--workers 0 must be at least 1"),
        (["--cluster-method", "hdbscan"], "HDBSCAN cannot be made over shards"),
        (["--projection", "kernel-pca"], "Kernel PCA"),
    ],
)
def test_what_is_not_for_shards_is_refused_in_one_sentence(shards, tmp_path, capsys, flags, told):
    command = ["run", "--data", str(shards), "--model", "digits", "--engine", "local", "--quiet", *flags]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1


@pytest.mark.parametrize(
    "flags, told",
    [
        (["--validation-data", "digits"], "--validation-data is not for a training on all shards"),
        (["--checkpoint-every", "2"], "--checkpoint-every is not for a training on all shards"),
        (["--fresh"], "begins anew once its folder"),
    ],
)
def test_what_is_not_for_a_training_on_all_shards_is_refused(shards, tmp_path, capsys, flags, told):
    command = ["train", "--data", str(shards), "--engine", "local", "--train-sample", "0", "--quiet", *flags]
    assert main([*command, "--out", str(tmp_path / "m.safetensors")]) == 2
    assert told in capsys.readouterr().err


def test_training_learns_from_a_sample_of_the_shards_and_is_kept(shards, tmp_path, capsys):
    file = tmp_path / "small.safetensors"
    short = ["--latent-size", "4", "--width", "4", "--epochs", "2", "--train-sample", "200", "--quiet"]
    assert main(["train", "--data", str(shards), "--engine", "local", *short, "--out", str(file)]) == 0
    assert "200 images of 28×28 gray" in capsys.readouterr().out
    assert file.exists()


@pytest.mark.xdist_group("ray")
@pytest.mark.skipif(not MNIST.exists(), reason="needs the real MNIST test images beside the checkout")
def test_workers_of_ray_find_what_one_process_finds_on_mnist_though_one_is_killed(ray_cluster, tmp_path):  # noqa: F811
    data = tmp_path / "mnist"
    write_shards(load(ArraySource(str(MNIST))), str(data), rows=625)  # 16 shards
    common = [
        "--data",
        str(data),
        "--model",
        "digits",
        "--projection",
        "pca",
        "--cluster-method",
        "kmeans",
        "--start-sample",
        "3000",
        "--no-pictures",
    ]
    assert main(["run", *common, "--quiet", "--out", str(tmp_path / "memory")]) == 0
    out = tmp_path / "ray"
    with subprocess.Popen(
        [sys.executable, "-m", "core", "run", *common, "--engine", "ray", "--address", ray_cluster, "--out", str(out)],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        killed = _kill_one_when(lambda: 2 <= len(list((out / "encoded").glob("*.parquet"))) < 15, process)
        said = process.communicate(timeout=500)
    assert process.returncode == 0, said
    assert killed, "no worker was at work when two shards were done"
    _same(tmp_path / "memory", out)
    told = _metrics(out)
    assert told["engine"] == "ray" and told["shards_skipped"] == [] and told["n"] == 10_000


def _kill_one_when(ready, process):
    """Kill a worker that encodes, once it is so far; return whether there was one."""
    while process.poll() is None:
        if ready():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    if b"Pooled" in path.read_bytes() and path.read_bytes().startswith(b"ray::"):
                        os.kill(int(path.parent.name), signal.SIGKILL)
                        return True
                except (OSError, ValueError):
                    continue
        time.sleep(0.02)
    return False


def test_two_runs_of_one_job_at_once_end_with_the_same_files(shards, tmp_path):
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "core",
        "run",
        "--data",
        str(shards),
        "--model",
        "digits",
        *SHORT,
        "--engine",
        "local",
    ]
    both = [
        subprocess.Popen([*command, "--out", str(out)], cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(list((out / "encoded").glob("*.parquet"))) == 3
    assert not [path for path in out.rglob(".*") if path.is_file()]
    assert main(["run", "--data", str(shards), "--model", "digits", *SHORT, "--out", str(tmp_path / "memory")]) == 0
    _same(tmp_path / "memory", out)


NETWORK = [
    "--encoder", "conv(6,3,2,1) relu conv(8,3,2,1) relu", "--decoder", "deconv(6,2,2,0) relu deconv(c,2,2,0) sigmoid",
]  # fmt: skip


def test_two_processes_of_torchrun_learn_as_one(shards, tmp_path, monkeypatch):
    flags = ["--data", str(shards), *NETWORK, "--epochs", "3", "--batch-size", "64", "--device", "cpu", "--quiet"]
    assert (
        main(
            ["train", *flags, "--engine", "local", "--train-sample", "0", "--out", str(tmp_path / "one.safetensors")]
        )
        == 0
    )
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "another"))
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--standalone",
        "-m",
        "core",
    ]
    done = subprocess.run(
        [*torchrun, "train", *flags, "--out", str(tmp_path / "two.safetensors")],
        cwd=ROOT, capture_output=True, text=True, timeout=400, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("kept in") == 1
    one, two = (checkpoints.read_checkpoint(tmp_path / f"{name}.safetensors").history for name in ("one", "two"))
    assert len(one) == len(two) == 3
    for a, b in zip(one, two, strict=True):
        assert b.train_loss == pytest.approx(a.train_loss, rel=1e-5)
        assert b.validation_loss == pytest.approx(a.validation_loss, rel=1e-5)


@pytest.mark.xdist_group("ray")
def test_a_model_is_trained_on_all_shards_by_workers_of_ray(ray_cluster, shards, tmp_path, capsys):  # noqa: F811
    flags = ["--data", str(shards), *NETWORK, "--epochs", "2", "--batch-size", "64", "--train-sample", "0", "--quiet"]
    own = ["--engine", "ray", "--address", ray_cluster, "--workers", "2", "--out", str(tmp_path / "ray.safetensors")]
    assert main(["train", *flags, *own]) == 0
    assert "of 1,150 in 3 shards" in capsys.readouterr().out
    assert len(checkpoints.read_checkpoint(tmp_path / "ray.safetensors").history) == 2

"""Training over shards: the model of one process, by whatever number of them, also after a kill."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import nn

from core.autoencoders import build, from_model
from core.config import ClassifierConfig, FeaturesConfig
from core.engines.ray import Ray
from core.errors import CheckpointError, ConfigError, DataError, TrainingError
from core.progress import Cancelled
from core.readers.sources import ShardedSource
from core.shards.training import data_parallel, distributed
from core.shards.training import files as training_files
from core.shards.training import steps as training_steps
from core.shards.training.loop import train
from core.shards.training.on_ray import ray_train
from core.shards.training.streams import split
from tests.sharded import CASES, LAYERS, ROWS, SMALL, TRAINING, Digits, Dying, curve, digits, shards

ROOT = Path(__file__).parents[1]
SHORT = replace(TRAINING, epochs=2)


def together(folder, what, processes=2):
    """Start processes as torchrun does, wait for them, and return what each wrote, and what they said."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [*command, "-m", "tests.sharded", what, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    files = [folder / f"{rank}.json" for rank in range(processes)]
    return [json.loads(file.read_text("utf-8")) for file in files if file.exists()], done.stderr


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes made of every case."""
    told, said = together(tmp_path_factory.mktemp("two"), "everything")
    assert len(told) == 2, said
    assert "Warning" not in said
    return told


@pytest.mark.parametrize("name", CASES)
def test_two_processes_learn_as_one(two, name):
    network, training, _ = CASES[name]
    alone = curve(train(shards(), network, training, device="cpu"))
    parts = [np.array(told[name]["curve"]) for told in two]
    assert np.array_equal(*parts)  # both tell the same
    assert two[0][name]["fingerprint"] == two[1][name]["fingerprint"]
    largest = np.abs(parts[0] / alone - 1).max()
    print(f"{name}: largest relative difference of the losses of {len(alone)} epochs {largest:.1e}")
    assert largest < (5e-3 if training.precision == "mixed" else 1e-5)  # 16 bits round at 4e-3
    assert alone[-1, 0] < 0.98 * alone[0, 0]


@pytest.mark.parametrize("name", CASES)
def test_two_processes_each_read_a_part(two, name):
    reads = [told[name]["reads"] for told in two]
    assert [read[:3] for read in reads] == [[0, 2, 4], [1, 3, 5]]  # the first look
    epochs = [
        np.array(read[3:]).reshape(3, 6).tolist() for read in reads
    ]  # some at the end once more, to fill the last batch
    for mine, others in zip(*epochs, strict=True):
        assert len(set(mine) & set(others)) <= 1  # where the streams of one end and those of the other begin
        assert set(mine) | set(others) == set(range(6))


def test_a_killed_training_goes_on_to_the_same_weights(two, tmp_path):
    told, said = together(tmp_path, "dying")
    assert (told, (tmp_path / "died").exists()) == ([], True), said
    kept = training_files.look(tmp_path / "kept")
    assert kept is not None
    told, said = together(tmp_path, "dying")
    assert [one["fingerprint"] for one in told] == [two[0]["normalised contrast"]["fingerprint"]] * 2, said
    assert all(one["reads"] < len(two[0]["normalised contrast"]["reads"]) for one in told)
    # And one process alone finds what two have kept, and has nothing left to do.
    network, training, _ = CASES["normalised contrast"]
    model = train(shards(), network, training, checkpoint=tmp_path / "kept", device="cpu")
    assert model.fingerprint == told[0]["fingerprint"]


def test_when_one_process_is_to_stop_all_stop_after_the_same_epoch(two, tmp_path):
    told, said = together(tmp_path, "asking")
    assert [(one["epochs"], one["stopped"]) for one in told] == [(1, True)] * 2, said
    assert told[0]["fingerprint"] == told[1]["fingerprint"]


def test_when_a_shard_is_gone_meanwhile_all_processes_say_so(tmp_path):
    told, said = together(tmp_path, "losing")
    assert len(told) == 2, said
    assert told[0] == "Another process of this training could not go on, and says why."
    assert "is gone" in told[1]


class Killed(BaseException):
    """What ends a training in a test as a kill would."""


def killed_at(batch):
    """Return a callback that ends all at so many batches."""

    def callback(progress):
        if progress.stage == "Training" and progress.done >= batch:
            raise Killed

    return callback


@pytest.mark.parametrize("network", [LAYERS, SMALL], ids=["layers", "default"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("batch", [4, 14, 19])
def test_from_an_epoch_on_the_weights_are_those_of_an_uninterrupted_training(
    network, optimizer, batch, tmp_path, monkeypatch
):
    monkeypatch.setattr(training_steps, "REPORT_SECONDS", 0.0)
    settings = replace(TRAINING, optimizer=optimizer, jitter=0.5, decay=0.9)
    whole = train(shards(), network, settings, device="cpu")
    with pytest.raises(Killed):
        train(shards(), network, settings, checkpoint=tmp_path, callback=killed_at(batch), device="cpu")
    told = []
    model = train(shards(), network, settings, checkpoint=tmp_path, callback=told.append, device="cpu")
    assert model.fingerprint == whole.fingerprint
    assert np.array_equal(curve(model), curve(whole))
    previews = [progress.preview for progress in told if progress.preview]
    epochs = {4: [1, 2, 3], 14: [1, 2, 3], 19: [2, 3]}[batch]
    assert [preview["epoch"] for preview in previews] == epochs
    assert [preview.get("went_on") for preview in previews] == {
        4: [None] * 3,
        14: ["epoch 1 of 3"] * 3,
        19: ["epoch 2 of 3"] * 2,
    }[batch]


def test_a_training_goes_on_to_more_epochs_and_not_to_fewer(tmp_path):
    train(shards(), SMALL, SHORT, checkpoint=tmp_path, device="cpu")
    longer = train(shards(), SMALL, TRAINING, checkpoint=tmp_path, device="cpu")
    assert longer.fingerprint == train(shards(), SMALL, TRAINING, device="cpu").fingerprint
    with pytest.raises(CheckpointError, match="holds 3 epochs; epochs 2 are fewer"):
        train(shards(), SMALL, SHORT, checkpoint=tmp_path, device="cpu")


def test_a_folder_of_another_training_is_left_alone(tmp_path):
    train(shards(), SMALL, SHORT, checkpoint=tmp_path, device="cpu")
    kept = training_files.look(tmp_path)
    for changed, told in (
        ({"training": replace(SHORT, learning_rate=1.0)}, "settings"),
        ({"autoencoder": LAYERS}, "model"),
        ({"streams": 4}, "number of streams"),
        ({"source": shards(5)}, "set of shards"),
        ({"source": shards(read=Digits(damaged=(1,)))}, "set of shards"),
    ):
        given = {"source": shards(), "autoencoder": SMALL, "training": SHORT} | changed
        with pytest.raises(CheckpointError, match=f"holds a training of another {told}; choose another folder"):
            train(**given, checkpoint=tmp_path, device="cpu")
    assert training_files.look(tmp_path) == kept


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty"])
def test_a_damaged_checkpoint_is_named(damage, tmp_path):
    train(shards(), LAYERS, replace(TRAINING, epochs=1), checkpoint=tmp_path, device="cpu")
    path = tmp_path / training_files.NAME
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes({"cut": data[:-100], "flipped": data, "text": b"x" * 500, "empty": b""}[damage])
    with pytest.raises(CheckpointError, match=f"The training in {tmp_path} is damaged .* remove it to begin anew"):
        train(shards(), LAYERS, SHORT, checkpoint=tmp_path, device="cpu")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"file/kept"):
        train(shards(), LAYERS, SHORT, checkpoint=tmp_path / "file" / "kept", device="cpu")


def test_accumulated_gradients_are_those_of_the_whole_batch():
    whole = curve(train(shards(), LAYERS, TRAINING, device="cpu"))
    for parts in (2, 8):
        assert (
            np.abs(curve(train(shards(), LAYERS, TRAINING, accumulate=parts, device="cpu")) / whole - 1).max() < 1e-5
        )


def test_the_validation_loss_is_that_of_what_is_held_out():
    model = train(shards(), SMALL, SHORT, device="cpu")
    parts = [digits()[i * ROWS : (i + 1) * ROWS][split(ROWS, i, 6, 0.1, 0)[1]] for i in range(6)]
    x = torch.from_numpy(np.concatenate(parts)).permute(0, 3, 1, 2).float() / 255  # (60, 1, h, w)
    with torch.inference_mode():
        loss = nn.functional.mse_loss(from_model(model)(x), x)
    assert len(x) == 60
    assert model.history[-1].validation_loss == pytest.approx(float(loss), rel=1e-5)


def test_without_validation_all_is_learnt_from():
    model = train(shards(), LAYERS, replace(SHORT, validation_share=0.0), device="cpu")
    assert [epoch.validation_loss for epoch in model.history] == [None, None]
    assert model.training == replace(SHORT, validation_share=0.0)


def test_a_damaged_shard_is_named_and_left_out(caplog):
    told = []
    with caplog.at_level(logging.WARNING):
        model = train(shards(read=Digits(damaged=(1, 4))), LAYERS, SHORT, callback=told.append, device="cpu")
    assert "Shard part-1.parquet cannot be read and is left out: part-1.parquet is cut off" in caplog.text
    assert "2 of 6 shards are left out: part-1.parquet, part-4.parquet" in caplog.text
    assert told[-1].preview["left_out"] == ("part-1.parquet", "part-4.parquet")
    assert told[-1].total == 2 * -(-4 * 90 // 64)
    assert len(model.history) == 2


def test_when_no_shard_can_be_read_that_is_an_error():
    with pytest.raises(DataError, match=r"None of the 6 shards can be read: part-0.parquet, part-1.parquet"):
        train(shards(read=Digits(damaged=tuple(range(6)))), LAYERS, SHORT, device="cpu")


def test_progress_counts_batches_and_shows_pictures(monkeypatch):
    monkeypatch.setattr(training_steps, "REPORT_SECONDS", 0.0)
    told = []
    model = train(shards(), SMALL, SHORT, callback=told.append, device="cpu")
    looked = [progress for progress in told if progress.stage == "Looking through the shards"]
    trained = [progress for progress in told if progress.stage == "Training"]
    assert [(progress.done, progress.total) for progress in looked] == [(i, 6) for i in range(6)]
    assert [progress.done for progress in trained] == [*range(1, 10), 9, *range(10, 19), 18]
    assert {progress.total for progress in trained} == {18}
    last = trained[-1]
    assert last.metrics == {
        "epoch": 2.0,
        "train_loss": model.history[-1].train_loss,
        "validation_loss": model.history[-1].validation_loss,
    }
    assert last.preview["history"] == model.history
    assert last.preview["originals"].shape == last.preview["reconstructions"].shape == (8, 28, 28, 1)


def stop_at(epoch):
    """Return a callback that asks to stop within an epoch."""

    def callback(progress):
        if progress.metrics.get("epoch") == epoch and not progress.preview:
            raise Cancelled

    return callback


def test_a_stopped_training_is_that_of_its_complete_epochs(monkeypatch):
    monkeypatch.setattr(training_steps, "REPORT_SECONDS", 0.0)
    model = train(shards(), SMALL, TRAINING, callback=stop_at(3), device="cpu")
    whole = train(shards(), SMALL, SHORT, device="cpu")
    assert (model.fingerprint, model.training, model.stopped_early) == (whole.fingerprint, SHORT, True)
    with pytest.raises(Cancelled):
        train(shards(), SMALL, TRAINING, callback=stop_at(1), device="cpu")

    def at_once(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        train(shards(), SMALL, TRAINING, callback=at_once, device="cpu")


def test_a_training_that_runs_away_says_so():
    settings = replace(SHORT, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"training with learning_rate 1e\+30 ran away"):
        train(shards(), LAYERS, settings, device="cpu")


@pytest.mark.parametrize(
    ("network", "changed", "given", "told"),
    [
        (SMALL, {"jitter": 1.0, "self_label_clusters": 10}, {}, "self_label_clusters 10 must be 0 over shards"),
        (SMALL, {"jitter": 1.0, "contrast": 0.1}, {"accumulate": 2}, "accumulate 2 must be 1 with contrast"),
        (SMALL, {"batch_size": 100}, {}, "batch_size 100 must be a multiple of the 8 streams"),
        (SMALL, {}, {"streams": 3}, "streams 3 must be a power of two"),
        (FeaturesConfig(ClassifierConfig("resnet18"), 8, "0" * 32), {}, {}, "Pretrained features"),
    ],
)
def test_settings_that_cannot_work_over_shards_are_refused(network, changed, given, told):
    with pytest.raises(ConfigError, match=told):
        train(shards(), network, replace(SHORT, **changed), **given, device="cpu")


def png(x):
    """Return a picture (h, w, 1) as a PNG."""
    file = BytesIO()
    Image.fromarray(x[:, :, 0]).save(file, "PNG")
    return file.getvalue()


def test_parquet_files_are_trained_on_as_the_same_images_in_memory(tmp_path, caplog):
    for i in range(6):
        table = pa.table({"image": [png(x) for x in digits()[i * ROWS : (i + 1) * ROWS]]})
        pq.write_table(table, tmp_path / f"part-{i}.parquet")
    model = train(ShardedSource(str(tmp_path)), SMALL, SHORT, device="cpu")
    assert model.fingerprint == train(shards(), SMALL, SHORT, device="cpu").fingerprint
    assert model.trained_on == tmp_path.name
    damaged = tmp_path / "part-2.parquet"
    damaged.write_bytes(damaged.read_bytes()[:500])
    with caplog.at_level(logging.WARNING):
        model = train(ShardedSource(str(tmp_path)), SMALL, SHORT, device="cpu")
    assert model.fingerprint == train(shards(read=Digits(damaged=(2,))), SMALL, SHORT, device="cpu").fingerprint
    assert "1 of 6 shards are left out: part-2.parquet" in caplog.text


def test_own_batch_normalisation_is_that_of_torch(rng):
    x = torch.from_numpy(rng.normal(3, 2, (6, 5, 4, 4)).astype(np.float32))
    one, other = nn.BatchNorm2d(5), distributed.GroupBatchNorm(5)
    found = []
    for layer in (one, other):
        given = x.clone().requires_grad_()
        made = [layer(given), layer(given * 2)]
        (made[0].pow(3) + made[1]).sum().backward()
        found.append([*made, given.grad, layer.weight.grad, layer.bias.grad, *layer.state_dict().values()])
        layer.eval()
        found[-1].append(layer(x))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_biases_that_normalisation_takes_away_stay_as_they_are():
    module = build(SMALL, (16, 16, 1))
    before = build(SMALL, (16, 16, 1))
    before.load_state_dict(module.state_dict())
    distributed.still_biases(module)
    still = [name for name, parameter in module.named_parameters() if not parameter.requires_grad]
    assert still == ["down.0.0.bias", "down.1.0.bias", "up.0.0.bias", "up.1.0.bias"]
    x = torch.rand(8, 1, 16, 16)
    with torch.no_grad():
        for name in still:
            module.get_parameter(name).add_(5.0)
        torch.testing.assert_close(module(x), before(x), rtol=1e-3, atol=1e-4)  # they have no effect


def test_a_process_alone_needs_no_group(monkeypatch):
    for name in data_parallel.TOLD:
        monkeypatch.delenv(name, raising=False)
    assert not data_parallel.in_torchrun()
    with distributed.group():
        assert (distributed.world(), distributed.rank(), distributed.joined()) == (1, 0, False)
    assert distributed.summed([1, 2.5], torch.device("cpu")) == [1.0, 2.5]
    assert distributed.shared(b"abc", torch.device("cpu")) == b"abc"


@pytest.fixture(scope="module")
def cluster():
    """Ray on this machine with two workers."""
    with Ray(workers=2) as engine:
        yield engine


@pytest.mark.xdist_group("ray")
def test_workers_of_ray_train_learn_as_one_process_even_when_one_dies(cluster, tmp_path):
    network, training, _ = CASES["contrast"]
    told = []
    read = Dying(file=str(tmp_path / "died"), at=3 + 6 + 2)
    model = ray_train(
        shards(read=read), network, training, tmp_path / "storage", workers=2, gpus=False,
        checkpoint=tmp_path / "kept", callback=told.append,
    )  # fmt: skip
    alone = curve(train(shards(), network, training, device="cpu"))
    assert np.abs(curve(model) / alone - 1).max() < 1e-5
    assert (tmp_path / "died").exists()
    assert [progress.preview["epoch"] for progress in told if progress.preview][-3:] == [1, 2, 3]
    assert told[-1].preview["went_on"] == "epoch 1 of 3"
    assert list((tmp_path / "storage").iterdir()) == []


@pytest.mark.xdist_group("ray")
def test_what_workers_of_ray_train_raise_comes_back_as_our_error(cluster, tmp_path):
    with pytest.raises(DataError, match="None of the 6 shards can be read"):
        ray_train(
            shards(read=Digits(damaged=tuple(range(6)))), LAYERS, SHORT, tmp_path, workers=2, gpus=False
        )  # fmt: skip

    def at_once(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        long = replace(TRAINING, epochs=10_000)
        ray_train(shards(), LAYERS, long, tmp_path, workers=2, gpus=False, callback=at_once)


def test_workers_of_ray_train_must_be_some(tmp_path):
    with pytest.raises(ConfigError, match="0 workers: there must be at least 1"):
        ray_train(shards(), LAYERS, SHORT, tmp_path, workers=0)

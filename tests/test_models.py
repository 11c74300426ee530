"""Models: kept and loaded bit by bit; files from elsewhere are checked and never unpickled."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from core import autoencoders, checkpoints, models
from core.checksums import unsealed
from core.config import AutoencoderConfig, TrainingConfig, to_json
from core.errors import CheckpointError, ConfigError
from core.models import Epoch, TrainedModel
from core.store import Entry

CONFIG = AutoencoderConfig(3, 4)
SHAPE = (8, 9, 1)


@pytest.fixture(scope="module")
def model():
    """An untrained autoencoder with a made-up history."""
    module = autoencoders.build(CONFIG, SHAPE)
    history = (Epoch(1, 0.5, 0.6), Epoch(2, 0.25, None))
    return TrainedModel(CONFIG, TrainingConfig(epochs=2), SHAPE, autoencoders.to_weights(module), history, "made up")


def same(a, b):
    assert set(a.weights) == set(b.weights)
    for name, array in a.weights.items():
        assert array.shape == b.weights[name].shape and array.dtype == b.weights[name].dtype
        np.testing.assert_array_equal(array, b.weights[name])
    assert replace(a, weights={}).__dict__ == replace(b, weights={}).__dict__
    assert a.fingerprint == b.fingerprint


def test_saved_kept_and_written_models_come_back_bit_by_bit(model, tmp_path):
    checkpoints.save(model, tmp_path / "saved")
    same(model, checkpoints.load(tmp_path / "saved"))
    same(model, checkpoints.read_checkpoint(tmp_path / "saved"))
    checkpoints.write_checkpoint(model, tmp_path / "one.safetensors")
    same(model, checkpoints.read_checkpoint(tmp_path / "one.safetensors"))
    arrays, info = models.to_entry(model)
    same(model, models.from_entry(Entry(arrays, json.loads(json.dumps(info)), 0.0)))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_fingerprint_follows_weights_and_settings(model):
    name = next(iter(model.weights))
    other = replace(model, weights={**model.weights, name: model.weights[name] + 1})
    assert other.fingerprint != model.fingerprint
    assert replace(model, image_shape=(9, 8, 1)).fingerprint != model.fingerprint
    assert replace(model, trained_on="elsewhere").fingerprint == model.fingerprint


def test_kept_models_are_listed_and_deleted_by_name(model, tmp_path):
    checkpoints.keep(model, "second one", tmp_path)
    checkpoints.keep(model, "first-1.0", tmp_path)
    assert checkpoints.names(tmp_path) == ["first-1.0", "second one"]
    with pytest.raises(ConfigError, match="already"):
        checkpoints.keep(model, "second one", tmp_path)
    checkpoints.delete("second one", tmp_path)
    assert checkpoints.names(tmp_path) == ["first-1.0"]
    with pytest.raises(ConfigError, match="no model named 'second one'"):
        checkpoints.delete("second one", tmp_path)


@pytest.mark.parametrize("name", ["", "../out", "a/b", ".hidden", "a" * 65, "end.", "end ", "a\\b", "nul\0", "C:x"])
def test_names_that_are_no_plain_folder_names_are_refused(name, model, tmp_path):
    root = tmp_path / "root"
    with pytest.raises(ConfigError, match="cannot be named"):
        checkpoints.keep(model, name, root)
    with pytest.raises(ConfigError, match="cannot be named"):
        checkpoints.delete(name, root)
    assert not root.exists()


def test_a_torch_file_of_config_and_state_dict_is_read(model, tmp_path):
    state = {name: torch.from_numpy(np.array(array)) for name, array in model.weights.items()}
    config = {"autoencoder": to_json(CONFIG), "image_shape": list(SHAPE)}
    torch.save({"config": config, "state_dict": state}, tmp_path / "a.pt")
    assert checkpoints.read_checkpoint(tmp_path / "a.pt").fingerprint == model.fingerprint


class Evil:
    """Something that runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_file_that_needs_pickle_is_refused_unread_with_the_way_out(tmp_path):
    torch.save({"config": {}, "state_dict": Evil(tmp_path / "ran")}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match=r"needs pickle.*safetensors"):
        checkpoints.read_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_damaged_and_foreign_files_are_one_sentence(model, tmp_path):
    data = checkpoints.checkpoint_bytes(model)
    cases = {
        "cut.safetensors": data[: len(data) // 2],
        "text.safetensors": b"hello",
        "empty.safetensors": b"",
        "text.pt": b"hello",
        "half.pth": b"PK\x03\x04half",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=name):
            checkpoints.read_checkpoint(tmp_path / name)
    with pytest.raises(CheckpointError, match="no model file"):
        checkpoints.read_checkpoint(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="no model in"):
        checkpoints.load(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_shape": [8, 500, 1]}, "image shape"),
        ({"image_shape": [8, 9, 4]}, "image shape"),
        ({"image_shape": "8"}, "image shape"),
        ({"autoencoder": {"type": "PCAConfig"}}, "not those of an autoencoder"),
        ({"autoencoder": {"type": "AutoencoderConfig", "latent_size": -1}}, "latent_size -1"),
        ({"autoencoder": 5}, "cannot be read"),
        ({"history": [{"epoch": "x"}]}, "cannot be read"),
        ({"trained_on": 7}, "trained_on"),
        ({"image_shape": [8.5, 9, 1]}, "image shape"),
        ({"image_shape": [float("inf"), 9, 1]}, "image shape"),
        (
            {"history": [{"epoch": 1, "train_loss": float("nan"), "validation_loss": None, "seconds": 1.0}]},
            "epoch 1 is not one of finite losses",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(change, said, model, tmp_path):
    checkpoints.save(model, tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    path.write_text(json.dumps(unsealed(path.read_bytes()) | change))
    with pytest.raises(CheckpointError, match=said):
        checkpoints.load(tmp_path / "m")


def test_a_folder_that_cannot_be_written_is_one_sentence(model, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        checkpoints.save(model, tmp_path / "file" / "m")
    with pytest.raises(CheckpointError, match="cannot be written"):
        checkpoints.write_checkpoint(model, tmp_path / "none" / "m.safetensors")


def test_parameters_are_the_trained_values_alone(model):
    module = autoencoders.build(CONFIG, SHAPE)
    assert model.n_parameters == sum(p.numel() for p in module.parameters())


def test_settings_nested_too_deep_are_refused(model, tmp_path):
    checkpoints.save(model, tmp_path / "m")
    (tmp_path / "m" / "model.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="not JSON"):
        checkpoints.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda array: array.astype(np.float64), "is float64; it must be float32"),
        (lambda array: array.astype(np.float16), "is float16; it must be float32"),
        (lambda array: np.full_like(array, np.nan), "not finite"),
    ],
)
def test_weights_of_another_type_or_not_finite_are_refused(spoil, said, model, tmp_path):
    weights = {name: spoil(a) if a.dtype == np.float32 else a for name, a in model.weights.items()}
    checkpoints.save(replace(model, weights=weights), tmp_path / "m")
    with pytest.raises(CheckpointError, match=said):
        checkpoints.load(tmp_path / "m")


@pytest.mark.parametrize("change", [torch.Tensor.bfloat16, lambda tensor: tensor.to("meta")])
def test_tensors_that_numpy_cannot_hold_are_refused(change, model, tmp_path):
    module = autoencoders.build(CONFIG, SHAPE)
    config = models.to_entry(model)[1]
    state = {name: change(value) for name, value in module.state_dict().items()}
    torch.save({"config": config, "state_dict": state}, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="plain float32"):
        checkpoints.read_checkpoint(tmp_path / "m.pt")


def test_no_model_can_hide_behind_a_samples_name(model, tmp_path):
    with pytest.raises(ConfigError, match="'digits' is the name of a sample's own model"):
        checkpoints.keep(model, "digits", tmp_path)


def test_damaged_torch_files_never_raise_anything_else(model, tmp_path, rng):
    module, path = autoencoders.build(CONFIG, SHAPE), tmp_path / "m.pt"
    torch.save({"config": models.to_entry(model)[1], "state_dict": module.state_dict()}, path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    refused = 0
    for _ in range(100):
        damaged = whole.copy()
        damaged[rng.integers(0, 3000, 8)] = rng.integers(0, 256, 8)
        path.write_bytes(damaged.tobytes())
        try:
            checkpoints.read_checkpoint(path)
        except CheckpointError:
            refused += 1
    assert refused > 50


def _flips(data, rng, tries):
    for bit in rng.choice(len(data) * 8, min(tries, len(data) * 8), replace=False):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_flipped_bit_or_a_cut_in_a_kept_model_is_one_sentence(name, model, tmp_path, rng):
    checkpoints.save(model, tmp_path / "m")
    path, data = tmp_path / "m" / name, (tmp_path / "m" / name).read_bytes()
    for damaged in [*_flips(data, rng, 200), b"", data[:-2], data[: len(data) // 2]]:
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            checkpoints.load(tmp_path / "m")


def test_a_flipped_bit_or_a_cut_in_a_model_file_is_one_sentence(model, tmp_path, rng):
    path, data = tmp_path / "m.safetensors", checkpoints.checkpoint_bytes(model)
    for damaged in [*_flips(data, rng, 300), b"", data[:-2], data[: len(data) // 2]]:
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            checkpoints.read_checkpoint(path)


def test_models_of_an_earlier_version_have_no_checksums_and_are_read(model, tmp_path):
    checkpoints.save(model, tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    values = unsealed(path.read_bytes())
    assert values.pop("versions")["numpy"] == np.__version__ and values.pop("sums")
    path.write_text(json.dumps(values))
    same(model, checkpoints.load(tmp_path / "m"))
    data = safetensors.numpy.save(dict(model.weights), {"model": json.dumps(models.to_settings(model))})
    (tmp_path / "old.safetensors").write_bytes(data)
    same(model, checkpoints.read_checkpoint(tmp_path / "old.safetensors"))


@pytest.mark.parametrize("moment", ["before", "between", "after"])
def test_a_kill_while_a_model_is_replaced_leaves_the_old_or_the_new_one(moment, model, tmp_path):
    newer = replace(model, trained_on="newer")
    checkpoints.save(model, tmp_path / "m")
    checkpoints.save(newer, tmp_path / "source")
    code = (
        "import os, sys; from pathlib import Path; from core import checkpoints, whole\n"
        "root, moment, rename, calls = Path(sys.argv[1]), sys.argv[2], Path.rename, []\n"
        "def killed(self, target):\n"
        "    calls.append(1)\n"
        "    if len(calls) == {'before': 1, 'between': 2}.get(moment, 9): os._exit(9)\n"
        "    result = rename(self, target)\n"
        "    if moment == 'after' and len(calls) == 2: os._exit(9)\n"
        "    return result\n"
        "Path.rename = killed\n"
        "checkpoints.save(checkpoints.load(root / 'source'), root / 'm')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path, moment], cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == 9
    assert "m" in checkpoints.names(tmp_path)
    same(newer if moment == "after" else model, checkpoints.load(tmp_path / "m"))
    checkpoints.save(newer, tmp_path / "m")
    same(newer, checkpoints.load(tmp_path / "m"))
    with pytest.raises(ConfigError, match="already"):
        checkpoints.keep(model, "m", tmp_path)


def test_a_model_file_says_with_which_versions_it_was_made(model, tmp_path):
    checkpoints.write_checkpoint(model, tmp_path / "m.safetensors")
    with safetensors.safe_open(tmp_path / "m.safetensors", "numpy") as file:
        assert json.loads(file.metadata()["model"])["versions"]["numpy"] == np.__version__


def test_a_model_file_has_the_same_bytes_each_time(model):
    assert len({checkpoints.checkpoint_bytes(model) for _ in range(20)}) == 1

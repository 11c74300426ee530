"""What sources are, how people write them, and when they count as changed; the samples that ship."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from core.errors import ConfigError, DataError
from core.images import (
    SAMPLES,
    ArraySource,
    FolderSource,
    SampleSource,
    TorchvisionSource,
    assets_root,
    image_set,
    load,
    parse_source,
    signature,
    source_from_json,
    source_to_json,
)
from core.plans import KeptModel
from core.stages import read_model
from tests.made_up import write


def test_what_people_type_becomes_a_source(tmp_path):
    assert parse_source("digits") == SampleSource("digits")
    assert parse_source(f" {tmp_path} ", size=32) == FolderSource(str(tmp_path), 32)
    assert parse_source("/a/b.npz") == ArraySource("/a/b.npz")
    assert parse_source("/a/b.npy", labels="/a/y.npy") == ArraySource("/a/b.npy", "/a/y.npy")
    assert parse_source("cifar-10:/data:test") == TorchvisionSource("/data", "cifar-10", train=False)
    assert parse_source("mnist:/data") == TorchvisionSource("/data", "mnist")


@pytest.mark.parametrize("text", ["", "nothing-of-this-name", "/no/such/folder", "mnist:", "a\0b"])
def test_what_is_nowhere_is_one_sentence(text):
    with pytest.raises(DataError):
        parse_source(text)


def test_settings_of_another_kind_of_source_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="Labels"):
        parse_source("digits", labels="y.npy")
    with pytest.raises(ConfigError, match="size"):
        parse_source("digits", size=32)
    with pytest.raises(ConfigError, match="size 4"):
        FolderSource(str(tmp_path), size=4)


@pytest.mark.parametrize(
    "source",
    [
        SampleSource("emoji"),
        FolderSource("/a", 16, "gray"),
        ArraySource("/a.npz", x="p"),
        TorchvisionSource("/a", "mnist"),
    ],
)
def test_sources_go_to_json_and_back(source):
    assert source_from_json(json.loads(json.dumps(source_to_json(source)))) == source
    with pytest.raises(ConfigError, match="no setting 'more'"):
        source_from_json({**source_to_json(source), "more": 1})


def test_a_signature_follows_the_files(tmp_path):
    path = write(tmp_path)
    first = signature(ArraySource(str(path)))
    assert signature(ArraySource(str(path))) == first
    os.utime(path, (1, 1))
    assert signature(ArraySource(str(path))) != first
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.png").write_bytes(b"1")
    before = signature(FolderSource(str(tmp_path / "p")))
    (tmp_path / "p" / "b.png").write_bytes(b"2")
    assert signature(FolderSource(str(tmp_path / "p"))) != before
    with pytest.raises(DataError, match="not there"):
        signature(ArraySource(str(tmp_path / "none.npy")))


def test_an_image_set_is_checked_and_read_only():
    x = np.zeros((3, 8, 8), np.uint8)
    found = image_set(x, np.array([0, 1, 0]), ["a", "b"])
    assert found.image_shape == (8, 8, 1) and len(found) == 3
    with pytest.raises(ValueError, match="read-only"):
        found.x[0] = 1
    x[0] = 5  # the caller's own array stays writable
    with pytest.raises(DataError, match="2 classes but no labels"):
        image_set(x, None, ["a", "b"])
    with pytest.raises(DataError, match="3 images but 2 ids"):
        image_set(x, ids=["a", "b"])


def test_equal_pixels_have_equal_fingerprints():
    x = np.zeros((3, 8, 8), np.uint8)
    assert image_set(x).fingerprint == image_set(x, np.zeros(3, int), ["a"], name="other").fingerprint
    other = x.copy()
    other[2, 7, 7] = 1
    assert image_set(other).fingerprint != image_set(x).fingerprint


def test_digits_are_the_5000_with_500_a_class():
    found = load(SampleSource("digits"))
    assert found.x.shape == (5000, 28, 28, 1)
    assert found.classes == tuple("0123456789")
    np.testing.assert_array_equal(np.bincount(found.y), [500] * 10)


def test_emoji_are_coloured_in_nine_groups_with_names():
    found = load(SampleSource("emoji"))
    assert found.x.shape == (1906, 32, 32, 3)
    assert len(found.classes) == 9
    assert len(set(found.ids)) == 1906
    assert "GRINNING FACE" in found.ids


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_come_with_licence_and_a_model_that_reads_them(name):
    root = assets_root()
    assert "licence" in (root / name / "LICENSE.md").read_text("utf-8")
    model = read_model(KeptModel(name))
    assert model.image_shape == load(SampleSource(name)).image_shape
    assert model.trained_on == name
    assert len(model.history) == model.training.epochs


def test_no_shipped_file_is_large():
    sizes = {path: path.stat().st_size for path in Path(assets_root()).rglob("*") if path.is_file()}
    assert max(sizes.values()) < 2 << 20, max(sizes, key=sizes.get)

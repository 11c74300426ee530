"""Parts of data sets and subsets of images."""

import json

import made_up
import numpy as np
import pytest
from PIL import Image

from core.errors import ConfigError, DataError
from core.images import (
    ArraySource,
    FolderSource,
    JoinedSource,
    SubsetSource,
    image_set,
    load,
    parse_source,
    parts_of,
    signature,
    source_from_json,
    source_to_json,
)


@pytest.fixture
def arrays(tmp_path):
    """A folder as a competition gives it: unlabelled images to learn from, a few with labels."""
    x, y = made_up.blobs()
    np.save(tmp_path / "trainX.npy", x[:40])
    np.save(tmp_path / "valX.npy", x[40:])
    np.save(tmp_path / "valY.npy", y[40:])
    return tmp_path, x


def test_parts_are_joined_read_alone_and_labelled_where_they_are(arrays):
    folder, x = arrays
    assert list(parts_of(FolderSource(str(folder)))) == ["train", "validation"]
    whole = load(parse_source(str(folder)))
    assert whole.ids[0] == "train/0"
    assert whole.ids[-1] == f"validation/{len(x) - 41}"
    assert (whole.y[:40] == -1).all()
    assert (whole.y[40:] >= 0).all()
    assert list(whole.columns["Part"][[0, -1]]) == ["train", "validation"]
    part = load(parse_source(f"{folder}:validation"))
    np.testing.assert_array_equal(part.x, x[40:])
    with pytest.raises(DataError, match="no part 'test': its parts are train, validation"):
        parse_source(f"{folder}:test")


def test_a_folder_of_train_and_test_is_two_parts_and_not_two_classes(tmp_path):
    for place in ("train/cat", "train/dog", "test/dog"):
        (tmp_path / place).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(np.full((8, 8), 40 * i, np.uint8)).save(tmp_path / place / f"{i}.png")
    (tmp_path / "test/cat").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "test/cat/0.png")
    whole = load(parse_source(str(tmp_path)))
    assert whole.classes == ("cat", "dog")
    assert whole.ids[0] == "train/cat/0.png"
    assert len(load(parse_source(f"{tmp_path}:test"))) == 3


def test_arrays_named_by_part_are_parts(tmp_path):
    x = np.zeros((6, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=np.zeros(6, int), x_test=x[:2], y_test=np.zeros(2, int))
    assert len(load(parse_source(str(tmp_path / "a.npz:test")))) == 2
    assert len(load(parse_source(str(tmp_path / "a.npz")))) == 8


def test_a_subset_keeps_classes_ids_and_order():
    images = parse_source("digits", limit=20, classes=("3", "5"))
    found = load(images)
    assert (len(found), found.classes) == (20, ("3", "5"))
    whole = load(parse_source("digits"))
    rows = [int(name) for name in found.ids]
    assert rows == sorted(rows)
    np.testing.assert_array_equal(found.x, whole.x[rows])
    assert [found.classes[i] for i in found.y] == [whole.classes[i] for i in whole.y[rows]]
    assert load(images).fingerprint == found.fingerprint
    with pytest.raises(DataError, match="no class 'cat'; its classes are 0, 1"):
        load(SubsetSource(parse_source("digits"), classes=("cat",)))


def test_wrapped_sources_survive_json_and_have_their_own_signature(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 8, 8), np.uint8))
    inner = ArraySource(str(tmp_path / "a.npy"))
    source = SubsetSource(JoinedSource(("train", "test"), (inner, inner)), 3)
    assert source_from_json(json.loads(json.dumps(source_to_json(source)))) == source
    assert len({signature(inner), signature(source), signature(SubsetSource(inner, 3))}) == 3
    with pytest.raises(ConfigError, match="limit 1"):
        SubsetSource(inner, 1)
    with pytest.raises(ConfigError, match="no subset"):
        SubsetSource(SubsetSource(inner, 3), 2)
    with pytest.raises(ConfigError, match="named once"):
        JoinedSource(("a", "a"), (inner, inner))


def test_labels_of_some_images_are_allowed_and_others_refused():
    x = np.zeros((3, 8, 8), np.uint8)
    assert image_set(x, np.array([0, -1, 0]), ["cat"]).y.tolist() == [0, -1, 0]
    with pytest.raises(DataError, match="label -2"):
        image_set(x, np.array([0, -2, 0]), ["cat"])

"""Data sets where torchvision puts them: read from disk, never from the network, never unpickled unchecked."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from core.errors import DataError
from core.images import TorchvisionSource, load, parse_source


def idx(path, array):
    """Write an array in MNIST's own format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


@pytest.mark.parametrize(("dataset", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_mnist_layouts_are_read(dataset, folder, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (6, 28, 28), dtype=np.uint8), np.array([0, 1, 2, 3, 9, 9], np.uint8)
    raw = tmp_path / folder / "raw"
    for part, count in (("train", 6), ("t10k", 4)):
        idx(raw / f"{part}-images-idx3-ubyte", x[:count])
        idx(raw / f"{part}-labels-idx1-ubyte", y[:count])
    found = load(parse_source(f"{dataset}:{tmp_path}"))
    np.testing.assert_array_equal(found.x[..., 0], x)
    np.testing.assert_array_equal(found.y, y)
    assert len(found.classes) == 10
    assert len(load(parse_source(f"{dataset}:{tmp_path}:test"))) == 4


def test_a_missing_data_set_says_which_folder_is_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"CIFAR-10 is not in .* there is no folder cifar-10-batches-py"):
        load(TorchvisionSource(str(tmp_path), "cifar-10"))


class Evil:
    """Something that runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_files_that_are_not_the_published_ones_are_never_unpickled(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    with pytest.raises(DataError, match="incomplete or damaged"):
        load(TorchvisionSource(str(tmp_path), "cifar-10"))
    assert not (tmp_path / "ran").exists()

"""MNIST, Fashion-MNIST and CIFAR-10 where torchvision has put them on disk; nothing is downloaded."""

import warnings
from pathlib import Path

import numpy as np

from core.errors import DataError
from core.imageset import ImageSet, image_set
from core.readers.sources import TorchvisionSource, as_text

FOLDERS = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw", "cifar-10": "cifar-10-batches-py"}
TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar-10": "CIFAR-10"}


def folder_of(source: TorchvisionSource) -> Path:
    """Return the folder that torchvision uses under the root."""
    return Path(source.root) / FOLDERS[source.dataset]


def read_torchvision(source: TorchvisionSource) -> ImageSet:
    """Read one part of a data set. CIFAR-10's files are pickles: torchvision compares their MD5 sums before.

    Raises
    ------
    DataError : the files are not there, are incomplete, or are not the published ones.
    """
    folder, title = folder_of(source), TITLES[source.dataset]
    if not folder.is_dir():
        raise DataError(
            f"{title} is not in {as_text(source.root)}: there is no folder {FOLDERS[source.dataset]} in it."
        )
    from torchvision import datasets

    kind = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST, "cifar-10": datasets.CIFAR10}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's of an old pickle's dtype
            found = kind[source.dataset](source.root, train=source.train, download=False)
    except (RuntimeError, OSError, ValueError, AssertionError, EOFError) as error:
        raise DataError(
            f"{title} in {as_text(str(folder))} is incomplete or damaged; put its files there anew."
        ) from error
    x, y = np.asarray(found.data), np.asarray(found.targets, dtype=np.int64)
    classes = [str(name) for name in found.classes]
    part = "training" if source.train else "test"
    return image_set(x, y, classes, name=f"{title} {part} part")

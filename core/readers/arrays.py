"""Images in a `.npy` or `.npz` file, perhaps with labels in a `.npy` beside; nothing is ever unpickled.

In a `.npz` the members that a source names `x`, `y` and `classes` are read, further ones of n values become columns,
and texts named `ids` are the images' names. Labels are whole numbers or texts.
"""

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from core.errors import DataError
from core.imageset import ImageSet, check_bytes, check_images, image_set
from core.readers.files import natural_key
from core.readers.sources import ArraySource, as_text

MAX_TEXT = 200  # characters of a label, class, id or text column
_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def read_arrays(source: ArraySource) -> ImageSet:
    """Read images and what belongs to them.

    Raises
    ------
    DataError : a file cannot be read, or its arrays are not images and labels that fit each other.
    """
    path = Path(source.path)
    name = as_text(path.name)
    if not path.is_file():
        raise DataError(f"{as_text(source.path)} is not a file that exists.")
    arrays = _members(path, name, source.x) if path.suffix.lower() == ".npz" else {source.x: _array(path, name)}
    if source.x not in arrays:
        there = ", ".join(map(repr, sorted(arrays))) or "none"
        raise DataError(f"{name} has no array {source.x!r} with images; its arrays are: {there}.")
    x = arrays.pop(source.x)
    y, classes = arrays.pop(source.y, None), arrays.pop(source.classes, None)
    if source.labels is not None:
        labels = Path(source.labels)
        if not labels.is_file():
            raise DataError(f"{as_text(source.labels)} is not a file that exists.")
        y = _array(labels, as_text(labels.name))
    ids = arrays.pop("ids", None)
    numbers, names = _labels(y, classes, len(x), name) if y is not None else (None, ())
    return image_set(
        x,
        numbers,
        names,
        ids=None if ids is None or ids.shape != (len(x),) or ids.dtype.kind != "U" else [_text(i) for i in ids],
        name=as_text(path.stem),
        columns={_text(key): values for key, values in arrays.items() if _is_column(values, len(x))},
    )


def _array(path: Path, name: str) -> np.ndarray:
    with _readable(name), path.open("rb") as file:
        _look(file, name)
        file.seek(0)
        return np.load(file, allow_pickle=False)


def _members(path: Path, name: str, x: str) -> dict[str, np.ndarray]:
    """Read every member, each only after its header was looked at: a small file can claim to hold very much."""
    arrays: dict[str, np.ndarray] = {}
    with _readable(name), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue
            key = member.filename.removesuffix(".npy")
            with archive.open(member) as file:
                _look(file, f"{name}: array {key!r}", images=key == x)
            with archive.open(member) as file:
                arrays[key] = np.lib.format.read_array(file, allow_pickle=False)
    return arrays


def _look(file: IO[bytes], what: str, images: bool = False) -> None:
    """Check the header of an array before its values are read."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError("version")
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise DataError(
            f"{what} holds Python objects, which need pickle and are refused: stack pictures of one size with "
            "np.stack, convert texts with .astype(str), and save again."
        )
    if images:
        check_images(shape, dtype, what)
    check_bytes(int(np.prod([float(side) for side in shape])) * dtype.itemsize, what)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise DataError(f"{name} is not a NumPy file that can be read; it is damaged or of another kind.") from error


def _labels(y: np.ndarray, classes: np.ndarray | None, n: int, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return whole numbers and class names; texts and numbers without names are numbered in natural order."""
    if y.shape != (n,):
        raise DataError(f"{name} has {n} images but labels of shape {y.shape}; one label an image is needed.")
    if classes is not None and y.dtype.kind in "iu":
        if classes.ndim != 1 or classes.dtype.kind not in "Uiu":
            raise DataError(
                f"{name}: classes must be texts in one dimension; they are {classes.dtype} {classes.shape}."
            )
        return y, tuple(_text(item) for item in classes)
    if y.dtype.kind not in "iuUb":
        raise DataError(f"{name}: labels are {y.dtype}; they must be whole numbers or texts.")
    distinct, numbers = np.unique(y, return_inverse=True)
    texts = [_text(item) for item in distinct]
    order = (
        sorted(range(len(texts)), key=lambda i: natural_key(texts[i])) if y.dtype.kind == "U" else range(len(texts))
    )
    rank = np.empty(len(texts), np.int64)
    rank[list(order)] = np.arange(len(texts))
    return rank[numbers], tuple(texts[i] for i in order)


def _is_column(values: np.ndarray, n: int) -> bool:
    return values.shape == (n,) and values.dtype.kind in "iufbU"


def _text(value: object) -> str:
    return str(value)[:MAX_TEXT]

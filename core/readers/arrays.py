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

from core import scratch
from core.errors import DataError
from core.imageset import LIMIT_BYTES, MAPPED_BYTES, ImageSet, check_bytes, check_images, image_set
from core.readers.files import natural_key
from core.readers.sources import ArraySource, as_text
from core.store import MMAP_BYTES

OWN_FILE = 256 << 20  # bytes from which the pixels of a `.npy` are not copied into the store
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
    arrays = _members(path, name, source.x) if path.suffix.lower() == ".npz" else {source.x: _mapped(path, name)}
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


def _mapped(path: Path, name: str) -> np.ndarray:
    """Open the images of a `.npy`; of a large file they stay in it."""
    if path.stat().st_size <= MMAP_BYTES:
        return _array(path, name)
    with _readable(name):
        with path.open("rb") as file:
            _look(file, name, images=True, limit=MAPPED_BYTES)
        return np.load(path, mmap_mode="r", allow_pickle=False)


def pixels(source: ArraySource) -> np.ndarray | None:
    """Open the images of a `.npy` that is so large that they are never copied, uint8 (n, h, w, c); None of all others.

    Raises
    ------
    DataError : it cannot be read, or holds no images.
    """
    path = Path(source.path)
    if path.suffix.lower() == ".npz" or not path.is_file() or path.stat().st_size <= OWN_FILE:
        return None
    x = _mapped(path, as_text(path.name))
    if not x.flags.c_contiguous:
        return None
    return x if x.ndim == 4 else x[..., None]


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
                arrays[key] = _filled(file) if key == x and member.file_size > scratch.LARGE else _plain(file)
    return arrays


def _plain(file: IO[bytes]) -> np.ndarray:
    return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _filled(file: IO[bytes]) -> np.ndarray:
    """Read a large array into a file that is mapped into memory, piece by piece."""
    shape, by_columns, dtype = _header(file)
    made = scratch.empty(shape[::-1] if by_columns else shape, dtype)
    flat = made.reshape(-1).view(np.uint8).data
    at = 0
    while at < len(flat):
        piece = file.read(min(scratch.ROWS_BYTES, len(flat) - at))
        if not piece:
            raise EOFError
        flat[at : at + len(piece)] = piece
        at += len(piece)
    return made.T if by_columns else made


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read shape, whether columns lie together, and type."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError("version")
    shape, by_columns, dtype = read(file)
    return shape, by_columns, dtype


def _look(file: IO[bytes], what: str, images: bool = False, limit: int = LIMIT_BYTES) -> None:
    """Check the header of an array before its values are read."""
    shape, _, dtype = _header(file)
    if dtype.hasobject:
        raise DataError(
            f"{what} holds Python objects, which need pickle and are refused: stack pictures of one size with "
            "np.stack, convert texts with .astype(str), and save again."
        )
    if images:
        check_images(shape, dtype, what, limit)
    check_bytes(int(np.prod([float(side) for side in shape])) * dtype.itemsize, what, limit)


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

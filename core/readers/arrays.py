"""Images in a `.npy` or `.npz` file, perhaps with labels in a `.npy` beside; nothing is ever unpickled.

In a `.npz` the members that a source names `x`, `y` and `classes` are read, further ones of n values become columns,
and texts named `ids` are the images' names. Labels are whole numbers or texts.
"""

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np

from core import scratch
from core.errors import DataError
from core.imageset import LIMIT_BYTES, MAPPED_BYTES, ImageSet, check_bytes, check_images, image_set
from core.readers.archives import open_zip, overlapping
from core.readers.files import natural_key
from core.readers.opening import open_file, size_of
from core.readers.sources import ArraySource, as_text
from core.store import MMAP_BYTES

OWN_FILE = 256 << 20  # bytes from which the pixels of a `.npy` are not copied into the store
MAX_TEXT = 200  # characters of a label, class, id or text column
VALUE_BYTES = 1 << 30  # of labels, ids and columns together
HEADER_BYTES = 10_000  # of an array's shape and type, as NumPy's own limit
PACKED = 50_000  # times: more than any way of compressing can pack an array
_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    SyntaxError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)  # what NumPy, zipfile and Python's parser, which reads an array's header, raise on damaged files


def read_arrays(source: ArraySource) -> ImageSet:
    """Read images and what belongs to them.

    Raises
    ------
    DataError : a file cannot be read, or its arrays are not images and labels that fit each other.
    """
    path = Path(source.path)
    name = as_text(path.name)
    _check_file(source.path)
    arrays = _members(path, name, source) if path.suffix.lower() == ".npz" else {source.x: _mapped(path, name)}
    x = arrays.pop(source.x)
    y, classes = arrays.pop(source.y, None), arrays.pop(source.classes, None)
    if source.labels is not None:
        _check_file(source.labels)
        labels = Path(source.labels)
        y = _array(labels, as_text(labels.name), VALUE_BYTES)
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


def _check_file(path: str) -> None:
    try:
        there = Path(path).is_file()
    except (OSError, ValueError):  # a path that is too long
        there = False
    if not there:
        raise DataError(f"{as_text(path)} is not a file that exists.")


def _array(path: Path, name: str, limit: int = LIMIT_BYTES) -> np.ndarray:
    with _readable(name), open_file(path) as file:
        _look(file, name, size_of(file), limit=limit)
        file.seek(0)
        return _plain(file)


def _mapped(path: Path, name: str) -> np.ndarray:
    """Open the images of a `.npy`; of a large file they stay in it."""
    with _readable(name):
        with open_file(path) as file:
            size = size_of(file)
            limit = MAPPED_BYTES if size > MMAP_BYTES else LIMIT_BYTES
            _look(file, name, size, images=size > MMAP_BYTES, limit=limit)
            file.seek(0)
            if size <= MMAP_BYTES:
                return _plain(file)
        return np.load(path, mmap_mode="r", allow_pickle=False)


def pixels(source: ArraySource) -> np.ndarray | None:
    """Open the images of a `.npy` that is so large that they are never copied, uint8 (n, h, w, c); None of all others.

    Raises
    ------
    DataError : it cannot be read, or holds no images.
    """
    path = Path(source.path)
    try:
        if path.suffix.lower() == ".npz" or not path.is_file() or path.stat().st_size <= OWN_FILE:
            return None
    except (OSError, ValueError):  # the reader says what is wrong with it
        return None
    x = _mapped(path, as_text(path.name))
    if not x.flags.c_contiguous:
        return None
    return x if x.ndim == 4 else x[..., None]


def _members(path: Path, name: str, source: ArraySource) -> dict[str, np.ndarray]:
    """Read the images and what has a value for each of them; every header is looked at before a value is read."""
    arrays: dict[str, np.ndarray] = {}
    with _readable(name), open_file(path) as opened, open_zip(opened, name) as archive:
        found = _by_key(archive, name)
        if source.x not in found:
            there = ", ".join(map(repr, sorted(key[:80] for key in found)[:20])) or "none"
            raise DataError(f"{name} has no array {source.x!r} with images; its arrays are: {there}.")
        room = VALUE_BYTES
        for key in (source.x, *(key for key in found if key != source.x)):
            member, images = found[key], key == source.x
            most = min(member.file_size, PACKED * member.compress_size)  # what the archive says may be a lie
            with archive.open(member) as file:
                shape, dtype = _look(file, f"{name}: array {key[:80]!r}", most, images, LIMIT_BYTES)
            named = key in (source.y, source.classes, "ids")
            if not images and not named and not _fits(shape, dtype, len(arrays[source.x])):
                continue
            if not images:
                size = _size(shape, dtype)
                check_bytes(size, f"{name}: array {key[:80]!r}", room)
                room -= size
            with archive.open(member) as file:
                arrays[key] = _filled(file) if images and member.file_size > scratch.LARGE else _plain(file)
    return arrays


def _by_key(archive: zipfile.ZipFile, name: str) -> Mapping[str, zipfile.ZipInfo]:
    """Return the arrays of an archive by name."""
    found: dict[str, zipfile.ZipInfo] = {}
    members = archive.infolist()
    if overlapping(members, archive.start_dir):
        raise ValueError("overlapping members")
    for member in members:
        if not member.filename.endswith(".npy"):
            continue
        key = member.filename.removesuffix(".npy")
        if key in found:
            raise DataError(f"{name} has the array {key[:80]!r} twice; keep one of them.")
        found[key] = member
    return found


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
    """Read shape, whether columns lie together, and type; of the header never more than its limit, whatever it claims."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError("version")
    prefix = file.read(2 if version == (1, 0) else 4)
    length = int.from_bytes(prefix, "little")
    if length > HEADER_BYTES:
        raise ValueError("header")
    shape, by_columns, dtype = read(BytesIO(prefix + file.read(length)))
    if any(side < 0 for side in shape):
        raise ValueError("shape")
    return shape, by_columns, dtype


def _look(
    file: IO[bytes], what: str, most: int, images: bool = False, limit: int = LIMIT_BYTES
) -> tuple[tuple[int, ...], np.dtype]:
    """Check the header of an array, which `most` bytes can hold, before its values are read; return shape and type."""
    shape, _, dtype = _header(file)
    if dtype.hasobject:
        raise DataError(
            f"{what} holds Python objects, which need pickle and are refused: stack pictures of one size with "
            "np.stack, convert texts with .astype(str), and save again."
        )
    if images:
        check_images(shape, dtype, what, limit)
    check_bytes(_size(shape, dtype), what, limit)
    if _size(shape, dtype) > most:
        raise ValueError("longer than its file")
    return shape, dtype


def _size(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return math.prod(shape) * dtype.itemsize


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
    return _fits(values.shape, values.dtype, n)


def _fits(shape: tuple[int, ...], dtype: np.dtype, n: int) -> bool:
    """Say whether an array has a number or a text for each of n images."""
    return shape == (n,) and dtype.kind in "iufbU"


def _text(value: object) -> str:
    return str(value)[:MAX_TEXT]

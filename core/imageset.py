"""The images everything works on: equal in size, 8 bits a value, with labels when there are any."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from core import scratch
from core.errors import DataError
from core.store import fingerprint

MIN_SIDE = 8
MAX_SIDE = 128
MIN_IMAGES = 2
LIMIT_BYTES = 4 << 30  # of all images together, uncompressed, where they lie in memory or in a compressed file
MAPPED_BYTES = 256 << 30  # where they lie in a file that is mapped into memory


@dataclass(frozen=True)
class Skipped:
    """A picture that could not be used: its relative path, and why, in a few words."""

    id: str
    reason: str


@dataclass(frozen=True)
class Originals:
    """The pictures of which images were made: the source that holds them, and the key of what it holds."""

    source: Any
    key: str


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size; made by `image_set`, which checks all this.

    Parameters
    ----------
    x : uint8 (n, h, w, c), read-only; n at least 2, h and w 8..128, c 1 (gray) or 3 (RGB).
    y : int64 (n,), 0..len(classes)-1, -1 where an image has no label, or None when none has.
    classes : name of each class; () when `y` is None.
    ids : relative path with "/", or row number, of each image.
    name : short name for people.
    fingerprint : hash of `x`.
    skipped : what could not be used; not among the n images.
    columns : further values per image by name, text or numbers (n,).
    originals : pictures that may be larger, for what reads them in their own size; None where `x` is all there is.
    """

    x: np.ndarray
    y: np.ndarray | None
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    name: str
    fingerprint: str
    skipped: tuple[Skipped, ...] = ()
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    originals: Originals | None = None

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def numbered(self) -> bool:
        """Whether every id is the row's number."""
        return all(text == str(row) for row, text in enumerate(self.ids))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        _, h, w, c = self.x.shape
        return h, w, c


def image_set(
    x: np.ndarray,
    y: np.ndarray | None = None,
    classes: Sequence[str] = (),
    *,
    ids: Sequence[str] | None = None,
    name: str = "images",
    skipped: Sequence[Skipped] = (),
    columns: Mapping[str, np.ndarray] | None = None,
) -> ImageSet:
    """Check arrays and join them to an `ImageSet`.

    Parameters
    ----------
    x : uint8 (n, h, w), (n, h, w, 1) or (n, h, w, 3).
    y : whole numbers (n,), 0..len(classes)-1, -1 where there is none, or None.
    ids : n texts; row numbers when None.

    Raises
    ------
    DataError : the arrays are not images and labels, or do not fit each other.
    """
    check_images(x.shape, x.dtype, name, MAPPED_BYTES if scratch.is_mapped(x) else LIMIT_BYTES)
    x = scratch.in_order(x if x.ndim == 4 else x[..., None]).view()  # (n, h, w, c)
    x.flags.writeable = False
    n = len(x)
    if y is not None:
        y = _checked_labels(y, n, len(classes), name).view()
        y.flags.writeable = False
    elif len(classes) > 0:
        raise DataError(f"{name} has {len(classes)} classes but no labels.")
    if ids is not None and len(ids) != n:
        raise DataError(f"{name} has {n} images but {len(ids)} ids.")
    for key, values in (columns or {}).items():
        if values.shape != (n,):
            raise DataError(f"{name} has {n} images but its column {key!r} has shape {values.shape}.")
    return ImageSet(
        x=x,
        y=y,
        classes=tuple(str(item) for item in classes),
        ids=tuple(map(str, range(n))) if ids is None else tuple(ids),
        name=name,
        fingerprint=fingerprint(x),
        skipped=tuple(skipped),
        columns=dict(columns or {}),
    )


def check_images(shape: tuple[int, ...], dtype: np.dtype, what: str, limit: int = LIMIT_BYTES) -> None:
    """Check that an array of this shape and type is a set of images; it need not be in memory yet.

    Raises
    ------
    DataError : it is not; the sentence says what to do.
    """
    form = "images must be uint8 of shape (n, h, w) or (n, h, w, 3)"
    if dtype != np.uint8:
        raise DataError(f"{what}: values are {dtype}; images must be uint8, 0..255: {_advice(dtype)}.")
    if len(shape) not in (3, 4):
        hint = ": reshape each row to its height and width" if len(shape) == 2 else ""
        raise DataError(f"{what} has {len(shape)} dimensions, {shape}; {form}{hint}.")
    if len(shape) == 4 and shape[3] not in (1, 3):
        raise DataError(f"{what} has {_channels(shape)}.")
    n, h, w = shape[:3]
    if n < MIN_IMAGES:
        raise DataError(f"{what} needs at least {MIN_IMAGES} images; it has {n}.")
    if not (MIN_SIDE <= h <= MAX_SIDE and MIN_SIDE <= w <= MAX_SIDE):
        raise DataError(f"{what}: images are {h} × {w} pixels; resize them to {MIN_SIDE}..{MAX_SIDE} a side.")
    check_bytes(n * h * w * (shape[3] if len(shape) == 4 else 1), what, limit)


def check_bytes(size: int, what: str, limit: int = LIMIT_BYTES) -> None:
    """Raise DataError when arrays of `size` bytes are over a limit."""
    if size > limit:
        where = "" if limit == MAPPED_BYTES else " in memory"
        taken = f"{size / 2**30:,.1f}" if size < 1 << 60 else "more than 1,000,000,000"
        raise DataError(f"{what} takes {taken} GiB{where}; the limit is {limit / 2**30:.3g} GiB.")


def _advice(dtype: np.dtype) -> str:
    if dtype.kind == "f":
        return "multiply by 255 if they are in 0..1, and convert with .astype('uint8')"
    if dtype.kind == "O":
        return "stack them to one array with np.stack and save it again"
    if dtype.kind == "b":
        return "convert with x.astype('uint8') * 255"
    return "bring them to 0..255 and convert with .astype('uint8')"


def _channels(shape: tuple[int, ...]) -> str:
    if shape[3] == 4:
        return "4 channels (RGBA); images have 1 or 3: put them on a background, or keep the first 3"
    if shape[1] in (1, 3):
        return f"shape {shape}; channels must come last: use x.transpose(0, 2, 3, 1)"
    return f"{shape[3]} channels, in shape {shape}; images have 1 (gray) or 3 (RGB)"


def _checked_labels(y: np.ndarray, n: int, n_classes: int, name: str) -> np.ndarray:
    if y.shape != (n,):
        raise DataError(f"{name} has {n} images but labels of shape {y.shape}; one label an image is needed.")
    if y.dtype.kind not in "iu":
        raise DataError(f"{name}: labels are {y.dtype}; they must be whole numbers.")
    for outside in y[(y < -1) | (y >= n_classes)][:1]:
        raise DataError(f"{name} has label {outside}, but only {n_classes} classes, numbered from 0.")
    return np.ascontiguousarray(y, dtype=np.int64)


def subset(images: ImageSet, limit: int | None, classes: Sequence[str], seed: int = 0) -> ImageSet:
    """Return the images of some classes, and of them at most `limit`, chosen at random and kept in order.

    Raises
    ------
    DataError : a class that is not there, or fewer than 2 images are left.
    """
    rows = np.arange(len(images))
    y, names = images.y, images.classes
    if classes:
        for name in [name for name in classes if name not in names][:1]:
            raise DataError(
                f"{images.name} has no class {name!r}; its classes are {', '.join(names[:20]) or 'none'}."
            )
        kept = [i for i, name in enumerate(names) if name in classes]
        number = np.full(len(names) + 1, -1, np.int64)
        number[kept] = np.arange(len(kept))
        y, names = None if y is None else number[y], tuple(names[i] for i in kept)
        rows = rows[:0] if y is None else np.flatnonzero(y >= 0)
    if limit is not None and limit < len(rows):
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    return image_set(
        images.x if len(rows) == len(images) else scratch.take(images.x, rows),
        None if y is None else y[rows],
        names,
        ids=[images.ids[row] for row in rows],
        name=images.name,
        skipped=images.skipped,
        columns={name: values[rows] for name, values in images.columns.items()},
    )

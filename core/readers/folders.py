"""A folder or a ZIP of pictures to an `ImageSet`, in two passes, so that only the small results are ever held.

Classes are the folders at the first level where pictures lie in more than one place; levels that all pictures
share are passed over, and deeper folders do not matter. Pictures that lie beside class folders get the class
"(no folder)"; pictures that all lie in one folder have no labels.

Pictures that are all of one size, 8..128 a side, stay as they are. Otherwise each is fitted into a square of
64 pixels (less when all are smaller), or of the size asked for. With color "auto" the set is gray when no
picture, once small, has a pixel with unequal channels; else all are RGB.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TypeVar

import numpy as np

from core import scratch
from core.errors import DataError
from core.imageset import MAPPED_BYTES, MAX_SIDE, MIN_IMAGES, MIN_SIDE, ImageSet, Skipped, check_bytes, image_set
from core.progress import Callback, Progress, ignore, stopwatch
from core.readers.archives import list_archive
from core.readers.files import EXTENSIONS, Listing, PictureFile, list_pictures, natural_key
from core.readers.pictures import Frame, Header, read_header, read_picture
from core.readers.sources import ArchiveSource, FolderSource, as_text

DEFAULT_SIDE = 64
NO_FOLDER = "(no folder)"
T = TypeVar("T")


def pictures_of(source: FolderSource | ArchiveSource) -> Listing:
    """List the pictures of a folder or a ZIP.

    Raises
    ------
    DataError : there is no such folder or ZIP, or it cannot be opened.
    """
    return list_archive(source.path) if isinstance(source, ArchiveSource) else list_pictures(source.path)


def read_folder(source: FolderSource | ArchiveSource, callback: Callback = ignore) -> ImageSet:
    """Read a folder or a ZIP of pictures; those that cannot be read are in `skipped`.

    Raises
    ------
    DataError : there is no such folder or ZIP, or fewer than two pictures in it can be read.
    """
    listing = pictures_of(source)
    if not listing.files:
        raise DataError(_nothing(source.path, listing))
    with quiet_pillow():
        headers, unread = _each(listing.files, lambda file: read_header(file.open), "Looking at images", callback)
        good = [file for file, header in zip(listing.files, headers, strict=True) if header is not None]
        _enough(source.path, len(good), listing.skipped + unread)
        known = [header for header in headers if header is not None]
        frame = _frame(source, known)
        x, good, undecoded = _pixels(source, good, frame, callback)
    skipped = sorted(listing.skipped + unread + undecoded, key=lambda item: natural_key(item.id))
    _enough(source.path, len(good), skipped)
    if source.color == "auto" and frame.channels == 3 and _is_gray(x):
        x = scratch.in_order(x[..., :1])
    y, classes = folder_classes([file.parts for file in good])
    ids = [file.id for file in good]
    path = Path(source.path)
    name = as_text(path.stem if isinstance(source, ArchiveSource) else path.name) or "images"
    return image_set(x, y, classes, ids=ids, name=name, skipped=skipped)


def folder_classes(paths: Sequence[tuple[str, ...]]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Derive labels int64 (n,) and class names from relative paths; (None, ()) when all lie in one folder."""
    level = 0
    while all(len(parts) > level + 1 for parts in paths) and len({parts[level] for parts in paths}) == 1:
        level += 1
    names = [parts[level] if len(parts) > level + 1 else NO_FOLDER for parts in paths]
    if set(names) == {NO_FOLDER}:
        return None, ()
    classes = sorted(set(names), key=natural_key)
    number = {name: i for i, name in enumerate(classes)}
    return np.array([number[name] for name in names], dtype=np.int64), tuple(classes)


def _pixels(
    source: FolderSource | ArchiveSource, files: Sequence[PictureFile], frame: Frame, callback: Callback
) -> tuple[np.ndarray, list[PictureFile], tuple[Skipped, ...]]:
    check_bytes(len(files) * frame.h * frame.w * frame.channels, as_text(source.path), MAPPED_BYTES)
    x = scratch.empty((len(files), frame.h, frame.w, frame.channels), np.uint8)
    rows = {file.id: row for row, file in enumerate(files)}
    large = Lock()

    def read(file: PictureFile) -> bool:
        x[rows[file.id]] = read_picture(file.open, frame, large)
        return True

    done, skipped = _each(files, read, "Reading images", callback)
    kept = [row for row, ok in enumerate(done) if ok]
    for row, old in enumerate(kept):  # close the gaps in place: no second copy of all images
        if row != old:
            x[row] = x[old]
    return x[: len(kept)], [files[row] for row in kept], skipped


def _each(
    files: Sequence[PictureFile], work: Callable[[PictureFile], T], stage: str, callback: Callback
) -> tuple[list[T | None], tuple[Skipped, ...]]:
    """Run `work` on files in threads; a `DataError` of one makes its result None and its text a reason to skip it."""

    def guarded(file: PictureFile) -> T | str:
        try:
            return work(file)
        except DataError as error:
            return str(error)

    results: list[T | None] = []
    skipped: list[Skipped] = []
    seconds_left = stopwatch(len(files))
    step = max(1, len(files) // 200)
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        for file, result in zip(files, pool.map(guarded, files), strict=True):
            if isinstance(result, str):
                skipped.append(Skipped(file.id, result))
            results.append(None if isinstance(result, str) else result)
            done = len(results)
            if done % step == 0 or done == len(files):
                callback(Progress(stage, done, len(files), "image", seconds_left(done)))
    finally:
        pool.shutdown(cancel_futures=True)
    return results, tuple(skipped)


def _frame(source: FolderSource | ArchiveSource, headers: Sequence[Header]) -> Frame:
    gray = source.color == "gray" or (source.color == "auto" and all(header.gray for header in headers))
    sizes = {(header.h, header.w) for header in headers}
    if source.size is None and len(sizes) == 1:
        h, w = sizes.pop()
        if min(h, w) >= MIN_SIDE and max(h, w) <= MAX_SIDE:
            return Frame(h, w, 1 if gray else 3)
        sizes.add((h, w))
    longest = max(max(size) for size in sizes)
    side = source.size or max(MIN_SIDE, min(DEFAULT_SIDE, longest))
    return Frame(side, side, 1 if gray else 3)


def _is_gray(x: np.ndarray) -> bool:
    return all(np.array_equal(image[..., :1], image[..., i : i + 1]) for image in x for i in (1, 2))


def _nothing(path: str, listing: Listing) -> str:
    first = f" ({listing.skipped[0].id}: {listing.skipped[0].reason})" if listing.skipped else ""
    return f"{as_text(path)} has no images: no file in it ends in {', '.join(EXTENSIONS)}{first}."


def _enough(path: str, count: int, skipped: Sequence[Skipped]) -> None:
    if count >= MIN_IMAGES:
        return
    where = as_text(path)
    if skipped and not count:
        raise DataError(
            f"{where} has no images: none of {len(skipped)} can be read; the first, {skipped[0].id}: "
            f"{skipped[0].reason}."
        )
    more = f", and {len(skipped)} that cannot be read" if skipped else ""
    raise DataError(f"{where} needs at least {MIN_IMAGES} images; it has {count}{more}.")


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Let Pillow not warn of what is looked after here."""
    # Pillow warns of odd metadata and of sizes that are checked here anyway; damage is reported as Skipped.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield

"""The pictures in a folder and below it, in one order, without leaving the folder."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from core.errors import DataError
from core.imageset import Skipped
from core.readers.opening import open_file
from core.readers.sources import as_text, is_folder

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


@dataclass(frozen=True)
class PictureFile:
    """A file that by its name is a picture: relative path in valid text, how to open it, bytes, time of change in ns.

    `path` is where it lies, with every link followed; "" for what lies in an archive.
    """

    id: str
    open: Callable[[], BinaryIO]
    size: int
    mtime_ns: int
    path: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """Folders from the root to the file, and its name."""
        return tuple(self.id.split("/"))


@dataclass(frozen=True)
class Listing:
    """Pictures in natural order ("2" before "10"), and what looked like one but is not to be opened."""

    files: tuple[PictureFile, ...]
    skipped: tuple[Skipped, ...]


def natural_key(text: str) -> tuple[list[tuple[str, int]], str]:
    """Return a sort key that puts "img2" before "img10"; the text itself settles ties."""
    pairs = re.findall(r"([^0-9]*)([0-9]*)", text)
    return [(word, int(digits[-4000:]) if digits else -1) for word, digits in pairs], text


def list_pictures(folder: str, endings: tuple[str, ...] = EXTENSIONS) -> Listing:
    """Walk a folder for pictures, or for files with other endings.

    Hidden files and folders are passed over. A link to a picture inside the folder is followed; a link to a
    folder never is, so there are no cycles, and nothing outside the folder is read.

    Raises
    ------
    DataError : there is no such folder, or it cannot be opened.
    """
    if not is_folder(folder):
        raise DataError(f"{as_text(folder)} is not a folder that exists.")
    root = Path(folder).resolve()
    files: list[PictureFile] = []
    skipped: list[Skipped] = []
    waiting = [root]
    while waiting:
        place = waiting.pop()
        try:
            entries = list(_visible(place))
        except OSError as error:
            if place == root:
                raise DataError(f"{as_text(folder)} cannot be opened: {error.strerror}.") from error
            skipped.append(Skipped(_id(place, root), f"folder cannot be opened: {error.strerror}"))
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
                continue
            found = _look(entry, root, endings)
            if isinstance(found, PictureFile):
                files.append(found)
            elif found is not None:
                skipped.append(found)
    return listing(files, skipped)


def listing(files: Sequence[PictureFile], skipped: Sequence[Skipped]) -> Listing:
    """Put files in natural order; of several that have one id, all but the first are skipped."""
    ordered = sorted(files, key=lambda file: [natural_key(part) for part in file.parts])
    first = {file.id: file for file in reversed(ordered)}
    twice = [Skipped(file.id, "another picture has this name") for file in ordered if first[file.id] is not file]
    every = sorted([*skipped, *twice], key=lambda item: natural_key(item.id))
    return Listing(tuple(first[id] for id in dict.fromkeys(file.id for file in ordered)), tuple(every))


def _visible(place: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(place) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                yield entry


def _id(path: Path, root: Path) -> str:
    return as_text(path.relative_to(root).as_posix())


def _look(entry: os.DirEntry[str], root: Path, endings: tuple[str, ...]) -> PictureFile | Skipped | None:
    path = Path(entry.path)
    id = _id(path, root)
    named = entry.name.lower().endswith(endings)
    try:
        if entry.is_symlink():
            target = path.resolve(strict=True)
            if not named and not target.is_dir():
                return None
            if not target.is_relative_to(root):
                return Skipped(id, "link out of the folder")
            if target.is_dir():
                return Skipped(id, "link to a folder")
            path = target  # and what is opened is this, though the link may lead elsewhere by then
        if not named:
            return None
        if not entry.is_file():
            return Skipped(id, "not a regular file")
        status = entry.stat()
    except (OSError, RuntimeError):  # RuntimeError: a link to itself, before Python 3.13
        return Skipped(id, "broken link" if entry.is_symlink() else "cannot be opened") if named else None
    opened = partial(open_file, path, links=False)
    return PictureFile(id, opened, status.st_size, status.st_mtime_ns, str(path))

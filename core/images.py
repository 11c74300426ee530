"""Images from anywhere, as one `ImageSet`: the public face of the readers."""

import hashlib
import io
from pathlib import Path
from threading import Lock

import numpy as np

from core import roots
from core.errors import DataError
from core.imageset import ImageSet, Skipped, image_set, subset
from core.progress import Callback, Progress, ignore
from core.readers import remote
from core.readers.arrays import pixels, read_arrays
from core.readers.files import EXTENSIONS as PICTURE_ENDINGS
from core.readers.files import list_pictures
from core.readers.folders import read_folder
from core.readers.labels import labelled
from core.readers.names import base_of, parse_source, split_part
from core.readers.parts import join, parts_of
from core.readers.pictures import Frame, read_picture
from core.readers.samples import read_sample, sample_file
from core.readers.shard_lists import marks
from core.readers.sharded import read_sharded
from core.readers.sources import (
    SAMPLES,
    ArchiveSource,
    ArraySource,
    FolderSource,
    JoinedSource,
    LabelledSource,
    SampleSource,
    ShardedSource,
    Source,
    SubsetSource,
    TorchvisionSource,
    as_text,
    source_from_json,
    source_to_json,
)
from core.readers.torchvision_sets import folder_of, read_torchvision

__all__ = [
    "PICTURE_ENDINGS",
    "SAMPLES",
    "ArchiveSource",
    "ArraySource",
    "FolderSource",
    "ImageSet",
    "JoinedSource",
    "LabelledSource",
    "SampleSource",
    "ShardedSource",
    "Skipped",
    "Source",
    "SubsetSource",
    "TorchvisionSource",
    "assets_root",
    "base_of",
    "image_set",
    "load",
    "parse_source",
    "parts_of",
    "pixels",
    "read_picture_bytes",
    "signature",
    "source_from_json",
    "source_to_json",
    "split_part",
]


def assets_root() -> Path:
    """Return the folder of samples: inside the package when installed, else beside it in the checkout."""
    inside = Path(__file__).parent / "assets"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "assets"


def load(source: Source, callback: Callback = ignore) -> ImageSet:
    """Read the images of a source.

    Raises
    ------
    DataError : there are none, or they cannot be read; the sentence says what to change.
    """
    if isinstance(source, SubsetSource):
        return subset(load(source.source, callback), source.limit, source.classes)
    if isinstance(source, LabelledSource):
        return labelled(load(source.source, callback), source.labels)
    if isinstance(source, JoinedSource):
        return join(source.parts, [load(part, callback) for part in source.sources])
    _check_roots(source)
    if isinstance(source, FolderSource | ArchiveSource):
        return read_folder(source, callback)
    if isinstance(source, ShardedSource):
        return read_sharded(source, callback)
    callback(Progress("Reading images", 0, 1, "file"))
    if isinstance(source, SampleSource):
        return read_sample(source, assets_root())
    return read_arrays(source) if isinstance(source, ArraySource) else read_torchvision(source)


def read_picture_bytes(content: bytes, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Decode a picture to uint8 (h, w, c) of the shape that a set's images have.

    Raises
    ------
    DataError : it cannot be decoded; the text is the bare reason.
    """
    h, w, c = image_shape
    return read_picture(lambda: io.BytesIO(content), Frame(h, w, 1 if c == 1 else 3), Lock())


def signature(source: Source) -> str:
    """Hash a source with the names, sizes and dates of its files: cheap, and another one when a file changes.

    Raises
    ------
    DataError : its folder or file is not there, or may not be opened.
    """
    digest = hashlib.blake2b(repr(source).encode("utf-8", "surrogateescape"), digest_size=16)
    for inner in _inner(source):
        digest.update(signature(inner).encode())
    _check_roots(source)
    if isinstance(source, FolderSource):
        for file in list_pictures(source.path).files:
            digest.update(f"{file.id}\0{file.size}\0{file.mtime_ns}\0".encode())
        return digest.hexdigest()
    if isinstance(source, ShardedSource):
        for mark in marks(source):
            digest.update(mark.encode())
        return digest.hexdigest()
    for path in _files(source):
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            raise DataError(f"{as_text(str(path))} is not there or cannot be opened.") from error
        digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _check_roots(source: Source) -> None:
    """Check what a source opens itself, each file as what a link to it leads to."""
    if isinstance(source, TorchvisionSource):
        roots.check(source.root)  # before any folder below it is listed
    if isinstance(source, ShardedSource):
        remote.check(source.path)
    if isinstance(source, SampleSource):
        return
    opened = [source.path] if isinstance(source, FolderSource) else _files(source)
    for path in opened:
        roots.check(path)


def _inner(source: Source) -> tuple[Source, ...]:
    if isinstance(source, SubsetSource | LabelledSource):
        return (source.source,)
    return source.sources if isinstance(source, JoinedSource) else ()


def _files(source: Source) -> list[Path]:
    if isinstance(source, SampleSource):
        return [sample_file(source, assets_root())]
    if isinstance(source, ArchiveSource):
        return [Path(source.path)]
    if isinstance(source, ArraySource):
        return [Path(path) for path in (source.path, source.labels) if path is not None]
    if isinstance(source, LabelledSource):
        return [Path(source.labels)]
    if isinstance(source, TorchvisionSource):
        return [folder_of(source), *sorted(path for path in folder_of(source).glob("*") if path.is_file())]
    return []

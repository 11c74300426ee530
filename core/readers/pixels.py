"""The pictures of a source in their own size, prepared for a classifier."""

import numpy as np
from PIL import Image

from core.errors import DataError
from core.imageset import ImageSet
from core.readers.folders import pictures_of
from core.readers.pictures import Opened, middle, read_rgb
from core.readers.sources import ArchiveSource, FolderSource, JoinedSource, LabelledSource, Source, SubsetSource


class Pixels:
    """Rows of an image set as uint8 (b, crop, crop, 3): files of a folder or ZIP are read again, others are the set's."""

    def __init__(self, source: Source | None, images: ImageSet, resize: int, crop: int) -> None:
        self._images, self._resize, self._crop = images, resize, crop
        self._files = None if source is None or not has_files(source) else _files(source)

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Return rows start..stop-1.

        Raises
        ------
        DataError : a file cannot be read any more; the sentence names it.
        """
        return np.stack([self._one(row) for row in range(start, stop)])

    def _one(self, row: int) -> np.ndarray:
        name = self._images.ids[row]
        if self._files is None:
            return prepared(self._images.x[row], self._resize, self._crop)
        if name not in self._files:  # only what lies in the folder is ever opened
            raise DataError(f"The picture {name!r} is no longer in its folder.")
        try:
            return read_rgb(self._files[name], self._resize, self._crop)
        except DataError as error:
            raise DataError(f"The picture {name!r} cannot be read any more: {error}.") from error


def prepared(pixels: np.ndarray, resize: int, crop: int) -> np.ndarray:
    """Prepare an image, uint8 (h, w, 1) or (h, w, 3), for a classifier: uint8 (crop, crop, 3)."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    return middle(image, resize, crop)


def has_files(source: Source) -> bool:
    """Say whether the pictures of a source lie in files of their own, which may be larger than the set's images."""
    if isinstance(source, SubsetSource | LabelledSource):
        return has_files(source.source)
    if isinstance(source, JoinedSource):
        return all(map(has_files, source.sources))
    return isinstance(source, FolderSource | ArchiveSource)


def _files(source: Source) -> dict[str, Opened]:
    """Return how to open the pictures of a source that has files, by id."""
    if isinstance(source, SubsetSource | LabelledSource):
        return _files(source.source)
    if isinstance(source, JoinedSource):
        parts = zip(source.parts, map(_files, source.sources), strict=True)
        return {f"{part}/{name}": opened for part, files in parts for name, opened in files.items()}
    assert isinstance(source, FolderSource | ArchiveSource)
    return {file.id: file.open for file in pictures_of(source).files}

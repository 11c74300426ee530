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

    def __init__(self, source: Source, images: ImageSet, resize: int, crop: int) -> None:
        self._images, self._resize, self._crop = images, resize, crop
        self._files = _files(source)

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
            pixels = self._images.x[row]
            image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
            return middle(image, self._resize, self._crop)
        if name not in self._files:  # only what lies in the folder is ever opened
            raise DataError(f"The picture {name!r} is no longer in its folder.")
        try:
            return read_rgb(self._files[name], self._resize, self._crop)
        except DataError as error:
            raise DataError(f"The picture {name!r} cannot be read any more: {error}.") from error


def _files(source: Source) -> dict[str, Opened] | None:
    """Return how to open the pictures of a folder or ZIP, or of joined ones, by id; None for images that lie in arrays."""
    if isinstance(source, SubsetSource | LabelledSource):
        return _files(source.source)
    if isinstance(source, JoinedSource):
        found: dict[str, Opened] = {}
        for part, inner in zip(source.parts, source.sources, strict=True):
            files = _files(inner)
            if files is None:
                return None
            found |= {f"{part}/{name}": opened for name, opened in files.items()}
        return found
    if not isinstance(source, FolderSource | ArchiveSource):
        return None
    return {file.id: file.open for file in pictures_of(source).files}

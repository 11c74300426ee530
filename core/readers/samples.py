"""The samples that come with the program, from `assets/<name>/images.npz`."""

from dataclasses import replace
from pathlib import Path

from core.imageset import ImageSet
from core.readers.arrays import read_arrays
from core.readers.sources import ArraySource, SampleSource


def sample_file(source: SampleSource, root: Path) -> Path:
    """Return a sample's file under the folder of samples."""
    return root / source.name / "images.npz"


def read_sample(source: SampleSource, root: Path) -> ImageSet:
    """Read a sample.

    Raises
    ------
    DataError : its file is damaged or was removed.
    """
    return replace(read_arrays(ArraySource(str(sample_file(source, root)))), name=source.name)

"""The parts of a data set, `train`, `validation` and `test`, wherever they are kept apart on disk.

A folder whose only sub-folders are parts; a folder with `trainX.npy`, `valX.npy`, `testX.npy` and perhaps labels as
`trainY.npy` and so on; a `.npz` with `x_train`, `y_train` and so on; torchvision's data sets.
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core import scratch
from core.errors import DataError
from core.imageset import ImageSet, image_set
from core.readers.archives import open_zip
from core.readers.opening import open_file
from core.readers.sources import (
    ArraySource,
    FolderSource,
    JoinedSource,
    Source,
    SubsetSource,
    TorchvisionSource,
    as_text,
)

PARTS = ("train", "validation", "test")
ALL = "all"
_SPELLINGS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
COLUMN = "Part"


def parts_of(source: Source) -> Mapping[str, Source]:
    """Return the sources of a source's parts by name, in the order of `PARTS`; none when it has no parts.

    The parts of a subset are subsets of the parts.
    """
    if isinstance(source, JoinedSource):
        return dict(zip(source.parts, source.sources, strict=True))
    if isinstance(source, SubsetSource):
        return {name: replace(source, source=part) for name, part in parts_of(source.source).items()}
    try:
        if isinstance(source, TorchvisionSource):
            return {"train": replace(source, train=True), "test": replace(source, train=False)}
        if isinstance(source, FolderSource):
            return _folders(source) or _files(source)
        if isinstance(source, ArraySource) and source.path.lower().endswith(".npz") and source.labels is None:
            return _members(source)
    except (OSError, zipfile.BadZipFile, DataError):
        pass  # the reader says what is wrong with it
    return {}


def part_of(source: Source, name: str) -> Source:
    """Return one part of a source, or with "all" every part joined.

    Raises
    ------
    DataError : the source has no such part; the sentence lists those there are.
    """
    found = parts_of(source)
    if name == ALL and found:
        return JoinedSource(tuple(found), tuple(found.values()))
    if name not in found:
        there = f"its parts are {', '.join(found)}" if found else "it has no parts"
        raise DataError(f"There is no part {name!r}: {there}.")
    return found[name]


def join(parts: Sequence[str], sets: Sequence[ImageSet]) -> ImageSet:
    """Join images of one shape; ids begin with the part, and a column names it. Parts without labels stay without.

    Raises
    ------
    DataError : the parts are not of one shape.
    """
    shapes = {found.image_shape for found in sets}
    if len(shapes) > 1:
        raise DataError(
            f"The parts have images of different shapes, {sorted(shapes)}; give a size that all are brought to."
        )
    classes = tuple(dict.fromkeys(name for found in sets for name in found.classes))
    number = {name: i for i, name in enumerate(classes)}
    labels = []
    for found in sets:
        if found.y is None:
            labels.append(np.full(len(found), -1, np.int64))
        else:
            own = np.array([number[name] for name in found.classes] + [-1], np.int64)  # -1 finds the last
            labels.append(own[found.y])
    shared = set.intersection(*(set(found.columns) for found in sets)) - {COLUMN}
    names = np.repeat(np.array(parts), [len(found) for found in sets])
    return image_set(
        scratch.joined([found.x for found in sets]),
        np.concatenate(labels) if classes else None,
        classes,
        ids=[f"{part}/{name}" for part, found in zip(parts, sets, strict=True) for name in found.ids],
        name=sets[0].name,
        skipped=[item for found in sets for item in found.skipped],
        columns={COLUMN: names} | {key: np.concatenate([s.columns[key] for s in sets]) for key in sorted(shared)},
    )


def _folders(source: FolderSource) -> Mapping[str, Source]:
    inside = [path for path in Path(source.path).iterdir() if not path.name.startswith(".")]
    names = {path.name.lower(): path for path in inside if path.is_dir()}
    found = {part: names[name] for part in PARTS for name in _SPELLINGS[part] if name in names}
    if len(found) < 2 or len(found) < len(inside):
        return {}
    return {part: replace(source, path=str(path)) for part, path in found.items()}


def _files(source: FolderSource) -> Mapping[str, Source]:
    found: dict[str, Source] = {}
    for part in PARTS:
        for name in _SPELLINGS[part]:
            images, labels = (Path(source.path) / f"{name}{letter}.npy" for letter in "XY")
            if images.is_file():
                found[part] = ArraySource(str(images), str(labels) if labels.is_file() else None)
    return found


def _members(source: ArraySource) -> Mapping[str, Source]:
    path = Path(source.path)
    with open_file(path) as file, open_zip(file, as_text(path.name)) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
    if source.x in names:
        return {}
    return {
        part: replace(source, x=f"x_{name}", y=f"y_{name}")
        for part in PARTS
        for name in _SPELLINGS[part]
        if f"x_{name}" in names
    }

"""What people type to name their images, understood: `digits`, `/a/folder`, `a.npz`, `a.zip`, `mnist:/dir:test`.

`a.parquet`, `a.tar`, `s3://bucket/folder`, and a folder of such files without pictures are shards; `shards:/a/folder` reads a
folder of pictures as shards, too.
"""

import os
from itertools import islice
from pathlib import Path
from typing import get_args

from core import roots
from core.errors import ConfigError, DataError
from core.readers import addresses, remote
from core.readers.files import EXTENSIONS
from core.readers.labels import is_csv
from core.readers.parts import ALL, PARTS, part_of, parts_of
from core.readers.sources import (
    SAMPLES,
    ArchiveSource,
    ArraySource,
    Dataset,
    FolderSource,
    LabelledSource,
    SampleSource,
    ShardedSource,
    Source,
    SubsetSource,
    TorchvisionSource,
    as_text,
    is_folder,
)

LONGEST = 4096  # letters of a path
SHARDS = "shards:"
SHARD_ENDINGS = (".parquet", ".tar")


def parse_source(
    text: str,
    labels: str | None = None,
    size: int | None = None,
    limit: int | None = None,
    classes: tuple[str, ...] = (),
) -> Source:
    """Understand what people type: `digits`, `/a/folder`, `a.npy`, `a.npz`, `a.zip`, `mnist:/dir`, and `:test` for a part.

    A sample's name wins over a folder of the same name; write `./digits` for the folder. Paths become absolute. What has
    parts is read whole unless one is named, but torchvision's data sets, of which it is the training part.

    Parameters
    ----------
    labels : a `.npy` for a file of arrays, or a CSV of `id,label` for any images, in place of labels of their own.
    limit, classes : at most so many images, and only of these classes.

    Raises
    ------
    DataError : there is nothing of this name, or it may not be opened.
    ConfigError : `labels` or `size` were given for a source that cannot use them.
    """
    text = text.strip()
    base, part = split_part(text)
    table = _absolute(labels) if labels and is_csv(_absolute(labels)) else None
    array = labels if table is None else None
    source = _named(base) or _path(base, array, size)
    if array is not None and not isinstance(source, ArraySource):
        raise ConfigError(
            f"Labels {labels!r} can only be given with a .npy or .npz file of images, not with {text!r}; "
            "a CSV of id,label goes with any images."
        )
    if size is not None and not isinstance(source, FolderSource | ArchiveSource | ShardedSource):
        raise ConfigError(f"A size can only be given for a folder, a ZIP or shards of images, not for {text!r}.")
    if part:
        source = part_of(source, part)
    elif not isinstance(source, TorchvisionSource) and array is None and parts_of(source):
        source = part_of(source, ALL)
    if table is not None:
        source = LabelledSource(source, table)
    return SubsetSource(source, limit, classes) if limit is not None or classes else source


def base_of(source: Source) -> Source:
    """Return the source behind a subset and behind labels of a CSV."""
    return base_of(source.source) if isinstance(source, SubsetSource | LabelledSource) else source


def split_part(text: str) -> tuple[str, str]:
    """Part a name from the part of the data set it ends with: "mnist:/d:test" is "mnist:/d" and "test", or ""."""
    for part in (*PARTS, ALL):
        if text.endswith(f":{part}"):
            return text.removesuffix(f":{part}"), part
    return text, ""


def _named(text: str) -> Source | None:
    if text in SAMPLES:
        return SampleSource(text)
    for dataset in get_args(Dataset):
        if text.startswith(f"{dataset}:"):
            root = text.removeprefix(f"{dataset}:")
            if not root:
                raise DataError(f"{text!r} needs a folder, such as {dataset}:/data.")
            return TorchvisionSource(_absolute(root), dataset)
    return None


def _path(text: str, labels: str | None, size: int | None) -> Source:
    if text.startswith(SHARDS) or addresses.is_address(text):
        return _sharded(text.removeprefix(SHARDS), size)
    path = _absolute(text)
    if is_folder(path):
        return ShardedSource(path, size) if _holds_shards(path) else FolderSource(path, size)
    file = path.lower().endswith((".npy", ".npz", ".zip", *SHARD_ENDINGS))
    if (
        file and path != text and not Path(path).exists()
    ):  # the sentence says what was typed, not where it was looked for
        raise DataError(f"{as_text(text)!r} is not a file that exists.")
    if path.lower().endswith((".npy", ".npz")):
        return ArraySource(path, _absolute(labels) if labels else None)
    if path.lower().endswith(".zip"):
        return ArchiveSource(path, size)
    if path.lower().endswith(SHARD_ENDINGS):
        return ShardedSource(path, size)
    raise DataError(
        f"{as_text(text)!r} is not a sample ({', '.join(SAMPLES)}), a folder that exists, a .npy, .npz, .zip, .parquet "
        "or .tar file, an address such as s3://bucket/folder, or a data set such as mnist:/folder."
    )


def _sharded(text: str, size: int | None) -> ShardedSource:
    """Understand an address, or what follows `shards:`."""
    source = ShardedSource(text if addresses.is_address(text) else _absolute(text), size)
    if addresses.is_address(source.path):
        remote.check(source.path)
        return source
    path = _absolute(source.path)
    if not is_folder(path) and not (path.lower().endswith(SHARD_ENDINGS) and Path(path).is_file()):
        raise DataError(f"{as_text(text)!r} is not a folder that exists, nor a .parquet or .tar file.")
    return source


def _holds_shards(folder: str) -> bool:
    """Say whether a folder holds Parquet files or tars at any depth and no pictures or arrays, as far as it is looked at."""
    found, seen, waiting = False, 0, [folder]
    while waiting and seen < roots.MOST_SEEN:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in islice(entries, roots.MOST_SEEN - seen):
                    seen += 1
                    name = entry.name.lower()
                    if name.startswith("."):
                        continue
                    if name.endswith((*EXTENSIONS, ".npy")):
                        return False
                    found = found or name.endswith(SHARD_ENDINGS)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue  # the reader says what is wrong with it
    return found


def _absolute(text: str) -> str:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # half a pair of surrogates
        known = False
    else:
        known = bool(text) and "\0" not in text and len(text) <= LONGEST
    if not known:
        raise DataError(f"{as_text(text[:200])!r} is not the path of a folder or a file.")
    try:
        path = Path(text).expanduser().absolute()
    except RuntimeError:  # ~somebody who is not known
        path = Path(text).absolute()
    roots.check(path)
    return str(path)

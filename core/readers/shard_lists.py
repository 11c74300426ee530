"""Which shards there are: Parquet files and tars below a folder or an address, or else its pictures, some thousand a shard."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import DataError
from core.readers import remote
from core.readers.addresses import is_address, last_part
from core.readers.files import EXTENSIONS, list_pictures, natural_key
from core.readers.opening import open_file, size_of
from core.readers.sources import ShardedSource, as_text, is_folder

Kind = Literal["parquet", "tar", "pictures"]
PICTURES = 4_096  # of a shard of pictures
ENDINGS: dict[str, Kind] = {".parquet": "parquet", ".tar": "tar"}


@dataclass(frozen=True)
class Shard:
    """A part of a data set that is read at one time.

    Parameters
    ----------
    number : from 0, in natural order of the names.
    name : relative path with "/", valid text.
    url : where it lies, a path or an address; of pictures the folder that they are below.
    size : bytes, 0 where it is not known.
    names : relative paths of pictures, as the system has them; a path that is no UTF-8 holds surrogates.
    """

    number: int
    name: str
    url: str
    kind: Kind
    size: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """A file that was found: relative path as text and as the system has it, where it is, bytes, a mark of its content."""

    id: str
    name: str
    url: str
    size: int
    mark: str

    @property
    def kind(self) -> Kind:
        return next((kind for ending, kind in ENDINGS.items() if self.id.lower().endswith(ending)), "pictures")


def list_shards(source: ShardedSource) -> tuple[Shard, ...]:
    """List the shards of a source: its Parquet files and tars, or where it has none its pictures.

    Raises
    ------
    DataError : there are none, or the place may not be opened or cannot be.
    """
    found = _files(source)
    files = [file for file in found if file.kind != "pictures"]
    if files:
        return tuple(Shard(i, file.id, file.url, file.kind, file.size) for i, file in enumerate(files))
    if not found:
        raise DataError(
            f"{as_text(source.path)[:300]} has no shards: no file in it ends in {', '.join(ENDINGS)}, "
            f"and none is a picture ({', '.join(EXTENSIONS)})."
        )
    url = source.path if is_address(source.path) else str(Path(source.path).resolve())
    groups = [found[start : start + PICTURES] for start in range(0, len(found), PICTURES)]
    return tuple(
        Shard(i, f"pictures-{i:06d}", url, "pictures", sum(file.size for file in group), tuple(f.name for f in group))
        for i, group in enumerate(groups)
    )


def marks(source: ShardedSource) -> list[str]:
    """Return a text for each file of a source, which is another when the file changes.

    Raises
    ------
    DataError : there are none, or the place may not be opened or cannot be.
    """
    return [f"{file.id}\0{file.size}\0{file.mark}\0" for file in _files(source)]


def _files(source: ShardedSource) -> list[_Found]:
    """Return the files below a source that are shards or pictures, or itself when it is one, in natural order."""
    remote.check(source.path)
    if is_address(source.path):
        found = [
            _Found(as_text(file.name), file.name, file.url, file.size, file.mark)
            for file in remote.files(source.path)
        ]
        found = [file for file in found if file.id.lower().endswith((*ENDINGS, *EXTENSIONS)) and _plain(file.name)]
        return sorted(found, key=lambda file: [natural_key(part) for part in file.id.split("/")])
    if not is_folder(source.path):
        return [_one(source.path)]
    root = Path(source.path).resolve()
    return [
        _Found(file.id, _name(file.id, file.path, root), file.path, file.size, str(file.mtime_ns))
        for file in list_pictures(source.path, (*ENDINGS, *EXTENSIONS)).files
    ]


def _one(path: str) -> _Found:
    """Return a file that is all there is."""
    if not path.lower().endswith(tuple(ENDINGS)):
        raise DataError(
            f"{as_text(path)[:300]} is not a folder that exists, nor a file that ends in {', '.join(ENDINGS)}."
        )
    try:
        with open_file(Path(path)) as file:
            size, real = size_of(file), Path(path).resolve()
            mark = str(real.stat().st_mtime_ns)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise DataError(f"{as_text(path)[:300]} is not there or cannot be opened.") from error
    return _Found(as_text(Path(path).name), Path(path).name, str(real), size, mark)


def _name(id: str, path: str, root: Path) -> str:
    """Return the relative path of a file as the system has it, which its id is unless it is no UTF-8."""
    real = Path(path).relative_to(root).as_posix()
    return real if as_text(real) == id else id  # else it is a link


def _plain(name: str) -> bool:
    return all(part not in ("", ".", "..") for part in name.split("/"))


def name_of(source: ShardedSource) -> str:
    """Return what a source is called for people."""
    last = last_part(source.path) if is_address(source.path) else Path(source.path).name
    stem = posixpath.splitext(last)[0] if last.lower().endswith(tuple(ENDINGS)) else last
    return as_text(stem) or "images"


def told(problems: Sequence[str]) -> str:
    """Write the first of some problems, and how many more there are."""
    more = f" ({len(problems) - 1:,} more shards cannot be read)" if len(problems) > 1 else ""
    return f"{problems[0].rstrip('.')}{more}."

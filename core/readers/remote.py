"""Files behind addresses, by fsspec: what lies there, and how it is opened; what goes wrong is one sentence.

Which account or endpoint is meant is fsspec's to know: from the environment (`AWS_…`, `FSSPEC_S3_…`) or its configuration.
"""

import posixpath
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from core import roots, whole
from core.errors import DataError, ExportError
from core.readers.addresses import checked, is_address

READ_AHEAD = 8 << 20  # bytes of a file that are asked for at once
_OTHERS = {  # what the libraries behind fsspec raise that is no OSError
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "aiohttp": ("ClientError",),
    "google.auth.exceptions": ("GoogleAuthError",),
    "gcsfs.retry": ("HttpError",),
}
_MARKS = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "updated", "mtime", "created")


@dataclass(frozen=True)
class RemoteFile:
    """A file behind an address: its path from there, its own address, bytes, and a text that changes when it does."""

    name: str
    url: str
    size: int
    mark: str


def check(path: str) -> None:
    """Check that a path or an address may be opened: where folders are given, only what lies in them.

    Raises
    ------
    DataError : it may not.
    """
    if not is_address(path):
        roots.check(path)
    elif roots.given() is not None:
        raise DataError(f"{path[:200]!r} cannot be opened here: only what lies in the folders that can be opened is.")


def files(address: str) -> tuple[RemoteFile, ...]:
    """List the files at an address and below it, as they are there now; hidden ones are passed over.

    Raises
    ------
    DataError : it cannot be asked.
    """
    with _told(address):
        system, root = _system(address)
        system.invalidate_cache()
        found = system.find(root, detail=True)
        made = [
            _file(system, root, path, info)
            for path, info in found.items()
            if info.get("type") == "file" and (path == root or path.startswith(f"{root}/"))
        ]
    return tuple(file for file in made if not any(part.startswith(".") for part in file.name.split("/")))


@contextmanager
def opened(address: str) -> Iterator[BinaryIO]:
    """Open a file behind an address for reading.

    Raises
    ------
    DataError : it is not there or cannot be read, now or while it is open.
    """
    with _told(address):
        system, path = _system(address)
        with system.open(path, "rb", block_size=READ_AHEAD) as file:
            yield file


def contents(address: str, names: Sequence[str], limit: int) -> list[bytes | str]:
    """Return what is in files below an address, of each at most `limit` bytes; for one that cannot be read the reason.

    Raises
    ------
    DataError : the address cannot be asked at all.
    """
    with _told(address):
        system, root = _system(address)
        paths = [posixpath.join(root, name) for name in names]
        found = system.cat_ranges(paths, [0] * len(paths), [limit] * len(paths), on_error="return")
    return [item if isinstance(item, bytes) else f"cannot be read: {_reason(item)}" for item in found]


def there(root: str, endings: tuple[str, ...]) -> set[str]:
    """Return the names of the files with these endings right in a folder or at an address; none where there is no such place.

    Raises
    ------
    DataError : an address cannot be asked.
    """
    names = (file.name for file in files(root)) if is_address(root) else (path.name for path in Path(root).glob("*"))
    return {name for name in names if "/" not in name and name.lower().endswith(endings)}


def write(path: str, content: bytes) -> None:
    """Write a file, at a path or an address, whole or not at all.

    Raises
    ------
    ExportError : it cannot be written.
    """
    try:
        place = checked(path)  # of file:// the path
        if is_address(place):
            with _told(place):
                system, inner = _system(place)
                system.pipe_file(inner, content)  # an object is there once it is whole; a bucket is never made
        else:
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            whole.write(Path(place), content)
    except (OSError, DataError) as error:
        raise ExportError(f"{path} cannot be written: {_reason(error)}.") from error


def _system(address: str) -> tuple[Any, str]:
    """Return the file system behind an address, one of those that are read and never a chain of them, and the path there."""
    import fsspec

    checked(address)
    system = fsspec.filesystem(address.split("://", 1)[0])
    return system, str(system._strip_protocol(address)).rstrip("/")


def _file(system: Any, root: str, path: str, info: Any) -> RemoteFile:
    name = posixpath.basename(path) if path == root else path.removeprefix(f"{root}/")
    mark = " ".join(str(info[key]) for key in _MARKS if key in info)
    return RemoteFile(name, system.unstrip_protocol(path), int(info.get("size") or 0), mark)


@contextmanager
def _told(address: str) -> Iterator[None]:
    try:
        yield
    except _troubles() as error:
        raise DataError(f"{address[:300]} cannot be read: {_reason(error)}.") from error


def _troubles() -> tuple[type[BaseException], ...]:
    """Return what can go wrong with an address; libraries that are not loaded raise nothing."""
    found: list[type[BaseException]] = [OSError, ValueError, ImportError, TimeoutError]
    for module, names in _OTHERS.items():
        loaded = sys.modules.get(module)
        found += [getattr(loaded, name) for name in names if hasattr(loaded, name)]
    return tuple(found)


def _reason(error: object) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is not there"
    if isinstance(error, ImportError):
        return f"a package is missing: {error!s:.150}"
    words = getattr(error, "strerror", None) or str(error)
    return " ".join(str(words).split()).rstrip(".")[:150] or type(error).__name__

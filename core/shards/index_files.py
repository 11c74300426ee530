"""Where an index lies: a file on this computer, or at an address from which it is fetched to be memory-mapped."""

import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core import whole
from core.errors import ExportError
from core.readers.addresses import is_address


@contextmanager
def writing(path: str) -> Iterator[Path]:
    """Give the name of a local file to write to, which is gone afterwards where it was not renamed."""
    try:
        if is_address(path):
            with tempfile.TemporaryDirectory(prefix="embedding-explorer-") as folder:
                yield Path(folder) / "index"
        else:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            made = whole.beside(Path(path))
            try:
                yield made
            finally:
                made.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:  # FAISS raises the latter
        raise ExportError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error!s:.200}.") from error


def put(path: str, made: Path, described: bytes) -> None:
    """Bring an index to its place and what describes it after it: a kill between them leaves one that is not opened."""
    if is_address(path):
        import fsspec

        system, inner = fsspec.core.url_to_fs(path)
        system.makedirs(posixpath.dirname(inner), exist_ok=True)
        system.put_file(str(made), inner)
        system.pipe_file(f"{inner}.json", described)
        return
    whole.sync(made)
    made.replace(path)
    whole.write(Path(f"{path}.json"), described)


def fetched(path: str) -> tuple[Path, tempfile.TemporaryDirectory[str] | None]:
    """Return where an index lies on this computer, and the folder it was fetched to from an address."""
    if not is_address(path):
        return Path(path), None
    import fsspec

    system, inner = fsspec.core.url_to_fs(path)
    folder = tempfile.TemporaryDirectory(prefix="embedding-explorer-")
    place = Path(folder.name) / "index"
    try:
        system.get_file(f"{inner}.json", f"{place}.json")
        system.get_file(inner, str(place))
    except OSError:
        folder.cleanup()
        raise
    return place, folder

"""Which folders may be opened: the one place that decides, for pages, links, recipes and the worker process alike.

`EXPLORER_ROOTS` lists them, and a worker inherits it. Where it is not set, everything may be opened; set to nothing, no folder
at all. A path counts as what it is once every link and ".." is followed. Uploads may always be read here: which session one
belongs to is the dashboard's to know.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.errors import ConfigError, DataError
from core.store import default_root

VARIABLE = "EXPLORER_ROOTS"
UPLOADS = "EMBEDDING_EXPLORER_UPLOADS"
MOST_SEEN = 20_000  # entries of a folder that are looked at
MOST_LISTED = 500
HOW = f"whoever starts the program names no folder with --root or {VARIABLE}"


@dataclass(frozen=True)
class Inside:
    """What lies in a folder that may be opened: paths of folders and of files, and whether there are more than these."""

    folders: tuple[str, ...]
    files: tuple[str, ...]
    more: bool


def given() -> tuple[str, ...] | None:
    """Return the folders that may be opened, as they were given; None where everything may be."""
    text = os.environ.get(VARIABLE)
    return None if text is None else tuple(dict.fromkeys(part for part in text.split(os.pathsep) if part.strip()))


def add(folders: Iterable[str]) -> None:
    """Let folders be opened beside those that were given, here and in worker processes that are started from now on.

    Raises
    ------
    ConfigError : a folder's name holds what parts the folders in `EXPLORER_ROOTS`.
    """
    named = [str(Path(folder).expanduser().absolute()) for folder in folders]
    every = list(dict.fromkeys([*(given() or ()), *named]))
    for folder in every:
        if os.pathsep in folder:
            raise ConfigError(
                f"The folder {folder!r} cannot be one to open: its name holds {os.pathsep!r}; use a link to it."
            )
    os.environ[VARIABLE] = os.pathsep.join(every)


def close() -> None:
    """Let no folder be opened: only samples and uploads."""
    os.environ[VARIABLE] = ""


def flags(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part arguments into the folders that `--root DIR` or `--root=DIR` name, and the others."""
    named, rest, following = [], [], iter(arguments)
    for part in following:
        if part == "--root":
            named += [folder for folder in (next(following, None),) if folder is not None]
        elif part.startswith("--root="):
            named.append(part.removeprefix("--root="))
        else:
            rest.append(part)
    return named, rest


def uploads() -> Path:
    """Return the folder of uploads: `EMBEDDING_EXPLORER_UPLOADS`, else one beside the store."""
    named = os.environ.get(UPLOADS)
    return Path(named) if named else default_root().parent / "uploads"


def holds(folder: str | Path, path: str | Path) -> bool:
    """Say whether a path is a folder or lies in it, once every link is followed."""
    try:
        return Path(_real(path)).is_relative_to(_real(folder))
    except (OSError, ValueError):  # a loop of links, or a path that cannot be
        return False


def allows(path: str | Path) -> bool:
    """Say whether a path may be opened."""
    folders = given()
    return folders is None or any(holds(folder, path) for folder in [*folders, str(uploads())])


def check(path: str | Path) -> None:
    """Check that a path may be opened; whether there is anything is not looked at before.

    Raises
    ------
    DataError : it lies in none of the folders that were given.
    """
    if allows(path):
        return
    folders = given()
    told = f"only what lies in {', '.join(folders)} can" if folders else f"only samples and uploads can, as {HOW}"
    raise DataError(f"{_shown(path)!r} cannot be opened here: {told}.")


def inside(folder: str, endings: tuple[str, ...]) -> Inside:
    """List the folders in a folder, and the files with these endings; of a very large folder only its first entries.

    What is hidden, and what leads out of the folders that may be opened, is left out.

    Raises
    ------
    DataError : the folder may not be opened, or cannot be.
    """
    check(folder)
    try:
        with os.scandir(folder) as entries:
            seen = list(islice(entries, MOST_SEEN + 1))
    except OSError as error:
        raise DataError(f"{_shown(folder)} cannot be opened: {error.strerror}.") from error
    folders, files = [], []
    for entry in _visible(seen[:MOST_SEEN]):
        if entry.is_dir():
            folders.append(entry.path)
        elif entry.name.lower().endswith(endings):
            files.append(entry.path)
    more = len(seen) > MOST_SEEN or max(len(folders), len(files)) > MOST_LISTED
    return Inside(tuple(sorted(folders)[:MOST_LISTED]), tuple(sorted(files)[:MOST_LISTED]), more)


def _visible(entries: list[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    for entry in entries:
        if not entry.name.startswith(".") and (not entry.is_symlink() or allows(entry.path)):
            yield entry


def _real(path: str | Path) -> str:
    return os.path.normcase(os.path.realpath(path))


def _shown(path: str | Path) -> str:
    """Return a path in valid text, as `core.readers.sources.as_text` does, which comes later."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")[:300]

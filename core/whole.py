"""Files and folders that are there whole or not at all, also after a kill or a power cut.

What is being made, or is on its way out, has a name that begins with a dot and says whose it is, so that `sweep` can
tell what a killed process left behind.
"""

import contextlib
import os
import platform
import re
import secrets
import shutil
import time
import zlib
from pathlib import Path

from core.locks import is_gone

OLD_SECONDS = 3600.0  # what is younger is never swept
FORGOTTEN_SECONDS = 86400.0  # after which it is, too, where nobody can say whether its owner still runs
_OWNED = re.compile(r"\.(\d+)-([0-9a-f]{8})-.*", re.DOTALL)


def beside(path: Path) -> Path:
    """Return a new name in a path's folder for what this process makes or takes away there."""
    return path.with_name(f".{os.getpid()}-{_host()}-{secrets.token_hex(4)}")


def write(path: Path, data: bytes) -> None:
    """Write a file; what was there before stays until the new one is on the disk."""
    temporary = beside(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder; where a folder cannot be waited for, go on."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def replace(made: Path, target: Path) -> None:
    """Rename a folder that was made beside it into its place; what is there already is replaced.

    A kill between the two renames leaves the old one aside, where `restored` finds it.
    """
    aside = _aside(target)
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
    try:
        made.rename(target)
    except OSError:
        restored(target)
        raise
    sync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def restored(target: Path) -> Path:
    """Return a folder's path, after putting back what a killed `replace` left aside."""
    with contextlib.suppress(OSError):
        if not target.exists():
            _aside(target).rename(target)
    return target


def restore_all(root: Path) -> None:
    """Put back every folder that a killed `replace` left aside."""
    for aside in root.glob(".*.before"):
        restored(root / aside.name.removeprefix(".").removesuffix(".before"))


def remove(path: Path) -> None:
    """Take a folder away in one step, then delete it; what cannot be deleted at once is swept later."""
    aside = beside(path)
    path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def sweep(paths: list[Path]) -> None:
    """Delete those of some files and folders that are old and whose owner is gone, or that are forgotten."""
    for path in paths:
        with contextlib.suppress(OSError):
            age = time.time() - path.stat().st_mtime  # negative after the clock was set back: then they stay for now
            owned = _OWNED.fullmatch(path.name)
            ours = owned is not None and owned[2] == _host() and is_gone(platform.node(), int(owned[1]))
            if age > (OLD_SECONDS if ours else FORGOTTEN_SECONDS):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_owned(path: Path) -> bool:
    """Say whether a name is one of `beside`."""
    return _OWNED.fullmatch(path.name) is not None


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.before")


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode('utf-8', 'replace')):08x}"

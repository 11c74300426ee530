"""Keep a store within its size: the least recently used entries go, those in use and those being made stay."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from core import locks, whole
from core.store.folders import SIDECAR
from core.store.uses import take_away

LOCKS = ".locks"
CLOCK = ".clock"  # its date is that of the newest use
STEP_NS = 1_000_000
SHARE = 64  # of the limit is written between two walks, and made free beyond it


@dataclass(frozen=True)
class Lying:
    """An entry as it lies on the disk: its bytes, and when it was last used, in nanoseconds."""

    path: Path
    bytes: int
    used: int


def look(root: Path, stage: str | None = None) -> tuple[list[Lying], list[Path]]:
    """Return all entries, or those of one stage, and what else lies among them."""
    found: list[Lying] = []
    rest: list[Path] = []
    for folder in _folders(root) if stage is None else [root / stage]:
        for path in _listed(folder):
            lying = None if path.name.startswith(".") else _lying(path)
            if lying is None:
                rest.append(path)
            else:
                found.append(lying)
    return found, rest


def make_room(root: Path, limit: int, keep: Path) -> int:
    """Drop the least recently used entries of a store that is above its limit, sweep it, and return the bytes left."""
    found, rest = look(root)
    total = sum(lying.bytes for lying in found)
    aim = limit if total <= limit else limit - limit // SHARE
    for lying in sorted(found, key=lambda lying: lying.used):
        if total <= aim:
            break
        if lying.path != keep:
            with contextlib.suppress(OSError):
                total -= lying.bytes if take_away(lying.path) else 0
    sweep(root, rest)
    return total


def sweep(root: Path, rest: list[Path]) -> None:
    """Delete what killed processes left: locks that nobody holds, and what they made or took away, when it is old."""
    locks.sweep(root / LOCKS)
    whole.sweep(rest)


def stamp(root: Path, sidecar: Path) -> None:
    """Date an entry's last use: later than any before, also when the clock was set back."""
    clock = root / CLOCK
    with contextlib.suppress(OSError):  # in a folder that cannot be written there are no dates of use
        try:
            last = clock.stat().st_mtime_ns
        except FileNotFoundError:  # of an earlier version
            clock.touch()
            last = max((lying.used for lying in look(root)[0]), default=0)
        now = max(time.time_ns(), last + STEP_NS)
        os.utime(clock, ns=(now, now))
        os.utime(sidecar, ns=(now, now))


def is_entry(path: Path) -> bool:
    """Say whether an entry lies in a folder, whole or damaged."""
    return _is_file(path / SIDECAR)


def _folders(root: Path) -> list[Path]:
    return [path for path in _listed(root) if not path.name.startswith(".")]


def _listed(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []


def _lying(path: Path) -> Lying | None:
    size, used = 0, None
    try:
        with os.scandir(path) as files:
            for file in files:
                status = file.stat()
                size += status.st_size
                if file.name == SIDECAR:
                    used = status.st_mtime_ns
    except OSError:
        return None
    return None if used is None else Lying(path, size, used)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be read
        return False

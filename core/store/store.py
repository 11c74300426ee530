"""The store itself: found, kept, made once, dropped when old."""

import contextlib
import errno
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from core import locks, whole
from core.errors import StoreError
from core.progress import Callback, Progress, ignore
from core.store import folders, room
from core.store.folders import DAMAGE, SIDECAR, Entry, State
from core.store.uses import Use, Uses, take_away

LIMIT_BYTES = 8 << 30
UNSAVED_BYTES = 1 << 30  # kept in memory of what cannot be written
WAITING = "Waiting for another process that makes this"
_ELSEWHERE = "set EMBEDDING_EXPLORER_STORE to another folder"
_ADVICE = {
    errno.ENOSPC: f"Free some space, or {_ELSEWHERE}.",
    errno.EDQUOT: f"Delete some of your files, or {_ELSEWHERE}.",
    errno.EFBIG: f"Allow larger files there, or {_ELSEWHERE}.",
    errno.ENAMETOOLONG: f"Its path is too long: {_ELSEWHERE} with a shorter one.",
    errno.EEXIST: f"A file lies where a folder must be: move it away, or {_ELSEWHERE}.",
    errno.ENOTDIR: f"A file lies where a folder must be: move it away, or {_ELSEWHERE}.",
}
_log = logging.getLogger(__name__)


def default_root() -> Path:
    """Return the store's directory: `EMBEDDING_EXPLORER_STORE`, else the user's cache directory."""
    given = os.environ.get("EMBEDDING_EXPLORER_STORE")
    return Path(given) if given else platformdirs.user_cache_path("embedding-explorer") / "store"


@dataclass(frozen=True)
class Cleared:
    """How many entries were deleted, and how many stayed because another process uses them."""

    removed: int
    in_use: int = 0


@dataclass
class Store:
    """Entries under `root`; `shipped` is a second, read-only root that is never cleared.

    What cannot be written (a read-only or full disk) stays in memory, in `unsaved`, and `problem` says why.
    """

    root: Path
    shipped: Path | None = None
    limit_bytes: int = LIMIT_BYTES
    unsaved: dict[tuple[str, str], Entry] = field(default_factory=dict)
    problem: str | None = None
    _uses: Uses = field(default_factory=Uses, repr=False, compare=False)
    _verified: dict[Path, State] = field(default_factory=dict, repr=False, compare=False)
    _total: int | None = field(default=None, repr=False, compare=False)  # bytes at the last walk
    _written: int = field(default=0, repr=False, compare=False)  # bytes since

    def has(self, stage: str, key: str) -> bool:
        """Say whether an entry is there, without reading it."""
        return (stage, key) in self.unsaved or any(room.is_entry(root / stage / key) for root in self._roots())

    def get(self, stage: str, key: str) -> Entry | None:
        """Return an entry, or None when it is missing or cannot be read; the latter is logged as a warning."""
        if (stage, key) in self.unsaved:
            return self.unsaved[stage, key]
        for root in self._roots():
            path = root / stage / key
            if room.is_entry(path) and (entry := self._found(path, root == self.root)) is not None:
                return entry
        return None

    @contextlib.contextmanager
    def making(self, stage: str, key: str, callback: Callback = ignore) -> Iterator[None]:
        """Be the only one, of all threads and processes, that makes an entry; look again for it inside.

        While another one makes it, that is reported, so that the callback can give up. If that one fails or dies, it is
        this one's turn. Where no lock can be made, the work goes on without.
        """
        with locks.only_one(self.root / room.LOCKS / f"{stage}.{key}", lambda: callback(Progress(WAITING, 0, 0))):
            yield

    def put(
        self, stage: str, key: str, arrays: Mapping[str, np.ndarray], info: Mapping[str, Any], seconds: float
    ) -> Entry:
        """Write an entry and return it; on a disk that cannot be written it is kept in memory instead."""
        entry = Entry({name: folders.frozen(array) for name, array in arrays.items()}, dict(info), seconds)
        try:
            self._write(stage, key, entry)
        except OSError as error:
            self.problem = (
                f"The store {self.root} cannot be written ({error.strerror or error}): results stay in memory and are "
                f"lost when the program ends. {_ADVICE.get(error.errno or 0, f'Allow writing to it, or {_ELSEWHERE}.')}"
            )
            _log.warning(self.problem)
            self._keep_in_memory(stage, key, entry)
            return entry
        self.problem = None
        self.unsaved.pop((stage, key), None)
        self._written += sum(array.nbytes for array in entry.arrays.values())
        if self._total is None or self._written > min(self.limit_bytes - self._total, self.limit_bytes // room.SHARE):
            self._total, self._written = room.make_room(self.root, self.limit_bytes, self.root / stage / key), 0
        return entry

    def adopt(self, unsaved: Mapping[tuple[str, str], Entry], problem: str | None) -> None:
        """Hold in memory what another process could not write, and why."""
        for place, entry in unsaved.items():
            arrays = {name: folders.frozen(array) for name, array in entry.arrays.items()}
            self._keep_in_memory(*place, Entry(arrays, entry.info, entry.seconds))
        if unsaved:
            self.problem = problem

    def entries(self, stage: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Yield the sidecars of all readable entries, or of one stage's: stage, key, info, seconds, bytes, versions."""
        for lying in room.look(self.root, stage)[0]:
            try:
                sidecar = folders.sidecar_of(lying.path)
                yield sidecar | {"bytes": sum(sidecar["files"].values())}
            except (OSError, *DAMAGE):
                continue

    def size(self) -> int:
        """Return the bytes that entries occupy under `root`."""
        return sum(lying.bytes for lying in room.look(self.root)[0])

    def drop(self, stage: str, key: str) -> None:
        """Delete one entry, if it is there."""
        self.unsaved.pop((stage, key), None)
        with contextlib.suppress(OSError):
            whole.remove(self.root / stage / key)

    def clear(self) -> Cleared:
        """Delete every entry under `root`; those that another process uses stay, and shipped ones.

        Raises
        ------
        StoreError : the entries cannot be deleted.
        """
        count, in_use = len(self.unsaved), 0
        self.unsaved.clear()
        self.problem = self._total = None
        self._uses.let_go()  # what this process shows it can still read
        for lying in room.look(self.root)[0]:
            try:
                gone = take_away(lying.path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreError(f"The store {self.root} cannot be cleared: {error.strerror or error}.") from error
            count, in_use = count + gone, in_use + (not gone)
        room.sweep(self.root, room.look(self.root)[1])
        return Cleared(count, in_use)

    def _roots(self) -> list[Path]:
        return [self.root] if self.shipped is None else [self.root, self.shipped]

    def _found(self, path: Path, own: bool) -> Entry | None:
        use: Use | None = None
        try:
            if own and (use := self._uses.open(path)) is None:
                return None
            entry = folders.read(path, self._verified)
        except (OSError, MemoryError, *DAMAGE) as error:
            if not room.is_entry(path):
                return None  # taken away meanwhile
            _log.warning("%s: store entry cannot be read (%s); it is made again.", path, error)
            if use is not None and isinstance(error, DAMAGE) and locks.same_file(use.file, path / SIDECAR):
                with contextlib.suppress(OSError):
                    whole.remove(path)
            return None
        if use is not None:
            self._uses.hold(use, entry.arrays.values())
            room.stamp(self.root, path / SIDECAR)
        return entry

    def _write(self, stage: str, key: str, entry: Entry) -> None:
        target = self.root / stage / key
        temporary = whole.beside(target)
        temporary.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir(mode=0o700)
        try:
            folders.write(temporary, stage, key, entry)
            room.stamp(self.root, temporary / SIDECAR)
            folders.move_in(temporary, target, self._verified)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _keep_in_memory(self, stage: str, key: str, entry: Entry) -> None:
        """Hold an entry, and let go of the oldest that are more than the memory is for."""
        self.unsaved[stage, key] = entry
        sizes = {p: sum(array.nbytes for array in e.arrays.values()) for p, e in self.unsaved.items()}
        for place in list(sizes)[:-1]:
            if sum(sizes.values()) <= UNSAVED_BYTES:
                break
            del sizes[place]
            self.unsaved.pop(place, None)

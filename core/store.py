"""Results on disk under the key of what made them: found again after a restart, dropped when old.

An entry is a directory `<root>/<stage>/<key>/` with one `.npy` file an array and `entry.json`, which says in
words what made it and how large each file is. It is written under a temporary name and renamed, so it is there
whole or not at all. A `shipped` root is read as well and never written; its arrays lie in one `arrays.npz`.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from core.errors import StoreError

LIMIT_BYTES = 8 << 30
MMAP_BYTES = 16 << 20  # larger arrays are mapped into memory, not read
HASHED_BYTES = 8 << 20  # at a time
_log = logging.getLogger(__name__)


def default_root() -> Path:
    """Return the store's directory: `EMBEDDING_EXPLORER_STORE`, else the user's cache directory."""
    given = os.environ.get("EMBEDDING_EXPLORER_STORE")
    return Path(given) if given else platformdirs.user_cache_path("embedding-explorer") / "store"


def fingerprint(*arrays: np.ndarray) -> str:
    """Hash dtype, shape and bytes of arrays to 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        rows = np.atleast_1d(array)
        step = max(1, HASHED_BYTES // max(1, rows[:1].nbytes))
        for start in range(0, len(rows), step):  # what is laid out otherwise is copied in pieces
            digest.update(np.ascontiguousarray(rows[start : start + step]).data)
    return digest.hexdigest()


def key_of(version: int, *parts: Any) -> str:
    """Hash a stage's version and JSON-able parts (keys of its inputs, its config) to 32 hexadecimal digits."""
    text = json.dumps([version, *parts], sort_keys=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Entry:
    """What the store holds under a key: read-only arrays, and what made them in plain words."""

    arrays: Mapping[str, np.ndarray]
    info: Mapping[str, Any]
    seconds: float


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

    def has(self, stage: str, key: str) -> bool:
        """Say whether an entry is there, without reading it."""
        return (stage, key) in self.unsaved or any(
            (root / stage / key / "entry.json").is_file() for root in self._roots()
        )

    def get(self, stage: str, key: str) -> Entry | None:
        """Return an entry, or None when it is missing or cannot be read; the latter is logged as a warning."""
        if (stage, key) in self.unsaved:
            return self.unsaved[stage, key]
        for root in self._roots():
            path = root / stage / key
            if not (path / "entry.json").is_file():
                continue
            try:
                entry = _read(path)
            except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
                _log.warning("%s: store entry cannot be read (%s); it is made again.", path, error)
                if root == self.root:
                    shutil.rmtree(path, ignore_errors=True)
                continue
            if root == self.root:
                _touch(path / "entry.json")
            return entry
        return None

    def put(
        self, stage: str, key: str, arrays: Mapping[str, np.ndarray], info: Mapping[str, Any], seconds: float
    ) -> Entry:
        """Write an entry and return it; on a disk that cannot be written it is kept in memory instead."""
        entry = Entry({name: _frozen(array) for name, array in arrays.items()}, dict(info), seconds)
        try:
            self._write(stage, key, entry)
        except OSError as error:
            self.problem = (
                f"The store {self.root} cannot be written ({error.strerror or error}): results stay in memory and "
                "are lost when the program ends. Free some space, or set EMBEDDING_EXPLORER_STORE to another folder."
            )
            _log.warning(self.problem)
            self.unsaved[stage, key] = entry
            return entry
        self.problem = None
        self._drop_old(keep=self.root / stage / key)
        return entry

    def adopt(self, unsaved: Mapping[tuple[str, str], Entry], problem: str | None) -> None:
        """Hold in memory what another process could not write, and why."""
        for place, entry in unsaved.items():
            arrays = {name: _frozen(array) for name, array in entry.arrays.items()}
            self.unsaved[place] = Entry(arrays, entry.info, entry.seconds)
        if unsaved:
            self.problem = problem

    def entries(self, stage: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Yield the sidecars of all readable entries, or of one stage's: stage, key, info, seconds, bytes."""
        for path in self._paths(stage):
            try:
                sidecar = json.loads((path / "entry.json").read_text("utf-8"))
                yield sidecar | {"bytes": sum(sidecar["files"].values())}
            except (OSError, ValueError, KeyError, AttributeError, TypeError):
                continue

    def size(self) -> int:
        """Return the bytes that entries occupy under `root`."""
        return sum(_size_of(path) for path in self._paths())

    def drop(self, stage: str, key: str) -> None:
        """Delete one entry, if it is there."""
        self.unsaved.pop((stage, key), None)
        shutil.rmtree(self.root / stage / key, ignore_errors=True)

    def clear(self) -> int:
        """Delete every entry under `root` and return how many there were; shipped entries stay.

        Raises
        ------
        StoreError : the entries cannot be deleted.
        """
        paths = list(self._paths())
        count = len(paths) + len(self.unsaved)
        self.unsaved.clear()
        self.problem = None
        for path in paths:
            try:
                shutil.rmtree(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreError(f"The store {self.root} cannot be cleared: {error.strerror or error}.") from error
        return count

    def _roots(self) -> list[Path]:
        return [self.root] if self.shipped is None else [self.root, self.shipped]

    def _paths(self, stage: str | None = None) -> Iterator[Path]:
        for sidecar in self.root.glob(f"{stage or '*'}/*/entry.json"):
            if not sidecar.parent.name.startswith("."):
                yield sidecar.parent

    def _write(self, stage: str, key: str, entry: Entry) -> None:
        target = self.root / stage / key
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
        try:
            for name, array in entry.arrays.items():
                np.save(temporary / f"{name}.npy", array, allow_pickle=False)
            sidecar = {
                "stage": stage,
                "key": key,
                "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "seconds": round(entry.seconds, 4),
                "info": entry.info,
                "files": {path.name: path.stat().st_size for path in sorted(temporary.iterdir())},
            }
            (temporary / "entry.json").write_text(json.dumps(sidecar, indent=1), "utf-8")
            _move_in(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _drop_old(self, keep: Path) -> None:
        sizes = {path: _size_of(path) for path in self._paths()}
        total = sum(sizes.values())
        for path in sorted(sizes, key=_used):
            if total <= self.limit_bytes:
                break
            if path != keep:
                shutil.rmtree(path, ignore_errors=True)
                total -= sizes[path]


def _move_in(made: Path, target: Path) -> None:
    """Rename an entry into its place, unless another process put the same one there."""
    aside = made.with_name(f"{made.name}.old")
    for attempt in range(20):
        if _intact(target):
            return
        try:
            made.rename(target)
            return
        except OSError:
            if attempt == 19:
                raise
            with contextlib.suppress(OSError):  # what lies there is broken; out of the way in one step
                target.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)


def _intact(path: Path) -> bool:
    try:
        files = json.loads((path / "entry.json").read_text("utf-8"))["files"]
        return all((path / Path(name).name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _read(path: Path) -> Entry:
    sidecar = json.loads((path / "entry.json").read_text("utf-8"))
    arrays: dict[str, np.ndarray] = {}
    for name, size in sidecar["files"].items():
        file = path / Path(name).name
        if file.stat().st_size != size:
            raise ValueError(f"{name} has {file.stat().st_size} bytes instead of {size}")
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as packed:
                arrays |= {key: _frozen(packed[key]) for key in packed.files}
        else:
            mode: Any = "r" if size > MMAP_BYTES else None
            arrays[file.stem] = _frozen(np.load(file, mmap_mode=mode, allow_pickle=False))
    return Entry(arrays, sidecar["info"], float(sidecar["seconds"]))


def _frozen(array: np.ndarray) -> np.ndarray:
    view = np.asanyarray(array).view()
    view.flags.writeable = False
    return view


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        return  # a shipped or read-only entry has no date of last use


def _used(path: Path) -> float:
    try:
        return (path / "entry.json").stat().st_mtime
    except OSError:
        return 0.0


def _size_of(path: Path) -> int:
    try:
        return sum(file.stat().st_size for file in path.iterdir())
    except OSError:
        return 0

"""An entry's folder: written whole or not at all, and checked when it is first read.

It holds one `.npy` file an array and `entry.json`, which says in words what made the entry and with which versions, how
large each file is and its checksum, and carries its own. Entries of earlier versions have no checksums and are read by
their sizes; those that ship with the program have their arrays in one `arrays.npz`.
"""

import contextlib
import struct
import time
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core import whole
from core.checksums import Summed, of_file, sealed, unsealed
from core.versions import versions

MMAP_BYTES = 16 << 20  # larger arrays are mapped into memory, not read
SIDECAR = "entry.json"
DAMAGE = (  # what reading raises when a file does not hold what was written
    AttributeError, EOFError, FileNotFoundError, IsADirectoryError, LookupError, NotADirectoryError, OverflowError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
State = tuple[int, int, int]


@dataclass(frozen=True)
class Entry:
    """What the store holds under a key: read-only arrays, and what made them in plain words."""

    arrays: Mapping[str, np.ndarray]
    info: Mapping[str, Any]
    seconds: float


def write(folder: Path, stage: str, key: str, entry: Entry) -> None:
    """Fill an entry's folder."""
    sums: dict[str, str] = {}
    for name, array in entry.arrays.items():
        with (folder / f"{name}.npy").open("wb") as file:
            summed = Summed(file)
            np.save(summed, array, allow_pickle=False)
            sums[f"{name}.npy"] = summed.sum
    sidecar = {
        "stage": stage,
        "key": key,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(entry.seconds, 4),
        "info": entry.info,
        "files": {name: (folder / name).stat().st_size for name in sorted(sums)},
        "sums": sums,
        "versions": versions(),
    }
    (folder / SIDECAR).write_bytes(sealed(sidecar, indent=1))


def move_in(made: Path, target: Path, verified: dict[Path, State]) -> None:
    """Rename an entry's folder into its place, unless another process put the same one there."""
    for attempt in range(20):
        if is_intact(target, verified):
            return
        try:
            made.rename(target)
        except OSError:
            if attempt == 19:
                raise
            with contextlib.suppress(OSError):  # what lies there is broken
                whole.remove(target)
        else:  # what this process wrote it need not read again to know it
            verified.update((file, _state(file)) for file in target.iterdir() if file.name != SIDECAR)
            return


def is_intact(path: Path, verified: dict[Path, State]) -> bool:
    """Say whether a whole entry lies in a folder."""
    try:
        read(path, verified)
    except (OSError, MemoryError, *DAMAGE):
        return False
    return True


def sidecar_of(path: Path) -> dict[str, Any]:
    """Read what an entry says of itself.

    Raises
    ------
    OSError, or one of `DAMAGE` : it cannot be read.
    """
    values = unsealed((path / SIDECAR).read_bytes())
    if not isinstance(values, dict):
        raise ValueError(f"{SIDECAR} is not an object")
    return values


def read(path: Path, verified: dict[Path, State]) -> Entry:
    """Read an entry; a file is checked against its checksum unless `verified` says that it was, as it is now.

    Raises
    ------
    OSError, or one of `DAMAGE` : it cannot be read.
    """
    sidecar = sidecar_of(path)
    sums = sidecar.get("sums", {})
    arrays: dict[str, np.ndarray] = {}
    for name, size in sidecar["files"].items():
        file = path / Path(name).name
        _check(file, size, sums.get(name), verified)
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as packed:
                arrays |= {key: frozen(packed[key]) for key in packed.files}
        else:
            mode: Any = "r" if size > MMAP_BYTES else None
            arrays[file.stem] = frozen(np.load(file, mmap_mode=mode, allow_pickle=False))
    return Entry(arrays, sidecar["info"], float(sidecar["seconds"]))


def frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only view of an array."""
    view = np.asanyarray(array).view()
    view.flags.writeable = False
    return view


def _check(file: Path, size: int, sum_: str | None, verified: dict[Path, State]) -> None:
    state = _state(file)
    if state[0] != size:
        raise ValueError(f"{file.name} has {state[0]} bytes instead of {size}")
    if sum_ is None or verified.get(file) == state:
        return
    if of_file(file) != sum_:
        raise ValueError(f"the checksum of {file.name} does not fit what it holds")
    verified[file] = state


def _state(file: Path) -> State:
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino

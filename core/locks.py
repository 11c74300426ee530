"""Locks on files: of the system where it has them, else by a file that names its owner.

The system's lock belongs to one opening of a file, so that threads exclude each other as well, and is gone with its
process, however that ends. `only_one` is for work that is a waste, not a mistake, when two do it: where no lock can be
made, it goes on without.
"""

import contextlib
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.1  # between two looks at a lock that another has
FAR_SECONDS = 3600.0  # after which an owner on another machine, of whom nothing is known, counts as gone
NO_LOCK = -1
_FAR = 1 << 40  # a byte that is never written; where Windows locks
_log = logging.getLogger(__name__)


def attempt(file: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file, and say whether that went at once.

    Windows has no shared ones; there a file that is open cannot be moved, which is lock enough.

    Raises
    ------
    OSError : this folder has no locks.
    """
    if shared and sys.platform == "win32":
        return True
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, _FAR, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def held(file: int, *, shared: bool, what: str) -> Iterator[None]:
    """Wait for the lock of an open file and hold it; without, and saying so, in a folder that has no locks."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            os.lseek(file, _FAR, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except OSError as error:  # some network folders have no locks
        _log.warning("%s cannot be locked (%s).", what, error.strerror or error)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


def same_file(file: int, path: Path) -> bool:
    """Say whether what is open is what lies at the path now."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def is_gone(host: object, pid: object) -> bool:
    """Say whether a process is known to have ended: it was on this machine and is not there any more."""
    if host != platform.node() or not isinstance(pid, int) or pid <= 0 or sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@contextlib.contextmanager
def only_one(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock that a path names; while another has it, `waiting` is called, which raises to give up.

    The file says who has the lock since when, and goes with it. A lock whose owner is gone is taken over.
    """
    seen: _Seen | None = None
    while (taken := _take(path)) is None:
        seen = _still(path, seen)
        if seen is not None and seen.is_stale():
            try:
                path.unlink(missing_ok=True)  # who holds the old file now holds nothing
            except OSError:
                taken = NO_LOCK
                break
            seen = None
            continue
        waiting()
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        _give_back(taken, path)


def sweep(folder: Path) -> None:
    """Remove the lock files in a folder that nobody holds."""
    try:
        paths = list(folder.iterdir())
    except OSError:
        return
    for path in paths:
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_RDWR)
            try:
                if attempt(file) and same_file(file, path):
                    path.unlink(missing_ok=True)
            finally:
                os.close(file)


@dataclass(frozen=True)
class _Seen:
    """What a waiter saw of a lock's owner, and when it saw that first, on a clock that is never set."""

    text: bytes
    since: float
    age: float

    def is_stale(self) -> bool:
        """Say whether the owner is gone; one on another machine is, after a long time."""
        waited = time.monotonic() - self.since
        if waited < POLL_SECONDS / 2:  # a new owner may not have written its name yet
            return False
        try:
            owner = json.loads(self.text)
            host, pid = owner["host"], owner["pid"]
        except (ValueError, TypeError, KeyError):
            return waited > FAR_SECONDS
        return is_gone(host, pid) or (host != platform.node() and waited + max(0.0, self.age) > FAR_SECONDS)


def _still(path: Path, before: _Seen | None) -> _Seen | None:
    try:
        text, age = path.read_bytes(), time.time() - path.stat().st_mtime
    except OSError:
        return None
    return before if before is not None and before.text == text else _Seen(text, time.monotonic(), age)


def _take(path: Path) -> int | None:
    """Return the open file whose lock is held now, `NO_LOCK` where there can be none, None while another holds it."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return NO_LOCK
        try:
            taken = attempt(file)
        except OSError:
            os.close(file)
            return _take_without_locks(path)
        if taken and same_file(file, path):
            _sign(file)
            return file
        os.close(file)  # another has it, or has just given it back and removed it
        if not taken:
            return None


def _take_without_locks(path: Path) -> int | None:
    """Take a lock by making a file that is not there yet, in a folder that has no locks."""
    try:
        if path.stat().st_size == 0:  # made just now by an attempt at a lock, with no owner
            path.unlink(missing_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return None
    except OSError:
        return NO_LOCK
    _sign(file)
    return file


def _sign(file: int) -> None:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    owner = {"pid": os.getpid(), "host": platform.node(), "since": since}
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, json.dumps(owner).encode())


def _give_back(file: int, path: Path) -> None:
    if file == NO_LOCK:
        return
    if sys.platform == "win32":  # what is open cannot be removed there
        os.close(file)
    with contextlib.suppress(OSError):
        if sys.platform == "win32" or same_file(file, path):
            path.unlink(missing_ok=True)
    if sys.platform != "win32":
        os.close(file)

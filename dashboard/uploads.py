"""Files that a session brings: in a folder of its own that no other session may open, and that goes when the session does.

A setting or a link names an upload as `upload:NAME`; where it lies on this computer never leaves it.
"""

import atexit
import dataclasses
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core import export, locks, roots
from core.errors import DataError, ExportError
from dashboard import server

PREFIX = "upload:"
TOGETHER = 5  # of a session together: so many files of the largest size
MOST_FILES = 10_000
PICTURES, FILES = "pictures", "files"  # folders in that of a session
LOCK = ".lock"
YOUNG = 60.0  # seconds: a folder may be about to be locked


@dataclass
class _Held:
    """The folder of one session, and when the session was last seen."""

    folder: Path
    seen: float


class Uploads:
    """The uploads of this server's sessions; safe to call from any thread.

    Parameters
    ----------
    root : holds the folder of each server. grace : seconds that a session may be away before its folder goes.
    active : says whether a session is connected. busy : says whether a folder is being read by a job.
    """

    def __init__(self, root: Path, grace: float, active: Callable[[str], bool], busy: Callable[[Path], bool]) -> None:
        self._root, self._grace, self._active, self._busy = root, grace, active, busy
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._own: Path | None = None
        self._file: IO[bytes] | None = None
        self._watch: threading.Thread | None = None
        self._closed = threading.Event()

    def folder(self, session: str) -> Path | None:
        """Return a session's folder, or None when it has brought nothing."""
        with self._lock:
            held = self._held.get(session)
            return None if held is None else held.folder

    def add(self, session: str, place: str, name: str, data: bytes | memoryview, limit: int) -> str:
        """Keep a file of a session in one of its folders, and return the name it has there.

        Raises
        ------
        DataError : the session would hold more than `limit` bytes, or too many files. ExportError : it cannot be written.
        """
        files = list(self.files(session))
        size = sum(path.stat().st_size for path in files) + len(data)
        if size > limit:
            raise DataError(
                f"With {name[:80]!r} the uploads of this session would have {size / 1e6:,.0f} MB; {limit / 1e6:,.0f} MB is the "
                "limit of all together. Remove some first, or ask whoever runs the program for a larger --server.maxUploadSize."
            )
        if len(files) >= MOST_FILES:
            raise DataError(f"A session can bring {MOST_FILES:,} files; put more pictures into one .zip or .npz.")
        try:
            folder = self._made(session) / place
            folder.mkdir(mode=0o700, exist_ok=True)
            path = free_path(folder, name)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
        except OSError as error:
            raise ExportError(f"The upload {name[:80]!r} cannot be kept: {error.strerror or error}.") from error
        return path.name

    def files(self, session: str, place: str = "") -> Iterator[Path]:
        """Yield the files of a session, or of one of its folders, in order."""
        folder = self.folder(session)
        if folder is not None:
            yield from sorted(path for path in (folder / place).rglob("*") if path.is_file())

    def remove(self, session: str) -> None:
        """Remove all that a session brought."""
        with self._lock:
            held = self._held.pop(session, None)
        if held is not None:
            shutil.rmtree(held.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what servers left that are gone."""
        for folder in self._root.glob("*/"):
            if folder != self._own and _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def look(self, now: float) -> None:
        """Remove the folders of sessions that have been away too long; those that a job still reads stay till it ends."""
        with self._lock:
            held = dict(self._held)
        for session, item in held.items():
            if self._active(session):
                item.seen = now
            elif now - item.seen > self._grace and not self._busy(item.folder):
                self.remove(session)

    def close(self) -> None:
        """Remove the uploads of all sessions."""
        self._closed.set()
        with self._lock:
            self._held.clear()
            own, self._own = self._own, None
        if self._file is not None:
            self._file.close()
        if own is not None:
            shutil.rmtree(own, ignore_errors=True)

    def _made(self, session: str) -> Path:
        """Return a session's folder, made when it is the first file's."""
        with self._lock:
            if self._own is None or not self._own.is_dir():
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._own = self._root / secrets.token_hex(8)
                self._own.mkdir(mode=0o700)
                self._file = _locked(self._own)
            held = self._held.get(session)
            if held is None:
                folder = self._own / secrets.token_hex(16)
                held = self._held[session] = _Held(folder, time.monotonic())
            held.folder.mkdir(mode=0o700, exist_ok=True)
            if self._watch is None:
                self._watch = threading.Thread(target=self._look_on, daemon=True)
                self._watch.start()
            return held.folder

    def _look_on(self) -> None:
        while not self._closed.wait(min(5.0, max(0.2, self._grace / 4))):
            self.look(time.monotonic())


def free_path(folder: Path, name: str) -> Path:
    """Return a path in a folder that nothing has yet, like a client's name but never one that leads elsewhere."""
    own = Path(name.replace("\\", "/")).name
    stem, ending = export.file_name(Path(own).stem), Path(own).suffix.lower()
    ending = ending if ending[1:].isalnum() and len(ending) <= 12 else ""
    number, path = 1, folder / f"{stem}{ending}"
    while path.exists():
        number += 1
        path = folder / f"{stem} ({number}){ending}"
    return path


def _locked(folder: Path) -> IO[bytes]:
    """Open a server's lock, which the system frees when the server ends, however it does."""
    file = (folder / LOCK).open("wb")
    with suppress(OSError):  # a folder without locks: nothing there counts as left
        locks.attempt(file.fileno())
    return file


def _is_left(folder: Path) -> bool:
    """Say whether the server of a folder is gone."""
    try:
        if time.time() - folder.stat().st_mtime < YOUNG:
            return False
        with (folder / LOCK).open("ab") as file:
            return locks.attempt(file.fileno())
    except OSError:
        return False


@st.cache_resource
def of_server() -> Uploads:
    """Return the uploads of this server; what earlier ones left goes."""
    try:
        grace = float(st.get_option("server.disconnectedSessionTTL"))
    except RuntimeError:  # an older Streamlit, which has no such option
        grace = 120.0

    jobs = server.jobs()

    def busy(folder: Path) -> bool:
        return any(job.active and folder.name in repr(job.plan) for job in jobs.all())

    made = Uploads(roots.uploads(), grace, lambda session: runtime.get_instance().is_active_session(session), busy)
    made.sweep()
    atexit.register(made.close)
    return made


def limit() -> int:
    """Return how many bytes a session may bring together."""
    return TOGETHER * int(st.get_option("server.maxUploadSize")) * 1_000_000


def session() -> str:
    """Return the name of the session that runs."""
    context = get_script_run_ctx()
    return "" if context is None else context.session_id


def resolved(text: str) -> str:
    """Return the path of an upload of this session that is named as `upload:NAME`; any other text as it is, checked.

    Raises
    ------
    DataError : there is no such upload, or the text is the path of another session's.
    """
    if not text.startswith(PREFIX):
        check(text)
        return text
    name = text.removeprefix(PREFIX)
    for path in of_server().files(session(), FILES):
        if path.name == name:
            return str(path)
    raise DataError(
        f"There is no upload {name[:80]!r} in this session; uploads go with their session. Upload it once more."
    )


def check(value: Any) -> None:
    """Check that no path in a source, a model or a text is of another session's upload.

    Raises
    ------
    DataError : one is.
    """
    own = of_server().folder(session())
    for text in _texts(value):
        if "/" not in text and os.sep not in text:
            continue
        with suppress(RuntimeError):  # ~somebody who is not known
            text = str(Path(text).expanduser())
        if roots.holds(roots.uploads(), text) and (own is None or not roots.holds(own, text)):
            raise DataError("These files were uploaded in another session, and went with it. Upload them once more.")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _texts(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _texts(getattr(value, field.name))

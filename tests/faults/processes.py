"""What is killed: a command line, a server with its workers, a reviewer; and the moment, which is told by their work."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checks import ROOT, command
from tests.load.memory import family

PATIENCE = 180.0  # seconds until what should happen counts as not happening


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which everything is kept in a folder."""
    own = {
        "EMBEDDING_EXPLORER_STORE": f"{folder}/store",
        "EMBEDDING_EXPLORER_MODELS": f"{folder}/models",
        "EMBEDDING_EXPLORER_REVIEWS": f"{folder}/reviews",
        "PYTHONPATH": str(ROOT),
    }
    return os.environ | own


def until(condition: Callable[[], bool], seconds: float = PATIENCE, every: float = 0.002) -> bool:
    """Wait for a condition, and say whether it holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


@dataclass
class Started:
    """A process in a session of its own; `text` is what it has written to both outputs so far."""

    process: subprocess.Popen[bytes]
    text: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.text += data

    def says(self, words: str) -> bool:
        """Say whether it has written these words, or has ended."""
        return words.encode() in self.text or self.process.poll() is not None

    def kill(self, how: str) -> bool:
        """Kill it: "SIGKILL", "SIGTERM", or "group", all that it started too; say whether it was still there."""
        there = self.process.poll() is None
        if there and how == "group":
            os.killpg(self.process.pid, signal.SIGKILL)
        elif there:
            self.process.send_signal(getattr(signal, how))
        return there

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait until it has ended and return its exit code; one that does not end is killed and -999."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            code = -999
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def start(command: list[str], folder: Path, more: Mapping[str, str] | None = None) -> Started:
    """Start a Python program of the repository."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment(folder) | dict(more or {}), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    return Started(process)


def serve(folder: Path) -> tuple[Started, str]:
    """Start the dashboard; return it and its address once it answers.

    Raises
    ------
    AssertionError : it does not come up.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["-m", "streamlit", "run", "dashboard/app.py", "--server.headless", "true", "--server.port", str(port)]
    started, url = start(command, folder), f"http://localhost:{port}"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return started.process.poll() is not None

    until(answers, 60, 0.05)
    if started.process.poll() is not None:
        raise AssertionError(f"the server does not start: {started.text.decode(errors='replace')[-800:]}")
    return started, url


def killed_at(begun: Callable[[], bool], delay: float, kill: Callable[[], bool]) -> Callable[[], bool]:
    """In a thread, wait until the work has begun and then `delay` seconds, and kill; what is returned says whether it hit."""
    hit: list[bool] = []

    def act() -> None:
        if until(begun):
            time.sleep(delay)
            hit.append(kill())

    thread = threading.Thread(target=act, daemon=True)
    thread.start()

    def outcome() -> bool:
        thread.join(PATIENCE)
        return bool(hit and hit[0])

    return outcome


def kill_workers(parent: int) -> bool:
    """Kill the workers that a process started, and say whether there was one."""
    workers = [pid for pid in family(parent)[1:] if "core.worker" in command(pid)]
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(workers)

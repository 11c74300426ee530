"""One worker process: what is sent to it, what it answers and what it writes, each without blocking the other.

Two threads read its answers and its standard error for as long as it lives. None is started later, as a program that
is about to exit, and closes its jobs, can start none any more.
"""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from core.errors import JobError
from core.jobs.job import Log
from core.worker import CANCEL, receive, send

PROGRAM = ("-m", "core.worker")
END_SECONDS = 2.0  # for a process whose pipes are closed to be gone
MOST_BYTES = 4096  # read of its standard error at a time


@dataclass(frozen=True)
class Closed:
    """A worker's last message: its pipe is closed, or, with a `problem`, holds what cannot be read."""

    problem: str | None = None


@dataclass(frozen=True)
class Asked:
    """The task was asked to stop, and has so many seconds to say that it does."""

    seconds: float


class Worker:
    """A worker process. What it answers comes into `inbox`, where others may put messages for whoever waits there.

    Raises
    ------
    OSError : it cannot be started.
    """

    def __init__(self, log: Log) -> None:
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.log = log  # of the job that it works on
        self.closed = False
        self._process = _spawn()
        self._sending = threading.Lock()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._answers, self._lines)]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it can be given a task."""
        return not self.closed and self._process.poll() is None

    def send(self, message: object) -> None:
        """Send a message, however long that takes.

        Raises
        ------
        OSError : the process is gone.
        """
        with self._sending:
            send(_open(self._process.stdin), message)

    def tell(self, message: object) -> None:
        """Send a short message unless a long one is under way or the process is gone."""
        if self._sending.acquire(blocking=False):
            try:
                with contextlib.suppress(OSError, ValueError):  # gone, or its input is closed already
                    send(_open(self._process.stdin), message)
            finally:
                self._sending.release()

    def cancel(self, seconds: float) -> None:
        """Ask for the task to stop, and tell whoever waits for it to see that this is answered in so many seconds."""
        self.tell(CANCEL)
        self.inbox.put(Asked(seconds))

    def kill(self) -> None:
        """End the process at once; it cannot be used again."""
        self.closed = True
        self._process.kill()

    def end(self) -> int:
        """Close its input, which ends it, or end it if that does not; return its exit code, negative for a signal."""
        with self._sending, contextlib.suppress(OSError):
            _open(self._process.stdin).close()
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        for reader in self._readers:
            reader.join(END_SECONDS)
        return code

    def _answers(self) -> None:
        problem = None
        with _open(self._process.stdout) as pipe:
            try:
                while True:
                    self.inbox.put(receive(pipe))
            except (EOFError, OSError):
                pass
            except (JobError, MemoryError) as error:
                problem = str(error) or "There is not enough memory for what the worker process sent."
            finally:
                self.closed = True
                self.inbox.put(Closed(problem))

    def _lines(self) -> None:
        with _open(self._process.stderr) as pipe:
            while part := pipe.readline(MOST_BYTES):
                for line in part.decode("utf-8", "replace").replace("\r", "\n").split("\n"):
                    if line.strip():
                        self.log.said(line)


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise TypeError("the worker has no pipes")
    return pipe


def _spawn() -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, *PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
    )

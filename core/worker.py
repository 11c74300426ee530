"""The worker process: reads tasks from its standard input, runs them, writes events to its standard output.

It is started by `core.jobs` as `python -m core.worker` and imports nothing of the caller, so that it is the same
under Streamlit, a notebook and a test. Both ends are processes of this project: a frame is a length and a pickle.
When its input closes (the parent is gone) or SIGTERM comes, it stops at the next progress report, where training keeps
what it has, and ends; without a report soon it ends anyway.
"""

import contextlib
import errno
import faulthandler
import logging
import os
import pickle
import queue
import signal
import struct
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Literal

from core.errors import ExplorerError, JobError
from core.progress import Cancelled, Progress
from core.store import Entry
from core.threads import Limit

REPORT_SECONDS = 0.1  # at most ten reports a second cross the pipe
LEAVE_SECONDS = 15.0  # for a task to come to its end once this process is to end
CANCEL = "cancel"  # asks for the task to stop
STOPPING = "stopping"  # says that it does, and keeps what it has
NO_MEMORY = "There is not enough memory for this; choose fewer images or a smaller model."
_FRAME = struct.Struct("<4sQ")
_MARK = b"EEw1"
# What unpickling raises when bytes are not a pickle, or one of something that is not there.
_UNREADABLE = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Task:
    """A plan, and the stage to run it up to or the analysis to make of it, in the store at `root`.

    `unsaved` is what that store could not write so far.
    """

    plan: Any
    upto: Any
    root: Path
    unsaved: dict[tuple[str, str], Entry] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """A task's end: `unsaved` holds what the store could not write; `last` says that this process ends, too."""

    state: Literal["done", "cancelled", "failed"]
    error: str | None
    unsaved: dict[tuple[str, str], Entry]
    problem: str | None
    last: bool = False


class Stop:
    """Whether the task is to stop (`asked`), and whether this process is to end (`leaving`, `told` to by a signal)."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.leaving = False
        self.told = False

    def leave(self) -> None:
        """Let the task stop, and see that this process ends soon, whatever the task does."""
        if not self.leaving:
            # A thread in C, which needs no turn of the interpreter to end the process.
            faulthandler.dump_traceback_later(LEAVE_SECONDS, exit=True)
        self.leaving = True
        self.asked.set()


def send(pipe: IO[bytes], message: object) -> None:
    """Write one message as a frame."""
    body = pickle.dumps(message)
    pipe.write(_FRAME.pack(_MARK, len(body)) + body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read one message.

    Raises
    ------
    EOFError : the other end has closed. JobError : what it sent cannot be read.
    """
    head = pipe.read(_FRAME.size)
    if len(head) < _FRAME.size:
        raise EOFError
    mark, length = _FRAME.unpack(head)
    if mark != _MARK:
        raise JobError("What the worker process sent is no message; try again with a new one.")
    body = pipe.read(length)
    if len(body) < length:
        raise EOFError
    try:
        return pickle.loads(body)
    except _UNREADABLE as error:
        raise JobError(f"What the worker process sent cannot be read: {type(error).__name__}: {error}.") from error


class Report:
    """The callback of a task: sends its progress, follows the limit of threads, stops the task when that is asked for."""

    def __init__(self, out: IO[bytes], stop: Stop, limit: Limit) -> None:
        self._out, self._stop, self._limit = out, stop, limit
        self._preview: Any = None
        self._sent = 0.0
        self._said = False

    def __call__(self, progress: Progress) -> None:
        """Send a report, unless one was sent just now.

        Raises
        ------
        Cancelled : the task is to stop, or there is nobody left to report to.
        """
        if self._stop.asked.is_set():
            if not self._said:
                self._send(STOPPING)
            self._said = True
            raise Cancelled
        self._limit.apply()
        if progress.preview is not None:
            self._preview = progress.preview
        now = time.monotonic()
        if now - self._sent >= REPORT_SECONDS or progress.fraction == 1.0:
            self._send(replace(progress, preview=self._preview, metrics=dict(progress.metrics)))
            self._preview, self._sent = None, now

    def _send(self, message: object) -> None:
        try:
            send(self._out, message)
        except OSError:  # the parent is gone; what the task keeps when it is stopped is kept
            self._stop.leave()
            raise Cancelled from None


def execute(task: Task, report: Report, stop: Stop) -> Done:
    """Run a task and return how it ended."""
    from core import analyses, pipeline
    from core.config import AnalysisConfig

    store = pipeline.open_store(task.root)
    store.adopt(task.unsaved, None)
    state: Literal["done", "cancelled", "failed"] = "done"
    error: str | None = None
    try:
        if isinstance(task.upto, AnalysisConfig):
            analyses.analyse(store, task.plan, task.upto, report)
        else:
            pipeline.run(store, task.plan, task.upto, report)
    except Cancelled:
        state = "cancelled"
    except ExplorerError as failure:
        state, error = "failed", str(failure)
    except (MemoryError, RuntimeError, OSError) as failure:
        if not _lacks_memory(failure):
            raise
        state, error = "failed", NO_MEMORY
    if stop.asked.is_set() and state == "done":  # training ends so, with the epochs it has
        state = "cancelled"
    if stop.told and state == "cancelled":
        state, error = "failed", "The worker process was told to end from outside (signal SIGTERM)."
    new = {place: entry for place, entry in store.unsaved.items() if place not in task.unsaved}
    return Done(state, error, new, store.problem, stop.leaving)


def _lacks_memory(error: MemoryError | RuntimeError | OSError) -> bool:
    """Say whether an error is of memory: torch and the system have no exception of their own for it."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or any(
        words in str(error) for words in ("out of memory", "allocate memory", "not enough memory")
    )


def listen(pipe: IO[bytes], tasks: queue.SimpleQueue[Task | None], stop: Stop, limit: Limit) -> None:
    """Pass on what the parent sends, until its end."""
    with contextlib.suppress(EOFError, JobError):
        while True:
            message = receive(pipe)
            if isinstance(message, Task):
                if not stop.leaving:
                    stop.asked.clear()  # a request to stop that came too late was for the task before
                tasks.put(message)
            elif isinstance(message, int):
                limit.wanted = message
            else:
                stop.asked.set()
    for stream in (1, 2):  # nobody reads what a library prints from now on, and that must not stop it
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    stop.leave()
    tasks.put(None)


def main() -> None:
    """Serve tasks until the input closes."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    faulthandler.enable()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not break a frame
    tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    stop, limit = Stop(), Limit()

    def told(number: int, frame: object) -> None:
        stop.told = True
        stop.leave()
        tasks.put(None)

    signal.signal(signal.SIGTERM, told)
    for name in ("SIGINT", "SIGHUP"):  # what a terminal sends is meant for the parent, whose end is noticed
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    pipe = os.fdopen(os.dup(0), "rb")  # Python cannot end while a thread reads from sys.stdin, but from this
    threading.Thread(target=listen, args=(pipe, tasks, stop, limit), daemon=True).start()
    while (task := tasks.get()) is not None:
        limit.apply()
        try:
            send(out, execute(task, Report(out, stop, limit), stop))
        except BrokenPipeError:
            return
        except BaseException:
            traceback.print_exc()  # the parent shows the last line of what a broken worker wrote
            raise


if __name__ == "__main__":
    from core import worker  # under its own name: what is unpickled is core.worker.Task, not __main__.Task

    worker.main()

"""The worker process: reads tasks from its standard input, runs them, writes events to its standard output.

It is started by `core.jobs` as `python -m core.worker` and imports nothing of the caller, so that it is the same
under Streamlit, a notebook and a test. Both ends are processes of this project: a frame is a length and a pickle.
When its input closes (the parent is gone) it stops at the next progress report, keeping complete epochs.
"""

import logging
import os
import pickle
import queue
import struct
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from core.errors import ExplorerError
from core.progress import Cancelled, Progress
from core.store import Entry
from core.threads import Limit

REPORT_SECONDS = 0.1  # at most ten reports a second cross the pipe


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
    """A task's end: `state` is done, cancelled or failed; `unsaved` holds what the store could not write."""

    state: str
    error: str | None
    unsaved: dict[tuple[str, str], Entry]
    problem: str | None


def send(pipe: IO[bytes], message: object) -> None:
    """Write one message as a frame."""
    body = pickle.dumps(message)
    pipe.write(struct.pack("<Q", len(body)) + body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read one message.

    Raises
    ------
    EOFError : the other end has closed.
    """
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError
    (length,) = struct.unpack("<Q", head)
    body = pipe.read(length)
    if len(body) < length:
        raise EOFError
    return pickle.loads(body)


def execute(task: Task, out: IO[bytes], stop: threading.Event, limit: Limit) -> Done:
    """Run a task, sending its progress, and return how it ended; the limit of threads is followed at each report."""
    from core import analyses, pipeline
    from core.config import AnalysisConfig

    store = pipeline.open_store(task.root)
    store.adopt(task.unsaved, None)
    last_sent = [0.0]
    preview: list[Any] = [None]

    def report(progress: Progress) -> None:
        if stop.is_set():
            raise Cancelled
        limit.apply()
        if progress.preview is not None:
            preview[0] = progress.preview
        now = time.monotonic()
        if now - last_sent[0] >= REPORT_SECONDS or progress.fraction == 1.0:
            send(out, replace(progress, preview=preview[0], metrics=dict(progress.metrics)))
            preview[0] = None
            last_sent[0] = now

    state, error = "done", None
    limit.apply()
    try:
        if isinstance(task.upto, AnalysisConfig):
            analyses.analyse(store, task.plan, task.upto, report)
        else:
            pipeline.run(store, task.plan, task.upto, report)
    except Cancelled:
        state = "cancelled"
    except ExplorerError as failure:
        state, error = "failed", str(failure)
    except MemoryError:
        state, error = "failed", "There is not enough memory for this; choose fewer images or a smaller model."
    if stop.is_set() and state == "done":
        state = "cancelled"
    new = {place: entry for place, entry in store.unsaved.items() if place not in task.unsaved}
    return Done(state, error, new, store.problem)


def main() -> None:
    """Serve tasks until the input closes."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not break a frame
    tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    stop = threading.Event()
    limit = Limit()

    def listen() -> None:
        while True:
            try:
                message = receive(sys.stdin.buffer)
            except EOFError:
                stop.set()
                tasks.put(None)
                return
            if isinstance(message, Task):
                stop.clear()  # a request to stop that came too late was for the task before
                tasks.put(message)
            elif isinstance(message, int):
                limit.wanted = message
            else:
                stop.set()

    threading.Thread(target=listen, daemon=True).start()
    while (task := tasks.get()) is not None:
        try:
            send(out, execute(task, out, stop, limit))
        except BrokenPipeError:
            return
        except BaseException:
            traceback.print_exc()  # the parent shows the last line of what a broken worker wrote
            raise


if __name__ == "__main__":
    from core import worker  # under its own name: what is unpickled is core.worker.Task, not __main__.Task

    worker.main()

"""One task of a worker, from sending it to its end, however it ends."""

import contextlib
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from core.jobs import causes
from core.jobs.job import Job, JobState, reached
from core.jobs.process import Asked, Closed, Worker
from core.progress import Progress
from core.store import Entry
from core.worker import STOPPING, Done, Task

ANSWER_SECONDS = 1.2  # for a job that is to stop to say that it does; one that does not is ended with its process
KEEP_SECONDS = 20.0  # for one that said so to keep what it has


@dataclass(frozen=True)
class Outcome:
    """How a task ended: `died` with its worker; `unsaved` and `problem` are what the store could not write, and why."""

    state: JobState
    error: str | None = None
    died: bool = False
    unsaved: Mapping[tuple[str, str], Entry] = field(default_factory=dict)
    problem: str | None = None


def follow(worker: Worker, task: Task, now: Callable[[], Job], update: Callable[..., None]) -> Outcome:
    """Give a worker a task and wait for its end; when its job is to stop and does not say that it does, end its process.

    Parameters
    ----------
    now : returns the job as it is. update : changes fields of it.
    """
    memory, until = causes.look(worker.pid), None
    with contextlib.suppress(OSError):  # one that has just died says so by its last message
        worker.send(task)
    if now().stopping:  # asked before there was a process to ask
        worker.cancel(ANSWER_SECONDS)
    while True:
        try:
            message = worker.inbox.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
        except queue.Empty:
            worker.kill()
            worker.log.note("It did not stop in time, so its process was ended.")
            return Outcome("cancelled")
        if isinstance(message, Progress):
            memory = causes.look(worker.pid)
            _report(message, now(), worker, update)
        elif isinstance(message, Done):
            worker.closed |= message.last
            return Outcome(message.state, message.error, False, message.unsaved, message.problem)
        elif isinstance(message, Closed):
            return _death(worker, message, memory, now())
        elif message == STOPPING:
            until = time.monotonic() + KEEP_SECONDS
            worker.log.note("Stopping, and keeping what there is.")
            if now().stopping:  # else a signal told it to
                update(stopping="keeping")
        elif (
            isinstance(message, Asked) and now().stopping == "asked"
        ):  # one left of the job before is not for this one
            until = time.monotonic() + message.seconds


def _report(progress: Progress, job: Job, worker: Worker, update: Callable[..., None]) -> None:
    if job.progress is None or job.progress.stage != progress.stage:
        worker.log.note(f"{progress.stage}.")
    preview = {} if progress.preview is None else {"preview": progress.preview}
    update(progress=replace(progress, preview=None), **preview)


def _death(worker: Worker, last: Closed, memory: causes.Memory, job: Job) -> Outcome:
    if last.problem is not None:
        worker.kill()
    code = worker.end()
    why = last.problem or causes.cause(code, memory, worker.log.lines())
    if job.stopping:
        worker.log.note(why)
        return Outcome("cancelled")
    if job.progress is not None:
        why += f" {reached(job.progress)}"
    return Outcome("failed", why, died=True)

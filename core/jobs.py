"""Pipeline calls in worker processes that stay warm: start, watch, cancel; the results lie in the store.

A job is known by its plan and its last stage or analysis, so two callers who ask for the same thing watch one job. A
worker that dies is an error message of its job; the next job gets a new worker.
"""

import contextlib
import hashlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Literal

from core import analyses
from core.config import AnalysisConfig
from core.plans import Plan, StageName
from core.progress import Progress
from core.store import Store
from core.threads import share
from core.worker import Done, Task, receive, send

JobState = Literal["waiting", "running", "done", "cancelled", "failed"]
WORKERS = 2  # one can train while the other makes maps
CLOSE_SECONDS = 10.0  # for running jobs to keep what they have
REMEMBERED = 50  # ended jobs whose outcome can still be asked for


@dataclass(frozen=True)
class Job:
    """A job as it is now: `upto` is the last stage it makes or the analysis it is for, `preview` the newest preview."""

    id: str
    plan: Plan
    upto: StageName | AnalysisConfig
    state: JobState = "waiting"
    progress: Progress | None = None
    preview: Mapping[str, object] | None = None
    error: str | None = None
    submitted: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    @property
    def seconds(self) -> float:
        """Seconds it has been running, or ran."""
        return 0.0 if self.started is None else (self.ended or time.time()) - self.started


def job_id(plan: Plan, upto: StageName | AnalysisConfig) -> str:
    """Name of the job that makes this: the same for every caller, whatever the plan says of what it does not need."""
    if isinstance(upto, AnalysisConfig):
        return hashlib.blake2b(f"{analyses.inputs(plan, upto)!r}".encode(), digest_size=12).hexdigest()
    parts = [plan.source, plan.model, plan.reduction, (plan.projection, plan.start), plan.cluster, plan.others]
    needed = {"images": 1, "model": 2, "latents": 2, "reduced": 3, "projection": 4, "clustering": 6}[upto]
    return hashlib.blake2b(f"{parts[:needed]!r} {upto}".encode(), digest_size=12).hexdigest()


class Jobs:
    """The jobs of one store, over at most `WORKERS` processes; safe to call from any thread."""

    def __init__(self, store: Store, workers: int = WORKERS) -> None:
        self._store = store
        self._limit = workers
        self._jobs: dict[str, Job] = {}
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._lanes: list[threading.Thread] = []
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, plan: Plan, upto: StageName | AnalysisConfig) -> Job:
        """Start a job, or return the one that already waits or runs for the same plan and stage or analysis."""
        name = job_id(plan, upto)
        with self._lock:
            known = self._jobs.get(name)
            if known is not None and known.active:
                return known
            for old in [job.id for job in self._jobs.values() if not job.active][:-REMEMBERED]:
                del self._jobs[old]
            self._jobs.pop(name, None)
            job = self._jobs[name] = Job(name, plan, upto)
            busy = sum(other.active for other in self._jobs.values())
            if len(self._lanes) < min(self._limit, busy):
                self._lanes.append(threading.Thread(target=self._lane, daemon=True))
                self._lanes[-1].start()
        self._queue.put(name)
        return job

    def get(self, name: str) -> Job | None:
        """Return a job as it is now, or None."""
        return self._jobs.get(name)

    def all(self) -> list[Job]:
        """Return all jobs that are remembered, oldest first."""
        return list(self._jobs.values())

    def cancel(self, name: str) -> None:
        """Ask a job to stop: at once when it waits, at its next progress report when it runs."""
        with self._lock:
            job = self._jobs.get(name)
            if job is None or not job.active:
                return
            if job.state == "waiting":
                self._jobs[name] = replace(job, state="cancelled", ended=time.time())
                return
            with contextlib.suppress(OSError):
                send(_pipes(self._running[name])[0], "cancel")

    def forget(self, name: str) -> None:
        """Drop an ended job, so that its error is no longer shown."""
        with self._lock:
            job = self._jobs.get(name)
            if job is not None and not job.active:
                del self._jobs[name]

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """End the workers: waiting jobs are cancelled, running ones stop at their next report or after `seconds`."""
        for job in self.all():
            self.cancel(job.id)
        for _ in self._lanes:
            self._queue.put(None)
        until = time.monotonic() + seconds
        for lane in self._lanes:
            lane.join(max(0.0, until - time.monotonic()))
        with self._lock:
            for process in self._running.values():
                process.kill()
        for lane in self._lanes:
            lane.join()

    def _share_cores(self) -> None:
        """Tell each running worker how many threads it may start; the lock is held."""
        for process in self._running.values():
            with contextlib.suppress(OSError):  # one that has just died is noticed by its lane
                send(_pipes(process)[0], share(len(self._running)))

    def _update(self, name: str, **changes: object) -> None:
        with self._lock:
            self._jobs[name] = replace(self._jobs[name], **changes)  # type: ignore[arg-type]

    def _lane(self) -> None:
        """Serve jobs one after the other with one process, which is made when first needed or after it died."""
        process: subprocess.Popen[bytes] | None = None
        with tempfile.TemporaryFile() as log:
            while (name := self._queue.get()) is not None:
                try:
                    if process is None or process.poll() is not None:
                        process = _spawn(log)
                    self._serve(name, process, log)
                except OSError as error:
                    words = f"The worker process cannot be started: {error.strerror or error}."
                    self._update(name, state="failed", error=words, ended=time.time())
            if process is not None:
                _end(process)

    def _serve(self, name: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        tasks, answers = _pipes(process)
        try:
            with self._lock:  # between "running" and the task no request to stop may be sent
                job = self._jobs.get(name)
                if job is None or job.state != "waiting":
                    return
                self._jobs[name] = replace(job, state="running", started=time.time())
                self._running[name] = process
                self._share_cores()
                send(tasks, Task(job.plan, job.upto, self._store.root, dict(self._store.unsaved)))
            while not isinstance(message := receive(answers), Done):
                preview = {} if message.preview is None else {"preview": message.preview}
                self._update(name, progress=replace(message, preview=None), **preview)
            self._store.adopt(message.unsaved, message.problem)
            outcome: dict[str, object] = {"state": message.state, "error": message.error}
        except (EOFError, OSError):
            outcome = {"state": "failed", "error": _last_words(process.wait(), log)}
            _end(process)
        with self._lock:
            del self._running[name]
            self._share_cores()
            self._jobs[name] = replace(self._jobs[name], ended=time.time(), **outcome)  # type: ignore[arg-type]


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise TypeError("the worker has no pipes")
    return process.stdin, process.stdout


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close both pipes, which ends the worker, and wait for it."""
    for pipe in _pipes(process):
        with contextlib.suppress(OSError):
            pipe.close()
    process.wait()


def _spawn(log: IO[bytes]) -> subprocess.Popen[bytes]:
    log.seek(0)
    log.truncate()
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", "core.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=os.environ | {"PYTHONPATH": path},
    )


def _last_words(code: int, log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - 4000))
    lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    if code in (-9, 137):
        return (
            "The worker process was killed, most likely for lack of memory; choose fewer images or a smaller model."
        )
    said = f" It said: {lines[-1].strip()}" if lines else ""
    return f"The worker process ended with code {code}; the next job starts a new one.{said}"

"""The jobs of one store: which waits, which runs, how each ended.

A job is known by its plan and its last stage or analysis, so two callers who ask for the same thing watch one job. Each
lane is a thread with one worker process, and takes the oldest job that may run. One job trains at a time, as all
trainings would take the same device; while it does, the other lane makes maps. A worker that dies is an error message
of its job; the next job gets a new worker, and no job is started again unless it is asked for.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from core.config import AnalysisConfig
from core.errors import JobError
from core.jobs.causes import Deaths
from core.jobs.following import ANSWER_SECONDS, follow
from core.jobs.job import Job, JobState, Line, Log, job_id, may_train
from core.jobs.process import Worker
from core.plans import Plan, StageName
from core.store import Store
from core.threads import share
from core.worker import Task

WORKERS = 2  # one can train while the other makes maps
MOST_WAITING = 32
REMEMBERED = 50  # ended jobs whose outcome can still be asked for
CLOSE_SECONDS = 10.0  # for running jobs to keep what they have when the program ends


class Jobs:
    """The jobs of one store, over at most `workers` processes; safe to call from any thread."""

    def __init__(self, store: Store, workers: int = WORKERS, most_waiting: int = MOST_WAITING) -> None:
        self._store = store
        self._limit = workers
        self._most = most_waiting
        self._jobs: dict[str, Job] = {}
        self._logs: dict[str, Log] = {}
        self._deaths = Deaths()
        self._running: dict[str, Worker] = {}
        self._lanes: list[threading.Thread] = []
        self._changed = threading.Condition()  # its lock is that of everything above
        self._closing = False

    def start(
        self,
        plan: Plan,
        upto: StageName | AnalysisConfig,
        origin: Mapping[str, object] | None = None,
        trained: bool = False,
    ) -> Job:
        """Start a job, or return the one that already waits or runs for the same plan and stage or analysis.

        Parameters
        ----------
        origin : anything to find the one who asks by; the job keeps it.
        trained : the plan's models are known to be in the store, so that it does not wait for a training to end.

        Raises
        ------
        JobError : as many jobs wait as may, or all are being stopped.
        """
        job = Job(job_id(plan, upto), plan, upto, trains=not trained and may_train(plan, upto), origin=origin or {})
        with self._changed:
            known = self._jobs.get(job.id)
            if known is not None and known.active:
                return known
            if self._closing:
                raise JobError("This server is being stopped and takes on no more jobs; start it again.")
            if sum(other.state == "waiting" for other in self._jobs.values()) >= self._most:
                raise JobError(
                    f"{self._most} jobs are waiting, and no more may; stop some on the Jobs page, or try again later."
                )
            self._remember(job, "Asked for.")
            self._staff()
            self._changed.notify_all()
        return job

    def refuse(
        self, plan: Plan, upto: StageName | AnalysisConfig, why: str, origin: Mapping[str, object] | None = None
    ) -> Job:
        """Remember a job that was not taken on as one that failed, so that whoever asks for it reads why."""
        job = Job(job_id(plan, upto), plan, upto, "failed", origin=origin or {}, error=why, ended=time.monotonic())
        with self._changed:
            known = self._jobs.get(job.id)
            if known is not None and known.active:
                return known
            self._remember(job, f"Not taken on. {why}")
        return job

    def get(self, name: str) -> Job | None:
        """Return a job as it is now, or None."""
        return self._jobs.get(name)

    def all(self) -> list[Job]:
        """Return all jobs that are remembered, oldest first."""
        with self._changed:
            return list(self._jobs.values())

    def log(self, name: str) -> tuple[Line, ...]:
        """Return the newest lines of what a job did and its worker wrote, oldest first."""
        found = self._logs.get(name)
        return () if found is None else found.lines()

    def ahead(self, name: str) -> int:
        """Return how many waiting jobs will run before a waiting one."""
        with self._changed:
            waiting = [job for job in self._jobs.values() if job.state == "waiting"]
            own = next((i for i, job in enumerate(waiting) if job.id == name), 0)
            return sum(other.trains == waiting[own].trains for other in waiting[:own])

    def cancel(self, name: str, seconds: float = ANSWER_SECONDS) -> None:
        """Ask a job to stop: at once when it waits, else at its next report, or with its process after so many seconds."""
        with self._changed:
            job = self._jobs.get(name)
            if job is None or job.stopping or not job.active:
                return
            if job.state == "waiting":
                self._end(name, "cancelled", None, "Stopped while it waited.")
                return
            self._jobs[name] = replace(job, stopping="asked")
            self._logs[name].note("Asked to stop.")
            if (worker := self._running.get(name)) is not None:
                worker.cancel(seconds)

    def forget(self, name: str) -> None:
        """Drop an ended job, so that its error is no longer shown."""
        with self._changed:
            job = self._jobs.get(name)
            if job is not None and not job.active:
                del self._jobs[name], self._logs[name]

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Stop all jobs and end the workers; what takes longer than `seconds` to keep what it has is ended, too."""
        with self._changed:
            self._closing = True
            for job in list(self._jobs.values()):
                self.cancel(
                    job.id, seconds
                )  # one that trains with large batches answers late, and is to keep what it has
            lanes = list(self._lanes)
            self._changed.notify_all()
        until = time.monotonic() + seconds
        for lane in lanes:
            lane.join(max(0.0, until - time.monotonic()))
        with self._changed:
            for worker in self._running.values():
                worker.kill()
        for lane in lanes:
            lane.join()

    def _remember(self, job: Job, what: str) -> None:
        """Add a job as the newest; the lock is held."""
        for old in [other.id for other in self._jobs.values() if not other.active][:-REMEMBERED]:
            del self._jobs[old], self._logs[old]
        self._jobs.pop(job.id, None)
        self._jobs[job.id], self._logs[job.id] = job, Log()
        self._logs[job.id].note(what)

    def _staff(self) -> None:
        """Start a lane when there are more jobs than lanes and one more may be; the lock is held."""
        busy = sum(other.active for other in self._jobs.values())
        if len(self._lanes) < min(self._limit, busy):
            self._lanes.append(threading.Thread(target=self._lane, daemon=True))
            self._lanes[-1].start()

    def _end(self, name: str, state: JobState, error: str | None, what: str) -> None:
        """Note how a job ended; the lock is held."""
        self._jobs[name] = replace(self._jobs[name], state=state, error=error, stopping="", ended=time.monotonic())
        self._logs[name].note(what)
        self._changed.notify_all()

    def _share_cores(self) -> None:
        """Tell each running worker how many threads it may start; the lock is held."""
        for worker in self._running.values():
            worker.tell(share(len(self._running)))

    def _next(self) -> Job | None:
        """Wait for the oldest job that may run, and take it; None when all are to end."""
        with self._changed:
            while not self._closing:
                training = any(job.state == "running" and job.trains for job in self._jobs.values())
                for job in self._jobs.values():
                    if job.state == "waiting" and not (job.trains and training):
                        taken = replace(job, state="running", started=time.monotonic(), started_at=time.time())
                        self._jobs[job.id] = taken
                        return taken
                self._changed.wait()
        return None

    def _lane(self) -> None:
        """Serve jobs one after the other with one process, which is made when first needed or after it died."""
        worker: Worker | None = None
        job: Job | None = None
        try:
            while (job := self._next()) is not None:
                worker = self._serve(job, worker)
                if worker is not None and not worker.usable:  # tidied up once its job has ended for all to see
                    worker.end()
                    worker = None
        finally:
            with self._changed:
                self._lanes.remove(threading.current_thread())
                if job is not None:  # this thread itself went wrong; its job must not seem to run for ever
                    worker = self._running.pop(job.id, worker)
                    why = "This program made a mistake; what it printed where it was started says which."
                    self._end(job.id, "failed", why, f"Failed. {why}")
                    self._staff()
            if worker is not None:
                worker.end()

    def _serve(self, job: Job, worker: Worker | None) -> Worker | None:
        """Do a job with a worker, a new one unless that can be used, and return it."""
        log = self._logs[job.id]
        if self._jobs[job.id].stopping:
            with self._changed:
                self._end(job.id, "cancelled", None, "Stopped.")
            return worker
        try:
            if worker is None or not worker.usable:  # it may have been killed while it had nothing to do
                if worker is not None:
                    worker.end()
                worker = Worker(log)
        except OSError as problem:
            with self._changed:
                why = f"The worker process cannot be started: {problem.strerror or problem}."
                self._end(job.id, "failed", why, f"Failed. {why}")
            return None
        worker.log = log
        log.note(f"Started in process {worker.pid}.")
        with self._changed:
            self._running[job.id] = worker
            self._share_cores()
        task = Task(job.plan, job.upto, self._store.root, dict(self._store.unsaved))
        outcome = follow(worker, task, lambda: self._jobs[job.id], partial(self._update, job.id))
        self._store.adopt(outcome.unsaved, outcome.problem)
        with self._changed:
            del self._running[job.id]
            self._share_cores()
            error = self._deaths.counted(job.id, outcome.error) if outcome.died else outcome.error
            what = {"done": "Done.", "cancelled": "Stopped."}.get(outcome.state, f"Failed. {error}")
            self._end(job.id, outcome.state, error, what)
        return worker

    def _update(self, name: str, **changes: Any) -> None:
        with self._changed:
            self._jobs[name] = replace(self._jobs[name], **changes)

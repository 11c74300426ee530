"""Pipeline calls in worker processes that stay warm: start, watch, cancel; the results lie in the store.

`job` says what a job is, `process` runs a worker, `causes` says why one died, `queue` brings jobs and workers together.
"""

from core.jobs.job import Job, JobState, Line, job_id
from core.jobs.queue import Jobs

__all__ = ["Job", "JobState", "Jobs", "Line", "job_id"]

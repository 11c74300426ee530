"""Waiting for what other processes do, with patience in place of a time that is asserted."""

import time

PATIENCE = 120  # seconds until a test gives up; a worker imports torch first


def until(condition):
    """Return what a condition gives once that is true."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)
    return value


def end_of(jobs, job):
    """Return a job as it is once it has ended."""
    return until(lambda: (now := jobs.get(job.id)) and not now.active and now)

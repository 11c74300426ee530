"""What all sessions of this server share: one store, one set of jobs."""

import atexit
import contextlib
import ctypes
import threading
import time
from collections.abc import Callable, Mapping

import streamlit as st

from core import pipeline
from core.config import AnalysisConfig
from core.errors import JobError
from core.jobs import Job, Jobs, job_id
from core.plans import Plan, StageName
from core.store import Store
from dashboard import state

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # of mallopt, in glibc's malloc.h
LARGE_BLOCK = 1 << 20  # bytes; set by hand, the threshold is no longer raised by what was freed
ARENAS = 2  # heaps at most; every run of a page is a new thread, and would leave something in one of many
TRIM_SECONDS = 60.0


@st.cache_resource
def store() -> Store:
    """Return the one store of this server."""
    _give_memory_back()
    return pipeline.open_store()


def _give_memory_back() -> None:
    """Let the C library give back what is free: large blocks at once, and once a minute what sessions that left held."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # of another library, or another system
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        library.mallopt(M_ARENA_MAX, ARENAS)
        threading.Thread(target=_trim, args=(library.malloc_trim,), daemon=True).start()


def _trim(trim: Callable[[int], int]) -> None:
    while True:  # as long as this process
        time.sleep(TRIM_SECONDS)
        trim(0)


@st.cache_resource
def jobs() -> Jobs:
    """Return the one set of jobs of this server; they are stopped when it ends, and trainings keep what they have."""
    found = Jobs(store())
    atexit.register(found.close)
    return found


def job_for(plan: Plan, upto: StageName | AnalysisConfig) -> Job | None:
    """Return the job that makes a stage or an analysis of a plan, as it is now, or None."""
    return jobs().get(job_id(plan, upto))


def start(plan: Plan, upto: StageName | AnalysisConfig) -> Job:
    """Start a job, or return the one there is; one that is not taken on has failed, and says why.

    A page asks for what comes after a model only once the model is there; members of an ensemble may have to be trained.
    """
    return _start(plan, upto, state.changed())  # so that this view can be opened again from the list of jobs


def again(job: Job) -> None:
    """Start a job that has ended once more."""
    _start(job.plan, job.upto, job.origin)


def _start(plan: Plan, upto: StageName | AnalysisConfig, origin: Mapping[str, object]) -> Job:
    try:
        return jobs().start(plan, upto, origin, trained=upto != "model" and not plan.others)
    except JobError as error:
        return jobs().refuse(plan, upto, str(error), origin)

"""What all sessions of this server share: one store, one set of jobs."""

import atexit
from collections.abc import Mapping

import streamlit as st

from core import pipeline
from core.config import AnalysisConfig
from core.errors import JobError
from core.jobs import Job, Jobs, job_id
from core.plans import Plan, StageName
from core.store import Store
from dashboard import state


@st.cache_resource
def store() -> Store:
    """Return the one store of this server."""
    return pipeline.open_store()


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

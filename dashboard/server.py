"""What all sessions of this server share: one store, one set of jobs."""

import streamlit as st

from core import pipeline
from core.config import AnalysisConfig
from core.jobs import Job, Jobs, job_id
from core.plans import Plan, StageName
from core.store import Store


@st.cache_resource
def store() -> Store:
    """Return the one store of this server."""
    return pipeline.open_store()


@st.cache_resource
def jobs() -> Jobs:
    """Return the one set of jobs of this server."""
    return Jobs(store())


def job_for(plan: Plan, upto: StageName | AnalysisConfig) -> Job | None:
    """Return the job that makes a stage or an analysis of a plan, as it is now, or None."""
    return jobs().get(job_id(plan, upto))

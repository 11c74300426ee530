"""A quiet sign on every page that jobs run or have failed, and leads to their list."""

import streamlit as st

from dashboard import door, job_words, server, state

POLL_SECONDS = 2.0


def sign() -> None:
    """Draw the sign at the top; while jobs are active it runs again by itself, without the page."""
    active = any(job.active for job in server.jobs().all())
    door.part(_draw, POLL_SECONDS if active else None)()


def _draw() -> None:
    text, icon = told()
    page = state.page("jobs")
    if text and page is not None:
        with st.container(key="jobs-sign"):
            st.page_link(page, label=text, icon=icon, help="What this server does and did.")


def told() -> tuple[str, str]:
    """Return what the sign says, "" for nothing, and its icon."""
    jobs = server.jobs().all()
    active = [job for job in jobs if job.active]
    failed = [job for job in jobs if job.state == "failed" and not state.marked("seen", job.run)]
    if active:
        first = next((job for job in active if job.state == "running"), active[0])
        return f"{_count(len(active))}: {job_words.brief(first)}", ":material/hourglass_top:"
    return (f"{_count(len(failed))} failed", ":material/error:") if failed else ("", "")


def _count(jobs: int) -> str:
    return "1 job" if jobs == 1 else f"{jobs:,} jobs"

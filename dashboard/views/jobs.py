"""Jobs: what does this server do, how long does it take, what went wrong?"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.config import FeaturesConfig
from core.jobs import Job
from core.plans import TrainedClassifier, TrainSpec
from dashboard import components, door, job_words, server, state

POLL_SECONDS = 1.0
IDLE_SECONDS = 3.0  # between looks for a job that another tab starts
EMPTY = (
    "No job has run since this server was started. What takes longer than a moment is a job: reading a folder of images, "
    "training a model, making a map. It runs beside the pages, so that it goes on when you close or reload this tab, and "
    "every tab can see and stop it here. What it makes is kept in the store."
)
STATES = {
    "done": (":material/check_circle:", "Done"),
    "cancelled": (":material/stop_circle:", "Stopped"),
    "failed": (":material/error:", "Failed"),
}


def show() -> None:
    """Draw the page; the list runs again by itself."""
    active = any(job.active for job in server.jobs().all())
    door.part(_list, POLL_SECONDS if active else IDLE_SECONDS)(active)


def _list(active: bool) -> None:
    jobs = server.jobs().all()
    if active != any(job.active for job in jobs):
        st.rerun()  # so that it is looked at more or less often
    if not jobs:
        st.info(EMPTY, icon=":material/work_history:")
        return
    st.caption("What this server does and did since it was started. Every tab sees the same list.")
    groups = {state: [job for job in jobs if job.state == state] for state in ("running", "waiting")}
    for name, found in groups.items():
        if found:
            st.subheader(f"{name.capitalize()} ({len(found)})")
        for job in found:
            _active(job)
    ended = sorted((job for job in jobs if not job.active), key=lambda job: job.ended or 0.0, reverse=True)
    if ended:
        _ended(ended)


def _active(job: Job) -> None:
    with st.container(border=True, key=f"job.{job.id}"):
        text, buttons = st.columns([5, 2], vertical_alignment="center")
        _heading(text, job, "")
        with buttons:
            _buttons(job)
        if job.state == "running":
            st.progress(
                0.0 if job.progress is None else job.progress.fraction, components.plain(job_words.progress(job))
            )
        _log(job)


def _ended(jobs: list[Job]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.subheader(f"Ended ({len(jobs)})", width="content")
        st.button("Clear the list", key="clear", on_click=_clear, help="Results stay in the store.")
    for job in jobs:
        state.mark("seen", job.run)
        with st.container(border=True, key=f"job.{job.id}"):
            text, buttons = st.columns([5, 2], vertical_alignment="center")
            icon, word = STATES[job.state]
            _heading(text, job, f"{icon} {word}")
            with buttons:
                _buttons(job)
            if job.error is not None:
                st.error(components.plain(job.error))
            _log(job)


def _heading(place: DeltaGenerator, job: Job, how: str) -> None:
    name = components.plain(components.printable(job_words.images(job.plan.source)))
    what = f"**{components.plain(job_words.title(job))}** · {name}"
    place.markdown(f"{how}: {what}" if how else what)
    waits = job_words.place(server.jobs().ahead(job.id)) if job.state == "waiting" else ""
    parts = [job_words.settings(job), job_words.times(job), waits]
    place.caption(components.plain(" · ".join(part for part in parts if part)))


def _buttons(job: Job) -> None:
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        page = state.page(_page(job))
        if page is not None and st.button(
            "Show", key=f"show.{job.id}", icon=":material/open_in_new:", on_click=_open, args=(job,),
            help="Opens the page and the settings that it was started with.",
        ):  # fmt: skip
            st.switch_page(page)
        if job.active:
            st.button(
                "Stop", key=f"stop.{job.id}", icon=":material/stop_circle:", on_click=_stop, args=(job,),
                disabled=bool(job.stopping),
            )  # fmt: skip
        elif job.state == "failed":
            st.button(
                "Try again", key=f"again.{job.id}", icon=":material/refresh:", on_click=server.again, args=(job,)
            )


def _log(job: Job) -> None:
    with st.expander("Log", key=f"log.{job.id}"):
        lines = server.jobs().log(job.id)
        text = "\n".join(f"{job_words.clock(line.at)}  {'  ' if line.said else ''}{line.text}" for line in lines)
        st.code(components.printable(text), language=None, height=220 if len(lines) > 9 else "content")


def _page(job: Job) -> str:
    """Name the page that shows what a job makes."""
    ref = job.plan.model
    if job.upto == "model" and isinstance(ref, TrainSpec):
        return "explore" if isinstance(ref.autoencoder, FeaturesConfig) else "train"
    return "classify" if job.upto == "latents" and isinstance(job.plan.model, TrainedClassifier) else "explore"


def _open(job: Job) -> None:
    state.forget_settings()
    for name, value in job.origin.items():
        state.change(name, value)


def _stop(job: Job) -> None:
    state.mark("stopped", job.run)
    server.jobs().cancel(job.id)


def _clear() -> None:
    for job in server.jobs().all():
        server.jobs().forget(job.id)

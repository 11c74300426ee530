"""Pieces that several views draw: problems, job progress, numbers, picture galleries."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import ExplorerError
from core.jobs import Job
from core.quality import EXPLANATIONS, TITLES, Scores, text
from dashboard import door, job_words, server, state
from dashboard.texts import duration as duration  # pages have these from here
from dashboard.texts import plain as plain
from dashboard.texts import printable as printable

POLL_SECONDS = 0.5
_STYLE = """<style>
[data-testid="stMetricValue"] { font-size: 1.15rem; }
[data-testid="stMetric"] { padding: 0; }
.block-container, [data-testid="stMainBlockContainer"] { padding: 3.6rem 1.5rem 1rem; }
.ee-gallery { display: flex; flex-wrap: wrap; gap: 10px; }
.ee-gallery figure { margin: 0; width: var(--ee-side, 148px); font-size: 12px; line-height: 1.3; }
.ee-gallery img { width: var(--ee-side, 148px); image-rendering: pixelated; border-radius: 3px; display: block; }
.ee-large { width: 100%; image-rendering: pixelated; border-radius: 3px; }
.ee-strip { width: 100%; max-width: 900px; image-rendering: pixelated; display: block; }
.ee-reasons { font-size: 14px; line-height: 1.4; margin: 0; padding-left: 18px; }
.ee-mix { display: flex; height: 10px; border-radius: 3px; overflow: hidden; background: rgba(128, 128, 128, 0.25); }
.ee-gallery figcaption { overflow-wrap: anywhere; padding-top: 2px; }
.st-key-jobs-sign {
  position: fixed; top: 0; right: 11.5rem; height: 3.75rem; width: auto; z-index: 999991; justify-content: center;
}
@media (min-width: 1800px) {
  .st-key-workbench { display: grid; grid-template-columns: minmax(0, 8fr) minmax(0, 5fr); gap: 1.5rem; align-items: start; }
  .st-key-panels { max-height: calc(100vh - 150px); min-height: 480px; overflow-y: auto; padding: 2px 6px; }
}
</style>"""


@dataclass(frozen=True)
class Picture:
    """A gallery item: uint8 (h, w, c) pictures put side by side, and lines of text below."""

    images: Sequence[np.ndarray]
    lines: Sequence[str]


def page_style() -> None:
    """Tighten Streamlit's spacing, so that the map fills the page."""
    st.html(_STYLE)


def workbench() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return a place for the maps and one for the panels: below them, or beside them where the window is wide."""
    with st.container(key="workbench"):
        return st.container(key="maps"), st.container(key="panels")


def control_line() -> DeltaGenerator:
    """Return a place for a panel's controls: side by side, in as many lines as the panel's width asks for."""
    return st.container(horizontal=True, vertical_alignment="bottom", gap="small")


def page_of(place: DeltaGenerator, name: str, count: int, size: int) -> slice:
    """Choose a page of `count` items and return which of them it holds; with one page there is nothing to choose."""
    pages = max(1, -(-count // size))
    key = state.bounded(name, 1, 1, pages)
    page = 1
    if pages > 1:
        page = place.number_input(f"Page, 1 to {pages:,}", 1, pages, key=key, width=130)
    return slice((page - 1) * size, min(page * size, count))


def problem(error: ExplorerError) -> None:
    """Show an error that the user can do something about."""
    st.error(plain(str(error)), icon=":material/error:")


def job_progress(job: Job) -> None:
    """Show how far a job is, the time left, and a button that stops it."""
    bar, button = st.columns([8, 1], vertical_alignment="bottom")
    bar.progress(0.0 if job.progress is None else job.progress.fraction, text=plain(job_words.progress(job)))
    if button.button(
        "Stop", key=f"stop.{job.id}", icon=":material/stop_circle:", width="stretch", disabled=bool(job.stopping)
    ):
        state.mark("stopped", job.run)
        server.jobs().cancel(job.id)


def job_ended(job: Job, again: str = "Try again") -> None:
    """Show why a job ended without its result, with a button that forgets it."""
    text, button = st.columns([8, 1], vertical_alignment="center")
    if job.state == "failed":
        text.error(plain(job.error or "The job failed."), icon=":material/error:")
    else:
        where = "" if state.marked("stopped", job.run) else ", in another tab or before a reload"
        text.info(f"Stopped before it was complete{where}.", icon=":material/stop_circle:")
    if button.button(again, key=f"again.{job.id}", width="stretch"):
        server.jobs().forget(job.id)
        st.rerun()


def watch(job: Job) -> None:
    """Show a job's progress until it ends; then the whole page runs again."""

    def poll() -> None:
        now = server.jobs().get(job.id)
        if now is None or not now.active:
            st.rerun()
        else:
            job_progress(now)

    door.part(poll, POLL_SECONDS)()


def numbers(scores: Scores) -> None:
    """Show the scores that there are in one row, each with its meaning as a help text."""
    shown = [(name, getattr(scores, name)) for name in TITLES if getattr(scores, name) is not None]
    for column, (name, value) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(TITLES[name], text(name, value), help=EXPLANATIONS.get(name))


def gallery(pictures: Sequence[Picture], side: int = 148) -> None:
    """Show pictures, `side` pixels wide, with texts; each crisp, every text escaped."""
    items = []
    for picture in pictures:
        lines = "<br>".join(html.escape(line) for line in picture.lines)
        alt = html.escape(picture.lines[0] if picture.lines else "", quote=True)
        items.append(
            f'<figure><img src="{data_uri(picture.images)}" alt="{alt}"><figcaption>{lines}</figcaption></figure>'
        )
    st.html(f'<div class="ee-gallery" style="--ee-side: {side}px">{"".join(items)}</div>')


def data_uri(images: Sequence[np.ndarray], gap: int = 1) -> str:
    """Return uint8 (h, w, c) images side by side as one PNG in a data URI."""
    from PIL import Image

    h, _, c = images[0].shape
    strips: list[np.ndarray] = []
    for image in images:
        strips += [image, np.full((h, gap, c), 128, np.uint8)]
    joined = np.concatenate(strips[:-1], axis=1)
    buffer = io.BytesIO()
    Image.fromarray(joined[..., 0] if c == 1 else joined).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def settings_line(values: Mapping[str, object]) -> str:
    """Write settings in one line: "latent_size 32, width 16"."""
    return ", ".join(f"{name} {value}" for name, value in values.items() if name != "type")

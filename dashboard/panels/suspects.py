"""Suspects: images that may lie in the wrong place, ranked, looked at one after the other, and decided on."""

import secrets

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.decisions import MOST_NAME
from core.errors import ExplorerError
from core.evidence import SuspectConfig
from core.images import ImageSet
from core.plans import Results
from dashboard import analysed, chosen, components, door, results, reviewing, sessions, state
from dashboard.desk import ALL, FILTERS, SELECTED, UNDECIDED, Desk, current, desk
from dashboard.panels import review_actions, review_files, suspect_card, suspect_queue

POLL_SECONDS = 3.0  # between two looks at what other reviewers decided
COMPARING = ("margin", "silhouette", "neighbours")
REVIEWED = ("Decision", "Corrected label")  # columns of the map that change with each decision


def show(shown: Results) -> None:
    """Draw the panel, which runs alone after a decision, so that the map need not be drawn again."""
    door.part(_panel)(shown)


def _panel(shown: Results) -> None:
    shown = reviewing.attached(shown)
    problem = state.taken(reviewing.PROBLEM)
    if problem:
        st.error(components.plain(problem), icon=":material/error:")
    if shown.review is not None and shown.review.warning:
        st.warning(components.plain(shown.review.warning), icon=":material/warning:")
    config = SuspectConfig()
    slow = analysed.look(shown, config).seconds > results.ASK_SECONDS
    evidence = analysed.value_of(shown, config, "Find suspects" if slow else None)
    if evidence is None:
        return
    if not any(part in evidence.parts for part in COMPARING):
        what = "label" if evidence.of == "label" else "cluster"
        st.info(
            f"All images are in one {what}, so that none can lie in the wrong one. Suspects need two {what}s or more.",
            icon=":material/rule:",
        )
        return
    line = components.control_line()
    options = [name for name in FILTERS if name != SELECTED or chosen.mask(shown.images.value).any()]
    filtered = line.selectbox(
        "Show", options, key=state.setting("suspects.show", UNDECIDED, options), width=150, label_visibility="collapsed",
        on_change=state.look_at, args=(shown.images.value.fingerprint, None),
    )  # fmt: skip
    suspect_queue.weights(line, evidence)
    try:
        at = desk(shown, evidence, filtered)
    except ExplorerError as error:
        components.problem(error)
        return
    row = current(at)
    _follow(at, row)
    suspect_queue.controls(line, at)
    review_files.rule(line, at)
    review_files.files(line, at)
    _reviewer(line)
    suspect_queue.page(line, at)
    line = components.control_line()
    suspect_queue.progress(line, at)
    review_actions.reversals(line, at)
    suspect_queue.table(at, row)
    press = secrets.token_hex(8)
    review_actions.show(at, row, press)
    if row is None:
        st.info(_nothing(at), icon=":material/task_alt:")
    else:
        suspect_card.show(at, row)
    review_actions.further(at, row, press)
    reviewing.seen(at.review)
    door.part(_others, POLL_SECONDS)(at.images)
    sessions.write_address()
    if state.is_new("review drawn", str(at.review.cursor)) and at.review.events and _colored():
        st.rerun()  # the map is drawn by what was decided


def _reviewer(line: DeltaGenerator) -> None:
    name = reviewing.reviewer()
    if door.name() is not None:
        return  # decisions bear the name of the login
    with line.popover(components.plain(name), icon=":material/person:"):
        st.text_input(
            "Reviewer", key=state.setting("reviewer", ""), placeholder=name, max_chars=MOST_NAME,
            help="The name that your decisions bear. Each reviewer undoes only their own.",
        )  # fmt: skip


def _nothing(at: Desk) -> str:
    """Say why no image is under review."""
    if at.show == UNDECIDED:
        return "Every image is decided on. Other filters show what was decided."
    return f"There is no image to show: none is {at.show}." if at.show != ALL else "No images are shown."


def _follow(at: Desk, row: int | None) -> None:
    """Select the image under review everywhere, where that is asked for."""
    if not state.value("suspects.follow", False) or row is None or at.show == SELECTED or review_actions.whole(at):
        return
    if state.is_new("suspect selected", f"{at.images.fingerprint} {row}"):
        chosen.pick(at.images, np.array([row]))
        st.rerun()


def _colored() -> bool:
    """Say whether the map's colour or shape is what was decided."""
    return bool({state.value("color"), state.value("symbol")} & set(REVIEWED))


def _others(images: ImageSet) -> None:
    """Look whether somebody decided something in another tab; then the page is drawn again."""
    try:
        if reviewing.seen(reviewing.review(images)):
            return
    except ExplorerError as error:
        components.problem(error)
        return
    st.rerun()

"""What leaves a review and what comes into it: files to take away, corrections from a file, decisions by a rule."""

from functools import partial

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import corrections_csv, report, tables
from core.choosing import ruled
from core.decisions import Choice
from core.errors import DataError, ExplorerError
from core.suspects_table import suspects
from dashboard import components, reviewing, spreadsheet, state
from dashboard.desk import Desk

MOST_BYTES = corrections_csv.LIMIT_BYTES


def files(line: DeltaGenerator, at: Desk) -> None:
    """Offer the queue and the review as files, and take corrections from one."""
    stem = report.file_stem(at.shown)
    with line.popover("Files", icon=":material/download:"):
        _file("Suspects CSV", f"{stem}-suspects.csv", spreadsheet.csv(lambda: suspects(at.shown, at.found)),
              "The whole ranking, best first, with the score and its parts.")  # fmt: skip
        if at.review.events:
            _decided(stem, at)
        else:
            st.caption("Corrections can be taken away once something is decided.")
        st.divider()
        _from_file(at)


def _decided(stem: str, at: Desk) -> None:
    for label, name, frame, text in (
        ("Corrections CSV", "corrections", partial(corrections_csv.corrections, at.review),
         "The decision that stands on each image: id, old, new, who decided, score, time. It can be brought in again."),
        ("History CSV", "history", partial(corrections_csv.history, at.review),
         "Every decision ever made, also those that were undone."),
    ):  # fmt: skip
        _file(label, f"{stem}-{name}.csv", partial(_written, frame), text)
    junk = st.toggle("With images marked as junk", key=state.shown("review.with_junk", False))
    _file(
        "Corrected predictions CSV", f"{stem}-corrected.csv",
        lambda: tables.plain_csv(corrections_csv.corrected_predictions(at.shown, at.review, junk=junk)),
        "id and the class of each image's cluster, with the decisions in it.",
    )  # fmt: skip


def _written(frame: "partial[pd.DataFrame]") -> bytes:
    return corrections_csv.csv(frame())


def _file(label: str, name: str, make, text: str) -> None:  # type: ignore[no-untyped-def]
    st.download_button(
        label, make, name, "text/csv", on_click="ignore", icon=":material/download:", help=text, width="stretch",
        key=f"review.file.{label}",
    )  # fmt: skip


def rule(line: DeltaGenerator, at: Desk) -> None:
    """Let all suspects above the threshold be decided at once."""
    with line.popover("Rule", icon=":material/playlist_add_check:"):
        _by_rule(at)


def _by_rule(at: Desk) -> None:
    made = ruled(at.shown, at.found, at.threshold, at.standing)
    what = "label" if at.of_labels else "cluster"
    verb = "Relabel" if at.of_labels else "Move"
    if not made:
        st.caption(f"No image at or above {at.threshold:.2f} that is not decided on has another suggested {what}.")
        return
    st.markdown(
        f"{len(made):,} images at or above {at.threshold:.2f}, not decided on yet, get their suggested {what}."
    )
    sure = st.checkbox("I have looked at some of them", key=f"review.sure.{len(made)}.{at.threshold}")
    st.button(
        f"{verb} all {len(made):,} as suggested", key="review.rule", disabled=not sure, on_click=_keep, args=(at, made),
        help="One action: Undo takes all of it back.",
    )  # fmt: skip


def _keep(at: Desk, made: list[Choice]) -> None:
    reviewing.decide(at.images, made)
    state.look_at(at.images.fingerprint, None)


def _from_file(at: Desk) -> None:
    turn = int(state.value("review.brought", 0))
    file = st.file_uploader(
        "Corrections from a CSV", ("csv",), key=f"review.file.{turn}",
        help="corrections.csv of this program, or any CSV with the columns id and new.",
    )  # fmt: skip
    if file is None:
        return
    try:
        if file.size > MOST_BYTES:
            raise DataError(f"The file has {file.size:,} bytes; {MOST_BYTES:,} is the limit.")
        made = corrections_csv.choices(file.getvalue(), at.images.ids, at.review, file.name)
    except ExplorerError as error:
        components.problem(error)
        return

    def keep() -> None:
        _keep(at, made)
        state.change("review.brought", turn + 1)  # another key empties the field

    st.button(
        f"Keep these {len(made):,} decisions", key="review.bring", type="primary", on_click=keep,
        help="One action: Undo takes all of it back.",
    )  # fmt: skip

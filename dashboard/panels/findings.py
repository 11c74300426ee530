"""What the panels of findings share: decisions as one action with its undo, and what an image's label was."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.corrections import Review
from core.decisions import By, Choice
from core.images import ImageSet
from core.plans import Results
from dashboard import reviewing


def review_of(shown: Results) -> Review:
    """Return what was decided of these images; an empty review where none could be read."""
    return Review() if shown.review is None else shown.review


def junk_rows(shown: Results) -> np.ndarray:
    """Return which images are marked as junk, bool (n,)."""
    found = np.zeros(len(shown.images.value), bool)
    rows = [row for row, decision in review_of(shown).current.items() if decision.kind == "junk"]
    found[[row for row in rows if row < len(found)]] = True
    return found


def label_of(images: ImageSet, row: int) -> str:
    """Return an image's label in its data set, "" without one."""
    return "" if images.y is None or images.y[row] < 0 else images.classes[int(images.y[row])]


def mark_as_junk(images: ImageSet, rows: Sequence[int], scores: np.ndarray | None = None, by: By = "person") -> None:
    """Mark images as junk in one action; only in a callback.

    Parameters
    ----------
    scores : float (n,), of all images, kept beside the decision; None for no score.
    """
    reviewing.decide(
        images,
        [
            Choice(
                int(row), images.ids[row], "junk", label_of(images, int(row)), "",
                None if scores is None else float(scores[row]), by=by,
            )
            for row in rows
        ],
    )  # fmt: skip


def undo_buttons(place: DeltaGenerator, shown: Results, name: str) -> None:
    """Draw buttons that take back this reviewer's last decision, or bring it back, once there is one."""
    images = shown.images.value
    back, forward = reviewing.can_undo(review_of(shown))
    if not (back or forward):
        return
    for text, icon, enabled, action, told in (
        ("Undo decision", "undo", back, reviewing.undo, "Take back your last decision, name or colour, all of it."),
        ("Redo decision", "redo", forward, reviewing.redo, "Bring back what you took back last."),
    ):
        place.button(
            text, key=f"{name}.{icon}", icon=f":material/{icon}:", disabled=not enabled, on_click=action, args=(images,),
            help=told,
        )  # fmt: skip


def download(place: DeltaGenerator, text: str, make, file: str, told: str | None = None) -> None:  # type: ignore[no-untyped-def]
    """Offer a CSV that is made when its button is pressed."""
    place.download_button(
        text, make, file, "text/csv", on_click="ignore", icon=":material/download:", help=told, key=f"csv.{file}"
    )


def nothing(text: str) -> None:
    """Say in one sentence why there is nothing to see, and what to do."""
    st.info(text, icon=":material/check_circle:")

"""The queue of suspects: its filter, weights and pages as controls, and the table itself."""

from dataclasses import asdict
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.decisions import KINDS
from core.evidence import PARTS, Evidence
from core.suspects import SuspectWeights
from core.suspects_table import suspects
from dashboard import chosen, components, state
from dashboard.desk import PAGE, SKIP, Desk
from dashboard.panels import toolbar

HEIGHT = 180  # pixels of the table: four rows, so that the image under review stays on the screen
MEANINGS = {
    "majority": "How few of its cluster have its label, against the majority's.",
    "margin": "The own centroid against the nearest other one; 0.5 is the border.",
    "silhouette": "The nearest images of its own group against those of the nearest other one; 0.5 is the border.",
    "neighbours": "Neighbours in other groups, near ones weighing more; 0.5 is the border.",
    "error": "Rank of its reconstruction error within its group.",
    "consensus": "Share of the ensemble that puts it elsewhere.",
    "isolation": "Rank of the distance to its 20th neighbour.",
}


def weights(line: DeltaGenerator, evidence: Evidence) -> None:
    """Draw a slider for each part, which moves the ranking at once."""
    usual = asdict(SuspectWeights())
    there = [name for name in PARTS if name in evidence.parts]
    with line.popover("Score", icon=":material/tune:"):
        st.number_input(
            "An image is a suspect from", 0.0, 1.0, step=0.05, format="%.2f", key=state.shown("suspects.threshold", 0.5),
            help="Of progress and of decisions by rule; the queue goes on below it.",
        )  # fmt: skip
        st.caption("How much each part counts in the score; only their proportions matter.")
        for name in there:
            key = state.shown(f"suspects.weight.{name}", usual[name])
            st.slider(name, 0.0, 5.0, step=0.05, key=key, help=MEANINGS[name])
        for name, why in evidence.missing.items():
            st.caption(f"No {name}: {why}")

        def reset() -> None:
            for name in there:
                state.change(f"suspects.weight.{name}", usual[name])

        st.button("Reset the weights", key="suspects.reset", icon=":material/restart_alt:", on_click=reset)


def controls(line: DeltaGenerator, at: Desk) -> None:
    """Draw what selects on the map, and the page."""
    with line.popover("Map", icon=":material/my_location:"):
        st.toggle(
            "Select the image under review", key=state.shown("suspects.follow", False),
            help="Each image that comes under review is then selected in every view.",
        )  # fmt: skip
        if len(at.queue):
            _first(at)


def page(line: DeltaGenerator, at: Desk) -> None:
    """Draw which page of the queue is shown, where there is more than one."""
    components.page_of(line, "suspects.page", len(at.queue), PAGE)


def _first(at: Desk) -> None:
    first = st.number_input(
        "Of the queue, the first", 1, len(at.queue), key=state.bounded("suspects.first", 20, 1, len(at.queue))
    )
    if st.button(
        f"Select the first {int(first):,} on the map", key="suspects.select", icon=":material/select_all:",
        on_click=chosen.pick, args=(at.images, at.queue[: int(first)], toolbar.mode()),
    ):  # fmt: skip
        st.rerun()  # the map is not in this fragment


def progress(line: DeltaGenerator, at: Desk) -> None:
    """Say how many suspects are decided."""
    above = at.found.score >= at.threshold
    total, skipped = int(above.sum()), int((above & (at.codes == SKIP)).sum())
    done = int((above & (at.codes >= 0)).sum()) - skipped
    text = f"{done:,} decided of {total:,} at or above {at.threshold:.2f}"
    further = [f"{skipped:,} skipped"] * bool(skipped)
    further += [f"{int(at.disputed.sum()):,} disputed"] * bool(at.disputed.any())
    line.container(width="stretch").progress(done / total if total else 0.0, text=" · ".join([text, *further]))


def table(at: Desk, row: int | None) -> None:
    """Draw a page of the queue; a click on a line brings its image under review."""
    if not len(at.queue):
        return
    number = int(state.value("suspects.page", 1)) if len(at.queue) > PAGE else 1
    rows = at.queue[(number - 1) * PAGE : number * PAGE]
    frame = suspects(at.shown, at.found, rows)
    frame.insert(0, "rank", at.places[rows] + 1)
    frame.insert(0, "now", ["▶" if other == row else "" for other in rows])
    frame.insert(list(frame).index("score") + 1, "decision", _decisions(at, rows))
    # Another key after each decision, so that the line clicked before can be clicked again.
    key = f"suspects.queue.{at.show}.{number}.{hash(rows.tobytes())}.{at.review.cursor.lines}"

    def look() -> None:
        for line, _ in state.cells(key):
            state.look_at(at.images.fingerprint, int(rows[line]))

    st.dataframe(
        frame, key=key, on_select=look, selection_mode="single-cell", height=HEIGHT, hide_index=True,
        column_config=_columns(at),
    )  # fmt: skip
    st.caption(
        f"{(number - 1) * PAGE + 1:,} to {(number - 1) * PAGE + len(rows):,} of {len(at.queue):,} images {_told(at)}, "
        "the most suspect first; click a line to look at its image."
    )


def _told(at: Desk) -> str:
    return f"({at.show})" if at.show != "all" else "in all"


def _decisions(at: Desk, rows: np.ndarray) -> list[str]:
    """Say what was decided of each of some images, and whether reviewers disagree."""
    told = []
    for row in rows:
        text = KINDS[at.codes[row]] if at.codes[row] >= 0 else ""
        new = at.standing[int(row)].new if text in ("relabel", "move") else ""
        told.append(f"{text} → {new}" * bool(new) or text)
        if at.disputed[row]:
            told[-1] = f"disputed: {told[-1]}"
    return told


def _columns(at: Desk) -> dict[str, Any]:
    """Return how each column is drawn: numbers in [0, 1] as bars."""
    config: dict[str, Any] = {
        "now": st.column_config.TextColumn("", width=30, pinned=True, help="The image under review."),
        "rank": st.column_config.NumberColumn(width=55, pinned=True),
        "id": st.column_config.TextColumn(width=110),
        "label": st.column_config.TextColumn(width=80),
        "cluster": st.column_config.TextColumn(width=65),
        "suggested": st.column_config.TextColumn(
            width=90, help="What the parts name; the own one where they do not outweigh it."
        ),
        "decision": st.column_config.TextColumn(width=110),
    }
    if not at.of_labels:
        del config["label"]
    for name in ("score", *(part for part in PARTS if part in at.found.evidence.parts)):
        config[name] = st.column_config.ProgressColumn(
            format="%.3f", min_value=0.0, max_value=1.0, width=95,
            help=MEANINGS.get(name, "The weighted mean of the parts to the right."),
        )  # fmt: skip
    return config

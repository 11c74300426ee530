"""What label spreading proposes: counts of each class, the images by confidence, and what can be done with them."""

import numpy as np
import pandas as pd
import streamlit as st

from core import report
from core.decisions import Choice
from core.images import ImageSet
from core.plans import Results
from core.spreading import Spread
from dashboard import chosen, components, further, reviewing, spreadsheet, state
from dashboard.panels import findings, pictures, toolbar

ORDERS = ("least sure first", "most sure first")
EVERY = "all classes"


def show(shown: Results, found: Spread, given: dict[int, str], names: tuple[str, ...]) -> None:
    """Draw the proposals."""
    images = shown.images.value
    labelled = np.zeros(len(images), bool)
    labelled[list(given)] = True
    decided = _decided(shown)
    st.markdown("**Proposals**")
    line = components.control_line()
    least = line.slider(
        "Confidence at least", 0.0, 1.0, key=state.setting("labels.least", 0.8), step=0.01, width=200,
        help="Share of the likeliest class. It ranks proposals; it is no probability that they are right.",
    )  # fmt: skip
    options = (EVERY, *names)
    name = line.selectbox("Class", options, key=state.setting("labels.of", EVERY, options), width=200)
    order = line.selectbox("Order", ORDERS, key=state.setting("labels.order", ORDERS[0], ORDERS), width=170)
    st.dataframe(_counts(found, labelled, least, names), hide_index=True, column_config=_FORMATS)
    reached = (found.labels >= 0) & ~labelled & chosen.scope(images)
    of_class = reached if name == EVERY else reached & (found.labels == names.index(name))
    rows = np.flatnonzero(of_class & (found.confidence >= least))
    _told(found, labelled)
    _actions(shown, found, names, name, least, rows, rows[~decided[rows]])
    findings.download(
        st.container(), "Proposals CSV", spreadsheet.csv(lambda: proposals_table(images, found, given, names)),
        f"{report.file_stem(shown)}-proposals.csv", "id, label, confidence, and whether a person gave it.",
    )  # fmt: skip
    sign = 1 if order == ORDERS[0] else -1
    rows = rows[np.argsort(sign * found.confidence[rows], kind="stable")]
    at = components.page_of(line, "labels.page", len(rows), pictures.PAGE)
    items = [
        pictures.item(
            shown, int(row), pictures.PARTS[:1], None, f"{names[found.labels[row]]} · {found.confidence[row]:.0%}",
            *(["decided"] if decided[row] else []),
        )
        for row in rows[at]
    ]  # fmt: skip
    pictures.opening_gallery(shown, items, "labels.gallery", max(72, int(state.value("gallery.side", 64))))
    if not len(rows):
        st.caption("No proposal is as sure as this; lower the confidence.")


def proposals_table(images: ImageSet, found: Spread, given: dict[int, str], names: tuple[str, ...]) -> pd.DataFrame:
    """Return a row an image: its id, the label given or proposed, the confidence, and whether a person gave it."""
    return pd.DataFrame(
        {
            "id": list(images.ids),
            "label": np.asarray([*names, ""], dtype=object)[found.labels],  # -1 finds the last
            "confidence": found.confidence,
            "given": [row in given for row in range(len(images))],
        }
    )


_FORMATS = {
    "At least this sure": st.column_config.NumberColumn(help="Proposals with the confidence chosen above."),
    "Mean confidence": st.column_config.NumberColumn(format="percent"),
}


def _counts(found: Spread, labelled: np.ndarray, least: float, names: tuple[str, ...]) -> pd.DataFrame:
    """Return a row a class: images labelled by people, proposed, and proposed with confidence."""
    k = len(names)
    proposed = np.where(labelled, -1, found.labels)
    sums = np.bincount(proposed[proposed >= 0], found.confidence[proposed >= 0], k)
    counts = np.bincount(proposed[proposed >= 0], minlength=k)
    sure = proposed[(proposed >= 0) & (found.confidence >= least)]
    return pd.DataFrame(
        {
            "Class": list(names),
            "Labelled": np.bincount(found.labels[labelled], minlength=k),
            "Proposed": counts,
            "At least this sure": np.bincount(sure, minlength=k),
            "Mean confidence": np.divide(sums, counts, out=np.full(k, np.nan), where=counts > 0),
        }
    )


def _decided(shown: Results) -> np.ndarray:
    """Return on which images there is a decision that accepting would take the place of, bool (n,)."""
    found = np.zeros(len(shown.images.value), bool)
    for row, decision in findings.review_of(shown).current.items():
        if decision.kind != "skip" and row < len(found):
            found[row] = True
    return found


def _told(found: Spread, labelled: np.ndarray) -> None:
    unreached = int((found.labels < 0).sum())
    text = f"{int(labelled.sum()):,} images are labelled. "
    text += f"{unreached:,} are not reached: no chain of neighbours leads to them. " if unreached else ""
    text += "" if found.settled else f"Spreading stopped after {found.steps:,} steps before it had settled."
    st.caption(text)


def _actions(
    shown: Results,
    found: Spread,
    names: tuple[str, ...],
    name: str,
    least: float,
    rows: np.ndarray,
    open_rows: np.ndarray,
) -> None:
    """Draw what selects and accepts the proposals that are listed, and what colours the map by them."""
    images = shown.images.value
    line = components.control_line()
    of = "" if name == EVERY else f" of {components.plain(name)}"
    line.button(
        f"Select {len(rows):,}{of}", key="labels.select", disabled=not len(rows), on_click=chosen.pick,
        args=(images, rows, toolbar.mode()), icon=":material/select_all:",
        help=f"The proposals{of} with a confidence of at least {least:.2f}.",
    )  # fmt: skip
    line.button(
        f"Accept {len(open_rows):,}{of}", key="labels.accept", disabled=not len(open_rows), type="primary",
        on_click=_accept, args=(images, found, names, open_rows), icon=":material/done_all:",
        help="Keep these proposals as labels, decided by a rule, in one action, which one undo takes back. Images that were "
        "decided on are left as they are. What is accepted is not spread further.",
    )  # fmt: skip
    if line.button(
        "Colour the map by them", key="labels.color", icon=":material/palette:", on_click=state.change,
        args=("color", further.LABEL),
    ):  # fmt: skip
        st.rerun()  # the sidebar's list of columns is not in this fragment


def _accept(images: ImageSet, found: Spread, names: tuple[str, ...], rows: np.ndarray) -> None:
    reviewing.decide(
        images,
        [
            Choice(
                int(row), images.ids[row], "relabel", findings.label_of(images, int(row)), names[found.labels[row]],
                float(found.confidence[row]), by="rule",
            )
            for row in rows
        ],
    )  # fmt: skip

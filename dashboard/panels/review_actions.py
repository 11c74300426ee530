"""What a reviewer does with a suspect, or with the whole selection: buttons, and keys that press them."""

from collections.abc import Callable

import numpy as np
from streamlit.delta_generator import DeltaGenerator

from core.choosing import choices, suggests
from core.clustering import NOISE_NAME
from core.decisions import Kind
from core.errors import ExplorerError
from core.images import ImageSet
from core.review import cluster_titles
from dashboard import components, reviewing, state
from dashboard.desk import Desk

WHOLE = "review.whole"
PRESS = "review.press"  # the drawing of the buttons of which one was pressed last
MOST_LABEL = 200  # letters of a new label
# Streamlit keeps C and R for itself; a key does nothing while a text is typed.
KEYS = {
    "confirm": "K", "suggested": "S", "relabel": "L", "move": "M", "junk": "J", "skip": "N", "undo": "U", "redo": "Shift+U",
}  # fmt: skip


def whole(at: Desk) -> bool:
    """Say whether actions are of the whole selection."""
    return bool(state.value(WHOLE, False)) and bool(at.selected.any())


def show(at: Desk, row: int | None, press: str) -> None:
    """Draw the actions on the image under review, or on the selection; those that need no choice of a target.

    Parameters
    ----------
    press : another text each time the buttons are drawn.
    """
    count = int(at.selected.sum())
    line = components.control_line()
    if count:
        line.toggle(
            f"Whole selection ({count:,})", key=state.setting(WHOLE, False),
            help="The next action is on every selected image at once, and undone in one step.",
        )  # fmt: skip
    rows = _rows(at, row)
    if len(rows):
        _decisions(line, at, rows, press)


def _rows(at: Desk, row: int | None) -> np.ndarray:
    """Return what an action is of, int64 (m,)."""
    return np.flatnonzero(at.selected) if whole(at) else np.array([] if row is None else [row], np.int64)


def further(at: Desk, row: int | None, press: str) -> None:
    """Draw the actions whose target is chosen from a list."""
    rows = _rows(at, row)
    if len(rows):
        _chosen(components.control_line(), at, rows, press)


def _decisions(line: DeltaGenerator, at: Desk, rows: np.ndarray, press: str) -> None:
    one = len(rows) == 1
    _button(
        line, at, rows, press, "confirm", "confirm", _own(at, rows) if one else f"Confirm {len(rows):,}", "check",
        help="It is right where it is." if one else "They are right where they are.",
    )  # fmt: skip
    changed = rows[suggests(at.found)[rows]]
    kind: Kind = "relabel" if at.of_labels else "move"
    if one:
        name = at.names[at.found.suggested[rows[0]]] if len(changed) else "–"
        text = f"Relabel → {name}" if at.of_labels else f"Move → {name}"
    else:
        text = f"{kind.capitalize()} {len(changed):,} as suggested"
    _button(
        line, at, rows, press, "suggested", kind, text, "auto_fix_high", primary=True, disabled=not len(changed),
        help="Give it what the parts name." if one else "Give each what the parts name; the others are left alone.",
    )  # fmt: skip
    _button(line, at, rows, press, "junk", "junk", "Junk", "delete", help="It belongs nowhere.")
    _button(line, at, rows, press, "skip", "skip", "Skip", "skip_next", help="Decide on it another time.")


def _own(at: Desk, rows: np.ndarray) -> str:
    """Write the button that confirms one image."""
    group = int(at.found.evidence.groups[rows[0]])
    if group >= 0:
        return f"Confirm {at.names[group]}"
    return "Confirm no label" if at.of_labels else f"Confirm {NOISE_NAME}"


def _chosen(line: DeltaGenerator, at: Desk, rows: np.ndarray, press: str) -> None:
    if at.of_labels:
        given = {item.new for item in at.standing.values() if item.kind == "relabel"} - set(at.names)
        label = line.selectbox(
            "Another label", [*at.names, *sorted(given)], key=state.setting("review.label", None), accept_new_options=True,
            placeholder="another label, or a new one…", width=230, label_visibility="collapsed",
        )  # fmt: skip
        text = str(label or "").strip()[:MOST_LABEL]
        _button(
            line, at, rows, press, "relabel", "relabel", f"Relabel → {text or '…'}", "label", target=text, disabled=not text,
        )  # fmt: skip
    titles = cluster_titles(at.shown)
    cluster = line.selectbox(
        "Cluster", range(len(titles)), format_func=titles.__getitem__, placeholder="cluster…", width=130,
        label_visibility="collapsed", key=state.setting("review.cluster", None, (None, *range(len(titles)))),
    )  # fmt: skip
    to = "" if cluster is None else str(cluster)
    _button(line, at, rows, press, "move", "move", f"Move → {to or '…'}", "move_item", target=to, disabled=not to)


def _button(
    line: DeltaGenerator, at: Desk, rows: np.ndarray, press: str, name: str, kind: Kind, text: str, icon: str,
    target: str = "", disabled: bool = False, primary: bool = False, help: str | None = None,
) -> None:  # fmt: skip
    """Draw a button of one action.

    Its key holds the image, and of buttons that were drawn together one press counts: one that comes before the next image
    is drawn decides nothing of either.
    """
    looked = state.looked_at(at.images.fingerprint)[0]

    def act() -> None:
        if not state.is_new(PRESS, press):
            return
        try:
            made = choices(at.shown, at.found, rows, kind, target)
        except ExplorerError as error:
            state.note(reviewing.PROBLEM, str(error))
            return
        if reviewing.decide(at.images, made):
            state.look_at(at.images.fingerprint, looked, onward=True)
            state.change(WHOLE, False)

    line.button(
        components.plain(text), key=f"review.{name}.{rows[0]}.{len(rows)}", shortcut=KEYS[name], icon=f":material/{icon}:",
        disabled=disabled, on_click=act, type="primary" if primary else "secondary", help=help,
    )  # fmt: skip


def reversals(line: DeltaGenerator, at: Desk) -> None:
    """Draw undo and redo of this reviewer's actions."""
    back, forward = reviewing.can_undo(at.review)
    name = reviewing.reviewer()

    def reverse(step: Callable[[ImageSet], None], groups: tuple[str, ...]) -> None:
        step(at.images)
        rows = [row for row in at.review.members.get(groups[-1], ()) if isinstance(row, int)]
        if rows:
            state.look_at(at.images.fingerprint, rows[0], onward=step is reviewing.redo)

    line.button(
        "Undo", key="review.undo", shortcut=KEYS["undo"], icon=":material/undo:", disabled=not back,
        on_click=reverse, args=(reviewing.undo, at.review.done.get(name, ())),
        help=f"Take back the last decision of {components.plain(name)}.",
    )  # fmt: skip
    line.button(
        "Redo", key="review.redo", shortcut=KEYS["redo"], icon=":material/redo:", disabled=not forward,
        on_click=reverse, args=(reviewing.redo, at.review.taken_back.get(name, ())), help="Bring back what was undone last.",
    )  # fmt: skip

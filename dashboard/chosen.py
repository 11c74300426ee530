"""The one selection that all views share, and the images they show at all: changed, undone, found again after a reload.

It is kept per set of images, so that another map or other clusters leave it as it is. The address bar holds its key in
the store, not its images.
"""

import numpy as np

from core.errors import ConfigError
from core.images import ImageSet
from core.selection import Mode, combined, packed, unpacked
from core.store import key_of
from dashboard import server, state
from dashboard.state import History, Step

STAGE = "selection"
ADDRESS = "selection"
STEPS = 50  # that can be undone


def mask(found: ImageSet) -> np.ndarray:
    """Return which images are selected, bool (n,)."""
    return _unpacked(_now(found).bits, found)


def scope(found: ImageSet) -> np.ndarray:
    """Return which images are shown at all, bool (n,): all, unless `narrow` left the others out."""
    bits = _now(found).scope
    return np.ones(len(found), bool) if bits is None else _unpacked(bits, found)


def rows(found: ImageSet) -> np.ndarray:
    """Return the rows, int64 (k,), that the panels are of: the selected images, or all that are shown when none is."""
    selected = mask(found)
    return np.flatnonzero(selected if selected.any() else scope(found))


def pick(found: ImageSet, images: np.ndarray, mode: Mode = "replace") -> None:
    """Let images, bool (n,) or rows (k,), replace the selection, join it or leave it; those not shown stay out."""
    _become(found, combined(mask(found), images, mode) & scope(found), _now(found).scope)


def clear(found: ImageSet) -> None:
    """Select nothing."""
    _become(found, np.zeros(len(found), bool), _now(found).scope)


def invert(found: ImageSet) -> None:
    """Select the other images that are shown."""
    _become(found, ~mask(found) & scope(found), _now(found).scope)


def narrow(found: ImageSet) -> None:
    """Show the selected images alone, none of them selected."""
    selected = mask(found)
    if selected.any():
        _become(found, np.zeros(len(found), bool), packed(selected).tobytes())


def widen(found: ImageSet) -> None:
    """Show all images again; the selection stays."""
    _become(found, mask(found), None)


def undo(found: ImageSet, steps: int = 1) -> None:
    """Go back to the selection before; -1 goes forward again."""
    known = _history(found)
    at = min(max(known.at - steps, 0), len(known.steps) - 1)
    state.remember_history(found.fingerprint, History(known.steps, at))
    state.next_turn()
    _keep(found, known.steps[at])


def can_undo(found: ImageSet) -> tuple[bool, bool]:
    """Say whether there is a selection before this one, and one that was undone."""
    known = _history(found)
    return known.at > 0, known.at + 1 < len(known.steps)


def _become(found: ImageSet, new: np.ndarray, shown: bytes | None) -> None:
    known, step = _history(found), Step(packed(new).tobytes(), shown)
    state.next_turn()
    if step == known.steps[known.at]:
        return
    steps = (*known.steps[: known.at + 1], step)[-STEPS:]
    state.remember_history(found.fingerprint, History(steps, len(steps) - 1))
    _keep(found, step)


def _now(found: ImageSet) -> Step:
    known = _history(found)
    return known.steps[known.at]


def _unpacked(bits: bytes, found: ImageSet) -> np.ndarray:
    return unpacked(np.frombuffer(bits, np.uint8), len(found))


def _history(found: ImageSet) -> History:
    known = state.history(found.fingerprint)
    if known is not None and len(known.steps[0].bits) != -(-len(found) // 8):
        known = None  # of a file that says another number of images
    if known is None:
        known = History((_recalled(found),))
        state.remember_history(found.fingerprint, known)
    return known


def _keep(found: ImageSet, step: Step) -> None:
    """Write the selection to the store and its key into the address."""
    selected = _unpacked(step.bits, found)
    if step.scope is None and not selected.any():
        state.change_address(ADDRESS, None)
        return
    arrays = {"bits": packed(selected)}
    if step.scope is not None:
        arrays["scope"] = np.frombuffer(step.scope, np.uint8)
    key = key_of(2, found.fingerprint, step.bits.hex(), "" if step.scope is None else step.scope.hex())
    if not server.store().has(STAGE, key):
        info = {"images": found.fingerprint, "n": len(found), "selected": int(selected.sum())}
        server.store().put(STAGE, key, arrays, info, 0.0)
    state.change_address(ADDRESS, key)


def _recalled(found: ImageSet) -> Step:
    """Return the selection that the address names, when it is one of these images."""
    nothing = Step(packed(np.zeros(len(found), bool)).tobytes())
    key = state.address(ADDRESS)
    if key is None or len(key) > 64 or not key.isalnum():
        return nothing
    entry = server.store().get(STAGE, key)
    if entry is None or entry.info.get("images") != found.fingerprint:
        return nothing
    try:
        return checked_step(np.asarray(entry.arrays["bits"]), entry.arrays.get("scope"), len(found))
    except (ConfigError, KeyError):
        return nothing


def checked_step(bits: np.ndarray, shown: np.ndarray | None, n: int) -> Step:
    """Check bits that come from a file; what is not shown is not selected.

    Raises
    ------
    ConfigError : they are not of n images.
    """
    selected = unpacked(bits, n)
    if shown is None:
        return Step(packed(selected).tobytes())
    inside = unpacked(np.asarray(shown), n)
    if not inside.any():
        return Step(packed(selected).tobytes())
    return Step(packed(selected & inside).tobytes(), packed(inside).tobytes())

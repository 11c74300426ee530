"""The one selection that all views share: changed by picks, undone and redone, found again after a reload.

It is kept per set of images, so that another map or other clusters leave it as it is. The address bar holds its key in
the store, not its images.
"""

import numpy as np

from core.errors import ConfigError
from core.images import ImageSet
from core.selection import Mode, combined, packed, unpacked
from core.store import key_of
from dashboard import results, state
from dashboard.state import History

STAGE = "selection"
ADDRESS = "selection"
STEPS = 50  # that can be undone


def mask(found: ImageSet) -> np.ndarray:
    """Return which images are selected, bool (n,)."""
    known = _history(found)
    return unpacked(np.frombuffer(known.steps[known.at], np.uint8), len(found))


def pick(found: ImageSet, images: np.ndarray, mode: Mode = "replace") -> None:
    """Let images, bool (n,) or rows (k,), replace the selection, join it or leave it."""
    _become(found, combined(mask(found), images, mode))


def clear(found: ImageSet) -> None:
    """Select nothing."""
    _become(found, np.zeros(len(found), bool))


def invert(found: ImageSet) -> None:
    """Select the other images."""
    _become(found, ~mask(found))


def undo(found: ImageSet, steps: int = 1) -> None:
    """Go back to the selection before; -1 goes forward again."""
    known = _history(found)
    at = min(max(known.at - steps, 0), len(known.steps) - 1)
    state.remember_history(found.fingerprint, History(known.steps, at))
    state.next_turn()
    _keep(found, mask(found))


def can_undo(found: ImageSet) -> tuple[bool, bool]:
    """Say whether there is a selection before this one, and one that was undone."""
    known = _history(found)
    return known.at > 0, known.at + 1 < len(known.steps)


def _become(found: ImageSet, new: np.ndarray) -> None:
    known, bits = _history(found), packed(new).tobytes()
    state.next_turn()
    if bits == known.steps[known.at]:
        return
    steps = (*known.steps[: known.at + 1], bits)[-STEPS:]
    state.remember_history(found.fingerprint, History(steps, len(steps) - 1))
    _keep(found, new)


def _history(found: ImageSet) -> History:
    known = state.history(found.fingerprint)
    if known is not None and len(known.steps[0]) != -(-len(found) // 8):
        known = None  # of a file that says another number of images
    if known is None:
        known = History((packed(_recalled(found)).tobytes(),))
        state.remember_history(found.fingerprint, known)
    return known


def _keep(found: ImageSet, new: np.ndarray) -> None:
    """Write the selection to the store and its key into the address."""
    if not new.any():
        state.change_address(ADDRESS, None)
        return
    bits = packed(new)
    key = key_of(1, found.fingerprint, bits.tobytes().hex())
    if not results.store().has(STAGE, key):
        info = {"images": found.fingerprint, "n": len(found), "selected": int(new.sum())}
        results.store().put(STAGE, key, {"bits": bits}, info, 0.0)
    state.change_address(ADDRESS, key)


def _recalled(found: ImageSet) -> np.ndarray:
    """Return the selection that the address names, when it is one of these images."""
    nothing = np.zeros(len(found), bool)
    key = state.address(ADDRESS)
    if key is None or len(key) > 64 or not key.isalnum():
        return nothing
    entry = results.store().get(STAGE, key)
    if entry is None or entry.info.get("images") != found.fingerprint:
        return nothing
    try:
        return unpacked(np.asarray(entry.arrays["bits"]), len(found))
    except (ConfigError, KeyError):
        return nothing

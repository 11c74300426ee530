"""The review of a set of images in this session: read, added to, undone; other tabs and reviewers write to the same file."""

import getpass
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from core import corrections
from core.corrections import Review
from core.decisions import Choice
from core.errors import ExplorerError
from core.images import ImageSet
from core.plans import Results
from core.review_log import log_path
from dashboard import door, state

PROBLEM = "review.problem"


@dataclass
class _Newest:
    """The newest state of one review that this server has read."""

    review: Review


@st.cache_resource(max_entries=8, show_spinner=False)
def _newest(fingerprint: str, path: str) -> _Newest:
    return _Newest(Review())


def review(images: ImageSet) -> Review:
    """Return the review of a set of images as it is now, with what other tabs have decided.

    Raises
    ------
    ReviewError : its file cannot be read.
    """
    path = log_path(images.fingerprint)
    newest = _newest(images.fingerprint, str(path))
    newest.review = corrections.load(path, newest.review)
    return newest.review


def attached(shown: Results) -> Results:
    """Return results with their review as it is now; without one, and saying why, where it cannot be read."""
    try:
        return replace(shown, review=review(shown.images.value))
    except ExplorerError as error:
        state.note(PROBLEM, str(error))
        return shown


def seen(found: Review) -> bool:
    """Say whether this session has seen a review as it is now, or made it so itself; from now on it has."""
    return not state.is_new("review.seen", str(found.cursor))


def reviewer() -> str:
    """Return the name under which this session decides: of who logged in, where one must."""
    return door.name() or str(state.value("reviewer", "")).strip() or _user()


def _user() -> str:
    try:
        return getpass.getuser()[:80]
    except (OSError, KeyError, ImportError):  # a user without a name
        return "reviewer"


def decide(images: ImageSet, choices: Sequence[Choice]) -> bool:
    """Keep decisions as one action, and say whether they are kept. Only in a callback.

    What is wrong with them is said when the page runs again.
    """
    return _keep(images, lambda before: corrections.decide(log_path(images.fingerprint), before, choices, reviewer()))


def name_cluster(images: ImageSet, clustering: str, cluster: int, name: str, color: str) -> None:
    """Name and colour a cluster of the clustering with a store key. Only in a callback."""
    path = log_path(images.fingerprint)
    _keep(
        images,
        lambda before: corrections.name_cluster(path, before, clustering, cluster, name, color, reviewer()),
    )


def undo(images: ImageSet) -> None:
    """Take back this reviewer's last action. Only in a callback."""
    _keep(images, lambda before: corrections.undo(log_path(images.fingerprint), before, reviewer()))


def redo(images: ImageSet) -> None:
    """Bring back what this reviewer took back last. Only in a callback."""
    _keep(images, lambda before: corrections.redo(log_path(images.fingerprint), before, reviewer()))


def can_undo(found: Review) -> tuple[bool, bool]:
    """Say whether this reviewer has an action to undo, and one to redo."""
    return bool(found.done.get(reviewer())), bool(found.taken_back.get(reviewer()))


def _keep(images: ImageSet, change: Callable[[Review], Review]) -> bool:
    try:
        newest = _newest(images.fingerprint, str(log_path(images.fingerprint)))
        newest.review = change(review(images))
        seen(newest.review)
    except ExplorerError as error:
        state.note(PROBLEM, str(error))
        return False
    return True

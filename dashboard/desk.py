"""What a reviewer has in front of them: the ranking, what is decided, the queue of a filter, the image under review."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from core import analyses, corrections
from core.corrections import Review
from core.decisions import KINDS, Decision
from core.evidence import PARTS, Evidence, SuspectConfig
from core.images import ImageSet
from core.plans import Results, some
from core.review import cluster_titles
from core.suspects import Suspects, SuspectWeights, rank
from core.suspects_table import group_names
from dashboard import chosen, state
from dashboard.caches import cached

PAGE = 200  # lines of the queue
SKIP = KINDS.index("skip")
UNDECIDED, ALL, DECIDED, SKIPPED, DISPUTED, SELECTED = FILTERS = (
    "not decided", "all", "decided", "skipped", "disputed", "selected",
)  # fmt: skip
OPEN = (UNDECIDED, ALL, SELECTED)  # filters whose next image is the next that nobody has decided on


@dataclass(frozen=True, eq=False)
class Desk:
    """A queue and what there is to know of its n images.

    Parameters
    ----------
    names : of the groups that images can be in.
    places : int64 (n,), place of each image in the ranking, from 0.
    codes : int8 (n,), number in `KINDS` of what was decided of each image, -1 for nothing.
    disputed : bool (n,), whether reviewers do not agree. standing : the decision that stands, by row.
    selected : bool (n,).
    show : the filter. queue : int64 (m,), rows that pass it, best first.
    """

    shown: Results
    found: Suspects
    review: Review
    names: tuple[str, ...]
    places: np.ndarray
    codes: np.ndarray
    disputed: np.ndarray
    standing: Mapping[int, Decision]
    selected: np.ndarray
    show: str
    queue: np.ndarray

    @property
    def images(self) -> ImageSet:
        """The images that are reviewed."""
        return self.shown.images.value

    @property
    def of_labels(self) -> bool:
        """Whether there are labels that can be wrong; else images lie in the wrong cluster."""
        return self.found.evidence.of == "label"

    @property
    def threshold(self) -> float:
        """The score from which an image counts as a suspect."""
        return float(state.value("suspects.threshold", 0.5))


def weights(parts: Mapping[str, np.ndarray]) -> SuspectWeights:
    """Return how much each part counts in this session; what is not asked for counts as usual.

    Raises
    ------
    ConfigError : all weights are 0.
    """
    usual = asdict(SuspectWeights())
    asked = {name: float(state.value(f"suspects.weight.{name}", usual[name])) for name in PARTS if name in parts}
    return SuspectWeights(**(usual | asked))


def desk(shown: Results, evidence: Evidence, show: str) -> Desk:
    """Lay out the queue of a filter.

    Raises
    ------
    ConfigError : the weights leave nothing to rank by.
    """
    images, review = shown.images.value, shown.review or Review()
    counted = weights(evidence.parts)
    found, places = _ranked(f"{analyses.key(shown, SuspectConfig())} {counted}", evidence, counted)
    key = some(shown.clustering).key
    codes, disputed, standing = _standing(f"{images.fingerprint} {review.cursor} {key}", len(images), review, key)
    selected, there = chosen.mask(images), chosen.scope(images)
    passes = {
        UNDECIDED: codes < 0,
        ALL: there,
        DECIDED: (codes >= 0) & (codes != SKIP),
        SKIPPED: codes == SKIP,
        DISPUTED: disputed,
        SELECTED: selected,
    }[show]
    queue = found.order[(passes & there)[found.order]]
    names = group_names(shown, found) if found.evidence.of == "label" else cluster_titles(shown)
    return Desk(shown, found, review, names, places, codes, disputed, standing, selected, show, queue)


@cached(max_entries=8, show_spinner=False)
def _ranked(key: str, _evidence: Evidence, _weights: SuspectWeights) -> tuple[Suspects, np.ndarray]:
    found = rank(_evidence, _weights)
    places = np.empty(len(found.order), np.int64)
    places[found.order] = np.arange(len(places))
    return found, places


@cached(max_entries=4, show_spinner=False)
def _standing(
    stamp: str, n: int, _review: Review, _clustering: str
) -> tuple[np.ndarray, np.ndarray, Mapping[int, Decision]]:
    """Return `codes`, `disputed` and `standing` of a desk, as far as they speak of this clustering."""
    codes, disputed = np.full(n, -1, np.int8), np.zeros(n, bool)
    standing = {row: item for row, item in corrections.current_in(_review, _clustering).items() if row < n}
    for row, decision in standing.items():
        codes[row] = KINDS.index(decision.kind)
    disputed[[row for row in corrections.disputed(_review) if row < n]] = True
    return codes, disputed, standing


def current(at: Desk) -> int | None:
    """Return the row under review: the one looked at, after a decision the next in the queue; None where none is left.

    What others decide takes no image away from under a reviewer's hands.
    """
    fingerprint = at.images.fingerprint
    row, onward = state.looked_at(fingerprint)
    gone = row is not None and (row >= len(at.codes) or (at.show == SELECTED and not at.selected[row]))
    if row is None or gone:
        row = _next(at, -1)
    elif onward:
        row = _next(at, int(at.places[row]))
        if row is not None:
            state.change("suspects.page", int(np.flatnonzero(at.queue == row)[0]) // PAGE + 1)
    state.look_at(fingerprint, row)
    return row


def _next(at: Desk, place: int) -> int | None:
    """Return the first image of the queue behind a place in the ranking, else the first one at all."""
    waiting = at.queue[at.codes[at.queue] < 0] if at.show in OPEN else at.queue
    if not len(waiting) and at.show != UNDECIDED:
        waiting = at.queue
    if not len(waiting):
        return None
    behind = waiting[at.places[waiting] > place]
    return int(behind[0] if len(behind) else waiting[0])

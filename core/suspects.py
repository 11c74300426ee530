"""The queue of suspects: images that may be misassigned, ranked by one score of visible parts with movable weights."""

import math
from dataclasses import asdict, dataclass, fields

import numpy as np

from core.errors import ConfigError
from core.evidence import Evidence


@dataclass(frozen=True)
class SuspectWeights:
    """How much each part counts, each ≥ 0 and not all 0; only their proportions matter.

    Silhouette first, as it looks at the shape of a group near the image; then whom its neighbours and the nearest centroid
    name. The rest are hints: a cluster holds many classes where there are fewer clusters than shapes, and a wrong label
    changes neither the reconstruction nor the consensus nor the isolation of an image. Chosen by planting wrong labels at
    other seeds, rates and swaps than those that `tests/bench/planted.py` reports. Half or twice as much of any one moves the
    mean average precision there by less than 0.01; of the consensus that was not measured, as there was no ensemble.
    """

    majority: float = 0.1
    margin: float = 1.0
    silhouette: float = 4.0
    neighbours: float = 1.0
    error: float = 0.05
    consensus: float = 0.1
    isolation: float = 0.05

    def __post_init__(self) -> None:
        values = asdict(self)
        for name, value in values.items():
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"The weight of {name} must be 0 or more; it is {value:g}.")
        if not any(values.values()):
            raise ConfigError("All weights are 0; at least one part must count.")


@dataclass(frozen=True, eq=False)
class Suspects:
    """n images, ranked.

    Parameters
    ----------
    evidence : the parts behind the score.
    score : float32 (n,) in [0, 1], higher is more suspect.
    order : int64 (n,), rows by falling score, equal ones by row.
    suggested : int32 (n,), the label (or cluster) that the parts name, its own one where they do not outweigh it; -1 where
        an image has none and nothing is near.
    named_by : of each part that can name a group, whether it names the suggested one, bool (n,).
    """

    evidence: Evidence
    weights: SuspectWeights
    score: np.ndarray
    order: np.ndarray
    suggested: np.ndarray
    named_by: dict[str, np.ndarray]


def rank(evidence: Evidence, weights: SuspectWeights | None = None) -> Suspects:
    """Rank images by the weighted mean of their parts.

    The weights are those of the parts that this set has. A part that a single image lacks counts nothing against it, so that
    images without a label, or in no cluster, come last instead of first.

    Raises
    ------
    ConfigError : no part with a weight above 0 has any value here.
    """
    weights = weights or SuspectWeights()
    counted = {f.name: getattr(weights, f.name) for f in fields(weights) if f.name in evidence.parts}
    total = sum(counted.values())
    if total == 0:
        raise ConfigError(f"Only {', '.join(counted)} can be told of these images, and their weights are 0.")
    score = np.zeros(len(evidence.groups))
    for name, weight in counted.items():
        score += weight / total * np.nan_to_num(evidence.parts[name], nan=0.0)
    score = np.clip(score, 0, 1).astype(np.float32)
    suggested, named_by = _suggest(evidence, counted)
    return Suspects(evidence, weights, score, np.argsort(-score, kind="stable"), suggested, named_by)


def _suggest(evidence: Evidence, counted: dict[str, float]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The group with the most weight behind it, if that is half of all; a part's weight is its own times its value.

    Of images without a group values are not known, so that each part counts whole.
    """
    own = evidence.groups
    names = [name for name in evidence.rivals if counted[name] > 0]
    total = sum(counted[name] for name in names)
    pull = {
        name: counted[name] * np.where(own < 0, 1.0, np.nan_to_num(evidence.parts[name], nan=0.0)) for name in names
    }
    suggested, most = own.copy(), np.full(len(own), total / 2)
    most[own < 0] = 0
    for name in names:
        named = evidence.rivals[name]
        behind = np.zeros(len(own))
        for other in names:
            behind += np.where(evidence.rivals[other] == named, pull[other], 0)
        better = (named >= 0) & (behind > most)
        suggested[better], most[better] = named[better], behind[better]
    named_by = {name: (evidence.rivals[name] == suggested) & (suggested >= 0) for name in names}
    return suggested, named_by

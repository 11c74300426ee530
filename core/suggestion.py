"""How many clusters the scores of a sweep speak for, and why, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.sweep import LOWER, SCORES, Sweep

WEAK = 0.25  # a silhouette up to which there is no substantial structure (Kaufman and Rousseeuw, 1990)


@dataclass(frozen=True)
class Suggestion:
    """The k that the scores speak for, the one at the bend of the inertia (or None), and the reason in words."""

    k: int
    elbow: int | None
    reason: str


def suggest(found: Sweep) -> Suggestion:
    """Suggest the k with the smallest sum of ranks by silhouette, Calinski–Harabasz, Davies–Bouldin and stability.

    Of equal sums the smaller k. A score without meaning ranks last.
    """
    from scipy.stats import rankdata

    ranks = {}
    for name in SCORES:
        values = getattr(found, name)
        worth = np.where(np.isnan(values), -np.inf, values if name not in LOWER else -values)
        ranks[name] = rankdata(-worth, method="min")
    best = int(np.argmin(np.sum(list(ranks.values()), axis=0)))
    bend = elbow(found.ks, found.inertia)
    return Suggestion(
        int(found.ks[best]), bend, _reason(found, best, {name: int(r[best]) for name, r in ranks.items()}, bend)
    )


def elbow(ks: np.ndarray, inertia: np.ndarray) -> int | None:
    """Return the k whose inertia lies farthest below the line from the first to the last; None where none does.

    Both axes are scaled to 0..1 (Satopää, Albrecht, Irwin, Raghavan: Finding a "kneedle" in a haystack, 2011).
    """
    if len(ks) < 3 or not inertia[0] > inertia[-1]:
        return None
    x = (ks - ks[0]) / (ks[-1] - ks[0])
    y = (inertia - inertia[-1]) / (inertia[0] - inertia[-1])
    below = 1 - x - y  # √2 times the distance to the line from (0, 1) to (1, 0)
    best = int(np.argmax(below))
    return int(ks[best]) if below[best] > 1e-9 else None


def _reason(found: Sweep, best: int, ranks: Mapping[str, int], bend: int | None) -> str:
    """Say in words why this k."""
    k, m = int(found.ks[best]), len(found.ks)
    if m == 1:
        return f"k = {k} is the only one that was tried."
    first = [SCORES[name] for name, rank in ranks.items() if rank == 1]
    others = [f"{_ordinal(rank)} by {SCORES[name]}" for name, rank in ranks.items() if rank > 1]
    parts = [f"best by {_listed(first)}"] if first else []
    text = f"k = {k} is {_listed(parts + others)} among {m} tried; the four ranks added up, no other does better."
    if bend is not None:
        text += " The inertia bends there too." if bend == k else f" The inertia bends at k = {bend}."
    if best in (0, m - 1):
        text += f" It is the {'smallest' if best == 0 else 'largest'} that was tried: a wider range may show a better one."
    if found.silhouette[best] <= WEAK:
        text += (
            f" The silhouette of {found.silhouette[best]:.2f} is low: clusters touch, and no k separates them well."
        )
    return text


def _ordinal(number: int) -> str:
    words = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    if number in words:
        return words[number]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

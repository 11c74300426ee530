"""Why an image is suspect, in words: which parts speak against its place, and whom they name."""

from collections.abc import Sequence

import numpy as np

from core.suspects import Suspects

BORDER = 0.5  # of margin, silhouette and neighbours: above it the image lies with another group
TAIL = 0.9  # of ranks: above it an image is among the last tenth
DOUBT = 0.25  # of an ensemble's members


def reasons(found: Suspects, row: int, names: Sequence[str]) -> list[str]:
    """Return a sentence for each part that speaks against an image, those that count most in its score first.

    Parameters
    ----------
    names : of the groups.
    """
    told = []
    for part, values in found.evidence.parts.items():
        value = float(values[row])
        text = _sentence(found, part, row, value, names) if np.isfinite(value) else ""
        if text:
            told.append((getattr(found.weights, part) * value, f"{text} ({part} {value:.2f})."))
    return [text for _, text in sorted(told, key=lambda item: -item[0])]


def _sentence(found: Suspects, part: str, row: int, value: float, names: Sequence[str]) -> str:
    """Say what a part says against an image; "" when it says nothing."""
    of = found.evidence.of
    own = _named(of, int(found.evidence.groups[row]), names)
    other = _named(of, int(found.evidence.rivals[part][row]), names) if part in found.evidence.rivals else ""
    if part == "majority":
        return f"Most images of its cluster are of {other}" if value > 0 and other else ""
    if part in ("margin", "silhouette", "neighbours"):
        if value <= BORDER or not other:
            return ""
        return {
            "margin": f"The centroid of {other} is nearer than that of {own}",
            "silhouette": f"The nearest images of {other} are nearer than those of {own}",
            "neighbours": f"More of its neighbours are of {other} than of {own}",
        }[part]
    if part == "consensus":
        return f"{100 * value:.0f} % of the ensemble put it elsewhere" if value >= DOUBT else ""
    if value < TAIL:
        return ""
    if part == "error":
        whose = f"of {own}" if own else "of all"
        return f"It is reconstructed worse than {100 * value:.1f} % of the images {whose}"
    return f"Its neighbours are farther away than those of {100 * value:.1f} % of all images"


def _named(of: str, group: int, names: Sequence[str]) -> str:
    return f"{of} “{names[group]}”" if group >= 0 else ""

"""The pictures of what a review found, by name: each is drawn when it is asked for."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from core import duplicates, illustrations, picture_grids, pictures, review
from core.arrangement import arrange
from core.clustering import NOISE_NAME
from core.figures import MISSING
from core.findings import Findings
from core.matching import Agreement
from core.plans import some
from core.suggestion import suggest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = ("suspects", "map-suspects", "duplicates", "matrix", "sweep")  # all that there can be
GROUPS = 20  # of duplicates that are shown
LINE = 22  # letters over an image


def drawable(found: Findings, top: int) -> "Mapping[str, Callable[[], Figure]]":
    """Return a function for each picture that these findings allow, with the `top` most suspect images."""
    rows = found.ranked.order[:top]
    drawn: dict[str, Callable[[], Figure]] = {
        "suspects": partial(_suspects, found, rows),
        "map-suspects": partial(_map, found, rows),
    }
    if found.duplicates.groups:
        drawn["duplicates"] = partial(_duplicates, found)
    if found.agreement is not None:
        drawn["matrix"] = partial(_matrix, found, found.agreement)
    if found.sweep is not None:
        title = f"{found.results.images.value.name}: how many clusters"
        drawn["sweep"] = partial(picture_grids.sweep_curves, found.sweep, suggest(found.sweep), title)
    return drawn


def _suspects(found: Findings, rows: np.ndarray) -> "Figure":
    images, ranked = found.results.images.value, found.ranked
    of = ranked.evidence.of
    names = images.classes if of == "label" else tuple(map(str, range(some(found.results.clustering).value.k)))
    none = NOISE_NAME if of == "cluster" else MISSING
    titles = []
    for row in rows:
        own, other = int(ranked.evidence.groups[row]), int(ranked.suggested[row])
        said = names[own] if own >= 0 else none
        suggested = f"→ {names[other]}" if other not in (-1, own) else ""
        lines = [said, suggested] if len(said) + len(suggested) > LINE else [f"{said} {suggested}"]
        titles.append([*lines, f"{_end(images.ids[row])}: {ranked.score[row]:.2f}"])
    title = f"{images.name}: the {len(rows):,} most suspect of {len(images):,} images, {of} → suggested {of}"
    return picture_grids.image_grid(images.x[rows], titles, title)


def _end(id_: str) -> str:
    """Return the end of an id, where ids differ."""
    return id_ if len(id_) <= LINE - 6 else f"…{id_[7 - LINE :]}"


def _map(found: Findings, rows: np.ndarray) -> "Figure":
    bright = np.zeros(len(found.results.images.value), bool)
    bright[rows] = True
    of = "cluster" if found.agreement is None else "label"
    figure = illustrations.maps(found.results, bright)[f"map-2d-{of}-names"]()
    title = f"{found.results.images.value.name}: the {len(rows):,} most suspect of {len(bright):,} images, by {of}"
    pictures.literal(figure.axes[0].set_title(pictures.clean(title, 80)))
    return figure


def _duplicates(found: Findings) -> "Figure":
    images, groups = found.results.images.value, found.duplicates.groups
    shown = groups[:GROUPS]
    conflicts = [duplicates.conflicting(group, images.y) for group in shown]
    titles = []
    for number, (group, conflict) in enumerate(zip(shown, conflicts, strict=True), start=1):
        said = f"group {number}: {len(group.rows):,} images\n{group.kind}"
        titles.append(f"{said}, labels differ" if conflict else said)
    title = f"{images.name}: {len(shown)} of {len(groups):,} groups of duplicates"
    return picture_grids.group_rows([images.x[group.rows] for group in shown], titles, conflicts, title)


def _matrix(found: Findings, agreement: Agreement) -> "Figure":
    order, k = arrange(agreement), len(agreement.counts) - 1
    titles = [*review.cluster_titles(found.results), NOISE_NAME]
    names = [*found.results.images.value.classes, MISSING]
    of_cluster = np.append(agreement.one_to_one.of_cluster, -1)[order.rows]  # noise stands for nothing
    matched = (of_cluster[:, None] == order.columns[None]) & (of_cluster >= 0)[:, None] & (order.rows < k)[:, None]
    title = f"{found.results.images.value.name}: clusters × labels, one-to-one matches framed"
    if order.images_left_out:
        title += f"; {order.images_left_out:,} images in smaller ones are not shown"
    counts = agreement.counts[np.ix_(order.rows, order.columns)]
    return picture_grids.matrix(
        counts, [titles[i] for i in order.rows], [names[i] for i in order.columns], matched, title
    )

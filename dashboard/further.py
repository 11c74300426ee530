"""Columns that panels found out of the images: how isolated each is, and which label spreading proposes for it.

They are attached where they are already there; nothing is made here that takes long.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from core import analyses, outliers
from core.corrections import Review
from core.images import ImageSet
from core.neighbours import Graph, GraphConfig
from core.outliers import Isolation
from core.plans import Results
from core.spreading import Spread, SpreadConfig
from dashboard import analysed, drawn, state
from dashboard.caches import cached

ISOLATION, LABEL, CONFIDENCE = "Isolation", "Proposed label", "Proposal confidence"
TITLES = (ISOLATION, LABEL, CONFIDENCE)
REVIEWED = ("Decision", "Corrected label")  # columns that an undo may take away
USUAL_K = 15


def attached(shown: Results) -> Results:
    """Return results whose images have these columns as well, those that there are."""
    if shown.latents is None or shown.plan is None:
        return shown
    parts: list[object] = []
    columns: dict[str, np.ndarray] = {}
    if state.value("outliers.column", False):
        graph = analysed.look(shown, GraphConfig()).value
        if graph is not None:
            found = isolation(shown, graph, min(int(state.value("outliers.k", USUAL_K)), graph.k))
            parts.append(found)
            columns[ISOLATION] = found.lof if state.value("outliers.by") == "lof" else found.knn_distance
    names, config = asked(given(shown.review, len(shown.images.value)))
    proposed = None if config is None else analysed.look(shown, config).value
    if proposed is not None:
        parts.append((names, proposed))
        columns[LABEL] = np.asarray([*names, ""])[proposed.labels]  # -1 finds the last
        columns[CONFIDENCE] = proposed.confidence
    images = shown.images.value
    new = {name: values for name, values in columns.items() if name not in images.columns}
    if not new:
        return shown
    identities = (id(images), *(id(values[-1] if isinstance(values, tuple) else values) for values in parts))
    told = f"{identities} {sorted(new)} {state.value('outliers.by')} {names if proposed is not None else ''}"
    described, _ = _described(told, images, new, tuple(parts))
    return replace(shown, images=replace(shown.images, value=described))


def usable(shown: Results, title: str | None) -> str | None:
    """Return the title of a column to colour or shape by; None when it was one that comes and goes, and has gone."""
    if title not in (*TITLES, *REVIEWED):
        return title
    return title if title in {column.title for column in drawn.columns(shown)} else None


def isolation(shown: Results, graph: Graph, k: int) -> Isolation:
    """Return how isolated each image is among its k nearest."""
    return _isolation(f"{analyses.key(shown, GraphConfig())} {k}", graph, k)


@cached(max_entries=8, show_spinner=False)
def _isolation(key: str, _graph: Graph, k: int) -> Isolation:
    return outliers.isolation(_graph.first(k))


@cached(max_entries=4, show_spinner=False)
def _described(
    told: str, _images: ImageSet, _columns: Mapping[str, np.ndarray], _of: tuple[object, ...]
) -> tuple[ImageSet, tuple[object, ...]]:
    """Return images with further columns, always the same object, and what these came of, whose identities so stay taken."""
    return replace(_images, columns={**_images.columns, **_columns}), (_images, *_of)


def given(review: Review | None, n: int) -> dict[int, str]:
    """Return the labels that people gave images or confirmed, by row; those that a rule gave do not count."""
    found = {}
    for row, decision in sorted(() if review is None else review.current.items()):
        text = {"relabel": decision.new, "confirm": decision.new or decision.old}.get(decision.kind, "")
        if row < n and text and decision.by == "person" and not decision.clustering:
            found[row] = text
    return found


def asked(labels: Mapping[int, str]) -> tuple[tuple[str, ...], SpreadConfig | None]:
    """Return the classes of some labels, in order, and what spreads them; None for fewer than two classes."""
    names = tuple(sorted(set(labels.values())))
    if len(names) < 2:
        return names, None
    number = {name: i for i, name in enumerate(names)}
    return names, SpreadConfig(tuple((row, number[name]) for row, name in labels.items()), len(names))


def nothing_spread(n: int) -> Spread:
    """Return what is proposed for n images while too few are labelled: nothing."""
    return Spread(np.full(n, -1), np.zeros(n, np.float32), np.zeros((n, 1), np.float32), 0, True)

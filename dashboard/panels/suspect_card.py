"""One suspect: its pictures, why it is suspect, what was decided of it, its neighbours and the medoids of its groups."""

import html
from collections.abc import Sequence

import numpy as np
import streamlit as st

from core import analyses, cluster_cards, neighbours
from core.clustering import NOISE_NAME
from core.decisions import Decision
from core.evidence import SuspectConfig
from core.neighbours import GraphConfig
from core.plans import some
from core.reasons import reasons
from core.review import cluster_titles
from dashboard import analysed, components
from dashboard.components import Picture
from dashboard.desk import Desk
from dashboard.panels import pictures

SIDE, SMALL = 88, 62  # pixels, so that a row fits beside the map
NEAR = 8


def show(at: Desk, row: int) -> None:
    """Draw the image under review."""
    head = [
        f"**{components.plain(at.images.ids[row])}**",
        *map(components.plain, _places(at, row)),
        f"rank {int(at.places[row]) + 1:,}",
        f"score {at.found.score[row]:.3f}",
    ]
    st.markdown(" · ".join(head))
    _history(at, row)
    own = [
        Picture([picture], [name])
        for name, picture in zip(pictures.PARTS, pictures.pictures(at.shown, row, pictures.PARTS), strict=False)
    ]
    components.gallery([*own, *_medoids(at, row)], side=SIDE)
    st.caption("Its neighbours in latent space, nearest first")
    components.gallery([_picture(at, other) for other in _near(at, row)], side=SMALL)
    why = reasons(at.found, row, at.names) or ["No part speaks against its place."]
    st.html(f'<ul class="ee-reasons">{"".join(f"<li>{html.escape(text)}</li>" for text in why)}</ul>')


def _places(at: Desk, row: int) -> list[str]:
    """Say which label and which cluster an image has."""
    cluster = int(some(at.shown.clustering).value.labels[row])
    told = [f"cluster {cluster_titles(at.shown)[cluster]}" if cluster >= 0 else NOISE_NAME]
    if at.of_labels:
        label = int(at.found.evidence.groups[row])
        told.insert(0, f"label {at.names[label]}" if label >= 0 else "no label")
    return told


def _history(at: Desk, row: int) -> None:
    """Say what was decided of an image, and by whom where reviewers do not agree."""
    standing = at.standing.get(row)
    if at.disputed[row]:
        told = "; ".join(_said(item) for item in at.review.of(row))
        st.warning(components.plain(f"Disputed. {told}."), icon=":material/forum:")
    elif standing is not None:
        st.caption(components.plain(f"Decided: {_said(standing)}."))


def _said(decision: Decision) -> str:
    what = f"{decision.kind} → {decision.new}" if decision.kind in ("relabel", "move") else decision.kind
    who = f"{decision.reviewer}, by rule" if decision.by == "rule" else decision.reviewer
    return f"{who}: {what} ({decision.time[:16].replace('T', ' ')} UTC)"


def _medoids(at: Desk, row: int) -> list[Picture]:
    """Return the medoids of the groups that an image is in, and of the one suggested."""
    own, suggested = int(at.found.evidence.groups[row]), int(at.found.suggested[row])
    of = at.found.evidence.of
    asked = [(f"medoid of its {of}", of, own)]
    if at.of_labels:
        asked.append(("medoid of its cluster", "cluster", int(some(at.shown.clustering).value.labels[row])))
    if suggested != own:
        asked.append((f"medoid of the suggested {of}", of, suggested))
    found = []
    for text, kind, group in asked:
        middle = None if group < 0 else _medoid(at, kind, group)
        if middle is not None:
            name = at.names[group] if kind == of else cluster_titles(at.shown)[group]
            found.append(Picture([np.asarray(at.images.x[middle])], [f"{text} {name}"]))
    return found


def _medoid(at: Desk, kind: str, group: int) -> int | None:
    groups = at.found.evidence.groups if kind == at.found.evidence.of else some(at.shown.clustering).value.labels
    key = f"{analyses.key(at.shown, SuspectConfig())} {kind}"
    return _cached_medoid(key, group, some(at.shown.latents).value.latents, groups)


@st.cache_data(max_entries=1000, show_spinner=False)
def _cached_medoid(key: str, group: int, _latents: np.ndarray, _groups: np.ndarray) -> int | None:
    return cluster_cards.medoid_of(_latents, _groups, group)


def _near(at: Desk, row: int) -> Sequence[int]:
    """Return an image's nearest others: of the graph that the suspects were found with, where the store still has it."""
    graph = analysed.look(at.shown, GraphConfig()).value
    if graph is not None:
        return [int(other) for other in graph.rows[row, :NEAR]]
    latents = some(at.shown.latents).value.latents
    return [int(other) for other in neighbours.nearest(latents, latents[row], NEAR, without=np.array([row])).rows]


def _picture(at: Desk, row: int) -> Picture:
    group = int(at.found.evidence.groups[row])
    lines = [at.names[group] if group >= 0 else "–"]
    if at.of_labels:
        cluster = int(some(at.shown.clustering).value.labels[row])
        lines.append(f"cluster {cluster}" if cluster >= 0 else NOISE_NAME)
    return Picture([np.asarray(at.images.x[row])], lines)

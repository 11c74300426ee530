"""The maps and the panels beside or below them: what runs again by itself after a pick and while a job is polled."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import streamlit as st

from core import report
from core.figures import MapSpec
from core.plans import Results, some
from core.selection import Pick, picked
from dashboard import (
    beside,
    chosen,
    components,
    drawn,
    further,
    moves,
    reviewing,
    scenes,
    server,
    sessions,
    state,
    takeaway,
)
from dashboard.panels import (
    cards,
    charts,
    duplicates,
    labels,
    matrix,
    neighbours,
    outliers,
    pictures,
    suspects,
    sweep,
    table,
    toolbar,
    walks,
)
from dashboard.scatter import scatter
from dashboard.scenes import Scene
from dashboard.sidebar import display

PANELS: Mapping[str, Callable[[Results], None]] = {
    "Pictures": pictures.show,
    "Table": table.show,
    "Histograms": charts.show,
    "Neighbours": neighbours.show,
    "Walks": walks.show,
    matrix.NAME: matrix.show,
    "Choose k": sweep.show,
    "Cluster cards": cards.show,
    "Suspects": suspects.show,
    "Outliers": outliers.show,
    "Duplicates": duplicates.show,
    "Few labels": labels.show,
}


def show(scene: Scene, drawing: display.Display, job_name: str | None) -> None:
    """Draw progress, map and selection; runs alone while a job is polled and after a selection."""
    job = server.jobs().get(job_name) if job_name is not None else None
    shown = scene.shown
    if scene.missing is not None:
        shown = scenes.pending(scene, job)
    shown = further.attached(reviewing.attached(shown))
    problem = state.taken(reviewing.PROBLEM)
    if problem:
        st.error(components.plain(problem), icon=":material/error:")
    others = beside.found(scene.beside, shown)
    company = beside.company(shown, others) if beside.fading() or beside.lines() else None
    within = chosen.scope(shown.images.value)
    placed = scenes.formed(scene, job)
    if placed is not None:
        st.caption(f"{len(placed):,} images so far; the others are placed among them once their map is done.")
        within = within & np.isin(np.arange(len(within)), placed)
    only = None if within.all() else np.flatnonzero(within)

    def spec_of(found: Results) -> MapSpec:
        return drawn.map_spec(
            found,
            color=company.title if company is not None and beside.fading() else further.usable(found, drawing.color),
            symbol=further.usable(found, drawing.symbol),
            point_size=drawing.point_size,
            opacity=drawing.opacity,
            crowd=drawing.crowd,
            pictures=drawing.pictures,
            limit=report.MAX_3D if report.dimensions(found) == 3 else None,
            only=only,
            further=() if company is None else (company,),
        )

    spec = spec_of(shown)
    if len(spec.rows) < within.sum():
        st.caption(f"{len(spec.rows):,} of {int(within.sum()):,} images are drawn in 3-D, chosen at random.")
    if shown.latents is not None and shown.latents.value.reconstructions is None:
        st.caption("A classifier makes no reconstructions: under the mouse is the image alone.")
    images = shown.images.value

    def pick(on: MapSpec, drawn: Pick) -> None:
        chosen.pick(images, picked(drawn, on.coordinates, on.rows, on.groups), drawn.mode)

    options: dict[str, Any] = {
        "sheets": drawn.sheets_of(shown), "selected": chosen.mask(images), "mode": toolbar.mode(),
        "radius": toolbar.radius(), "turn": state.turn(),
    }  # fmt: skip
    maps_place, panels_place = components.workbench()
    with maps_place:
        toolbar.show(shown)
        places = beside.cells(1 + len(others), int(chosen.mask(images).sum()), report.dimensions(shown) == 2)
        with places[0]:
            if others:
                beside.heading(report.title_of(scene.drawn), shown)
            scatter(
                spec, key="map", on_pick=lambda drawn: pick(spec, drawn), view=state.value("camera"), on_view=_moved,
                mark=state.placed(some(shown.model).value.fingerprint, report.dimensions(shown)), small=bool(others),
                link=(0, beside.lines()) if others else None, **options,
            )  # fmt: skip
        if scene.missing is None:
            moves.caption(scene.shown)
        if others:
            beside.draw(others, places[1:], spec_of, shown, pick, options)
        told = report.fitted_line(shown)
        if told is not None:
            st.caption(told)
    with panels_place:
        name = st.pills(
            "Panel", tuple(PANELS), format_func=lambda name: matrix.title(name, shown),
            key=state.setting("panel", next(iter(PANELS)), PANELS), label_visibility="collapsed",
        )  # fmt: skip
        name = name or next(iter(PANELS))
        # Each panel has a place of its own, so that nothing of another one stays on the page.
        places_of = {each: st.container() if each == name else st.empty() for each in PANELS}
        with places_of[name]:
            PANELS[name](shown)
    if not scene.unfinished:
        takeaway.pictures_panel(scene.shown)
    sessions.write_address()


def _moved(view: Any) -> None:
    """Remember where the reader is on the map, so that a link opens it there."""
    if sessions.camera(view):
        state.change("camera", dict(view))
        sessions.write_address()

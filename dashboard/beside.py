"""Further maps of the same images beside the main one: laid over it, with one hover and one selection."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import quality
from core.alignment import aligned, shared_neighbours
from core.config import KernelPCAConfig, PCAConfig, ProjectionConfig, TSNEConfig, UMAPConfig
from core.errors import ExplorerError
from core.figures import MapSpec, Number
from core.plans import ModelRef, Plan, Results, some
from core.selection import Pick
from dashboard import components, results, scenes, server, state
from dashboard.scatter import scatter
from dashboard.sidebar import maps
from dashboard.sidebar.maps import MAPS

MOST = 3
MOST_LINES = 300  # as in scatter/links.js
CONFIGS: dict[str, Callable[[int], ProjectionConfig]] = {
    "tsne": TSNEConfig,
    "umap": UMAPConfig,
    "pca": PCAConfig,
    "kernel-pca": KernelPCAConfig,
}
COMPANY = "Company kept"


@dataclass(frozen=True)
class Other:
    """A further map: its plan, a name for people, and its results laid over the main map, None while it is made."""

    plan: Plan
    name: str
    shown: Results | None


def choose(plan: Plan, texts: dict[ModelRef, str], n: int) -> tuple[tuple[Plan, str], ...]:
    """Choose the further maps in the sidebar: other methods of this model, and this method of other models, of n images."""
    options = {f"map {name}": title for name, title in MAPS.items()}
    models = {f"model {text}": ref for ref, text in texts.items()}
    with st.expander("Side by side"):
        found = st.multiselect(
            "Maps beside this one", (*options, *models), format_func=lambda option: options.get(option, option),
            max_selections=MOST, key=state.kept("beside", [], (*options, *models)),
            help="They are turned and scaled to lie like this one; hover and selection are shared. Methods have defaults.",
        )  # fmt: skip
    plans = []
    for option in found:
        if option in models:
            # Of another map only the places are drawn, so that its clusters need not be like this one's.
            other = replace(plan, model=models[option], cluster=scenes.quick_clusters(plan), others=(), start=None)
            plans.append((other, texts[models[option]]))
        else:
            config = CONFIGS[option.removeprefix("map ")](plan.projection.n_components)
            if isinstance(config, TSNEConfig | UMAPConfig):
                config = replace(config, sample=maps.usual_sample(n))
            plans.append((replace(plan, projection=config, others=(), start=None), options[option]))
    return tuple(plans)


def found(chosen: tuple[tuple[Plan, str], ...], shown: Results) -> list[Other]:
    """Find the further maps; one that is not there yet is made by a job, at once when it is quick."""
    others = []
    main = some(shown.projection).value.coordinates
    for plan, name in chosen:
        look = results.look(plan)
        if look.missing is not None or look.results is None:
            others.append(Other(plan, name, None))
            if (
                look.missing is not None
                and look.seconds <= results.LIVE_SECONDS
                and server.job_for(plan, look.missing) is None
            ):
                server.start(plan, look.missing)
            continue
        projection = some(look.results.projection)
        value = replace(projection.value, coordinates=aligned(main, projection.value.coordinates))
        own = replace(
            look.results,
            projection=replace(projection, value=value, key=f"{projection.key} on {some(shown.projection).key}"),
        )
        others.append(Other(plan, name, own))
    return others


def fading() -> bool:
    """Say whether images that keep their company are to be told from those that do not."""
    return bool(state.value("beside.company", False))


def lines() -> bool:
    """Say whether lines lead from the first map to the second."""
    return bool(state.value("beside.lines", False))


def company(shown: Results, others: list[Other]) -> Number | None:
    """Return how far each image keeps its ten nearest from the main map to the first of the others."""
    there = [other.shown for other in others if other.shown is not None]
    if not there:
        return None
    first, second = some(shown.projection), some(there[0].projection)
    values = _company(f"{first.key} {second.key}", first.value.coordinates, second.value.coordinates)
    return None if values is None else Number(COMPANY, values)


@st.cache_data(max_entries=20, show_spinner="Comparing neighbours…")
def _company(key: str, _first: np.ndarray, _second: np.ndarray) -> np.ndarray | None:
    return shared_neighbours(_first, _second)


@st.cache_data(max_entries=50, show_spinner="Scoring maps…")
def _trust(key: str, _values: np.ndarray, _coordinates: np.ndarray) -> dict[str, float | None]:
    kept = shared_neighbours(_values[:: _every(_values)], _coordinates[:: _every(_values)])
    return {
        "trustworthiness": quality.trustworthiness(_values, _coordinates),
        "continuity": quality.continuity(_values, _coordinates),
        "neighbours kept": None if kept is None else float(kept.mean()),
    }


def _every(values: np.ndarray) -> int:
    return max(1, len(values) // 5000)  # of a sample, as all pairs in many dimensions take long


def scores_line(shown: Results) -> str:
    """Write how far a map can be trusted, in one line."""
    reduced, projection = some(shown.reduced), some(shown.projection)
    found = _trust(f"{reduced.key} {projection.key}", reduced.value.values, projection.value.coordinates)
    of = [] if projection.value.fitted is None else [f"fitted on {projection.value.fitted:,} images"]
    return ", ".join([*of, *(f"{name} {value:.3f}" for name, value in found.items() if value is not None)])


def cells(count: int, selected: int, flat: bool) -> list[DeltaGenerator]:
    """Return a place for each map: the whole width for one, else rows of two.

    Parameters
    ----------
    selected : how many images are. flat : whether the maps have two dimensions.
    """
    if count == 1:
        return [st.container()]
    line = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    line.toggle(
        "Colour by company kept", key=state.setting("beside.company", False),
        help="The share of an image's ten nearest on the first map that are among its ten nearest on the second: dark ones "
        "keep other company.",
    )  # fmt: skip
    line.toggle(
        "Lines from the first map to the second", key=state.setting("beside.lines", False), disabled=not flat,
        help="Of the selected images, and of the one under the mouse: orange where it keeps other company on the second map, "
        f"gray where it keeps the same. Of more than {MOST_LINES} those that keep the least company. In 2-D.",
    )  # fmt: skip
    if flat and lines():
        line.caption(
            f"{min(selected, MOST_LINES):,} of {selected:,} selected images have a line."
            if selected
            else "Select images, or point at one, to see where they lie on the second map."
        )
    places: list[DeltaGenerator] = []
    while len(places) < count:
        places += st.columns(2)
    return places[:count]


def heading(name: str, shown: Results) -> None:
    """Write above a map what it is and how far it can be trusted."""
    st.markdown(f"**{components.plain(name)}**")
    st.caption(scores_line(shown))


def draw(others: list[Other], places: list[DeltaGenerator], spec_of: Callable[[Results], MapSpec], shown: Results,
         on_pick: Callable[[MapSpec, Pick], None], options: dict[str, Any]) -> None:  # fmt: skip
    """Draw the further maps, each in its place."""
    for number, (other, place) in enumerate(zip(others, places, strict=True)):
        with place:
            if other.shown is None:
                st.markdown(f"**{components.plain(other.name)}**")
                _missing(other.plan)
                continue
            try:
                own = replace(shown, projection=other.shown.projection)
                spec = spec_of(own)
            except ExplorerError as error:
                components.problem(error)
                continue
            heading(other.name, other.shown)
            scatter(
                spec,
                key=f"map.{number + 2}",
                on_pick=partial(on_pick, spec),
                small=True,
                link=(1, lines()) if number == 0 else None,
                **options,
            )


def _missing(plan: Plan) -> None:
    look = results.look(plan)
    if look.missing is None:
        st.rerun()
    job = server.job_for(plan, look.missing)
    if job is not None and job.active:
        components.watch(job)
    elif job is not None and job.state in ("failed", "cancelled"):
        components.job_ended(job)
    elif st.button(f"Make it (about {components.duration(look.seconds)})", key=f"make.{plan!r:.200}"):
        server.start(plan, look.missing)
        st.rerun()

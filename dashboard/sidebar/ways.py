"""The way from latents to clusters as one choice, the UMAP that clusters may be on, and what a way has done."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import ways
from core.config import MANIFOLD, ReductionConfig, UMAPConfig
from core.plans import Results
from core.ways import WAYS, Way
from dashboard import components, state
from dashboard.sidebar import maps, methods

OWN = "own"
NAMES = (*WAYS, OWN)
MOST_DIMENSIONS = 50


def choose(n: int) -> Way | None:
    """Choose the way of n images from latents to clusters; None for settings of one's own, which begin as the way's."""
    key = _setting(n)
    st.selectbox(
        "Way to clusters", NAMES, format_func=lambda name: "own settings" if name == OWN else WAYS[name].title, key=key,
        on_change=_leave, args=(key, chosen(n)),
        help="\n".join(f"- **{way.title}**: {way.summary}. Why: {way.reason}." for way in WAYS.values())
        + "\n- **own settings**: every step by itself, from what was chosen before.",
    )  # fmt: skip
    return chosen(n)


def chosen(n: int) -> Way | None:
    """Return the way that is chosen for n images, before or after it is drawn; None for settings of one's own."""
    return WAYS.get(state.value(_setting(n).removeprefix(state.PREFIX)))


def reduction(n: int, d: int) -> ReductionConfig | None:
    """Return what the chosen way does first to n × d latents; None where that is chosen with the map."""
    way = chosen(n)
    return None if way is None else ways.reduction_of(way, n, d)


def tell(place: DeltaGenerator, shown: Results) -> None:
    """Say how the clusters that are shown came about."""
    if shown.plan is not None and shown.clustering is not None:
        place.caption(components.plain(" → ".join(ways.steps(shown.plan, shown))))


def manifold(n: int) -> UMAPConfig:
    """Choose the UMAP that gives n images the coordinates which are clustered."""
    return UMAPConfig(
        st.slider(
            "UMAP dimensions", 1, MOST_DIMENSIONS, key=state.setting("manifold.n_components", MANIFOLD.n_components),
            help="Nobody looks at them, so they may be more than a map's: neighbours need not be torn apart.",
        ),
        maps.up_to(
            "UMAP n_neighbors", "manifold.n_neighbors", MANIFOLD.n_neighbors, n - 1,
            "How many near images shape each one's place: few find small groups, many large ones.",
        ),
        st.slider(
            "UMAP min_dist", 0.0, 1.0, step=0.05, key=state.setting("manifold.min_dist", MANIFOLD.min_dist),
            help="How close images may come: 0 packs clusters densely.",
        ),
        st.selectbox("UMAP metric", maps.METRICS, key=state.setting("manifold.metric", MANIFOLD.metric)),
        st.number_input("UMAP seed", 0, 2**31, key=state.setting("manifold.seed", MANIFOLD.seed)),
        maps.sample("Fit UMAP on at most", "manifold", n, "Quicker, and coarser."),
    )  # fmt: skip


def settings(way: str = OWN, config: UMAPConfig = MANIFOLD) -> dict[str, Any]:
    """Return what the widgets show for a way by its name and for a UMAP, by setting."""
    found = {
        f"manifold.{name}": getattr(config, name)
        for name in ("n_components", "n_neighbors", "min_dist", "metric", "seed")
    }
    sample = {"manifold.sample": config.sample, "manifold.sample.many": config.sample}
    return {"way": way, "way.many": way, **found, **sample}


def _setting(n: int) -> str:
    """Return the widget key of the way; of many images one of its own, which begins with another one."""
    return state.setting("way.many" if n > ways.MANY else "way", ways.usual(n).name, NAMES)


def _leave(key: str, before: Way | None) -> None:
    """Let settings of one's own begin as the way's that was chosen before."""
    if before is None or state.widget(key) != OWN:
        return
    found = {"on": before.cluster.on, **methods.settings(before.cluster.method)}
    if before.reduction is not None:
        found |= maps.reduction_settings(before.reduction)
    for name, value in (found | settings(config=before.cluster.manifold)).items():
        state.change(name, value)

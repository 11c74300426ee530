"""Choose k: the clustering tried with several numbers of clusters, scored, and one of them suggested."""

from typing import Any

import numpy as np
import streamlit as st

from core import palettes
from core.config import clusters_of
from core.plans import Results
from core.suggestion import Suggestion, suggest
from core.sweep import EXPLANATIONS, Sweep, SweepConfig
from dashboard import analysed, state
from dashboard.sidebar.clusters import MAX_CLUSTERS

STEPS = (1, 2, 5, 10)
CURVES = {  # title by score
    "inertia": "Inertia (bend)",
    "silhouette": "Silhouette (higher is better)",
    "calinski_harabasz": "Calinski–Harabasz (higher)",
    "davies_bouldin": "Davies–Bouldin (lower)",
    "stability": "Stability (higher)",
}


def show(shown: Results) -> None:
    """Draw which k are tried, the scores of each, and the suggestion."""
    plan, n = shown.plan, len(shown.images.value)
    if plan is None or clusters_of(plan.cluster.method) is None:
        st.info("This method finds the number of clusters itself, so there is no k to choose.")
        return
    if n < 3:
        st.info(f"{n} images leave no k to choose.")
        return
    config = SweepConfig(plan.cluster.method, _asked(min(MAX_CLUSTERS, n - 1)))
    found = analysed.value_of(shown, config, f"Try k = {config.ks[0]} to {config.ks[-1]}")
    if found is None:
        st.caption(
            "Clusters these images once for each k, and again for five random draws of 80 % of them, as stable clusters come "
            "out alike."
        )
        return
    suggestion = suggest(found)
    text, button = st.columns([6, 1], vertical_alignment="center")
    text.markdown(f"**Suggested: k = {suggestion.k}.** {suggestion.reason}")
    name = state.k_setting()
    if name is not None and button.button(
        f"Use k = {suggestion.k}", key="sweep.use", type="primary", width="stretch", on_click=state.change,
        args=(name, suggestion.k),
    ):  # fmt: skip
        st.rerun()  # the slider is not in this fragment
    st.plotly_chart(
        _figure(found, suggestion), key="sweep.curves", theme="streamlit", config={"displayModeBar": False}
    )
    if found.fitted < found.n:
        st.caption(f"Clustered were {found.fitted:,} of the {found.n:,} images, drawn at random.")
    if found.note:
        st.caption(found.note)
    with st.expander("What the scores mean"):
        for score, title in CURVES.items():
            st.markdown(f"**{title.split(' (')[0]}**: {EXPLANATIONS[score]}")


def _asked(limit: int) -> tuple[int, ...]:
    """Choose the numbers of clusters to try, in 2..limit."""
    first, last, step, _ = st.columns([2, 2, 2, 6])
    low = first.number_input("From k", 2, limit, key=state.bounded("sweep.first", 2, 2, limit))
    high = last.number_input("To k", int(low), limit, key=state.bounded("sweep.last", 15, int(low), limit))
    by = step.selectbox("Step", STEPS, key=state.setting("sweep.step", 1, STEPS))
    return tuple(range(int(low), int(high) + 1, by))


def _figure(found: Sweep, suggestion: Suggestion) -> Any:
    """Draw one small chart a score; a line and a diamond mark the suggested k, so that colour is not needed."""
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    blue, orange = palettes.categorical(6)[0], palettes.categorical(6)[5]
    figure = make_subplots(rows=2, cols=3, subplot_titles=list(CURVES.values()), vertical_spacing=0.25)
    at = found.ks == suggestion.k
    for place, name in enumerate(CURVES):
        values = getattr(found, name)
        where = {"row": place // 3 + 1, "col": place % 3 + 1}
        finite = np.where(np.isfinite(values), values, None)
        hover = "k = %{x}<br>%{y:.4g}<extra></extra>"
        figure.add_trace(
            Scatter(
                x=found.ks, y=finite, mode="lines+markers", line={"color": blue, "width": 2}, marker={"size": 5},
                hovertemplate=hover,
            ),
            **where,
        )  # fmt: skip
        figure.add_trace(
            Scatter(
                x=found.ks[at], y=finite[at], mode="markers", hovertemplate=hover,
                marker={"symbol": "diamond", "size": 12, "color": orange},
            ),
            **where,
        )  # fmt: skip
        figure.add_vline(suggestion.k, line={"dash": "dash", "width": 1, "color": orange}, **where)
    figure.update_layout(height=460, showlegend=False, margin={"l": 10, "r": 10, "t": 40, "b": 10})
    figure.update_xaxes(tickformat="d")
    figure.update_xaxes(title_text="k", row=2)
    figure.update_xaxes(title_text="k", row=1, col=3)
    return figure

"""A Streamlit page with nothing but a map and a button that colours it otherwise; `-- plotly` or `-- ours` says whose map."""

import sys
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import streamlit as st

from core import figures, palettes

POINTS, GROUPS = 70_000, 10
NAMES = {"Label": tuple("0123456789"), "Cluster": tuple("abcdefghij")}


@st.cache_resource
def maps() -> dict[str, figures.MapSpec]:
    """Return the same dots in two colourings."""
    random = np.random.default_rng(0)
    group = random.integers(0, GROUPS, POINTS).astype(np.int32)
    xy = (random.normal(0, 6, (GROUPS, 2))[group] + random.normal(0, 1, (POINTS, 2))).astype(np.float32)
    rows = np.arange(POINTS, dtype=np.int32)
    made = {}
    for title, codes in (("Label", group), ("Cluster", random.integers(0, GROUPS, POINTS).astype(np.int32))):
        color = figures.Category(title, codes, NAMES[title])
        made[title] = figures.MapSpec(xy, rows, color, None, (), None, ("1", "2"), "bench", None)
    return made


@st.cache_resource
def folder() -> Path:
    """Return a folder without sheets of pictures."""
    return Path(mkdtemp(prefix="embedding-explorer-bench-"))


def plotly(spec: figures.MapSpec) -> None:
    """Draw a map as a plain script does: one trace a group, with the rows of its dots."""
    from plotly import graph_objects as go

    assert isinstance(spec.color, figures.Category)
    figure = go.Figure()
    for k, (name, color) in enumerate(zip(spec.color.names, palettes.categorical(GROUPS), strict=True)):
        rows = np.flatnonzero(spec.color.codes == k)
        x, y = spec.coordinates[rows].T
        look = {"color": color, "size": spec.point_size, "opacity": spec.opacity}
        figure.add_trace(go.Scattergl(x=x, y=y, customdata=rows, mode="markers", name=name, marker=look))
    st.plotly_chart(figure.update_layout(height=550), key="map")


def ours(spec: figures.MapSpec) -> None:
    """Draw a map with the dashboard's component."""
    from dashboard.scatter import scatter

    scatter(spec, sheets=folder(), key="map", selected=np.zeros(POINTS, bool), on_pick=lambda pick: None)


if __name__ == "__main__":
    st.set_page_config(layout="wide")
    st.session_state.setdefault("by", "Label")
    other = "Cluster" if st.session_state.by == "Label" else "Label"
    st.button("Other colours", on_click=st.session_state.__setitem__, args=("by", other))
    {"plotly": plotly, "ours": ours}[sys.argv[1]](maps()[st.session_state.by])

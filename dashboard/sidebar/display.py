"""How points are drawn, and what is known of the results."""

from dataclasses import dataclass

import streamlit as st

from core.plans import Results
from dashboard import components, results, server, state, welcome

STAGE_TITLES = {
    "latents": "Latents",
    "reduced": "Reduced latents",
    "manifold": "UMAP coordinates",
    "projection": "Map",
    "clustering": "Clusters",
}


@dataclass(frozen=True)
class Display:
    """How points are drawn: columns that colour and shape them, size in pixels, opacity in (0, 1]."""

    color: str
    symbol: str | None
    point_size: float
    opacity: float
    crowd: bool = True
    pictures: bool = True


def choose(colors: tuple[str, ...], symbols: tuple[str, ...], dims: int) -> Display:
    """Choose how points are drawn; names are those of the columns there are."""
    st.subheader("Display")
    color = st.selectbox("Colour by", colors, key=state.setting("color", colors[0], colors))
    symbol = st.selectbox(
        "Shape by", ("nothing", *symbols), key=state.setting("symbol", "nothing", ("nothing", *symbols))
    )
    left, right = st.columns(2)
    size = left.slider("Point size", 1, 15, key=state.setting("point_size", 5))
    opacity = right.slider(
        "Opacity", 0.1, 1.0, step=0.05, key=state.setting("opacity", 0.8), disabled=dims == 3,
        help="3-D points are always opaque, as only then do near ones hide far ones.",
    )  # fmt: skip
    crowd = st.checkbox(
        "Fainter where crowded", key=state.setting("crowd", True), disabled=dims == 3,
        help="With many dots in view each is fainter, so that dense places can be told from thin ones.",
    )  # fmt: skip
    pictures = st.checkbox(
        "Pictures when zoomed in", key=state.setting("map.pictures", True), disabled=dims == 3,
        help="With few dots in view their pictures take their place, as far as none covers another.",
    )  # fmt: skip
    return Display(color, None if symbol == "nothing" else symbol, float(size), float(opacity), crowd, pictures)


def store_status(shown: Results) -> None:
    """Say which results were found and which computed, how large the store is, and offer to clear it."""
    st.subheader("Results")
    lines = []
    for stage in STAGE_TITLES:
        staged = getattr(shown, stage)
        if staged is None or (stage == "reduced" and staged.key == getattr(shown.latents, "key", None)):
            continue
        made = state.awaited(staged.key, staged.found)
        how = f"computed in {components.duration(staged.seconds)}" if made else "found in the store"
        lines.append(f"- {STAGE_TITLES[stage]}: {how}")
    st.caption("\n".join(lines))
    store = server.store()
    if store.problem:
        st.warning(components.plain(store.problem))
    text, button = st.columns([3, 2], vertical_alignment="center")
    text.caption(f"Store: {store.size() / 1e6:,.1f} MB", help=components.plain(f"Kept in {store.root}"))
    if button.button(
        "Clear store", help="Delete all results in the store. Images and kept models stay.", width="stretch"
    ):
        cleared = results.clear_store()
        if cleared.in_use:
            st.toast(f"Kept {cleared.in_use:,} that running work still reads; clear again when it has ended.")
        welcome.dismiss()  # who clears results has read what is where
        st.rerun()

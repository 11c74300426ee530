"""The images an analyst selected on the map, as a gallery of originals beside reconstructions."""

import numpy as np
import streamlit as st

from core import figures, tables
from core.plans import Results
from dashboard import components, state

PAGE = 48
ORDERS = ("as in the data set", "largest error first", "by cluster")


def show(shown: Results, spec: figures.MapSpec, chosen: figures.Selection | None) -> None:
    """Draw the gallery of a selection, or say how to make one."""
    rows = np.empty(0, np.int32)
    if chosen is not None:
        rows = figures.rows_in(chosen, spec.coordinates, spec.rows, spec.groups)
    if len(rows) == 0:
        three = spec.coordinates.shape[1] == 3
        st.caption(
            "Point at a dot to see its image. Click one to keep it below."
            if three
            else "Point at a dot to see its image. Click one, or draw around several with the lasso, to keep them below."
        )
        return
    table = tables.table(shown).iloc[rows]
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    left.markdown(f"**{len(rows):,} selected** – original beside reconstruction")
    order = middle.selectbox("Order", ORDERS, key=state.setting("order", ORDERS[0]))
    if order == ORDERS[1] and "error" in table:
        table = table.sort_values("error", ascending=False, kind="stable")
    elif order == ORDERS[2]:
        table = table.sort_values("cluster", kind="stable")
    right.download_button(
        "Selection as CSV",
        tables.csv(table),
        "selection.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/download:",
        width="stretch",
    )
    pages = -(-len(table) // PAGE)
    page = 1
    if pages > 1:
        page = st.number_input(f"Page, 1 to {pages}", 1, pages, key=state.bounded("gallery.page", 1, 1, pages))
    part = table.iloc[(page - 1) * PAGE : page * PAGE]
    components.gallery([_picture(shown, row) for row in part.itertuples()])


def _picture(shown: Results, row: object) -> components.Picture:
    i = int(row.Index)  # type: ignore[attr-defined]
    images = shown.images.value
    encoded = shown.latents.value if shown.latents is not None else None
    pictures = [images.x[i]]
    if encoded is not None and encoded.reconstructions is not None:
        pictures.append(encoded.reconstructions[i])
    lines = [images.ids[i], f"cluster {row.cluster}"]  # type: ignore[attr-defined]
    if images.y is not None and images.y[i] >= 0:
        lines[1] = f"label {images.classes[int(images.y[i])]} · " + lines[1]
    if encoded is not None and encoded.errors is not None:
        lines.append(f"error {encoded.errors[i]:.4f}")
    return components.Picture(pictures, lines)

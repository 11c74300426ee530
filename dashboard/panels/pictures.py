"""The selected images in pages: original, reconstruction and difference; a click opens one large."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core import export, report, tables
from core.clustering import name_of
from core.figures import Category, Column
from core.plans import Results, some
from dashboard import chosen, components, drawn, spreadsheet, state
from dashboard.gallery import Item, gallery

PAGE = 60
PARTS = ("original", "reconstruction", "difference")
DATA_ORDER = "as in the data set"


def show(shown: Results) -> None:
    """Draw the selected images, or all when none is selected."""
    images = shown.images.value
    some_selected, rows = chosen.mask(images).any(), chosen.rows(images)
    columns = {column.title: column for column in drawn.columns(shown)}
    line = components.control_line()
    options = (DATA_ORDER, *columns)
    by = line.selectbox("Sort by", options, key=state.setting("order", DATA_ORDER, options), width=210)
    column = columns.get(by)
    if column is not None:
        upwards = isinstance(column, Category)
        if line.toggle("Smallest first", key=state.setting(f"order.up.{upwards}", upwards)):
            rows = rows[np.argsort(_values(column)[rows], kind="stable")]
        else:
            rows = rows[np.argsort(-_values(column)[rows], kind="stable")]
    seen = seen_parts(shown, line)
    pixels = line.slider(
        "Picture size", 24, 192, key=state.setting("gallery.side", 64), step=8, help="Pixels.", width=150
    )
    at = components.page_of(line, "gallery.page", len(rows), PAGE)
    with line.popover("Take away", icon=":material/download:"):
        _take_away(shown, rows)
    st.caption(
        f"{at.start + 1:,} to {at.stop:,} of {len(rows):,} "
        + ("selected images" if some_selected else "images; select some to see only them")
    )
    opening_gallery(shown, [item(shown, int(row), seen, column) for row in rows[at]], "gallery", pixels)


def opening_gallery(shown: Results, items: Sequence[Item], key: str, side: int | None = None) -> None:
    """Draw pictures of images, of which a click opens one large; as large as the gallery's setting says, or `side`."""
    gallery(
        items, side=int(state.value("gallery.side", 64)) if side is None else side, key=key, on_open=state.open_image
    )
    opened(shown)


def opened(shown: Results) -> None:
    """Draw large the image that was clicked, when one was."""
    row = state.opened_image()
    if row is not None and row < len(shown.images.value):
        _large(shown, row)


def _take_away(shown: Results, rows: np.ndarray) -> None:
    """Offer the images of some rows, in their order, as table and as pictures."""
    images, name = shown.images.value, f"{report.file_stem(shown)}-{len(rows)}"
    st.caption(f"{len(rows):,} images, in the order shown.")

    def chosen_table() -> pd.DataFrame:
        return drawn.table(shown).iloc[rows]

    table = spreadsheet.csv(chosen_table)

    def packed() -> bytes:
        clusters = [name_of(i) for i in some(shown.clustering).value.labels[rows]]
        return export.pictures_zip(images.x[rows], [images.ids[i] for i in rows], clusters, table())

    for label, file, mime, make in (
        ("CSV", f"{name}.csv", "text/csv", table),
        ("Parquet", f"{name}.parquet", "application/vnd.apache.parquet", lambda: tables.parquet(chosen_table())),
        ("ZIP of the pictures, by cluster", f"{name}.zip", "application/zip", packed),
    ):
        st.download_button(label, make, file, mime, on_click="ignore", icon=":material/download:", width="stretch")


def seen_parts(shown: Results, place=st) -> tuple[str, ...]:  # type: ignore[no-untyped-def]
    """Choose which pictures of an image are shown; only originals where there are no reconstructions."""
    encoded = None if shown.latents is None else shown.latents.value
    if encoded is None or encoded.reconstructions is None:
        return PARTS[:1]
    found = place.pills("Show", PARTS, selection_mode="multi", key=state.setting("gallery.parts", list(PARTS[:2])))
    return tuple(name for name in PARTS if name in found) or PARTS[:1]


def item(shown: Results, row: int, parts: tuple[str, ...], column: Column | None = None, *lines: str) -> Item:
    """Return a gallery's item of one image, with the value of a column and further lines."""
    images = shown.images.value
    text = [images.ids[row], *lines]
    told = []
    if images.y is not None and images.y[row] >= 0:
        told.append(f"label {images.classes[int(images.y[row])]}")
    if shown.clustering is not None:
        told.append(name_of(shown.clustering.value.labels[row]))
    text += [" · ".join(told)] if told else []
    if column is not None and column.title not in ("Label", "Cluster"):
        text.append(f"{column.title} {_written(column, row)}")
    return Item(row, pictures(shown, row, parts), text)


def pictures(shown: Results, row: int, parts: tuple[str, ...]) -> list[np.ndarray]:
    """Return the pictures of an image, uint8 (h, w, c) each, in the order of `PARTS`."""
    found = {"original": np.asarray(shown.images.value.x[row])}
    encoded = None if shown.latents is None else shown.latents.value
    if encoded is not None and encoded.reconstructions is not None:
        made = np.asarray(encoded.reconstructions[row])
        found["reconstruction"] = made
        found["difference"] = np.abs(found["original"].astype(np.int16) - made).astype(np.uint8)
    return [found[name] for name in parts if name in found]


@st.dialog("Image", width="large", on_dismiss=lambda: state.open_image(None))
def _large(shown: Results, row: int) -> None:
    images = shown.images.value
    found = pictures(shown, row, PARTS)
    st.markdown(f"**{components.plain(images.ids[row])}**")
    for name, place, picture in zip(PARTS, st.columns(3), found, strict=False):
        place.html(f'<img class="ee-large" alt="{name}" src="{components.data_uri([picture])}">')
        place.caption(name)
    values = drawn.table(shown).iloc[row]
    st.dataframe([{"name": str(name), "value": _text(value)} for name, value in values.items()], hide_index=True)


def _text(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)


def _values(column: Column) -> np.ndarray:
    if isinstance(column, Category):
        return np.asarray(column.codes)
    return np.where(np.isfinite(column.values), column.values, -np.inf)


def _written(column: Column, row: int) -> str:
    if isinstance(column, Category):
        code = int(column.codes[row])
        return column.names[code] if code >= 0 else "–"
    return f"{column.values[row]:.4g}"

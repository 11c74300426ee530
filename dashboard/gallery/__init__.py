"""A gallery as a Streamlit component: one sheet of pictures a page, a click on one comes back."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from dashboard.scatter import served_bytes
from dashboard.scatter.loading import component


@dataclass(frozen=True)
class Item:
    """A picture of the gallery: its row, uint8 (h, w, c) pictures put side by side, and lines of text."""

    row: int
    pictures: Sequence[np.ndarray]
    lines: Sequence[str]


def gallery(items: Sequence[Item], *, side: int, key: str, on_open: Callable[[int], None] | None) -> None:
    """Draw pictures with texts.

    Parameters
    ----------
    side : pixels that a picture is wide on the page.
    on_open : called with the row of a picture that was clicked, before the page runs again.
    """
    if not items:
        return
    folder = Path(__file__).parent
    mount = component(
        "embedding_explorer_gallery",
        html='<div class="ee-pictures-page" role="list" data-ee></div>',
        css=(folder / "gallery.css").read_text("utf-8"),
        script=(folder / "gallery.js").read_text("utf-8"),
    )
    sheet, columns = _sheet(items)
    h, w, _ = items[0].pictures[0].shape
    data: dict[str, Any] = {
        "sheet": served_bytes(sheet, "webp"),
        "columns": columns,
        "parts": len(items[0].pictures),
        "h": h,
        "w": w,
        "side": side,
        "items": [{"row": item.row, "lines": list(item.lines)} for item in items],
        "open": on_open is not None,
        "key": hashlib.blake2b(sheet, digest_size=8).hexdigest(),
    }

    def opened() -> None:
        row = st.session_state[key].get("open")
        if on_open is not None and isinstance(row, int) and row in {item.row for item in items}:
            on_open(row)

    mount(data=data, key=key, on_open_change=opened)


def _sheet(items: Sequence[Item]) -> tuple[bytes, int]:
    """Return one lossless WebP of all pictures, a cell an item, and its cells in a row."""
    cells = np.stack([np.concatenate(list(item.pictures), axis=1) for item in items])  # (n, h, parts * w, c)
    n, h, width, c = cells.shape
    columns = max(1, min(n, 16_000 // width, round((n * h / width) ** 0.5)))
    lines = -(-n // columns)
    grid = np.zeros((lines * columns, h, width, c), np.uint8)
    grid[:n] = cells
    grid = grid.reshape(lines, columns, h, width, c).swapaxes(1, 2).reshape(lines * h, columns * width, c)
    buffer = io.BytesIO()
    picture = Image.fromarray(grid[..., 0] if c == 1 else grid).convert("RGB")
    picture.save(buffer, "WEBP", lossless=True, quality=20, method=0, exact=True)
    return buffer.getvalue(), columns

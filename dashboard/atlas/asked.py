"""What the browser asks for: checked, as anything may come by that way."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.atlas.columns import View
from dashboard.state import Edges, Seen

MOST_WIDTH, MOST_HEIGHT, LEAST = 1600, 1200, 16  # pixels of a picture
MOST_PIXELS = 1_200_000  # ... whose colours of 13 kinds take 130 MB while it is drawn
MOST_LOOKED = 64  # images whose pictures are asked for at once
WIDEST = 1e4  # times the map's own extent: nothing is seen beyond
NARROWEST = 1e-9


def view_of(edges: Edges) -> View:
    """Return edges as what an atlas is asked with."""
    return View(*edges)


def edges_of(value: Any, bounds: View) -> Edges | None:
    """Return edges (x0, x1, y0, y1) that can be a view of a map within these bounds, else None."""
    if not isinstance(value, list | tuple) or len(value) != 4 or not all(_is_number(edge) for edge in value):
        return None
    x0, x1, y0, y1 = (float(edge) for edge in value)
    extent = max(bounds.x1 - bounds.x0, bounds.y1 - bounds.y0)
    least, most = NARROWEST * extent, WIDEST * extent
    far = max(abs(x0 - bounds.x0), abs(x1 - bounds.x0), abs(y0 - bounds.y0), abs(y1 - bounds.y0))
    if not (least <= x1 - x0 <= most and least <= y1 - y0 <= most and far <= 2 * most):
        return None
    return x0, x1, y0, y1


def taken(seen: Seen, value: Any, bounds: View) -> Seen | None:
    """Return what is seen once the browser gets what it asked for; None when that cannot be."""
    if not isinstance(value, Mapping) or not _is_whole(value.get("number"), 1, 2**53):
        return None
    edges = edges_of(value.get("view"), bounds)
    size: list[Any] = [value.get(name) for name in ("width", "height")]
    look = value.get("look")
    if edges is None or not all(_is_whole(length, LEAST, 10_000) for length in size):
        return None
    if not isinstance(look, list) or len(look) > MOST_LOOKED or not all(_is_whole(at, 0, 2**53) for at in look):
        return None
    return replace(
        seen, view=edges, rested=edges if value.get("rested") is True or not seen.width else seen.rested,
        width=size[0], height=size[1], dark=value.get("dark") is True, number=value["number"], look=tuple(look),
    )  # fmt: skip


def size(seen: Seen) -> tuple[int, int]:
    """Return width and height of the picture for a canvas: as many pixels, or its shape with as many as may be."""
    scale = min(
        1.0, MOST_WIDTH / seen.width, MOST_HEIGHT / seen.height, math.sqrt(MOST_PIXELS / (seen.width * seen.height))
    )
    return max(1, round(seen.width * scale)), max(1, round(seen.height * scale))


def around(x: float, y: float, bounds: View, n: int) -> Edges:
    """Return a view around a place, of about a hundred points where they lie as dense as everywhere."""
    side = max(bounds.x1 - bounds.x0, bounds.y1 - bounds.y0) * min(0.25, math.sqrt(100 / max(1, n)))
    return x - side / 2, x + side / 2, y - side / 2, y + side / 2


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

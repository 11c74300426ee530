"""What stands beside the map: what its colours mean, and what there is of each."""

from collections.abc import Mapping
from typing import Any

from core import palettes
from core.atlas.table import Atlas
from dashboard import components
from dashboard.atlas import answers, filters
from dashboard.atlas.answers import Shown

MOST = 40  # lines


def legend(drawing: filters.Drawing, shown: Shown | None, note: str = "") -> dict[str, Any]:
    """Return the title, the lines or the scale, and notes of the legend, with one that may be added."""
    found = _legend(drawing, shown)
    return found | {"notes": [*found["notes"], *([note] if note else [])]}


def _legend(drawing: filters.Drawing, shown: Shown | None) -> dict[str, Any]:
    color, points = drawing.color, shown is not None and not shown.png
    if color is None:
        note = "Each dot is an image." if points else "The stronger a pixel, the more images lie there (logarithmic)."
        return {"title": "How many images", "items": [], "notes": [note]}
    title = components.printable(color.name)
    if color.kind == "number":
        assert color.low is not None and color.high is not None
        what = (
            "a dot's colour is its value"
            if points
            else "a pixel's colour is the mean of its images, its strength how many"
        )
        return {
            "title": title, "items": [], "stops": [list(stop) for stop in palettes.SEQUENTIAL],
            "low": f"{color.low:.4g}", "high": f"{color.high:.4g}", "notes": [f"Of the whole atlas; {what}."],
        }  # fmt: skip
    return {"title": title, **_values(filters.colors_of(color), shown), "notes": [_pixels(points)]}


def _values(colors: Mapping[str, str], shown: Shown | None) -> dict[str, Any]:
    """Return a line for each value in view, in the order of all values; where they are many, for the most frequent."""
    counts = {} if shown is None or shown.counts is None else shown.counts
    order = sorted((name for name, count in counts.items() if count), key=lambda name: -counts[name])
    kept = set(order[:MOST])
    items = [
        {"name": filters.named(name), "color": color, "count": f"{counts[name]:,}"}
        for name, color in colors.items()
        if name in kept
    ]
    rest = sum(counts[name] for name in order[MOST:]) + (0 if shown is None else shown.other)
    if rest:
        items.append({"name": "others", "color": palettes.MISSING, "count": f"{rest:,}"})
    return {"items": items}


def _pixels(points: bool) -> str:
    if points:
        return "Counts are of what is in view; each dot or frame is an image."
    return "Counts are of what is in view. A pixel mixes its images' colours; the stronger, the more there are (logarithmic)."


def status(shown: Shown | None, matching: int, n: int) -> str:
    """Say how many images are in view."""
    if shown is None:
        return "Drawing …"
    of = f"{matching:,} that match, of {n:,}" if matching < n else f"{n:,}"
    hint = ": zoom out, or press All" if shown.count == 0 else ""
    return f"{shown.count:,} in view of {of}{hint}"


def heading(atlas: Atlas) -> str:
    """Say whose map it is, and of how many images."""
    name = components.printable(answers.text(atlas.about.get("data") or atlas.root))
    skipped = atlas.about.get("images_skipped")
    left_out = f", {skipped:,} could not be used" if isinstance(skipped, int) and skipped > 0 else ""
    return f"**{components.plain(name)}** · {atlas.n:,} images{left_out}"


def axes(atlas: Atlas) -> str:
    """Say what the map is: its method, and how many images it was fitted on."""
    about = atlas.about
    named = f" ({answers.text(about['map'])})" if about.get("map") else ""
    parts = [f"x and y are those of the map{named}"]
    fitted = about.get("fitted")
    if isinstance(fitted, int) and not isinstance(fitted, bool) and 0 < fitted < atlas.n:
        parts.append(f"fitted on {fitted:,} of {atlas.n:,} images, the others placed among them")
    return components.plain(
        ", ".join(parts) + ". Distances have no unit: images that lie near each other have like latents."
    )

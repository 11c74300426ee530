"""The drawing engine of the maps: plain JavaScript and CSS, the same for the dashboard and exported HTML.

Each script is a few top-level functions; joined in order they define `mountMap(root, options)`, which returns
`{draw(bytes), destroy()}`. What `draw` takes is written by `core.figures.encode`.
"""

from importlib import resources
from pathlib import Path

SCRIPTS = (
    "decode.js",
    "sheets.js",
    "hover_card.js",
    "traces.js",
    "layout.js",
    "nearest.js",
    "flat_lasso.js",
    "picking.js",
    "screen_lasso.js",
    "crowd.js",
    "map.js",
)


def script() -> str:
    """Return the engine's JavaScript."""
    folder = resources.files(__name__)
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)


def style() -> str:
    """Return the engine's CSS."""
    return (resources.files(__name__) / "map.css").read_text(encoding="utf-8")


def plotly_js() -> Path:
    """Return the path of the plotly.js that the installed plotly package brings."""
    return Path(str(resources.files("plotly"))) / "package_data" / "plotly.min.js"

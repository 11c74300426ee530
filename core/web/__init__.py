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
    "density.js",
    "dense.js",
    "map.js",
)
# What an exported page has beside the map, where no Python answers.
OFFLINE_SCRIPTS = (
    "offline_select.js",
    "offline_table.js",
    "offline_gallery.js",
    "offline_large.js",
    "offline_panel.js",
    "offline_page.js",
)


def script() -> str:
    """Return the engine's JavaScript."""
    return "\n".join(map(_read, SCRIPTS))


def style() -> str:
    """Return the engine's CSS."""
    return _read("map.css")


def offline_page() -> tuple[str, str, str]:
    """Return an exported page's HTML, with names in double braces where parts go in, its JavaScript and its CSS."""
    return (
        _read("page.html"),
        "\n".join(map(_read, (*SCRIPTS, *OFFLINE_SCRIPTS))),
        _read("map.css") + _read("offline.css"),
    )


def _read(name: str) -> str:
    return (resources.files(__name__) / name).read_text(encoding="utf-8")


def plotly_js() -> Path:
    """Return the path of the plotly.js that the installed plotly package brings."""
    return Path(str(resources.files("plotly"))) / "package_data" / "plotly.min.js"

"""The map of an atlas as a Streamlit component: the server draws each view, the browser moves what is there meanwhile."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core import web
from dashboard import state
from dashboard.atlas import files
from dashboard.atlas.answers import Looked, Shown
from dashboard.scatter.loading import component

_ENGINE = ("layout.js", "hover_card.js")  # of the other maps: the page's colours, and the card of a point
_OWN = ("parts.js", "views.js", "asking.js", "painting.js", "moving.js", "atlas.js")
_HTML = '<div class="ee-atlas" data-ee></div>'


def atlas_map(data: Mapping[str, Any], *, key: str, on_ask: Callable[[Any], None]) -> None:
    """Draw the map.

    Parameters
    ----------
    data : `key` of the atlas, `bounds` and `view` as edges [x0, x1, y0, y1], `turn`: another number makes the browser go to
        `view`; `answer` as of `served`, None before anything was asked; `look` as of `served_pictures`, None for none;
        `pictures`: whether points have any; `legend`, `status`, `label`, `mark`, `problem`: what is said beside the map.
    on_ask : called with what the browser asks for, which is not checked, before the part runs again.
    """
    folder = Path(__file__).parent
    engine = [Path(web.__file__).with_name(name).read_text("utf-8") for name in _ENGINE]
    mount = component(
        "embedding_explorer_atlas",
        html=_HTML,
        css=web.style() + (folder / "atlas.css").read_text("utf-8"),
        script="\n".join([*engine, *((folder / name).read_text("utf-8") for name in _OWN)]),
    )

    def asked() -> None:
        on_ask(state.sent(key, "ask"))

    mount(data=dict(data), key=key, on_ask_change=asked)


def served(seen: state.Seen, shown: Shown) -> dict[str, Any]:
    """Serve what is to be seen as files, and return what the browser needs to fetch and place them."""
    found: dict[str, Any] = {"number": seen.number, "edges": list(seen.view), "picture": None, "points": None}
    if shown.png:
        return found | {"picture": files.address(shown.png, "png")}
    found["points"] = files.address(shown.points, "json")
    if shown.sheet is not None:
        found |= {"sheet": dict(shown.sheet), "sheets": [files.address(file, "webp") for file in shown.sheet_files]}
    return found


def served_pictures(seen: state.Seen, looked: Looked) -> dict[str, Any]:
    """Serve pictures of some rows, and return where they are."""
    sheets = [files.address(file, "webp") for file in looked.sheet_files]
    return {"at": list(seen.look), "sheet": dict(looked.sheet), "sheets": sheets}

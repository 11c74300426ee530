"""What a session remembers; the only module that touches `st.session_state` and `st.query_params`.

A setting is the value of a widget under the key `set.<name>`. Streamlit forgets a widget's value when another
page is shown; `keep_settings` prevents that for settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from streamlit.navigation.page import StreamlitPage

from core.config import ClusterConfig, ProjectionConfig, ReductionConfig
from core.plans import ModelRef, Plan

PREFIX = "set."
REMEMBERED_EPOCHS = 8


def keep_settings() -> None:
    """Carry all settings over to this run, also those whose widgets are not on this page."""
    kept: dict[str, Any] = st.session_state.setdefault("kept", {})
    kept |= {str(key): st.session_state[key] for key in list(st.session_state) if str(key).startswith(PREFIX)}
    for key, chosen in kept.items():
        st.session_state[key] = chosen


def setting(name: str, default: Any, allowed: Any = None) -> str:
    """Return the widget key of a setting, with its default when it is new or no longer `allowed`."""
    key = PREFIX + name
    st.session_state.setdefault("defaults", {})[name] = default
    if key not in st.session_state or (allowed is not None and st.session_state[key] not in allowed):
        st.session_state[key] = default
    return key


def shown(name: str, default: Any, allowed: Any = None) -> str:
    """Return the widget key of a setting as `setting` does, for a widget that may be drawn long before it is opened."""
    key = setting(name, default, allowed)
    st.session_state[key] = st.session_state[key]  # else it opens with its lowest value
    return key


def changed() -> dict[str, Any]:
    """Return the settings by name that are not as they were at first."""
    defaults: dict[str, Any] = st.session_state.setdefault("defaults", {})
    found = {
        str(key).removeprefix(PREFIX): st.session_state[key]
        for key in st.session_state
        if str(key).startswith(PREFIX)
    }
    return {name: new for name, new in found.items() if name not in defaults or new != defaults[name]}


def kept(name: str, default: list[Any], allowed: Any) -> str:
    """Return the widget key of a setting with several values; those no longer `allowed` are dropped."""
    key = setting(name, default)
    st.session_state[key] = [item for item in st.session_state[key] if item in allowed]
    return key


def forget_settings() -> None:
    """Let every setting be as it was at first; only in a callback."""
    kept: dict[str, Any] = st.session_state.setdefault("kept", {})
    for key in [key for key in st.session_state if str(key).startswith(PREFIX)]:
        del st.session_state[key]
    kept.clear()


def note(name: str, text: str) -> None:
    """Leave a text for the next run of the page."""
    st.session_state[f"note {name}"] = text


def taken(name: str) -> str | None:
    """Return a text that was left, once."""
    found: str | None = st.session_state.pop(f"note {name}", None)
    return found


def is_new(name: str, text: str) -> bool:
    """Say whether a text is another than the one that was left, and leave it."""
    before = st.session_state.get(f"note {name}")
    note(name, text)
    return bool(before != text)


def first_time(name: str) -> bool:
    """Say whether this is asked for the first time in this session."""
    asked: set[str] = st.session_state.setdefault("asked", set())
    first = name not in asked
    asked.add(name)
    return first


def value(name: str, default: Any = None) -> Any:
    """Read a setting."""
    return st.session_state.get(PREFIX + name, default)


def change(name: str, new: Any) -> None:
    """Set a setting; only in a callback or before its widget is drawn."""
    st.session_state[PREFIX + name] = new


def widget(key: str) -> Any:
    """Return the value of a widget that is no setting, by its key; only in its callback."""
    return st.session_state[key]


def remember_k_setting(name: str) -> None:
    """Remember the name of the setting that holds k."""
    st.session_state["k setting"] = name


def k_setting() -> str | None:
    """Return the name of the setting that holds k, or None where there is none."""
    found: str | None = st.session_state.get("k setting")
    return found


def bounded(name: str, default: int, low: int, high: int) -> str:
    """Return the widget key of a whole number, brought back into low..high when the data asks for that."""
    key = setting(name, default)
    st.session_state[key] = min(max(int(st.session_state[key]), low), high)
    return key


def remember_classifier(fingerprint: str, ref: ModelRef) -> None:
    """Remember a classifier that has read these images, so that a map can be made of what it sees."""
    st.session_state.setdefault("classifiers", {})[fingerprint] = ref


def classifier_of(fingerprint: str) -> ModelRef | None:
    """Return the classifier last used on these images, or None."""
    found: ModelRef | None = st.session_state.get("classifiers", {}).get(fingerprint)
    return found


def choose_model(fingerprint: str, ref: ModelRef) -> None:
    """Choose the model that the map of these images is made with."""
    change(f"model.{fingerprint[:8]}", ref)


def training_of_recipe(job: str) -> str | None:
    """Remember the training that a recipe started, and return the one before it."""
    earlier: str | None = st.session_state.get("recipe training")
    st.session_state["recipe training"] = job
    return earlier


@dataclass(frozen=True)
class Step:
    """What was selected, as bits, and what was shown at all: bits, too, or None for every image."""

    bits: bytes
    scope: bytes | None = None


@dataclass(frozen=True)
class History:
    """Selections of one set of images, oldest first; `at` is the one shown."""

    steps: tuple[Step, ...]
    at: int = 0


def history(fingerprint: str) -> History | None:
    """Return the selections of these images in this session, or None before the first."""
    found: History | None = st.session_state.setdefault("selections", {}).get(fingerprint)
    return found


def remember_history(fingerprint: str, new: History) -> None:
    """Remember the selections of these images."""
    st.session_state.setdefault("selections", {})[fingerprint] = new


def turn() -> int:
    """Return a number that is another one after each pick."""
    return int(st.session_state.get("turn", 0))


def next_turn() -> None:
    """Count a pick, whether or not it changed the selection."""
    st.session_state["turn"] = turn() + 1


def picked_in_order(fingerprint: str, rows: list[int]) -> list[int]:
    """Return rows in the order in which they came into the selection."""
    known = history(fingerprint)
    order: list[int] = []
    for step in () if known is None else known.steps[: known.at + 1]:
        bits = np.frombuffer(step.bits, np.uint8)
        inside = {row for row in rows if bits[row >> 3] >> (row & 7) & 1}
        order = [row for row in order if row in inside] + sorted(inside - set(order))
    return [row for row in order if row in set(rows)] or rows


def place_on_map(at: tuple[str, tuple[float, ...]] | None) -> None:
    """Note the model and the place on the map of a picture that was uploaded, and show it there."""
    if at != st.session_state.get("placed"):
        st.session_state["placed"] = at
        st.rerun()


def placed(model: str, dimensions: int) -> tuple[float, ...] | None:
    """Return where a picture that was uploaded belongs on a map of this model, or None."""
    found: tuple[str, tuple[float, ...]] | None = st.session_state.get("placed")
    return found[1] if found is not None and found[0] == model and len(found[1]) == dimensions else None


def cells(key: str) -> list[tuple[int, str]]:
    """Return row and column of the cells that are selected in a table."""
    return list(st.session_state[key]["selection"].get("cells", ()))


def look_at(fingerprint: str, row: int | None, onward: bool = False) -> None:
    """Note which of these images is under review; `onward`: the next one after it is to be. None for the first."""
    st.session_state.setdefault("under review", {})[fingerprint] = (row, onward)


def looked_at(fingerprint: str) -> tuple[int | None, bool]:
    """Return which of these images is under review, and whether the next one after it is to be."""
    found: tuple[int | None, bool] = st.session_state.get("under review", {}).get(fingerprint, (None, False))
    return found


def open_image(row: int | None) -> None:
    """Note which image is to be shown large; None for none."""
    st.session_state["opened"] = row


def opened_image() -> int | None:
    """Return the row of the image that is to be shown large, or None."""
    found: int | None = st.session_state.get("opened")
    return found


def address(name: str) -> str | None:
    """Return a part of the page's address."""
    found: str | None = st.query_params.get(name)
    return found


def change_address(name: str, new: str | None) -> None:
    """Set a part of the page's address; None takes it off."""
    if new is not None:
        st.query_params[name] = new
    elif name in st.query_params:
        del st.query_params[name]


def remember_pages(**pages: StreamlitPage) -> None:
    """Let views link to each other's pages."""
    st.session_state["pages"] = pages


def page(name: str) -> StreamlitPage | None:
    """Return a page by name; None where a view runs without the app."""
    found: StreamlitPage | None = st.session_state.get("pages", {}).get(name)
    return found


def remember_map(
    place: str, reduction: ReductionConfig, projection: ProjectionConfig, cluster: ClusterConfig
) -> None:
    """Remember the settings of the map last shown of a data set and model."""
    st.session_state.setdefault("maps", {})[place] = (reduction, projection, cluster)


def last_maps(place: str, plan: Plan) -> list[tuple[ReductionConfig, ProjectionConfig, ClusterConfig]]:
    """Return settings of a map to show while a plan's own is missing, best first: the last map, with its clusters."""
    known = st.session_state.get("maps", {}).get(place)
    if known is None:
        return []
    reduction, projection, cluster = known
    return [(reduction, projection, plan.cluster), (plan.reduction, plan.projection, cluster), known]


def awaited(key: str, found: bool) -> bool:
    """Say whether this session had this result made; `found` False notes that it has."""
    keys: set[str] = st.session_state.setdefault("awaited", set())
    if not found:
        keys.add(key)
    return key in keys


def epochs_seen(job: str, preview: Mapping[str, Any] | None) -> list[tuple[int, np.ndarray]]:
    """Add a training preview and return (epoch, reconstructions) to look back on: the newest and some before."""
    seen: dict[str, list[tuple[int, np.ndarray]]] = st.session_state.setdefault("epochs", {})
    for other in [name for name in seen if name != job]:
        del seen[other]
    rows = seen.setdefault(job, [])
    if preview is not None and (not rows or rows[-1][0] != preview["epoch"]):
        rows.append((int(preview["epoch"]), np.asarray(preview["reconstructions"])))
        if len(rows) > REMEMBERED_EPOCHS:
            rows[:] = thinned(rows)
    return rows


def thinned(rows: list[tuple[int, np.ndarray]]) -> list[tuple[int, np.ndarray]]:
    """Drop the row whose epoch adds least on a logarithmic scale; the first and the last stay."""
    gaps = [np.log(rows[i + 1][0] / rows[i - 1][0]) for i in range(1, len(rows) - 1)]
    drop = 1 + int(np.argmin(gaps))
    return rows[:drop] + rows[drop + 1 :]

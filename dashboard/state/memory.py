"""What one run of a page leaves for the next, and what the page's address says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from streamlit.navigation.page import StreamlitPage

from core.plans import ModelRef, Plan
from dashboard.state.settings import change

REMEMBERED_EPOCHS = 8


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


def remember_map(place: str, plan: Plan) -> None:
    """Remember the settings of the map last shown of a data set and model."""
    st.session_state.setdefault("maps", {})[place] = plan


def last_maps(place: str, plan: Plan) -> list[Plan]:
    """Return plans of a map to show while a plan's own is missing, best first: the last map, with its clusters."""
    known: Plan | None = st.session_state.get("maps", {}).get(place)
    if known is None:
        return []
    last = replace(plan, reduction=known.reduction, projection=known.projection, start=known.start)
    return [last, replace(plan, cluster=known.cluster), replace(last, cluster=known.cluster)]


def asked_before(place: str, perplexity: float) -> float | None:
    """Note the perplexity of a map that is asked for, and return that of the one before, when it differs in that alone."""
    before: tuple[str, float] | None = st.session_state.get("asked map")
    st.session_state["asked map"] = (place, perplexity)
    return before[1] if before is not None and before[0] == place else None


def mark(what: str, run: str) -> None:
    """Note something of a run of a job, for this session: that it was stopped or seen here, that it was dismissed."""
    st.session_state.setdefault(f"marked {what}", set()).add(run)


def marked(what: str, run: str) -> bool:
    """Say whether something was noted of a run of a job in this session."""
    return run in st.session_state.get(f"marked {what}", ())


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

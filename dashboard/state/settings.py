"""Settings: values of widgets under the key `set.<name>`.

Streamlit forgets a widget's value when another page is shown; `keep_settings` prevents that.
"""

from typing import Any

import streamlit as st

PREFIX = "set."


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


def following(name: str, default: Any, allowed: Any = None) -> str:
    """Return the widget key of a setting as `setting` does; one that nobody has moved follows a default that changes."""
    defaults: dict[str, Any] = st.session_state.setdefault("defaults", {})
    key, before = PREFIX + name, defaults.get(name, default)
    if before != default and st.session_state.get(key) == before:
        st.session_state[key] = default
    return setting(name, default, allowed)


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
    st.session_state.pop("asked map", None)  # what comes next is no move of a slider


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

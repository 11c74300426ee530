"""Views and selections kept under names, each a JSON file of known fields, beside the kept models."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core import checkpoints, export
from core.checksums import Damaged, sealed, unsealed
from core.errors import ConfigError, ExplorerError
from core.images import ImageSet
from core.readers.json_text import parsed
from core.selection import packed
from dashboard import chosen, components, sessions, state
from dashboard.state import Step

LIMIT_BYTES = 20_000_000


def folder() -> Path:
    """Return where views are kept."""
    return checkpoints.models_root().parent / "views"


def panel(found: ImageSet) -> None:
    """Draw the list of kept views, and keep, open, download, upload and delete them."""
    with st.popover("Views", icon=":material/bookmark:", width="stretch"):
        st.caption("A view: images, model, map, colours, selection and zoom. The address bar holds it, too.")
        name = st.text_input("Name", key=state.setting("views.name", ""), placeholder="odd sevens")
        left, right = st.columns(2)
        left.button(
            "Keep", key="views.keep", on_click=_keep, args=(found, name), width="stretch", disabled=not name.strip()
        )
        right.download_button(
            "Download", lambda: content(found), f"{export.file_name(name or 'view')}.json", "application/json",
            on_click="ignore", width="stretch", key="views.download",
        )  # fmt: skip
        problem = state.taken("views.problem")
        if problem:
            st.error(components.plain(problem))
        paths = sorted(folder().glob("*.json"))
        if paths:
            stems = [path.stem for path in paths]
            kept = st.selectbox("Kept views", stems, key=state.setting("views.kept", stems[0], stems))
            path = folder() / f"{kept}.json"
            left, right = st.columns(2)
            left.button("Open", key="views.open", on_click=_open_file, args=(path,), width="stretch")
            right.button("Delete", key="views.delete", on_click=path.unlink, args=(True,), width="stretch")
        file = st.file_uploader("Open a downloaded view", "json", key="views.file")
        if file is not None:
            st.button(
                f"Open {components.plain(file.name)}", key="views.upload", on_click=_open, args=(file.getvalue(),)
            )


def content(found: ImageSet) -> bytes:
    """Return this view and selection as JSON."""
    selection: dict[str, Any] = {"images": found.fingerprint, "n": len(found)}
    for name, mask in (("bits", chosen.mask(found)), ("scope", chosen.scope(found))):
        plain = mask.all() if name == "scope" else not mask.any()
        selection[name] = "" if plain else base64.b64encode(packed(mask).tobytes()).decode()
    values = {"view": sessions.current(), "selection": selection}
    return sealed(values, indent=1) + b"\n"


def _keep(found: ImageSet, name: str) -> None:
    path = folder() / f"{export.file_name(name)}.json"
    try:
        if path.exists():
            raise ConfigError(f"There is a view {path.stem!r} already; choose another name or delete that one.")
        export.write(path, content(found))
    except ExplorerError as error:
        state.note("views.problem", str(error))


def _open_file(path: Path) -> None:
    try:
        data = path.read_bytes() if path.stat().st_size <= LIMIT_BYTES else b""
    except OSError as error:
        state.note("views.problem", f"{path.name} cannot be read: {error.strerror or error}.")
        return
    _open(data)


def _open(data: bytes) -> None:
    try:
        view, selections = read(data)
    except ExplorerError as error:
        state.note("views.problem", str(error))
        return
    state.forget_settings()
    for name, value in view.items():
        state.change(name, value)
    for fingerprint, step in selections.items():
        state.remember_history(fingerprint, state.History((step,)))
    state.next_turn()


def read(data: bytes) -> tuple[dict[str, Any], dict[str, Step]]:
    """Check a file of a view; return its settings, and the selection by the fingerprint of its images.

    Raises
    ------
    ConfigError : it is no view.
    """
    try:
        values = None
        if len(data) <= LIMIT_BYTES:
            parsed(data)  # finds what is no Unicode or nested without end
            values = unsealed(data)
        if not isinstance(values, Mapping) or not isinstance(values.get("view"), Mapping):
            raise ConfigError("The file is not a view that was kept or downloaded here.")
        view = sessions.whole(sessions.accepted(values["view"]))
        given = values.get("selection")
        if not isinstance(given, Mapping) or not (given.get("bits") or given.get("scope")):
            return view, {}
        fingerprint, n = given.get("images"), given.get("n")
        texts = [given.get(name, "") for name in ("bits", "scope")]
        if (
            not isinstance(fingerprint, str)
            or not isinstance(n, int)
            or isinstance(n, bool)
            or not all(isinstance(text, str) for text in texts)
            or not 0 < n <= 8 * LIMIT_BYTES
        ):
            raise ConfigError("The view's selection cannot be read.")
        bits, shown = [np.frombuffer(base64.b64decode(text, validate=True), np.uint8) for text in texts]
        nothing = packed(np.zeros(n, bool))
        step = chosen.checked_step(bits if len(bits) else nothing, shown if len(shown) else None, n)
    except Damaged as error:
        raise ConfigError(
            "The view is damaged: its checksum does not fit. Take it from a copy; who changed it by hand removes its “sum”."
        ) from error
    except (ValueError, binascii.Error) as error:
        raise ConfigError("The file is not a view that was kept or downloaded here.") from error
    return view, {fingerprint: step}

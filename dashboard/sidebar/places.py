"""Where files come from: a path that is typed, one chosen in the folders that may be opened, or one that is uploaded."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import runtime

from core import roots
from core.errors import ExplorerError
from core.images import PICTURE_ENDINGS
from dashboard import components, state, uploads

ARRAYS = (".npy", ".npz", ".zip", ".parquet", ".tar")
UP = ".."
PROBLEM = "uploads.problem"


def typed(label: str, name: str, kinds: Sequence[str], **options: Any) -> str:
    """Ask for the path of a file, or for the file itself; return its path, "" while there is none.

    Raises
    ------
    DataError : it was uploaded in another session.
    """
    text = st.text_input(label, key=state.setting(name, ""), **options).strip()
    key = f"upload.{name}.{state.value('uploads.turn', 0)}"
    with st.popover("Upload", icon=":material/upload:", width="stretch"):
        st.file_uploader(label, kinds, key=key, on_change=_bring_one, args=(key, name), label_visibility="collapsed")
    _problem()
    return uploads.resolved(text)


def browse() -> None:
    """Let a folder or file be found in the folders that may be opened, one level at a time; what is opened becomes the path."""
    folders = roots.given()
    if not folders:
        return
    here = _folder_of(str(state.value("browse", "")))
    if here is None:
        options, more = [folder for folder in folders if Path(folder).exists()], False
    else:
        found = _inside(here)
        options, more = [UP, *found.folders, *found.files], found.more
    key = f"browse.{here}"
    st.selectbox(
        "Folders that can be opened" if here is None else f"In {Path(here).name or here}", options, index=None, key=key,
        format_func=str if here is None else _title, on_change=_go, args=(key, here), placeholder="look around…",
        help="A folder that is chosen is looked into, and read only when it is opened; a file is opened at once.",
    )  # fmt: skip
    if here is not None:
        st.button(
            components.plain(f"Open {Path(here).name or here}"), key="browse.open", on_click=state.change, args=("path", here),
            icon=":material/folder_open:", width="stretch", disabled=state.value("path") == here,
        )  # fmt: skip
    if more:
        st.caption(f"There is more in this folder than these {len(options) - 1:,}: type its path.")


@st.cache_data(ttl=5, max_entries=50, show_spinner=False)
def _inside(folder: str) -> roots.Inside:
    return roots.inside(folder, ARRAYS)


def _title(path: str) -> str:
    if path == UP:
        return "Up"
    return Path(path).name + ("/" if not path.lower().endswith(ARRAYS) else "")


def _folder_of(path: str) -> str | None:
    """Return a folder that is looked into, when it is there and may be opened."""
    return path if path and roots.allows(path) and Path(path).is_dir() else None


def _go(key: str, here: str | None) -> None:
    chosen = state.widget(key)
    if chosen == UP and here is not None:
        above = str(Path(here).parent)
        state.change("browse", above if roots.allows(above) else "")
    elif chosen is not None and Path(chosen).is_dir():
        state.change("browse", chosen)
    elif chosen is not None:
        state.change("path", chosen)


def uploaded() -> str | None:
    """Ask for pictures or files of images; return the path of those chosen of this session's uploads, None without any."""
    key = f"upload.images.{state.value('uploads.turn', 0)}"
    size = int(st.get_option("server.maxUploadSize"))
    st.file_uploader(
        "Pictures, or a .zip, .npy, .npz, .parquet or .tar", [ending[1:] for ending in (*PICTURE_ENDINGS, *ARRAYS)], key=key,
        accept_multiple_files=True, on_change=_bring_images, args=(key,),
        help=f"At most {size:,} MB a file and {uploads.limit() // 1_000_000:,} MB together. They lie in a folder that only "
        "this session can open, and are removed when it ends: soon after this page is closed or loaded anew.",
    )  # fmt: skip
    _problem()
    found = uploads.of_server()
    session = uploads.session()
    pictures = list(found.files(session, uploads.PICTURES))
    files = [path for path in found.files(session, uploads.FILES) if path.name.endswith(ARRAYS)]
    options = [*([uploads.PICTURES] if pictures else []), *(path.name for path in files)]
    if not options:
        return None
    name = st.selectbox(
        "Uploaded", options, key=state.setting("upload", options[-1], options),
        format_func=lambda name: f"{len(pictures):,} pictures" if name == uploads.PICTURES else name,
    )  # fmt: skip
    st.button("Remove all uploads", icon=":material/delete:", key="uploads.remove", on_click=_remove, width="stretch")
    return str(pictures[0].parent) if name == uploads.PICTURES else uploads.resolved(f"{uploads.PREFIX}{name}")


def _remove() -> None:
    uploads.of_server().remove(uploads.session())


def _problem() -> None:
    problem = state.taken(PROBLEM)
    if problem:
        st.error(components.plain(problem), icon=":material/error:")


def _bring_one(key: str, name: str) -> None:
    for kept in _kept([state.widget(key)]):
        state.change(name, uploads.PREFIX + kept)


def _bring_images(key: str) -> None:
    names = _kept(state.widget(key))
    if names:
        arrays = [name for name in names if name.endswith(ARRAYS)]
        state.change("upload", arrays[-1] if arrays else uploads.PICTURES)


def _kept(files: Sequence[Any]) -> list[str]:
    """Keep files that were uploaded, and empty the field they came by; what is wrong is said when the page runs again."""
    session, names = uploads.session(), []
    for file in filter(None, files):
        place = uploads.PICTURES if file.name.lower().endswith(PICTURE_ENDINGS) else uploads.FILES
        try:
            names.append(uploads.of_server().add(session, place, file.name, file.getbuffer(), uploads.limit()))
        except ExplorerError as error:
            state.note(PROBLEM, str(error))
            break
    memory: Any = runtime.get_instance().uploaded_file_mgr
    for file in filter(None, files):  # it lies on the disk now, and need not be in memory as well
        with suppress(AttributeError):  # not every Streamlit can forget a file before the session ends
            memory.remove_file(session, file.file_id)
    state.change("uploads.turn", state.value("uploads.turn", 0) + 1)
    return names

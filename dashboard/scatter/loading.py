"""Components whose script is a file that the browser keeps: Streamlit sends what is inline anew with every run of the page."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import streamlit as st
from streamlit.components.v1 import declare_component


@st.cache_resource
def _folder() -> Path:
    return Path(mkdtemp(prefix="embedding-explorer-scripts-"))


def route(name: str, folder: Path) -> str:
    """Return the address, relative to the page, under which Streamlit serves a folder's files."""
    return f"component/{declare_component(name, path=str(folder)).name}/"


def write(folder: Path, content: bytes, kind: str) -> str:
    """Write a file named after its content, whole or not at all, and return its name; one that is there is touched."""
    path = folder / f"{hashlib.blake2b(content, digest_size=12).hexdigest()}.{kind}"
    if path.exists():
        path.touch()
    else:
        temporary = Path(f"{path}.{id(content):x}.part")
        temporary.write_bytes(content)
        temporary.replace(path)
    return path.name


def drop_old(folder: Path, most: int, kept: str = "") -> None:
    """Remove the files that were not asked for longest once all in a folder have more than `most` bytes, but the one kept."""
    files = []
    for path in folder.glob("*.*"):
        with suppress(FileNotFoundError):  # other sessions write there, and drop, too
            status = path.stat()
            files.append((path.name == kept, status.st_mtime_ns, status.st_size, path))
    total = 0
    for stays, _, size, path in sorted(files, reverse=True):
        total += size
        if total > most and not stays:
            path.unlink(missing_ok=True)


def component(name: str, *, html: str, css: str, script: str) -> Callable[..., Any]:
    """Make a component of a script, a module whose default export draws, and return what mounts it.

    Parameters
    ----------
    html : with `data-ee` on the element where an error is said if the script cannot be loaded.
    script : served under the hash of its content; the small loader that fetches it is all that goes with each run.

    Returns
    -------
    mount : as Streamlit's; its `data`, a dict, gets the script's address.
    """
    loader = Path(__file__).with_name("loader.js").read_text("utf-8")
    made = st.components.v2.component(name, html=html, css=css, js=loader, isolate_styles=False)
    address = route("scripts", _folder()) + write(_folder(), script.encode(), "js")

    def mount(*, data: dict[str, Any], **options: Any) -> Any:
        return made(data=data | {"script": address}, **options)

    return mount

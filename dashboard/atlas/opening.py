"""Which atlas: a run's folder or address, typed or in the page's address; opened once for all sessions."""

import time
from pathlib import Path

import streamlit as st

from core import roots
from core.atlas.table import Atlas, open_atlas
from core.errors import DataError
from core.readers import addresses
from dashboard import components, state, uploads
from dashboard.caches import cached

ADDRESS = "atlas"
MOST_LETTERS = 1000
AGAIN_SECONDS = 600  # before it is looked whether another atlas lies at an address


def choose() -> str:
    """Ask for the folder of a run, and let the page's address hold it; "" while there is none."""
    linked = state.address(ADDRESS)
    if state.first_time("atlas address") and linked:
        state.change("atlas.path", linked[:MOST_LETTERS])
    st.subheader("Atlas")
    if roots.given() == ():
        st.info(components.plain(f"No folder can be opened here, as {roots.HOW}."), icon=":material/lock:")
        return ""
    path: str = st.text_input(
        "Folder or address of a run", key=state.setting("atlas.path", ""), placeholder="/results, s3://bucket/results",
        max_chars=MOST_LETTERS,
        help="What was given to the command line as --out: a folder on the computer that runs this program, or an address.",
    ).strip()  # fmt: skip
    state.change_address(ADDRESS, path or None)
    return path


def opened(path: str) -> Atlas:
    """Open an atlas, once for all who look at it.

    Raises
    ------
    DataError : it may not be opened here, or there is none.
    """
    path = addresses.checked(path)
    if addresses.is_address(path):
        if roots.given() is not None:
            raise DataError(
                "Addresses cannot be opened here: only folders that whoever starts the program names can."
            )
        return _opened(path, str(time.time() // AGAIN_SECONDS))
    try:
        folder = Path(path).expanduser()
    except RuntimeError as error:  # ~somebody who is not known
        raise DataError(f"There is no folder {path[:200]!r}.") from error
    roots.check(folder)
    uploads.check(str(folder))
    return _opened(str(folder), _stamp(folder))


def _stamp(folder: Path) -> str:
    """Identify the atlas in a folder, so that one that was made anew is not mistaken for it."""
    try:
        status = (folder / "atlas" / "atlas.json").stat()
    except (OSError, ValueError):
        return "none"
    return f"{status.st_mtime_ns} {status.st_size} {status.st_ino}"


@cached(max_entries=3, show_spinner="Opening the atlas…")
def _opened(path: str, stamp: str) -> Atlas:
    return open_atlas(path)

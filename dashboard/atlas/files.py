"""Files that the browser fetches once: pictures of a map and of its images, in a folder of bounded size."""

from pathlib import Path
from tempfile import mkdtemp

import streamlit as st

from dashboard.scatter.loading import drop_old, route, write

MAX_BYTES = 100_000_000


@st.cache_resource
def _folder() -> Path:
    return Path(mkdtemp(prefix="embedding-explorer-atlas-"))


def address(content: bytes, kind: str) -> str:
    """Serve some bytes as a file of this ending, and return its address."""
    folder = _folder()
    name = write(folder, content, kind)
    drop_old(folder, MAX_BYTES, name)
    return route("atlas_files", folder) + name

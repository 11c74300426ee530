"""Columns, table, map, pictures and numbers of results, kept while these are the same objects.

Every interaction asks for them anew. A stage that was found once is one object for as long as `dashboard.results` keeps it,
so its identity stands for it. What is kept holds these objects as well: no other one can get their identities meanwhile.
"""

import atexit
import hashlib
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from core import report, sheets, tables
from core.figures import Column, MapSpec
from core.plans import Results
from core.quality import Scores
from core.selection import matching
from dashboard.caches import cached
from dashboard.histograms import Bars, bars

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Kept(Generic[T]):
    """A value and the objects that it was made of."""

    value: T
    of: tuple[object, ...]


def columns(shown: Results) -> tuple[Column, ...]:
    """Return what each image is known by, as `core.report.columns`."""
    return _columns(_identities(_parts(shown)), shown).value


@cached(max_entries=4, show_spinner=False)
def _columns(identities: tuple[int, ...], _shown: Results) -> Kept[tuple[Column, ...]]:
    return Kept(report.columns(_shown), _parts(_shown))


def histogram_bars(shown: Results) -> list[Bars]:
    """Return every column in bars."""
    found = columns(shown)
    return _bars(id(found), found).value


@cached(max_entries=4, show_spinner=False)
def _bars(identity: int, _columns: tuple[Column, ...]) -> Kept[list[Bars]]:
    return Kept([bars(column) for column in _columns], (_columns,))


def table(shown: Results) -> pd.DataFrame:
    """Return a row an image, as `core.tables.table`; not to be changed."""
    return _table(_identities((*_parts(shown), shown.projection)), shown).value


@cached(max_entries=2, show_spinner=False)
def _table(identities: tuple[int, ...], _shown: Results) -> Kept[pd.DataFrame]:
    return Kept(tables.table(_shown), (*_parts(_shown), _shown.projection))


def map_spec(shown: Results, *, further: tuple[Column, ...] = (), **options: Any) -> MapSpec:
    """Return the map to draw, as `core.report.map_spec`."""
    if further:  # made for this run alone
        return report.map_spec(shown, further=further, known=columns(shown), **options)
    told = repr({name: _told(value) for name, value in options.items()})
    return _map_spec(_identities((*_parts(shown), shown.projection)), told, shown, options).value


@cached(max_entries=8, show_spinner=False)
def _map_spec(identities: tuple[int, ...], told: str, _shown: Results, _options: dict[str, Any]) -> Kept[MapSpec]:
    spec = report.map_spec(_shown, known=columns(_shown), **_options)
    return Kept(spec, (*_parts(_shown), _shown.projection))


def found(text: str, shown: Results) -> np.ndarray:
    """Say which images have every word of a text in their id, label or a further column: bool (n,)."""
    if not text.strip():
        return np.zeros(len(shown.images.value), bool)
    return _found(text, id(shown.images.value), shown).value


@cached(max_entries=16, show_spinner=False)
def _found(text: str, identity: int, _shown: Results) -> Kept[np.ndarray]:
    images = _shown.images.value
    labels = [] if images.y is None else [[images.classes[code] if code >= 0 else "" for code in images.y]]
    others = [values.tolist() for values in images.columns.values()]
    return Kept(matching(text, images.ids, *labels, *others), (images,))


def _parts(shown: Results) -> tuple[object, ...]:
    """Return what the columns are made of; the map only where it is what was clustered."""
    clustered = shown.projection if shown.on == "projection" else None
    return (
        shown.images.value,
        shown.model,
        shown.latents,
        shown.reduced,
        shown.manifold,
        shown.clustering,
        shown.known,
        shown.review,
        clustered,
    )


def _identities(parts: tuple[object, ...]) -> tuple[int, ...]:
    return tuple(map(id, parts))


def _told(value: Any) -> Any:
    return hashlib.blake2b(value.tobytes()).hexdigest() if isinstance(value, np.ndarray) else value


def sheets_of(shown: Results) -> Path:
    """Return a folder of sprite sheets of the images, beside their reconstructions when there are any."""
    encoded = shown.latents
    return _sheets(shown.images.key if encoded is None else encoded.key, shown)


@st.cache_resource(show_spinner=False)
def _sheets_folder() -> Path:
    """Return the folder of this server's sprite sheets; it goes with the server, as pages may show what is cached no more."""
    folder = Path(mkdtemp(prefix="embedding-explorer-sheets-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cached(max_entries=4, show_spinner=False)
def _sheets(key: str, _shown: Results) -> Path:
    folder = Path(mkdtemp(dir=_sheets_folder()))
    reconstructions = None if _shown.latents is None else _shown.latents.value.reconstructions
    # In a thread, as many images take long; the browser asks again for a sheet that is not there yet.
    pages = threading.Thread(
        target=sheets.write_pages, args=(_shown.images.value.x, reconstructions, folder), daemon=True
    )
    pages.start()
    return folder


def scores(shown: Results) -> Scores:
    """Return the numbers beside the map."""
    keys = [getattr(shown, stage).key for stage in ("latents", "projection", "clustering") if getattr(shown, stage)]
    return _scores(" ".join(keys), shown)


@cached(max_entries=128, show_spinner=False)
def _scores(key: str, _shown: Results) -> Scores:
    return report.scores(_shown)

"""What goes to the browser, without one: the Python time to it, and its bytes, against a figure of `st.plotly_chart`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core import figures
from core.bench.data import Data
from core.bench.runner import Benchmark, Side
from core.clustering import Clustering, cluster, start_sample
from core.config import KMeansConfig

POINTS, ROWS, K = 70_000, 10_000, 11
SPREAD = 64  # numbers an image


@dataclass(frozen=True)
class _Prepared:
    latents: np.ndarray  # (n, d) float32
    spec: figures.MapSpec
    seen: frozenset[str]  # contents of the arrays that the browser has


def _spec(coordinates: np.ndarray, labels: np.ndarray) -> figures.MapSpec:
    return figures.MapSpec(
        np.ascontiguousarray(coordinates, np.float32), np.arange(len(coordinates), dtype=np.int32),
        figures.category("cluster", labels), None, (), None, ("1", "2"), "bench", None,
    )  # fmt: skip


def _contents(spec: figures.MapSpec) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in figures.parts(spec)[1].items()}


def _message(spec: figures.MapSpec, seen: frozenset[str] = frozenset()) -> bytes:
    """Return what crosses the wire: the header, and each array that the browser does not have by its content."""
    import json

    header, arrays = figures.parts(spec)
    new = (array.tobytes() for array in arrays.values() if _digest(array.tobytes()) not in seen)
    return b"".join([json.dumps(header).encode(), *new])


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.blake2b(content, digest_size=12).hexdigest()


def _blobs(n: int) -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(0, 1, (10, SPREAD))[np.arange(n) % 10] * 2 + random.normal(0, 1, (n, SPREAD))).astype("f4")


def _clusters(latents: np.ndarray, k: int) -> Clustering:
    return cluster(latents, KMeansConfig(k, start_sample=start_sample(len(latents))))


def _prepare_k(data: Data) -> _Prepared:
    latents = _blobs(ROWS)
    spec = _spec(latents[:, :2], _clusters(latents, K - 1).labels)
    return _Prepared(latents, spec, frozenset(map(_digest, _contents(spec).values())))


def _prepare_map(data: Data) -> _Prepared:
    latents = _blobs(POINTS)
    return _Prepared(latents, _spec(latents[:, :2], np.arange(POINTS) % 10), frozenset())


def _prepare_recolour(data: Data) -> _Prepared:
    before = _prepare_map(data)
    spec = replace(before.spec, color=figures.category("cluster", np.arange(POINTS) // 7000))
    return _Prepared(before.latents, spec, frozenset(map(_digest, _contents(before.spec).values())))


def _move_k(prepared: _Prepared) -> tuple[bytes, float]:
    made = _clusters(prepared.latents, K)
    spec = replace(prepared.spec, color=figures.category("cluster", made.labels))
    return _message(spec, prepared.seen), float(made.inertia or 0.0)


def _plain_k(prepared: _Prepared) -> tuple[bytes, float]:
    from sklearn.cluster import KMeans

    made = KMeans(K, n_init=10, random_state=0).fit(prepared.latents)
    return _figure(prepared.spec.coordinates, made.labels_), float(made.inertia_)


def _figure(coordinates: np.ndarray, labels: np.ndarray) -> bytes:
    """Return the JSON of a figure with one trace a group, as `st.plotly_chart` sends it."""
    from plotly import graph_objects as go

    traces = [
        go.Scattergl(x=coordinates[labels == k, 0], y=coordinates[labels == k, 1], mode="markers", name=str(k),
                     customdata=np.flatnonzero(labels == k))
        for k in np.unique(labels)
    ]  # fmt: skip
    return str(go.Figure(traces).to_json()).encode()


def _groups(prepared: _Prepared) -> bytes:
    groups = prepared.spec.groups
    return _figure(prepared.spec.coordinates, np.zeros(POINTS) if groups is None else groups)


def _size(prepared: Any, made: bytes) -> dict[str, float]:
    return {"bytes": float(len(made))}


def _size_and_inertia(prepared: Any, made: tuple[bytes, float]) -> dict[str, float]:
    return {"bytes": float(len(made[0])), "inertia": made[1]}


def _inertia(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    more = ours["inertia"] / theirs["inertia"] - 1
    return "" if more <= 0.01 else f"our inertia is {more:.1%} higher"


K_MOVED = Benchmark(
    name="k-moved",
    what=f"from a new k to the message for the browser, {ROWS:,} × {SPREAD}",
    prepare=_prepare_k,
    ours=Side("KMeans with our settings, and the colours", _move_k, _size_and_inertia),
    theirs=Side("KMeans(n_init=10) and a Plotly figure", _plain_k, _size_and_inertia),
    target=5.0,
    fair=_inertia,
)
MAP_BYTES = Benchmark(
    name="map-bytes",
    what=f"a map of {POINTS:,} points without pictures",
    prepare=_prepare_map,
    ours=Side("header and arrays", lambda prepared: _message(prepared.spec), _size),
    theirs=Side("a Plotly figure's JSON", _groups, _size),
    target=2.0,
    by="bytes",
    repeats=1,
)
RECOLOUR_BYTES = Benchmark(
    name="recolour-bytes",
    what=f"other colours for a map of {POINTS:,} points",
    prepare=_prepare_recolour,
    ours=Side("header and colours", lambda prepared: _message(prepared.spec, prepared.seen), _size),
    theirs=Side("a Plotly figure's JSON", _groups, _size),
    target=2.0,
    by="bytes",
    repeats=1,
)

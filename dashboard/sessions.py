"""The whole view as JSON of known fields: in the address bar, so that a link opens it, and in files under names.

What is not in `KNOWN`, or is out of its range there, is left out; nothing is ever unpickled or run.
"""

import base64
import binascii
import json
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from core import recipes
from core.errors import ExplorerError
from core.plans import ModelRef
from core.readers.json_text import parsed
from dashboard import state
from dashboard.panels import matrix, sweep
from dashboard.sidebar import clusters, maps, methods, ways

ADDRESS = "view"
MOST_BYTES = 60_000  # of the JSON
MOST_TEXT = 1000
Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_TEXT


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(low: int, high: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(low: float, high: float) -> Check:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _one_of(*values: Any) -> Check:
    return lambda value: any(value == other and type(value) is type(other) for other in values)


def _many(check: Check) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= MOST_TEXT and all(check(item) for item in value)


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _model(value: Any) -> bool:
    return isinstance(value, ModelRef)


def _range(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(_number(-1e30, 1e30)(end) for end in value)


def camera(value: Any) -> bool:
    """Say whether a value is a place on a map: lists of up to three finite numbers by name, and the map's key."""
    if not isinstance(value, Mapping) or not _text(value.get("key")) or len(value) > 5:
        return False
    lists = [item for name, item in value.items() if name != "key"]
    return all(
        isinstance(item, list)
        and 2 <= len(item) <= 3
        and all(_number(-1e12, 1e12)(v) and math.isfinite(v) for v in item)
        for item in lists
    )


_SEED = _whole(0, 2**31)
# The widgets hold the same limits; a choice that a page does not offer falls back to its default there.
KNOWN: Mapping[str, Check] = {
    "data": _text, "path": _text, "labels": _text, "upload": _text, "csv.spreadsheet": _flag,
    "size": _one_of(None, 8, 16, 24, 28, 32, 48, 64, 96, 128),
    "part.*": _text, "only.*": _many(_text), "limit.*": _or_none(_whole(2, 2**31)), "metadata.*": _text,
    "recipe.epochs.*": _whole(1, 100_000), "recipe.*": _text, "model.*": _model,
    "map": _one_of(*maps.MAPS), "dims": _one_of(2, 3), "standardize": _flag,
    "reduction": _one_of("none", "pca", "kernel-pca", "svd"), "reduction.r": _whole(1, 100_000),
    "reduction.kernel": _one_of(*maps.KERNELS), "reduction.gamma.auto": _flag, "reduction.gamma": _number(-6, 2),
    "reduction.degree": _whole(1, 6), "map.kernel": _one_of(*maps.KERNELS), "map.gamma.auto": _flag,
    "map.gamma": _number(-6, 2), "map.degree": _whole(1, 6),
    "tsne.perplexity": _whole(2, 100), "tsne.perplexity.*": _whole(2, 100), "umap.n_neighbors.*": _whole(2, 100),
    "tsne.early_exaggeration": _whole(1, 40), "tsne.n_iter": _whole(100, 2000),
    "tsne.start": _text, "tsne.init": _one_of(*maps.INITS), "tsne.metric": _one_of(*maps.METRICS), "tsne.seed": _SEED,
    "umap.n_neighbors": _whole(2, 100), "umap.min_dist": _number(0, 1), "umap.metric": _one_of(*maps.METRICS),
    "umap.seed": _SEED,
    **{f"{of}.sample{many}": _one_of(*maps.SAMPLES) for of in ("tsne", "umap", "manifold") for many in ("", ".many")},
    "way": _one_of(*ways.NAMES), "way.many": _one_of(*ways.NAMES),
    "manifold.n_components": _whole(1, ways.MOST_DIMENSIONS), "manifold.n_neighbors": _whole(2, 100),
    "manifold.n_neighbors.*": _whole(2, 100), "manifold.min_dist": _number(0, 1),
    "manifold.metric": _one_of(*maps.METRICS), "manifold.seed": _SEED,
    "cluster.method.many": _one_of(*methods.METHODS),
    "k.*": _whole(1, clusters.MAX_CLUSTERS), "on": _one_of(*clusters.CLUSTER_ON), "n_init": _whole(1, 20),
    "kmeans.sample": _flag,
    "cluster.method": _one_of(*methods.METHODS), "cluster.seed": _SEED,
    "mixture.covariance": _one_of(*methods.COVARIANCES), "mixture.n_init": _whole(1, 20),
    "mixture.sample": _flag, "mixture.reg_covar": _one_of(*methods.REGULARISED),
    "agglomerative.linkage": _one_of(*methods.LINKAGES), "agglomerative.graph": _flag,
    "agglomerative.graph_neighbors": _whole(2, methods.MOST_NEIGHBORS),
    "spectral.graph_neighbors": _whole(2, methods.MOST_NEIGHBORS),
    "hdbscan.min_cluster_size": _whole(2, methods.MOST_SIZE), "hdbscan.min_samples": _whole(1, methods.MOST_SIZE),
    "hdbscan.min_samples.auto": _flag, "hdbscan.selection": _one_of(*methods.SELECTIONS),
    "known": _one_of("all", "first", "csv"), "known.first": _whole(1, 2**31), "known.class": _text, "known.csv": _text,
    "ensemble.seeds": _whole(0, 9), "ensemble.k": _many(_whole(2, clusters.MAX_CLUSTERS)),
    "ensemble.reductions": _many(_one_of(*clusters.REDUCED)),
    "color": _text, "symbol": _text, "point_size": _whole(1, 15), "opacity": _number(0.1, 1), "crowd": _flag,
    "map.pictures": _flag, "panel": _text, "order": _text, "gallery.side": _one_of(*range(24, 193, 8)),
    "order.up.*": _flag, "gallery.parts": _many(_text), "gallery.page": _whole(1, 2**31),
    "table.by": _text, "table.down": _flag, "table.page": _whole(1, 2**31),
    "pick.mode": _one_of("replace", "add", "remove"), "pick.radius": _number(0, 1e12),
    "near.of": _text, "near.k": _whole(1, 1000), "near.metric": _one_of("euclidean", "cosine"),
    "walk.kind": _text, "walk.steps": _whole(3, 40), "walk.cluster": _whole(0, 2**31),
    "walk.direction": _whole(1, 10), "walk.at": _whole(1, 200), "camera": camera,
    "beside": _many(_text), "beside.company": _flag, "beside.lines": _flag,
    "sweep.first": _whole(2, clusters.MAX_CLUSTERS), "sweep.last": _whole(2, clusters.MAX_CLUSTERS),
    "suspects.show": _text, "suspects.page": _whole(1, 2**31), "suspects.first": _whole(1, 2**31), "suspects.follow": _flag,
    "outliers.by": _one_of("knn", "lof"), "outliers.k": _whole(1, 1000), "outliers.column": _flag, "outliers.open": _flag,
    "duplicates.latent.*": _number(0, 1e12), "duplicates.pixel.*": _number(0, 1), "duplicates.kind": _text,
    "duplicates.open": _flag, "labels.least": _number(0, 1), "labels.of": _text, "labels.order": _text,
    "suspects.threshold": _number(0, 1), "suspects.weight.*": _number(0, 5),
    "sweep.step": _one_of(*sweep.STEPS), "matrix.values": _one_of(*matrix.VALUES),
    "atlas.color": _text, "atlas.by": _many(_text), "atlas.only.*": _many(_text), "atlas.range.*": _range, "atlas.view": camera,
    "atlas.panel": _text, "atlas.where": _text, "atlas.histogram": _text, "atlas.rows": _text, "atlas.columns": _text,
    "atlas.values": _text, "atlas.side": _whole(32, 160),
}  # fmt: skip


def _check(name: str) -> Check | None:
    if name in KNOWN:
        return KNOWN[name]
    fits = [known for known in KNOWN if known.endswith(".*") and name.startswith(known[:-1])]
    return KNOWN[max(fits, key=len)] if fits else None


def accepted(values: Any) -> dict[str, Any]:
    """Return the known fields of a view whose values can be; everything else is left out."""
    if not isinstance(values, Mapping):
        return {}
    found = {}
    for name, value in list(values.items())[:1000]:
        check = _check(name) if isinstance(name, str) and len(name) <= MOST_TEXT else None
        if check is not None and name.startswith("model."):
            value = _rebuilt(value)
        if check is not None and check(value):
            found[name] = value
    return found


def _rebuilt(value: Any) -> Any:
    try:
        return recipes.rebuilt(value)
    except (ExplorerError, TypeError, AttributeError, ValueError, RecursionError):
        return None


def whole(values: dict[str, Any]) -> dict[str, Any]:
    """Return a view that was kept or linked to as it was: one of before there were ways has settings of its own."""
    return (
        {"way": ways.OWN, "way.many": ways.OWN, **values}
        if values and not {"way", "way.many"} & set(values)
        else values
    )


def current() -> dict[str, Any]:
    """Return this session's view as plain JSON values: what differs from the defaults, and with it the way to clusters."""
    found = {}
    for name, value in sorted(state.changed().items()):
        check = _check(name)
        if check is not None and check(value):
            found[name] = recipes.plain(value) if name.startswith("model.") else value
    ways_shown = {name: state.value(name) for name in ("way", "way.many") if state.value(name) is not None}
    return {**found, **ways_shown} if found else found


def to_text(values: Mapping[str, Any]) -> str:
    """Write a view so that it can be part of an address."""
    data = json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8", "replace")
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")


def from_text(text: str) -> dict[str, Any]:
    """Read what `to_text` wrote; what cannot be read is an empty view."""
    if len(text) > 2 * MOST_BYTES:
        return {}
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        data = zlib.decompressobj().decompress(packed, MOST_BYTES)  # no more than that is ever unpacked
        return accepted(parsed(data))
    except (binascii.Error, ValueError, zlib.error):
        return {}


def open_address() -> None:
    """Open the view that the address holds, once in a session."""
    text = state.address(ADDRESS)
    if not state.first_time("address opened") or text is None:
        return
    for name, value in whole(from_text(text)).items():
        state.change(name, value)


def write_address() -> None:
    """Let the address hold this view."""
    values = current()
    text = to_text(values) if values else None
    if text != state.address(ADDRESS):
        state.change_address(ADDRESS, text)

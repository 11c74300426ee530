"""What stages over shards found, to plain JSON values and back."""

from dataclasses import asdict
from typing import Any

import numpy as np

from core.shards.clustering.kmeans import Centers
from core.shards.index import IndexInfo
from core.shards.moments import ReducedParts
from core.shards.placing import Kept, Placed
from core.shards.suspects import Suspected


def centers_to_json(found: Centers) -> dict[str, Any]:
    """Turn centers into plain values; float32 comes back exactly."""
    return {**asdict(found), "centers": found.centers.tolist(), "sizes": found.sizes.tolist()}


def centers_from_json(values: dict[str, Any]) -> Centers:
    """Rebuild what `centers_to_json` turned into values."""
    arrays = {"centers": np.array(values["centers"], np.float32), "sizes": np.array(values["sizes"], np.int64)}
    return Centers(**{**values, **arrays})


def reduced_to_json(found: ReducedParts) -> dict[str, Any]:
    """Turn what a reduction says of itself into plain values."""
    return {**asdict(found), "explained_variance_ratio": _listed(found.explained_variance_ratio)}


def reduced_from_json(values: dict[str, Any]) -> ReducedParts:
    """Rebuild what `reduced_to_json` turned into values."""
    return ReducedParts(**{**values, "explained_variance_ratio": _array(values["explained_variance_ratio"])})


def placed_to_json(found: Placed) -> dict[str, Any]:
    """Turn what a map says of itself into plain values."""
    return {**asdict(found), "explained_variance_ratio": _listed(found.explained_variance_ratio)}


def placed_from_json(values: dict[str, Any]) -> Placed:
    """Rebuild what `placed_to_json` turned into values."""
    kept = {name: None if values[name] is None else Kept(**values[name]) for name in ("kept_fitted", "kept_placed")}
    return Placed(**{**values, **kept, "explained_variance_ratio": _array(values["explained_variance_ratio"])})


def index_to_json(found: IndexInfo) -> dict[str, Any]:
    """Turn what an index says of itself into plain values."""
    return asdict(found)


def index_from_json(values: dict[str, Any]) -> IndexInfo:
    """Rebuild what `index_to_json` turned into values."""
    return IndexInfo(**values)


def suspected_to_json(found: Suspected) -> dict[str, Any]:
    """Turn what a search for suspects says of itself into plain values."""
    return asdict(found)


def suspected_from_json(values: dict[str, Any]) -> Suspected:
    """Rebuild what `suspected_to_json` turned into values."""
    return Suspected(**{**values, "groups": tuple(values["groups"]), "sizes": tuple(values["sizes"])})


def _listed(values: np.ndarray | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values]


def _array(values: list[float] | None) -> np.ndarray | None:
    return None if values is None else np.array(values, np.float32)

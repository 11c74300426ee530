"""Settings to and from JSON."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from core.config.clusters import (
    AgglomerativeConfig,
    ClusterConfig,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    SpectralConfig,
)
from core.config.maps import KernelPCAConfig, PCAConfig, ReductionConfig, TruncatedSVDConfig, TSNEConfig, UMAPConfig
from core.config.networks import AutoencoderConfig, ClassifierConfig, FeaturesConfig, LayersConfig, TrainingConfig
from core.errors import ConfigError

CLASSES: tuple[type, ...] = (
    AutoencoderConfig,
    LayersConfig,
    TrainingConfig,
    PCAConfig,
    KernelPCAConfig,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    GaussianMixtureConfig,
    AgglomerativeConfig,
    HDBSCANConfig,
    SpectralConfig,
    ReductionConfig,
    ClusterConfig,
    ClassifierConfig,
    FeaturesConfig,
)


def to_json(config: Any) -> dict[str, Any]:
    """Turn a config into plain JSON values; `type` names its class. Settings that came later only where they are set."""
    values: dict[str, Any] = {"type": type(config).__name__}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if item.metadata.get("later") and value == item.default:
            continue
        values[item.name] = to_json(value) if dataclasses.is_dataclass(value) else _written(value, item.type)
    return values


def _written(value: Any, kind: Any) -> Any:
    """Write 30 as 30.0 and -0.0 as 0.0 where a float is meant, so that equal configs have one text, and so one key."""
    if kind in (float, float | None) and value is not None:
        return float(value) + 0.0
    return [float(item) + 0.0 for item in value] if kind == tuple[float, ...] else value


def from_json(values: Mapping[str, Any]) -> Any:
    """Rebuild a config from `to_json`'s values.

    Raises
    ------
    ConfigError : the type or a setting is not known, or a value is out of its range.
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("type"), str):
        raise ConfigError("a config in JSON needs a 'type'.")
    known = {cls.__name__: cls for cls in CLASSES}
    cls = known.get(values["type"])
    if cls is None:
        raise ConfigError(f"config type {values['type']!r} is not one of {', '.join(known)}.")
    names = {item.name for item in dataclasses.fields(cls)}
    unknown = sorted(set(values) - names - {"type"})
    if unknown:
        raise ConfigError(f"{values['type']} has no setting {unknown[0]!r}.")
    given = {name: value for name, value in values.items() if name != "type"}
    needed = [
        item.name for item in dataclasses.fields(cls) if item.default is item.default_factory is dataclasses.MISSING
    ]
    for name in needed:
        if name not in given:
            raise ConfigError(f"{values['type']} needs {name!r}.")
    return cls(**{k: from_json(v) if isinstance(v, Mapping) else v for k, v in given.items()})

"""A trained autoencoder as plain arrays and settings."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from core import layers
from core.config import FeaturesConfig, LayersConfig, ModelConfig, TrainingConfig, from_json, latent_shape, to_json
from core.errors import CheckpointError, ConfigError
from core.imageset import MAX_SIDE, MIN_SIDE
from core.readers.weights import check_weights
from core.store import Entry, fingerprint, key_of

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Epoch:
    """Mean losses of one epoch, counted from 1; `validation_loss` None when nothing was held out.

    `seconds` are 0 where a file does not say: they are not a property of the model.
    """

    epoch: int
    train_loss: float
    validation_loss: float | None
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """Weights and what made them.

    Parameters
    ----------
    image_shape : (h, w, c) of the images it reads.
    weights : float arrays by name, as the architecture names them.
    training : None for a foreign checkpoint that does not say.
    history : the completed epochs.
    """

    autoencoder: ModelConfig
    training: TrainingConfig | None
    image_shape: tuple[int, int, int]
    weights: Mapping[str, np.ndarray]
    history: tuple[Epoch, ...] = ()
    trained_on: str = ""
    stopped_early: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """Hash of architecture, image shape and weights: 32 hexadecimal digits."""
        names = sorted(self.weights)
        arrays = fingerprint(*(self.weights[name] for name in names))
        return key_of(1, identity(self.autoencoder), list(self.image_shape), names, arrays)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one image's latents, (latent_size,) or (c, h, w)."""
        return latent_shape(self.autoencoder, self.image_shape)

    @property
    def n_latents(self) -> int:
        """Numbers that one image becomes."""
        return math.prod(self.latent_shape)

    @property
    def n_parameters(self) -> int:
        """Number of trained values; running statistics of normalisation are not counted."""
        return sum(array.size for name, array in self.weights.items() if not name.endswith(_BUFFERS))


def identity(config: ModelConfig) -> dict[str, Any]:
    """Return the settings that say what a model is: not where weights lie, nor how many images are read at once."""
    values = to_json(config)
    if isinstance(config, FeaturesConfig):
        values["file"], values["network"]["batch_size"] = None, None
    return values


def to_entry(model: TrainedModel) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Split a model into arrays and JSON values, for a store entry."""
    return dict(model.weights), to_settings(model)


def from_entry(entry: Entry) -> TrainedModel:
    """Rebuild a model from a store entry."""
    return from_settings(entry.info, entry.arrays)


def to_settings(model: TrainedModel) -> dict[str, Any]:
    """Turn all but the weights into plain JSON values."""
    return {
        "autoencoder": to_json(model.autoencoder),
        "training": None if model.training is None else to_json(model.training),
        "image_shape": list(model.image_shape),
        "trained_on": model.trained_on,
        "stopped_early": model.stopped_early,
        "history": [dataclasses.asdict(epoch) for epoch in model.history],
    }


def from_settings(values: Any, weights: Mapping[str, np.ndarray]) -> TrainedModel:
    try:
        training = values.get("training")
        model = TrainedModel(
            autoencoder=from_json(values["autoencoder"]),
            training=None if training is None else from_json(training),
            image_shape=tuple(values["image_shape"]),
            weights=dict(weights),
            history=tuple(Epoch(**epoch) for epoch in values.get("history", ())),
            trained_on=values.get("trained_on", ""),
            stopped_early=values.get("stopped_early", False),
        )
    except KeyError as error:
        raise CheckpointError(f"The model's settings lack {error}.") from error
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError, RuntimeError, ConfigError) as error:
        raise CheckpointError(f"The model's settings cannot be read: {str(error).rstrip('.')}.") from error
    _check_settings(model)
    check_weights(model.weights)
    return model


def _check_settings(model: TrainedModel) -> None:
    if not isinstance(model.autoencoder, ModelConfig) or not isinstance(model.training, TrainingConfig | None):
        raise CheckpointError("The model's settings are not those of an autoencoder and its training.")
    shape = model.image_shape
    whole = len(shape) == 3 and all(type(side) is int for side in shape)
    if not whole or not all(MIN_SIDE <= side <= MAX_SIDE for side in shape[:2]) or shape[2] not in (1, 3):
        limits = f"{MIN_SIDE} to {MAX_SIDE} pixels high and wide, of 1 or 3 channels"
        raise CheckpointError(f"The model's image shape {shape!s:.80} is not {limits}.")
    if isinstance(model.autoencoder, LayersConfig):
        _check_layers(model.autoencoder, (shape[0], shape[1], shape[2]))
    if not isinstance(model.trained_on, str) or not isinstance(model.stopped_early, bool):
        raise CheckpointError("The model's settings need text as trained_on, true or false as stopped_early.")
    for number, epoch in enumerate(model.history, start=1):
        losses = (epoch.train_loss, epoch.seconds, 0.0 if epoch.validation_loss is None else epoch.validation_loss)
        if epoch.epoch != number or not all(type(item) in (int, float) and abs(item) < math.inf for item in losses):
            raise CheckpointError(f"The model's history cannot be read: epoch {number} is not one of finite losses.")


def _check_layers(config: LayersConfig, image_shape: tuple[int, int, int]) -> None:
    try:
        layers.check_fit(layers.parse(config.encoder), layers.parse(config.decoder), image_shape)
    except ConfigError as error:
        raise CheckpointError(f"The model's layers do not fit its images: {error}") from error

"""A trained autoencoder as plain arrays: saved, kept under a name, loaded, and read from foreign checkpoints.

A kept model is a directory `<root>/<name>/` of `weights.safetensors` and `model.json`. It lives beside the user's
documents, not in the clearable store. Nothing here needs torch except reading a foreign `.pt` file.
"""

import dataclasses
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import safetensors
import safetensors.numpy

from core import layers
from core.config import LayersConfig, ModelConfig, TrainingConfig, from_json, latent_shape, to_json
from core.errors import CheckpointError, ConfigError
from core.imageset import MAX_SIDE, MIN_SIDE
from core.readers.sources import SAMPLES
from core.readers.weights import LIMIT_BYTES, check_weights, read_safetensors, read_torch
from core.store import Entry, fingerprint, key_of

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
_NAME = re.compile(r"[^\W_]([\w\-. ]{0,62}[\w\-])?")


@dataclass(frozen=True)
class Epoch:
    """Mean losses of one epoch, counted from 1; `validation_loss` None when nothing was held out."""

    epoch: int
    train_loss: float
    validation_loss: float | None
    seconds: float


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
        return key_of(1, to_json(self.autoencoder), list(self.image_shape), names, arrays)

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


def to_entry(model: TrainedModel) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Split a model into arrays and JSON values, for a store entry."""
    return dict(model.weights), _to_json(model)


def from_entry(entry: Entry) -> TrainedModel:
    """Rebuild a model from a store entry."""
    return _from_json(entry.info, entry.arrays)


def save(model: TrainedModel, directory: Path) -> None:
    """Write `weights.safetensors` and `model.json` into a directory, whole or not at all.

    Raises
    ------
    CheckpointError : the directory cannot be written.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".", dir=directory.parent))
        try:
            safetensors.numpy.save_file(_contiguous(model.weights), temporary / "weights.safetensors")
            (temporary / "model.json").write_text(json.dumps(_to_json(model), indent=1) + "\n", "utf-8")
            temporary.chmod(0o755)  # not only for their maker
            for file in temporary.iterdir():
                file.chmod(0o644)
            if directory.exists():
                shutil.rmtree(directory)
            temporary.rename(directory)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise CheckpointError(f"The model cannot be written to {directory}: {error.strerror or error}.") from error


def load(directory: Path) -> TrainedModel:
    """Read a model that `save` wrote.

    Raises
    ------
    CheckpointError : it is not there or cannot be read.
    """
    try:
        text = (directory / "model.json").read_text("utf-8")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"There is no model in {directory}: model.json cannot be read.") from error
    return _from_json(_parsed(text, directory), read_safetensors(directory / "weights.safetensors")[0])


def models_root() -> Path:
    """Return the directory of kept models: `EMBEDDING_EXPLORER_MODELS`, else in the user's data directory."""
    given = os.environ.get("EMBEDDING_EXPLORER_MODELS")
    return Path(given) if given else platformdirs.user_data_path("embedding-explorer") / "models"


def checked_name(name: str) -> str:
    """Return a model's name when it can be a directory's name anywhere.

    Raises
    ------
    ConfigError : a sample has it, or it is empty, too long, or holds other than letters, digits, blanks, "." "_" "-".
    """
    if name in SAMPLES:
        raise ConfigError(f"{name!r} is the name of a sample's own model; choose another name.")
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"A model cannot be named {name[:80]!r}: use 1 to 64 letters, digits, blanks, '.', '_' or '-', "
            "with a letter or digit first and no '.' or blank last."
        )
    return name


def keep(model: TrainedModel, name: str, root: Path) -> Path:
    """Keep a model under a name and return its directory.

    Raises
    ------
    ConfigError : the name cannot be used or is taken. CheckpointError : it cannot be written.
    """
    directory = root / checked_name(name)
    if directory.exists():
        raise ConfigError(f"There is a model named {name!r} already; choose another name or delete that one.")
    save(model, directory)
    return directory


def names(root: Path) -> list[str]:
    """List the kept models' names, in order."""
    found = (path.parent.name for path in root.glob("*/model.json"))
    return sorted(name for name in found if _NAME.fullmatch(name) and name not in SAMPLES)


def delete(name: str, root: Path) -> None:
    """Delete a kept model.

    Raises
    ------
    ConfigError : there is none of this name. CheckpointError : it cannot be deleted.
    """
    directory = root / checked_name(name)
    if not (directory / "model.json").is_file():
        raise ConfigError(f"There is no model named {name!r}.")
    try:
        shutil.rmtree(directory)
    except OSError as error:
        raise CheckpointError(f"Model {name!r} cannot be deleted: {error.strerror or error}.") from error


def checkpoint_bytes(model: TrainedModel) -> bytes:
    """Return one .safetensors file with the settings as JSON in its metadata."""
    return safetensors.numpy.save(_contiguous(model.weights), {"model": json.dumps(_to_json(model))})


def write_checkpoint(model: TrainedModel, path: Path) -> None:
    """Write one .safetensors file, whole or not at all.

    Raises
    ------
    CheckpointError : it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        try:
            temporary.write_bytes(checkpoint_bytes(model))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise CheckpointError(f"The model cannot be written to {path}: {error.strerror or error}.") from error


def read_checkpoint(path: Path) -> TrainedModel:
    """Read a model from a directory, a .safetensors file, or a PyTorch file of `config` and `state_dict`.

    A .safetensors file holds the settings in its metadata, or in a `model.json` beside it. Nothing is unpickled.

    Raises
    ------
    CheckpointError : the file cannot be read, needs pickle, or does not say what it holds.
    """
    try:
        if path.is_dir():
            return load(path)
        if not path.is_file():
            raise CheckpointError(f"There is no model file {path}.")
        size = path.stat().st_size
    except OSError as error:
        raise CheckpointError(f"The model file {path} cannot be read: {error.strerror or error}.") from error
    if size > LIMIT_BYTES:
        raise CheckpointError(f"{path.name} has more than {LIMIT_BYTES >> 30} GiB, the limit of a model file.")
    if path.suffix.lower() in (".pt", ".pth"):
        weights, config = read_torch(path)
        return _from_json(config, weights)
    weights, metadata = read_safetensors(path)
    if "model" in metadata:
        return _from_json(_parsed(metadata["model"], path), weights)
    try:
        text = path.with_name("model.json").read_text("utf-8")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path.name} does not say what it is: put its model.json beside it.") from error
    return _from_json(_parsed(text, path), weights)


def _contiguous(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.asarray(weights[name], order="C") for name in sorted(weights)}  # keeps 0-d arrays 0-d


def _parsed(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"The settings of {path.name} are not JSON.") from error


def _to_json(model: TrainedModel) -> dict[str, Any]:
    return {
        "autoencoder": to_json(model.autoencoder),
        "training": None if model.training is None else to_json(model.training),
        "image_shape": list(model.image_shape),
        "trained_on": model.trained_on,
        "stopped_early": model.stopped_early,
        "history": [dataclasses.asdict(epoch) for epoch in model.history],
    }


def _from_json(values: Any, weights: Mapping[str, np.ndarray]) -> TrainedModel:
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

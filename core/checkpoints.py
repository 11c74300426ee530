"""Models in files: saved, kept under a name, and read from checkpoints of others.

A kept model is a directory `<root>/<name>/` of `weights.safetensors` and `model.json`. It lives beside the user's
documents, not in the clearable store. Nothing here needs torch except reading a foreign `.pt` file.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import safetensors
import safetensors.numpy

from core.errors import CheckpointError, ConfigError
from core.models import TrainedModel, from_settings, to_settings
from core.readers.sources import SAMPLES
from core.readers.weights import LIMIT_BYTES, read_safetensors, read_torch

_NAME = re.compile(r"[^\W_]([\w\-. ]{0,62}[\w\-])?")


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
            (temporary / "model.json").write_text(json.dumps(_untimed(model), indent=1) + "\n", "utf-8")
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
    return from_settings(_parsed(text, directory), read_safetensors(directory / "weights.safetensors")[0])


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
    return safetensors.numpy.save(_contiguous(model.weights), {"model": json.dumps(_untimed(model))})


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
        return from_settings(config, weights)
    weights, metadata = read_safetensors(path)
    if "model" in metadata:
        return from_settings(_parsed(metadata["model"], path), weights)
    try:
        text = path.with_name("model.json").read_text("utf-8")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path.name} does not say what it is: put its model.json beside it.") from error
    return from_settings(_parsed(text, path), weights)


def _untimed(model: TrainedModel) -> dict[str, Any]:
    """Return the settings without the seconds that epochs took, so that the same model is the same file."""
    settings = to_settings(model)
    return settings | {
        "history": [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in settings["history"]]
    }


def _contiguous(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.asarray(weights[name], order="C") for name in sorted(weights)}  # keeps 0-d arrays 0-d


def _parsed(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"The settings of {path.name} are not JSON.") from error

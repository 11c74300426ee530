"""Models in files: saved, kept under a name, and read from checkpoints of others.

A kept model is a directory `<root>/<name>/` of `weights.safetensors` and `model.json`. It lives beside the user's
documents, not in the clearable store. Nothing here needs torch except reading a foreign `.pt` file.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import safetensors
import safetensors.numpy

from core import checksums, whole
from core.errors import CheckpointError, ConfigError
from core.models import TrainedModel, from_settings, to_settings
from core.readers.json_text import parsed
from core.readers.opening import open_file, size_of
from core.readers.sources import SAMPLES
from core.readers.weights import LIMIT_BYTES, read_safetensors, read_torch
from core.store import fingerprint, key_of
from core.versions import versions

_AGAIN = "Take it from a copy, or train it again."
SETTINGS_BYTES = 50 << 20  # of a model, with its history
_NAME = re.compile(r"[^\W_]([\w\-. ]{0,62}[\w\-])?")


def save(model: TrainedModel, directory: Path) -> None:
    """Write `weights.safetensors` and `model.json` into a directory, whole or not at all; what was there is replaced.

    Raises
    ------
    CheckpointError : the directory cannot be written.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        whole.sweep([path for path in directory.parent.iterdir() if whole.is_owned(path)])
        made = whole.beside(directory)
        made.mkdir()
        try:
            _fill(made, model)
            whole.replace(made, directory)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise CheckpointError(f"The model cannot be written to {directory}: {error.strerror or error}.") from error


def load(directory: Path) -> TrainedModel:
    """Read a model that `save` wrote, also in an earlier version, which knew no checksums.

    Raises
    ------
    CheckpointError : it is not there, is damaged or cannot be read.
    """
    whole.restored(directory)
    try:
        text = _settings(directory / "model.json")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"There is no model in {directory}: model.json cannot be read.") from error
    settings, weights = _parsed(text, directory), directory / "weights.safetensors"
    try:
        given = _sums(settings).get(weights.name)
        if given is not None and checksums.of_file(weights) != given:
            raise CheckpointError(
                f"The weights of {directory.name} are damaged: their checksum does not fit. {_AGAIN}"
            )
    except OSError as error:
        raise CheckpointError(f"The weights in {directory} cannot be read: {error.strerror or error}.") from error
    return from_settings(settings, read_safetensors(weights)[0])


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
    directory = whole.restored(root / checked_name(name))
    if directory.exists():
        raise ConfigError(f"There is a model named {name!r} already; choose another name or delete that one.")
    save(model, directory)
    return directory


def names(root: Path) -> list[str]:
    """List the kept models' names, in order."""
    whole.restore_all(root)
    found = (path.parent.name for path in root.glob("*/model.json"))
    return sorted(name for name in found if _NAME.fullmatch(name) and name not in SAMPLES)


def delete(name: str, root: Path) -> None:
    """Delete a kept model.

    Raises
    ------
    ConfigError : there is none of this name. CheckpointError : it cannot be deleted.
    """
    directory = whole.restored(root / checked_name(name))
    if not (directory / "model.json").is_file():
        raise ConfigError(f"There is no model named {name!r}.")
    try:
        whole.remove(directory)
    except OSError as error:
        raise CheckpointError(f"Model {name!r} cannot be deleted: {error.strerror or error}.") from error


def checkpoint_bytes(model: TrainedModel) -> bytes:
    """Return one .safetensors file with the settings as JSON in its metadata, where checksums cover all of it."""
    weights = _contiguous(model.weights)
    told = _told(model, {"arrays": _sum_of(weights)})
    return safetensors.numpy.save(weights, {"model": told.decode()})  # one value: several come in any order


def write_checkpoint(model: TrainedModel, path: Path) -> None:
    """Write one .safetensors file, whole or not at all.

    Raises
    ------
    CheckpointError : it cannot be written.
    """
    try:
        whole.write(path, checkpoint_bytes(model))
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
        settings = _parsed(metadata["model"].encode(), path)
        given = _sums(settings).get("arrays")
        if given is not None and _sum_of(weights) != given:
            raise CheckpointError(f"The weights of {path.name} are damaged: their checksum does not fit. {_AGAIN}")
        return from_settings(settings, weights)
    try:
        text = _settings(path.with_name("model.json"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path.name} does not say what it is: put its model.json beside it.") from error
    return from_settings(_parsed(text, path), weights)


def _fill(made: Path, model: TrainedModel) -> None:
    weights = made / "weights.safetensors"
    weights.write_bytes(
        safetensors.numpy.save(_contiguous(model.weights))
    )  # its save_file hides a full disk's OSError
    told = _told(model, {weights.name: checksums.of_file(weights)}, indent=1)
    (made / "model.json").write_bytes(told + b"\n")
    made.chmod(0o755)  # not only for their maker
    for file in made.iterdir():
        file.chmod(0o644)
        whole.sync(file)


def _untimed(model: TrainedModel) -> dict[str, Any]:
    """Return the settings without the seconds that epochs took, so that the same model is the same file."""
    settings = to_settings(model)
    return settings | {
        "history": [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in settings["history"]]
    }


def _contiguous(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.asarray(weights[name], order="C") for name in sorted(weights)}  # keeps 0-d arrays 0-d


def _settings(path: Path) -> bytes:
    with open_file(path) as file:
        if size_of(file) > SETTINGS_BYTES:
            raise CheckpointError(f"{path.name} has more than {SETTINGS_BYTES >> 20} MiB, the limit of settings.")
        return file.read()


def _told(model: TrainedModel, sums: Mapping[str, str], **how: Any) -> bytes:
    return checksums.sealed({**_untimed(model), "versions": versions(), "sums": sums}, **how)


def _sum_of(weights: Mapping[str, np.ndarray]) -> str:
    names = sorted(weights)
    return key_of(1, names, fingerprint(*(weights[name] for name in names)))


def _sums(settings: Any) -> Mapping[str, Any]:
    """Return the checksums that settings tell; none in those of an earlier version, or of a foreign file."""
    sums = settings.get("sums") if isinstance(settings, dict) else None
    return sums if isinstance(sums, dict) else {}


def _parsed(text: bytes, path: Path) -> Any:
    try:
        parsed(text)  # finds what is no Unicode or nested without end
        return checksums.unsealed(text)
    except checksums.Damaged as error:
        raise CheckpointError(
            f"The settings of {path.name} are damaged: their checksum does not fit. {_AGAIN}"
        ) from error
    except ValueError as error:
        raise CheckpointError(f"The settings of {path.name} are not JSON.") from error

"""Where a training over shards is after an epoch, in one file: there whole or not at all, and nothing in it is unpickled."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from core import checksums, whole
from core.errors import CheckpointError
from core.readers.opening import open_file, size_of
from core.readers.weights import LIMIT_BYTES
from core.store import Entry, fingerprint
from core.training_state import State, from_entry, to_entry

NAME = "training.safetensors"
_TIMES = 5  # a model's weights, those of its optimiser, and some room


def write(folder: Path, state: State, told: Mapping[str, Any]) -> None:
    """Write a training's state, and what it is a training of; one that was there is replaced.

    Raises
    ------
    CheckpointError : it cannot be written.
    """
    arrays, info = to_entry(state)
    names = sorted(arrays)
    sums = fingerprint(*(arrays[name] for name in names))
    text = checksums.sealed({"told": dict(told), "info": info, "names": names, "arrays": sums})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        whole.sweep([path for path in folder.iterdir() if whole.is_owned(path)])
        tensors = {**arrays, "settings": np.frombuffer(text, np.uint8)}
        whole.write(folder / NAME, safetensors.numpy.save(tensors))
    except OSError as error:
        raise CheckpointError(f"The training cannot be kept in {folder}: {error.strerror or error}.") from error


def look(folder: Path) -> bytes | None:
    """Return what `write` wrote, or None where nothing is.

    Raises
    ------
    CheckpointError : it cannot be read.
    """
    path = folder / NAME
    try:
        with open_file(path) as file:
            if size_of(file) > _TIMES * LIMIT_BYTES:
                raise CheckpointError(
                    f"{path} has more than {_TIMES * LIMIT_BYTES >> 30} GiB, the limit of a training."
                )
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"The training in {folder} cannot be read: {error!s:.200}.") from error


def read(data: bytes, told: Mapping[str, Any], folder: Path) -> State:
    """Return the state of a training of just this.

    Raises
    ------
    CheckpointError : it is damaged, or of another training.
    """
    try:
        arrays = safetensors.numpy.load(data)
        settings = checksums.unsealed(arrays.pop("settings").tobytes())
        if sorted(arrays) != settings["names"]:
            raise ValueError("its arrays are others")
        if fingerprint(*(arrays[name] for name in settings["names"])) != settings["arrays"]:
            raise ValueError("its checksum does not fit")
        state, of = from_entry(Entry(arrays, settings["info"], 0.0)), dict(settings["told"])
    except (safetensors.SafetensorError, ValueError, TypeError, LookupError, RecursionError, AttributeError) as error:
        raise CheckpointError(
            f"The training in {folder} is damaged ({error!s:.100}); remove it to begin anew."
        ) from error
    for name in sorted(set(told) | set(of)):
        if told.get(name) != of.get(name):
            raise CheckpointError(
                f"{folder} holds a training of another {name.replace('_', ' ')}; choose another folder, or remove it."
            )
    return state

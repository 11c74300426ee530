"""Read and check a model's weights; nothing is unpickled, and torch is loaded only for a PyTorch file."""

import hashlib
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from core.errors import CheckpointError
from core.readers.archives import open_zip
from core.readers.opening import open_file

LIMIT_BYTES = 1 << 30
HEADER_BYTES = 20 << 20  # of a .safetensors file: names, shapes and settings
MOST_ARRAYS = 10_000
_BROKEN = (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
           TypeError, ValueError, struct.error, zipfile.BadZipFile, safetensors.SafetensorError)  # fmt: skip
_CONVERT = "convert it to .safetensors, or with torch.save({'config': {…}, 'state_dict': model.state_dict()}, path)"


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays of a .safetensors file by name, and its metadata.

    Raises
    ------
    CheckpointError : it cannot be read.
    """
    try:
        _check_header(path)
        with safetensors.safe_open(path, "numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except _BROKEN as error:
        raise CheckpointError(f"{path.name} is not a safetensors file that can be read.") from error


def _check_header(path: Path) -> None:
    """Check that a file's list of arrays is none that takes all memory; raises OSError or ValueError when it is."""
    with open_file(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if length > HEADER_BYTES or file.read(length).count(b"[") > 4 * MOST_ARRAYS:  # shape and place of each
            raise ValueError("header")


def read_torch(path: Path) -> tuple[dict[str, np.ndarray], Any]:
    """Return the arrays of a PyTorch file's `state_dict` by name, and its `config`, unchecked.

    Raises
    ------
    CheckpointError : it cannot be read, needs pickle, or holds something else.
    """
    held = _unpacked(path)
    if not isinstance(held, dict) or not {"config", "state_dict"} <= set(held):
        raise CheckpointError(f"{path.name} does not hold 'config' and 'state_dict': {_CONVERT}.")
    return _arrays(held["state_dict"], path), held["config"]


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Return a network's arrays by name: of a .safetensors file, or of a PyTorch file of tensors by name.

    Raises
    ------
    CheckpointError : it cannot be read, needs pickle, or holds something else.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file of weights {path}.")
    if path.stat().st_size > LIMIT_BYTES:
        raise CheckpointError(f"{path.name} has more than {LIMIT_BYTES >> 30} GiB, the limit of a model file.")
    if path.suffix.lower() == ".safetensors":
        state = read_safetensors(path)[0]
    else:
        held = _unpacked(path)
        for name in ("state_dict", "model"):
            if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
                held = held[name]
        state = _arrays(held, path)
    if state and all(name.startswith("module.") for name in state):  # what DataParallel puts in front
        state = {name.removeprefix("module."): array for name, array in state.items()}
    for name, array in state.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CheckpointError(f"{path.name}: the weight {name!r} holds values that are not finite.")
    return state


def checksum(path: Path) -> str:
    """Return the checksum of a file of weights, 32 hexadecimal digits.

    Raises
    ------
    CheckpointError : it cannot be read.
    """
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise CheckpointError(f"The weights {path} cannot be read: {why}.") from error


def _unpacked(path: Path) -> Any:
    import pickle
    import warnings

    import torch

    try:
        _check_torch(path)
        with warnings.catch_warnings(action="ignore"):  # of damaged files; what matters is an error below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path.name} needs pickle, which can run code, and is refused: {_CONVERT}.") from error
    except _BROKEN as error:
        raise CheckpointError(f"{path.name} is not a PyTorch file that can be read: {_CONVERT}.") from error


def _check_torch(path: Path) -> None:
    """Check that a file is a ZIP of bounded size or a pickle, before PyTorch unpacks it; raises ValueError or OSError else.

    A tar, PyTorch's oldest form, would be unpacked into a folder.
    """
    with open_file(path) as file:
        head = file.read(4)
        if head == b"PK\x03\x04":
            with open_zip(file, path.name) as archive:
                if sum(member.file_size for member in archive.infolist()) > LIMIT_BYTES:
                    raise CheckpointError(
                        f"{path.name} unpacks to more than {LIMIT_BYTES >> 30} GiB, the limit of a model."
                    )
        elif head[:1] != b"\x80":
            raise ValueError("neither")


def _arrays(state: Any, path: Path) -> dict[str, np.ndarray]:
    import torch

    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise CheckpointError(f"{path.name}: 'state_dict' must hold tensors by name.")
    try:
        arrays = {name: value.detach().numpy() for name, value in state.items()}
    except (TypeError, RuntimeError) as error:  # numpy has no sparse, quantised or bfloat16 arrays
        raise CheckpointError(f"{path.name}: 'state_dict' must hold plain float32 tensors: {_CONVERT}.") from error
    _check_size(arrays)
    return arrays


def _check_size(weights: Mapping[str, np.ndarray]) -> None:
    # a tensor may claim any shape of one number
    if sum(array.nbytes for array in weights.values()) > LIMIT_BYTES:
        raise CheckpointError(f"The model's weights have more than {LIMIT_BYTES >> 30} GiB, the limit of a model.")


def check_weights(weights: Mapping[str, np.ndarray]) -> None:
    """Check that weights are float32, counters int64, all finite, and together within the limit.

    Raises
    ------
    CheckpointError : they are not.
    """
    _check_size(weights)
    for name, array in weights.items():
        kind = np.dtype(np.int64 if name.endswith("num_batches_tracked") else np.float32)
        if array.dtype != kind:
            raise CheckpointError(f"The model's weight {name!r} is {array.dtype}; it must be {kind}.")
        if not np.isfinite(array).all():
            raise CheckpointError(f"The model's weight {name!r} holds values that are not finite.")

"""Hashes of content and of settings: what an entry is found by."""

import hashlib
import json
from typing import Any

import numpy as np

HASHED_BYTES = 8 << 20  # at a time


def fingerprint(*arrays: np.ndarray) -> str:
    """Hash dtype, shape and bytes of arrays to 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        rows = np.atleast_1d(array)
        step = max(1, HASHED_BYTES // max(1, rows[:1].nbytes))
        for start in range(0, len(rows), step):  # what is laid out otherwise is copied in pieces
            digest.update(np.ascontiguousarray(rows[start : start + step]).data)
    return digest.hexdigest()


def key_of(version: int, *parts: Any) -> str:
    """Hash a stage's version and JSON-able parts (keys of its inputs, its config) to 32 hexadecimal digits."""
    text = json.dumps([version, *parts], sort_keys=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

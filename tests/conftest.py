"""Shared fixtures; threads are limited before any library that counts cores is imported."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["NUMBA_NUM_THREADS"] = "1"

import numpy as np
import pytest

from core.store import Store


@pytest.fixture
def store(tmp_path):
    """An empty store in a temporary directory."""
    return Store(tmp_path / "store")


@pytest.fixture
def rng():
    """A seeded random generator."""
    return np.random.default_rng(0)

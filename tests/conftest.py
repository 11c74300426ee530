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


def pytest_collection_modifyitems(items):
    """Let what drives a browser, or a cluster, fail twice before it counts: on a machine that does much else they are late."""
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if item.get_closest_marker("browser") or (group is not None and group.args == ("ray",)):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter):
    """Show why a test had to be run once more: that may be a fault of ours, and is to be looked into."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"run once more: {report.nodeid}")
        terminalreporter.line(report.longreprtext)
        for title, text in report.sections:
            terminalreporter.line(f"{title}\n{text}")

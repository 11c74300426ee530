"""Compiled loops are kept on disk, or compiled in each process where no folder can be written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from core.compiled import compiled

ROOT = Path(__file__).parents[1]
NOWHERE = {"NUMBA_CACHE_LOCATOR_CLASSES": "_UserProvidedCacheLocator", "NUMBA_CACHE_DIR": "/dev/null/nowhere"}
WORK = """
import numpy as np
from core.clustering import cluster
from core.config import KMeansConfig, TSNEConfig
from core.projection import project, tsne_kernels
values = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
made = project(values, TSNEConfig(perplexity=5, n_iter=50, early_exaggeration_iter=20))
assert np.isfinite(made.coordinates).all() and made.coordinates.shape == (60, 2)
assert cluster(values, KMeansConfig(3, start_sample=30)).k == 3
print(tsne_kernels.move.stats.cache_path)
"""


def test_tsne_and_kmeans_work_where_no_folder_can_be_written():
    done = subprocess.run(
        [sys.executable, "-c", WORK], cwd=ROOT, env=os.environ | NOWHERE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["None"]


def test_machine_code_is_kept_where_it_can_be(tmp_path, monkeypatch):
    from numba.core import config

    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    double = compiled(nogil=True)(lambda x: x * 2)
    assert double(np.float32(3)) == 6
    assert list(tmp_path.rglob("*.nbc"))

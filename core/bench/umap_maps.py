"""UMAP against umap-learn at its defaults: the first call in a process, imports and compilation included, and later ones."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from core.bench.data import Data
from core.bench.runner import Benchmark, Side
from core.config import UMAPConfig

IMAGES, NEIGHBORS = 10_000, 15
_FIRST = """
import sys
import numpy as np
from core.bench.umap_maps import {name}
np.save(sys.argv[2], {name}(np.load(sys.argv[1]), {dimensions}))
"""


def ours(values: np.ndarray, dimensions: int) -> np.ndarray:
    """Return this program's map, float32 (n, dimensions)."""
    from core.projection import project

    return project(values, UMAPConfig(dimensions)).coordinates


def theirs(values: np.ndarray, dimensions: int) -> np.ndarray:
    """Return umap-learn's map at its defaults, float32 (n, dimensions)."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap import UMAP

        made: np.ndarray = UMAP(n_components=dimensions).fit_transform(values)
    return made


def _in_a_new_process(name: str, dimensions: int, values: np.ndarray) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.npy", Path(folder) / "made.npy"
        np.save(given, values)
        code = _FIRST.format(name=name, dimensions=dimensions)
        subprocess.run([sys.executable, "-c", code, str(given), str(made)], check=True)
        return np.asarray(np.load(made))


def _kept(values: np.ndarray, made: np.ndarray) -> Mapping[str, float]:
    from sklearn.manifold import trustworthiness

    return {"trustworthiness": float(trustworthiness(values, made, n_neighbors=NEIGHBORS))}


def _fair(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    a, b = ours["trustworthiness"], theirs["trustworthiness"]
    return "" if a >= b - 0.001 else f"trustworthiness {a:.4f} is below {b:.4f}"


def _warm(data: Data, dimensions: int) -> np.ndarray:
    """Return the latents, after a small map by each side: what is imported and compiled once is not timed."""
    values = data.latents(IMAGES)
    for made in (ours, theirs):
        made(values[:5000], dimensions)
    return values


def _later(dimensions: int) -> Benchmark:
    return Benchmark(
        name=f"umap-{dimensions}d",
        what=f"UMAP of {IMAGES:,} images in {dimensions}-D, not the first of the process",
        prepare=partial(_warm, dimensions=dimensions),
        ours=Side("exact neighbours, own layout", partial(ours, dimensions=dimensions), _kept),
        theirs=Side("umap-learn at its defaults", partial(theirs, dimensions=dimensions), _kept),
        target=2.0,
        fair=_fair,
    )


def _first(dimensions: int) -> Benchmark:
    return Benchmark(
        name=f"umap-{dimensions}d-first",
        what=f"UMAP of {IMAGES:,} images in {dimensions}-D in a new process, its start included",
        prepare=lambda data: data.latents(IMAGES),
        ours=Side("exact neighbours, own layout", partial(_in_a_new_process, "ours", dimensions), _kept),
        theirs=Side("umap-learn at its defaults", partial(_in_a_new_process, "theirs", dimensions), _kept),
        target=10.0,
        fair=_fair,
    )


UMAP_MAPS = (_later(2), _later(3), _first(2), _first(3))

"""A tiny made-up set of images, and a plan whose every stage takes a moment."""

import numpy as np

from core.config import AutoencoderConfig, ClusterConfig, KMeansConfig, ReductionConfig, TrainingConfig, TSNEConfig
from core.images import ArraySource
from core.plans import Plan, TrainSpec

N = 60
COPIES, NEAR, ODD = (
    [3, 10, 20],
    [5, 12],
    30,
)  # rows of one picture, of two that differ in one pixel, of one like no other


def blobs(n=N, side=8, channels=1):
    """Images with a bright top, middle or bottom and a little noise: uint8 (n, side, side, channels); y (n,) 0..2."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    x = rng.integers(0, 40, (n, side, side, channels), dtype=np.uint8)
    rows = np.array_split(np.arange(side), 3)
    for i, label in enumerate(y):
        x[i, rows[label]] += 200
    return x, y


def write(folder, **shape):
    """Write them to `blobs.npz` in a folder and return its path."""
    x, y = blobs(**shape)
    path = folder / "blobs.npz"
    np.savez(path, x=x, y=y, classes=np.array(["top", "middle", "bottom"]))
    return path


def planted(folder, n=40, labels=True):
    """Write pictures, bright left or right: three copies, two near ones whose labels conflict, and an odd one."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 60, (n, 8, 8), dtype=np.uint8), np.arange(n) % 2
    x[y == 0, :, :4] += 150
    x[y == 1, :, 4:] += 150
    x[COPIES[1:]] = x[COPIES[0]]
    y[COPIES] = 1
    x[NEAR[1]] = x[NEAR[0]]
    x[NEAR[1], 0, 0] += 1
    y[NEAR] = 1, 0
    x[ODD] = np.where(np.indices((8, 8)).sum(axis=0) % 2, 255, 0)
    path = folder / f"planted-{labels}.npz"
    np.savez(path, x=x, **({"y": y, "classes": np.array(["left", "<b>right</b>"])} if labels else {}))
    return path


def plan(path, epochs=2, k=3, perplexity=5.0, on="latents", **training):
    """Return a plan on that file."""
    return Plan(
        ArraySource(str(path)),
        TrainSpec(AutoencoderConfig(4, 4), TrainingConfig(epochs=epochs, batch_size=20, **training)),
        ReductionConfig(standardize=True),
        TSNEConfig(perplexity=perplexity, early_exaggeration_iter=10, n_iter=20),
        ClusterConfig(KMeansConfig(n_clusters=k), on),
    )

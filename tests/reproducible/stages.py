"""Which stages give the same bits with one thread and with two, and how far off the others are: what the README says.

    python -m tests.reproducible.stages [--n 10000]

Each process has its own number of threads. On n generated points with 32 numbers each, ten times as many for what uses
a second thread only then, and on the digits for what looks at images.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
IMAGES = 1_000
SMALL = 1_500  # points of what takes long or all pairs
# What uses threads at n = 8,000 and is tried by the tests as well.
SAME_BITS = (
    "latents", "PCA", "neighbours, euclidean", "distances, euclidean", "t-SNE, 2-D", "t-SNE, 3-D",
    "KMeans, starts on a sample: clusters", "KMeans, starts on a sample: centres",
)  # fmt: skip


def points(n: int) -> np.ndarray:
    """Return ten blobs that overlap a little, float32 (n, 32)."""
    random = np.random.default_rng(0)
    centers = 2.5 * random.normal(size=(10, 32))
    return (centers[np.arange(n) % 10] + random.normal(size=(n, 32))).astype(np.float32)


def stages(n: int) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Yield each stage by name, and what computes its values."""
    yield from _of_images()
    yield from _of_points(points(n), points(SMALL))
    yield from _of_many(points(10 * n))


def _of_images() -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    from core import stages as of_store
    from core.architectures import ARCHITECTURES
    from core.config import AutoencoderConfig, TrainingConfig
    from core.images import SampleSource, load
    from core.imageset import subset
    from core.latents import encode
    from core.plans import KeptModel
    from core.training import train

    images = subset(load(SampleSource("digits")), IMAGES, ())
    named = {"default": AutoencoderConfig()} | {
        name: ARCHITECTURES[name].config for name in ("conv-mnist", "deep-bn")
    }
    once = TrainingConfig(epochs=1)
    for name, config in named.items():
        yield f"training, {name}", lambda config=config: _joined(train(images, config, once, device="cpu").weights)
    model = of_store.read_model(KeptModel("digits"))
    yield "latents", lambda: encode(model, images, device="cpu").latents
    yield "reconstructions, 8 bits", lambda: encode(model, images, device="cpu").reconstructions


def _of_points(many: np.ndarray, few: np.ndarray) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    from core import neighbours, outliers, quality, spreading
    from core.clustering import cluster
    from core.config import (
        AgglomerativeConfig,
        GaussianMixtureConfig,
        HDBSCANConfig,
        KernelPCAConfig,
        KMeansConfig,
        MiniBatchKMeansConfig,
        PCAConfig,
        ReductionConfig,
        SpectralConfig,
        TruncatedSVDConfig,
        TSNEConfig,
        UMAPConfig,
    )
    from core.evidence import gather
    from core.projection import project, reduce, unfold
    from core.projection.kernel import kernel_pca
    from core.sweep import SweepConfig, sweep

    reductions = {
        "standardised": ReductionConfig(True),
        "PCA": ReductionConfig(method=PCAConfig(8)),
        "truncated SVD": ReductionConfig(method=TruncatedSVDConfig(8)),
    }
    for name, config in reductions.items():
        yield name, lambda config=config: reduce(many, config).values
    yield "kernel PCA, all pairs", lambda: kernel_pca(few, KernelPCAConfig(8, n_landmarks=SMALL))[0]
    yield "kernel PCA, landmarks", lambda: kernel_pca(many, KernelPCAConfig(8))[0]
    for metric in ("euclidean", "cosine", "manhattan"):
        values = few if metric == "manhattan" else many
        yield f"neighbours, {metric}", lambda values=values, metric=metric: neighbours.search(values, 30, metric).rows
        yield (
            f"distances, {metric}",
            lambda values=values, metric=metric: neighbours.search(values, 30, metric).distances,
        )
    brief = TSNEConfig(n_iter=50, early_exaggeration_iter=50)
    maps = {
        "t-SNE, 2-D": (many, brief),
        "t-SNE, 3-D": (many, replace(brief, n_components=3)),
        "t-SNE, all pairs": (few, brief),
        "t-SNE, spectral start": (few, replace(brief, init="spectral")),
        "t-SNE of a sample, the others placed": (many, replace(brief, sample=SMALL)),
        "UMAP, 2-D": (many, UMAPConfig()),
        "UMAP, 3-D": (few, UMAPConfig(n_components=3)),
    }
    for name, (values, config) in maps.items():
        yield name, lambda values=values, config=config: project(values, config).coordinates
    deep = UMAPConfig(10, min_dist=0.0)
    yield "UMAP, 10-D, to be clustered", lambda: unfold(many, deep).coordinates
    methods = {
        "KMeans": (many, KMeansConfig()),
        "KMeans, starts on a sample": (many, KMeansConfig(start_sample=3000)),
        "KMeans on random batches": (many, MiniBatchKMeansConfig()),
        "Gaussian mixture": (many, GaussianMixtureConfig()),
        "agglomerative": (few, AgglomerativeConfig()),
        "agglomerative, by neighbours": (few, AgglomerativeConfig(graph_neighbors=10)),
        "HDBSCAN": (few, HDBSCANConfig()),
        "spectral": (few, SpectralConfig()),
    }
    for name, (values, config) in methods.items():
        yield f"{name}: clusters", lambda values=values, config=config: cluster(values, config).labels
        yield f"{name}: centres", lambda values=values, config=config: cluster(values, config).centers
    labels = np.arange(len(few)) % 10
    graph = neighbours.graph(few, 60)
    asked = SweepConfig(ks=(2, 3, 4), subsamples=2)
    given = np.where(np.arange(len(few)) < 30, labels, -1)
    yield "silhouette", lambda: np.array([quality.silhouette(few, labels)])
    yield "trustworthiness", lambda: np.array([quality.trustworthiness(few, few[:, :2])])
    yield (
        "choice of k",
        lambda: np.array([*(found := sweep(few, asked)).silhouette, *found.stability, *found.inertia]),
    )
    yield "outliers", lambda: outliers.isolation(graph).lof
    yield "suspects", lambda: np.array([*gather(few, graph, labels, labels).parts.values()])
    yield "label spreading", lambda: spreading.spread(graph.first(15), given, 10).shares


def _of_many(many: np.ndarray) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    from core.clustering import cluster
    from core.config import GaussianMixtureConfig, KMeansConfig, MiniBatchKMeansConfig

    methods = {
        "KMeans": KMeansConfig(n_init=1),
        "KMeans, starts on a sample": KMeansConfig(n_init=1, start_sample=3000),
        "KMeans on random batches": MiniBatchKMeansConfig(batch_size=100_000, n_init=1, max_iter=5),
        "Gaussian mixture": GaussianMixtureConfig(max_iter=20),
    }
    for name, config in methods.items():
        yield f"{name}, of many: clusters", lambda config=config: cluster(many, config).labels
        yield f"{name}, of many: centres", lambda config=config: cluster(many, config).centers


def _joined(weights: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(weights[name]) for name in sorted(weights)])


def write(path: Path, n: int, same: bool) -> None:
    """Compute every stage, or those of `SAME_BITS`, and write its values."""
    np.savez(path, **{name: make() for name, make in stages(n) if not same or name in SAME_BITS})


def computed(threads: int, n: int, path: Path) -> dict[str, np.ndarray]:
    """Compute every stage in a process with so many threads."""
    limits = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    command = [sys.executable, "-m", "tests.reproducible.stages", "--n", str(n), "--write", str(path)]
    subprocess.run(command, cwd=ROOT, env=os.environ | limits, check=True)
    with np.load(path) as found:
        return {name: found[name] for name in found.files}


def difference(one: np.ndarray, other: np.ndarray) -> str:
    """Say how far two results of a stage are apart."""
    if one.tobytes() == other.tobytes():
        return "the same bits"
    if one.dtype.kind in "iu":
        return f"{(one != other).mean():.2%} differ"
    return f"{np.abs(one - other).max() / np.abs(one).max():.0e} of the largest"


def main() -> None:
    """Compare, or be one of the processes that compute."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--same", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.write is not None:
        write(args.write, args.n, args.same)
        return
    with tempfile.TemporaryDirectory() as folder:
        one, again, two, twice = (
            computed(threads, args.n, Path(folder) / f"{i}.npz") for i, threads in enumerate((1, 1, 2, 2))
        )
    print(f"{'':<46} {'1 thread, twice':<22} {'2 threads, twice':<22} 1 thread and 2")
    for name in one:
        found = (
            difference(one[name], again[name]),
            difference(two[name], twice[name]),
            difference(one[name], two[name]),
        )
        print(f"{name:<46} {found[0]:<22} {found[1]:<22} {found[2]}")


if __name__ == "__main__":
    main()

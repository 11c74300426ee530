"""Kernel PCA of 200 components, against scikit-learn's default solver."""

from collections.abc import Mapping

import numpy as np

from core.bench.data import Data
from core.bench.runner import Benchmark, Side
from core.config import KernelPCAConfig

IMAGES, COMPONENTS, COMPARED = 10_000, 200, 10
LEAST_AGREEMENT = 0.999


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Return how far the columns of two (n, k) arrays span the same space: mean squared cosine of the principal angles."""
    from scipy.linalg import orth

    cosines = np.linalg.svd(orth(a.astype(np.float64)).T @ orth(b.astype(np.float64)), compute_uv=False)
    return float(np.square(cosines).sum() / a.shape[1])


def _ours(values: np.ndarray) -> np.ndarray:
    from core.projection.kernel import kernel_pca

    return kernel_pca(values, KernelPCAConfig(min(COMPONENTS, len(values) // 4)))[0]


def _theirs(values: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import KernelPCA

    made: np.ndarray = KernelPCA(min(COMPONENTS, len(values) // 4), kernel="rbf").fit_transform(values)
    return made


def _compare(values: np.ndarray, made: np.ndarray) -> Mapping[str, float]:
    """Agree with the leading eigenvectors of the exact kernel matrix, found by the iterative solver."""
    from sklearn.decomposition import KernelPCA

    solver = KernelPCA(COMPARED, kernel="rbf", eigen_solver="arpack", random_state=0)
    return {f"agreement of the first {COMPARED}": agreement(made[:, :COMPARED], solver.fit_transform(values))}


def _fair(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    found = next(iter(ours.values()))
    return "" if found >= LEAST_AGREEMENT else f"agreement {found:.5f} is below {LEAST_AGREEMENT}"


KERNEL_PCA = Benchmark(
    name="kernel-pca",
    what=f"kernel PCA (rbf) of {IMAGES:,} images to {COMPONENTS} components",
    prepare=lambda data: data.latents(IMAGES),
    ours=Side("Nyström with 1,000 landmarks", _ours, _compare),
    theirs=Side("scikit-learn's KernelPCA at its defaults", _theirs),
    target=10.0,
    fair=_fair,
)


def _prepare_many(data: Data) -> np.ndarray:
    """Return latents of 70,000 images: those there are, again and again with a little noise where there are fewer."""
    found = data.latents(70_000)
    rng = np.random.default_rng(0)
    rows = np.arange(70_000) % len(found)
    noise = (
        rng.normal(0, 0.1, (70_000, found.shape[1])) * found.std(axis=0) * (np.arange(70_000) >= len(found))[:, None]
    )
    return np.asarray(found[rows] + noise, np.float32)


def _sampled(values: np.ndarray, made: np.ndarray) -> Mapping[str, float]:
    """Agree with the exact kernel PCA of a sample of 10,000, on that sample; and the process's memory at its peak."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # of kB, before the exact one of the sample
    rows = np.sort(np.random.default_rng(1).choice(len(values), IMAGES, replace=False))
    return {**_compare(values[rows], made[rows] - made[rows].mean(axis=0)), "peak GB of the process": peak}


KERNEL_PCA_MANY = Benchmark(
    name="kernel-pca-70000",
    what=f"kernel PCA (rbf) of 70,000 latents to {COMPONENTS} components (a smaller set repeated with noise)",
    prepare=_prepare_many,
    ours=Side("Nyström with 1,000 landmarks", _ours, _sampled),
    theirs=Side("the same of 10,000 (the exact one needs 39 GB)", lambda values: _ours(values[:IMAGES])),
    target=0.0,  # that it ends within 4 GB is what counts; the sample's own components differ a little from those of all
    repeats=1,
)

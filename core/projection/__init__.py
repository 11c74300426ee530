"""Reduce latents to fewer numbers, and lay them out as a map in 2 or 3 dimensions."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from core.accelerated import there_or_here
from core.config import (
    KernelPCAConfig,
    PCAConfig,
    ProjectionConfig,
    ReductionConfig,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.errors import ConfigError
from core.neighbours import Find
from core.progress import Callback, Progress, ignore
from core.projection import torchdr_maps
from core.projection.checks import checked
from core.projection.kernel import kernel_pca
from core.projection.linear import Components, check_components, components, pca, pca_on, standardize, truncated_svd
from core.projection.placing import transform
from core.projection.sampling import sampled
from core.projection.tsne import WARM_ITERATIONS, check_perplexity, tsne
from core.projection.umap_map import check_neighbors, umap

__all__ = [
    "Components", "Projection", "Reduced", "check_size", "components", "keeps_components", "project", "reduce",
    "transform", "tsne", "unfold",
]  # fmt: skip


# Up to so many all components cost little more than a few; beyond, only those asked for are found.
MOST_COMPONENTS = 1024


@dataclass(frozen=True)
class Reduced:
    """Reduced latents.

    Parameters
    ----------
    values : float32 (n, r).
    explained_variance_ratio : float32 (r,), each in [0, 1]; None without a reduction.
    """

    values: np.ndarray
    explained_variance_ratio: np.ndarray | None = None


@dataclass(frozen=True)
class Projection:
    """A map, or coordinates that are clustered and not looked at.

    Parameters
    ----------
    coordinates : float32 (n, 2) or (n, 3) of a map, else (n, d).
    explained_variance_ratio : float32 (2,) or (3,), each in [0, 1]; None for t-SNE and UMAP.
    kl_divergence : nats, of t-SNE; None for the others. Of a sampled map that of the fitted images.
    fitted : images that a sampled map was fitted on, the others being placed by their neighbours; None of a map of all.
    kept_fitted, kept_placed : share, in [0, 1], of the 10 nearest neighbours in what was mapped that are among the 10 nearest
        on a sampled map: of up to 1,000 fitted images, and of as many placed ones, among all.
    """

    coordinates: np.ndarray
    explained_variance_ratio: np.ndarray | None = None
    kl_divergence: float | None = None
    fitted: int | None = None
    kept_fitted: float | None = None
    kept_placed: float | None = None


def keeps_components(config: ReductionConfig, shape: tuple[int, ...]) -> bool:
    """Say whether a reduction of values of this shape goes through all principal components, which serve others, too."""
    return isinstance(config.method, PCAConfig) and min(shape) <= MOST_COMPONENTS


def reduce(
    values: np.ndarray, config: ReductionConfig, kept: Callable[[Callable[[], Components]], Components] | None = None
) -> Reduced:
    """Standardise the features of (n, d) if asked to, then reduce them to r components if asked to.

    Parameters
    ----------
    kept : gives the principal components of these values that were found before, or calls what it is given to find them.

    Raises
    ------
    ConfigError : more components than min(n, d), or than images for kernel PCA.
    DataError : not a finite (n, d) array.
    """
    values = standardize(values) if config.standardize else checked(values)
    method = config.method
    if method is None:
        return Reduced(np.asarray(values, dtype=np.float32))
    if isinstance(method, PCAConfig):
        if not keeps_components(config, values.shape):
            return Reduced(*pca(values, method.n_components))
        check_components(method.n_components, *values.shape)
        found = components(values) if kept is None else kept(lambda: components(values))
        return Reduced(*pca_on(values, found, method.n_components))
    if isinstance(method, TruncatedSVDConfig):
        return Reduced(*truncated_svd(values, method.n_components))
    return Reduced(*kernel_pca(values, method))


def project(
    values: np.ndarray,
    config: ProjectionConfig,
    callback: Callback = ignore,
    *,
    graph: Find | None = None,
    start: np.ndarray | None = None,
    start_iter: int = WARM_ITERATIONS,
) -> Projection:
    """Lay (n, d) out as a map in 2 or 3 dimensions; the same seed gives the same map.

    Parameters
    ----------
    graph : gives so many neighbours or more of each image by a metric, where they were found before; it is asked once.
    start, start_iter : coordinates of a t-SNE map of the same images, from which t-SNE goes on by so many iterations.

    Raises
    ------
    ConfigError : not 2 or 3 dimensions, or a setting that does not fit the number of images.
    DataError : not a finite (n, d) array.
    Cancelled : raised by the callback.
    """
    if config.n_components not in (2, 3):
        raise ConfigError(f"A map has 2 or 3 dimensions; n_components is {config.n_components}.")
    return _laid_out(values, config, callback, graph=graph, start=start, start_iter=start_iter)


def unfold(
    values: np.ndarray, config: UMAPConfig, callback: Callback = ignore, *, graph: Find | None = None
) -> Projection:
    """Give (n, d) UMAP coordinates of any number of dimensions, to be clustered; the same seed gives the same ones.

    Parameters
    ----------
    graph : gives so many neighbours or more of each image by a metric, where they were found before; it is asked once.

    Raises
    ------
    ConfigError : a setting that does not fit the number of images. DataError : not a finite (n, d) array.
    Cancelled : raised by the callback.

    Notes
    -----
    More than the two or three axes of a map let neighbours be kept that these have to tear apart, and `min_dist` 0 draws
    what belongs together closer than one could look at. McConville, Santos-Rodríguez, Piechocki, Craddock: N2D: (Not too)
    deep clustering via clustering the local manifold of an autoencoded embedding (2019; ICPR 2020).
    """
    return _laid_out(values, config, callback, graph=graph)


def _laid_out(
    values: np.ndarray, config: ProjectionConfig, callback: Callback, *, graph: Find | None = None,
    start: np.ndarray | None = None, start_iter: int = WARM_ITERATIONS,
) -> Projection:  # fmt: skip
    if isinstance(config, TSNEConfig | UMAPConfig) and config.sample is not None and config.sample < len(values):
        return _sampled(checked(values), config, config.sample, callback, start, start_iter)
    if isinstance(config, TSNEConfig):
        check_perplexity(config.perplexity, len(checked(values)))
        coordinates, divergence = there_or_here(
            "torchdr", "t-SNE", lambda: torchdr_maps.tsne(values, config, "cuda", callback),
            lambda: tsne(values, config, callback, start=start, start_iter=start_iter, graph=graph),
            start is None and torchdr_maps.tsne_fits(config),
        )  # fmt: skip
        return Projection(coordinates, kl_divergence=divergence)
    if isinstance(config, PCAConfig | KernelPCAConfig):
        name = "PCA" if isinstance(config, PCAConfig) else "Kernel PCA"
        callback(Progress(name, 0, 1))
        found = pca(values, config.n_components) if isinstance(config, PCAConfig) else kernel_pca(values, config)
        callback(Progress(name, 1, 1))
        return Projection(*found)
    return Projection(umap(values, config, callback, graph=graph))


def _sampled(
    values: np.ndarray, config: TSNEConfig | UMAPConfig, sample: int, callback: Callback,
    start: np.ndarray | None, start_iter: int,
) -> Projection:  # fmt: skip
    check_size(config, len(values))
    whole = replace(config, sample=None)
    fitted: list[Projection] = []

    def fit(rows: np.ndarray, part: np.ndarray, inner: Callback) -> np.ndarray:
        begun = None if start is None else start[rows]
        fitted.append(_laid_out(part, whole, inner, start=begun, start_iter=start_iter))
        return fitted[0].coordinates

    found = sampled(values, sample, config.metric, config.seed, fit, callback)
    return replace(
        fitted[0], coordinates=found.coordinates, fitted=len(found.rows),
        kept_fitted=found.kept_fitted, kept_placed=found.kept_placed,
    )  # fmt: skip


def check_size(config: ProjectionConfig, n: int) -> None:
    """Check, before anything long is begun, that n images are enough for a map.

    Raises
    ------
    ConfigError : they are too few; the sentence names the setting and its limit.
    """
    if isinstance(config, TSNEConfig | UMAPConfig) and config.sample is not None:
        n = min(n, config.sample)
    if isinstance(config, TSNEConfig):
        check_perplexity(config.perplexity, n)
    elif isinstance(config, UMAPConfig):
        check_neighbors(config.n_neighbors, n)

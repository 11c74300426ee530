"""Settings of the first reduction and of the map."""

from dataclasses import dataclass, field
from typing import Literal

from core.config.checks import LATER, between, one_of, positive, whole, yes_or_no
from core.errors import ConfigError

Kernel = Literal["rbf", "poly", "cosine"]
Metric = Literal["euclidean", "cosine", "manhattan"]
Init = Literal["pca", "random", "spectral", "sample"]
FEWEST = 10  # images of a sample


@dataclass(frozen=True)
class PCAConfig:
    """Principal component analysis."""

    n_components: int = 2

    def __post_init__(self) -> None:
        whole("n_components", self.n_components, 1)


@dataclass(frozen=True)
class KernelPCAConfig:
    """Kernel PCA; `gamma` None means 1 / number of features; above `n_landmarks` images by Nyström."""

    n_components: int = 2
    kernel: Kernel = "rbf"
    gamma: float | None = None
    degree: int = 3
    n_landmarks: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        whole("n_components", self.n_components, 1)
        one_of("kernel", self.kernel, Kernel)
        if self.gamma is not None:
            positive("gamma", self.gamma)
        whole("degree", self.degree, 1, 10)
        whole("n_landmarks", self.n_landmarks, 10, 10_000)
        whole("seed", self.seed, 0, 2**32 - 1)


@dataclass(frozen=True)
class TruncatedSVDConfig:
    """Truncated singular value decomposition: PCA without centring."""

    n_components: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        whole("n_components", self.n_components, 1)
        whole("seed", self.seed, 0, 2**32 - 1)


@dataclass(frozen=True)
class TSNEConfig:
    """t-SNE; `n_iter` counts the iterations after those of early exaggeration.

    `sample` fits on at most so many images and places the rest by their neighbours among them; None fits on all.
    """

    n_components: int = 2
    perplexity: float = 30.0
    early_exaggeration: float = 12.0
    early_exaggeration_iter: int = 250
    n_iter: int = 500
    init: Init = "pca"
    metric: Metric = "euclidean"
    seed: int = 0
    sample: int | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        whole("n_components", self.n_components, 1, 3)
        between("perplexity", self.perplexity, 1)
        between("early_exaggeration", self.early_exaggeration, 1, 1000)
        whole("early_exaggeration_iter", self.early_exaggeration_iter, 0, 10_000)
        whole("n_iter", self.n_iter, 1, 100_000)
        one_of("init", self.init, Init)
        one_of("metric", self.metric, Metric)
        whole("seed", self.seed, 0, 2**32 - 1)
        if self.sample is not None:
            whole("sample", self.sample, FEWEST)


@dataclass(frozen=True)
class UMAPConfig:
    """UMAP; `sample` fits on at most so many images and places the rest by their neighbours among them."""

    n_components: int = 2
    n_neighbors: int = 15
    min_dist: float = 0.1
    metric: Metric = "euclidean"
    seed: int = 0
    sample: int | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        whole("n_components", self.n_components, 1)
        whole("n_neighbors", self.n_neighbors, 2)
        between("min_dist", self.min_dist, 0, 1)
        one_of("metric", self.metric, Metric)
        whole("seed", self.seed, 0, 2**32 - 1)
        if self.sample is not None:
            whole("sample", self.sample, FEWEST)


ReductionMethod = PCAConfig | KernelPCAConfig | TruncatedSVDConfig
ProjectionConfig = PCAConfig | KernelPCAConfig | TSNEConfig | UMAPConfig


@dataclass(frozen=True)
class ReductionConfig:
    """What is done to latents before the map: each feature to mean 0 and variance 1, then to r components."""

    standardize: bool = False
    method: ReductionMethod | None = None

    def __post_init__(self) -> None:
        yes_or_no("standardize", self.standardize)
        if self.method is not None and not isinstance(self.method, ReductionMethod):
            raise ConfigError(f"{type(self.method).__name__} cannot be the first reduction.")

"""One frozen dataclass a method: the settings of every stage, checked when made, to and from JSON.

What is here goes into store keys. Device, threads and callbacks say how and not what; they are never here.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from core import layers
from core.errors import ConfigError

ValueRange = Literal["unit", "symmetric"]
Loss = Literal["mse", "l1", "huber"]
Optimizer = Literal["adam", "adamw", "sgd"]
Kernel = Literal["rbf", "poly", "cosine"]
Metric = Literal["euclidean", "cosine", "manhattan"]
Init = Literal["pca", "random", "spectral"]
ClusterOn = Literal["latents", "reduced", "projection"]


def _between(name: str, value: float, low: float, high: float = math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or value == math.inf:
        limit = f"at least {low}" if math.isinf(high) else f"between {low} and {high}"
        raise ConfigError(f"{name} {value!r} must be {limit}.")


def _whole(name: str, value: int, low: int, high: float = math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} {value!r} must be a whole number.")
    _between(name, value, low, high)


def _positive(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(f"{name} {value!r} must be greater than 0.")


def _yes_or_no(name: str, value: bool) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{name} {value!r} must be true or false.")


def _one_of(name: str, value: str, allowed: Any) -> None:
    if value not in get_args(allowed):
        raise ConfigError(f"{name} {value!r} must be one of {', '.join(get_args(allowed))}.")


@dataclass(frozen=True)
class AutoencoderConfig:
    """The default convolutional autoencoder: numbers per image, channels of its first layer, range of its pixels.

    `value_range` is that of the pixels it reads and gives: "unit" [0, 1] or "symmetric" [-1, 1].
    """

    latent_size: int = 32
    width: int = 32
    value_range: ValueRange = "unit"

    def __post_init__(self) -> None:
        _whole("latent_size", self.latent_size, 1, 4096)
        _whole("width", self.width, 4, 256)
        _one_of("value_range", self.value_range, ValueRange)


@dataclass(frozen=True)
class LayersConfig:
    """An autoencoder written layer by layer, as `core.layers` reads it.

    Parameters
    ----------
    latent_size : when given, linear layers squeeze the encoder's output to so many numbers, and widen them again.
    value_range : of the pixels it reads and gives: "unit" [0, 1] or "symmetric" [-1, 1].
    """

    encoder: str
    decoder: str
    latent_size: int | None = None
    value_range: ValueRange = "unit"

    def __post_init__(self) -> None:
        for name in ("encoder", "decoder"):  # one spelling, so that blanks make no other key
            object.__setattr__(self, name, layers.write(layers.parse(getattr(self, name))))
        if self.latent_size is not None:
            _whole("latent_size", self.latent_size, 1, 4096)
        _one_of("value_range", self.value_range, ValueRange)


ModelConfig = AutoencoderConfig | LayersConfig


def latent_shape(config: ModelConfig, image_shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the shape of one image's latents: (latent_size,), or the encoder's own (c, h, w).

    Raises
    ------
    ConfigError : the layers do not fit images (h, w, c).
    """
    if config.latent_size is not None:
        return (config.latent_size,)
    return layers.latent_shape(layers.parse(config.encoder), image_shape)


@dataclass(frozen=True)
class TrainingConfig:
    """How the autoencoder is trained.

    Parameters
    ----------
    validation_share : part of the images that is held out, in [0, 0.5].
    deterministic : the same seed gives the same weights on one device; without, a GPU may be faster.
    """

    loss: Loss = "mse"
    optimizer: Optimizer = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 128
    epochs: int = 20
    validation_share: float = 0.1
    seed: int = 0
    deterministic: bool = True

    def __post_init__(self) -> None:
        _one_of("loss", self.loss, Loss)
        _one_of("optimizer", self.optimizer, Optimizer)
        _positive("learning_rate", self.learning_rate)
        _between("weight_decay", self.weight_decay, 0)
        _whole("batch_size", self.batch_size, 1, 65536)
        _whole("epochs", self.epochs, 1, 100_000)
        _between("validation_share", self.validation_share, 0, 0.5)
        _whole("seed", self.seed, 0, 2**32 - 1)
        _yes_or_no("deterministic", self.deterministic)


@dataclass(frozen=True)
class PCAConfig:
    """Principal component analysis."""

    n_components: int = 2

    def __post_init__(self) -> None:
        _whole("n_components", self.n_components, 1)


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
        _whole("n_components", self.n_components, 1)
        _one_of("kernel", self.kernel, Kernel)
        if self.gamma is not None:
            _positive("gamma", self.gamma)
        _whole("degree", self.degree, 1, 10)
        _whole("n_landmarks", self.n_landmarks, 10, 10_000)
        _whole("seed", self.seed, 0, 2**32 - 1)


@dataclass(frozen=True)
class TruncatedSVDConfig:
    """Truncated singular value decomposition: PCA without centring."""

    n_components: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        _whole("n_components", self.n_components, 1)
        _whole("seed", self.seed, 0, 2**32 - 1)


@dataclass(frozen=True)
class TSNEConfig:
    """t-SNE; `n_iter` counts the iterations after those of early exaggeration."""

    n_components: int = 2
    perplexity: float = 30.0
    early_exaggeration: float = 12.0
    early_exaggeration_iter: int = 250
    n_iter: int = 500
    init: Init = "pca"
    metric: Metric = "euclidean"
    seed: int = 0

    def __post_init__(self) -> None:
        _whole("n_components", self.n_components, 1, 3)
        _between("perplexity", self.perplexity, 1)
        _between("early_exaggeration", self.early_exaggeration, 1, 1000)
        _whole("early_exaggeration_iter", self.early_exaggeration_iter, 0, 10_000)
        _whole("n_iter", self.n_iter, 1, 100_000)
        _one_of("init", self.init, Init)
        _one_of("metric", self.metric, Metric)
        _whole("seed", self.seed, 0, 2**32 - 1)


@dataclass(frozen=True)
class UMAPConfig:
    """UMAP."""

    n_components: int = 2
    n_neighbors: int = 15
    min_dist: float = 0.1
    metric: Metric = "euclidean"
    seed: int = 0

    def __post_init__(self) -> None:
        _whole("n_components", self.n_components, 1)
        _whole("n_neighbors", self.n_neighbors, 2)
        _between("min_dist", self.min_dist, 0, 1)
        _one_of("metric", self.metric, Metric)
        _whole("seed", self.seed, 0, 2**32 - 1)


@dataclass(frozen=True)
class KMeansConfig:
    """KMeans with k-means++ starts; the best of `n_init` runs by inertia."""

    n_clusters: int = 10
    n_init: int = 4
    max_iter: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        _whole("n_clusters", self.n_clusters, 1)
        _whole("n_init", self.n_init, 1, 1000)
        _whole("max_iter", self.max_iter, 1, 100_000)
        _whole("seed", self.seed, 0, 2**32 - 1)


@dataclass(frozen=True)
class MiniBatchKMeansConfig:
    """KMeans on random batches: faster on many images, a little worse in inertia."""

    n_clusters: int = 10
    batch_size: int = 1024
    n_init: int = 4
    max_iter: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        _whole("n_clusters", self.n_clusters, 1)
        _whole("batch_size", self.batch_size, 1)
        _whole("n_init", self.n_init, 1, 1000)
        _whole("max_iter", self.max_iter, 1, 100_000)
        _whole("seed", self.seed, 0, 2**32 - 1)


@dataclass(frozen=True)
class ClassifierConfig:
    """How a trained classifier reads images.

    Parameters
    ----------
    model : a torchvision classifier's name, or an import path `package.module:name`, perhaps with plain arguments.
    layer : dotted name of the inner layer whose output becomes the latents; None takes the input of the last linear layer.
    resize, crop : pixels: the shorter side is brought to `resize`, then the middle `crop` × `crop` is taken.
    mean, std : per channel, of pixels in [0, 1].
    """

    model: str = "vgg16"
    layer: str | None = None
    resize: int = 256
    crop: int = 224
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    batch_size: int = 32

    def __post_init__(self) -> None:
        for name in ("model", "layer"):
            text = getattr(self, name)
            if (text is not None or name == "model") and (not isinstance(text, str) or not text or len(text) > 300):
                raise ConfigError(f"{name} {text!r:.80} must be a text of 1 to 300 letters.")
        _whole("resize", self.resize, 8, 1024)
        _whole("crop", self.crop, 8, self.resize)
        _whole("batch_size", self.batch_size, 1, 4096)
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
            values = getattr(self, name)
            if len(values) != 3:
                raise ConfigError(f"{name} needs 3 numbers, one a channel; it has {len(values)}.")
            for value in values:
                _between(name, value, 0, 1) if name == "mean" else _positive(name, value)


ReductionMethod = PCAConfig | KernelPCAConfig | TruncatedSVDConfig
ProjectionConfig = PCAConfig | KernelPCAConfig | TSNEConfig | UMAPConfig
ClusterMethod = KMeansConfig | MiniBatchKMeansConfig


@dataclass(frozen=True)
class ReductionConfig:
    """What is done to latents before the map: each feature to mean 0 and variance 1, then to r components."""

    standardize: bool = False
    method: ReductionMethod | None = None

    def __post_init__(self) -> None:
        if self.method is not None and not isinstance(self.method, ReductionMethod):
            raise ConfigError(f"{type(self.method).__name__} cannot be the first reduction.")


@dataclass(frozen=True)
class ClusterConfig:
    """How to cluster, and which coordinates: the latents, the reduced latents or the map."""

    method: ClusterMethod = field(default_factory=KMeansConfig)
    on: ClusterOn = "latents"

    def __post_init__(self) -> None:
        _one_of("on", self.on, ClusterOn)


_CLASSES: tuple[type, ...] = (
    AutoencoderConfig,
    LayersConfig,
    TrainingConfig,
    PCAConfig,
    KernelPCAConfig,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    ReductionConfig,
    ClusterConfig,
    ClassifierConfig,
)


def to_json(config: Any) -> dict[str, Any]:
    """Turn a config into plain JSON values; `type` names its class."""
    values: dict[str, Any] = {"type": type(config).__name__}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        values[item.name] = to_json(value) if dataclasses.is_dataclass(value) else value
    return values


def from_json(values: Mapping[str, Any]) -> Any:
    """Rebuild a config from `to_json`'s values.

    Raises
    ------
    ConfigError : the type or a setting is not known, or a value is out of its range.
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("type"), str):
        raise ConfigError("a config in JSON needs a 'type'.")
    known = {cls.__name__: cls for cls in _CLASSES}
    cls = known.get(values["type"])
    if cls is None:
        raise ConfigError(f"config type {values['type']!r} is not one of {', '.join(known)}.")
    names = {item.name for item in dataclasses.fields(cls)}
    unknown = sorted(set(values) - names - {"type"})
    if unknown:
        raise ConfigError(f"{values['type']} has no setting {unknown[0]!r}.")
    given = {name: value for name, value in values.items() if name != "type"}
    needed = [
        item.name for item in dataclasses.fields(cls) if item.default is item.default_factory is dataclasses.MISSING
    ]
    for name in needed:
        if name not in given:
            raise ConfigError(f"{values['type']} needs {name!r}.")
    return cls(**{k: from_json(v) if isinstance(v, Mapping) else v for k, v in given.items()})

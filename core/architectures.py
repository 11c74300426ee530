"""Named autoencoders, as data: those of published systems, each for images of the shape it was made for."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core import layers
from core.config import AutoencoderConfig, FeaturesConfig, LayersConfig, ModelConfig
from core.errors import ConfigError

DEFAULT = "default"


@dataclass(frozen=True)
class Architecture:
    """A named autoencoder, the images (h, w, c) it was made for, and a line for people."""

    config: LayersConfig
    image_shape: tuple[int, int, int]
    summary: str


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "conv-pool": Architecture(
            LayersConfig(
                "conv(64,3,1,1) relu maxpool(2) conv(128,3,1,1) relu maxpool(2) conv(256,3,1,1) relu maxpool(2)",
                "deconv(128,5,1,0) relu deconv(64,9,1,0) relu deconv(c,17,1,0) tanh",
                value_range="symmetric",
            ),
            (32, 32, 3),
            "convolutions and max-pooling down, large transposed convolutions up",
        ),
        "strided-small": Architecture(
            LayersConfig(
                "conv(8,3,2,1) conv(16,3,2,1)", "deconv(8,2,2,0) deconv(c,2,2,0) tanh", value_range="symmetric"
            ),
            (32, 32, 3),
            "two strided convolutions without activation: a small baseline",
        ),
        "conv-mnist": Architecture(
            LayersConfig(
                "conv(32,3,3,1) relu maxpool(2,2) conv(64,3,2,1) relu maxpool(2,1)",
                "deconv(32,3,2,0) relu deconv(16,5,3,1) relu deconv(c,2,2,1) tanh",
                value_range="symmetric",
            ),
            (28, 28, 1),
            "strided convolutions and max-pooling for 28×28 digits",
        ),
        "deep-bn": Architecture(
            LayersConfig(
                "conv(3,2,1,0,nobias) batchnorm leakyrelu(0.2) conv(6,3,2,0,nobias) batchnorm leakyrelu(0.2) "
                "conv(6,3,2,0,nobias) batchnorm leakyrelu(0.2) conv(6,4,2,0,nobias) batchnorm leakyrelu(0.2)",
                "deconv(6,4,2,0,nobias) batchnorm relu deconv(6,3,2,0,nobias) batchnorm relu "
                "deconv(3,3,2,0,nobias) batchnorm relu deconv(c,2,1,0,nobias) batchnorm",
            ),
            (28, 28, 1),
            "batch-normalised, 24 numbers an image",
        ),
    }
)


def architecture(name: str) -> ModelConfig:
    """Return a named autoencoder, or the default one.

    Raises
    ------
    ConfigError : there is none of this name.
    """
    if name == DEFAULT:
        return AutoencoderConfig()
    if name not in ARCHITECTURES:
        raise ConfigError(f"There is no architecture {name!r}; there are {', '.join((DEFAULT, *ARCHITECTURES))}.")
    return ARCHITECTURES[name].config


def name_of(config: ModelConfig) -> str:
    """Name a model for people: its architecture, "default", "own layers", or whose features it decodes."""
    if isinstance(config, AutoencoderConfig):
        return DEFAULT
    if isinstance(config, FeaturesConfig):
        return f"features of {config.network.model}"
    for name, known in ARCHITECTURES.items():
        if (known.config.encoder, known.config.decoder) == (config.encoder, config.decoder):
            return name
    return "own layers"


def fits(config: ModelConfig, image_shape: tuple[int, int, int]) -> bool:
    """Say whether an autoencoder can read images (h, w, c) and gives back the same shape."""
    if not isinstance(config, LayersConfig):
        return True
    try:
        layers.check_fit(layers.parse(config.encoder), layers.parse(config.decoder), image_shape)
    except ConfigError:
        return False
    return True

"""Settings of the networks: the autoencoders, their training, trained classifiers, and pretrained features."""

import re
from dataclasses import dataclass, field
from typing import Literal

from core import layers
from core.config.checks import LATER, between, one_of, positive, whole, yes_or_no
from core.errors import ConfigError

ValueRange = Literal["unit", "symmetric"]
Loss = Literal["mse", "l1", "huber"]
Optimizer = Literal["adam", "adamw", "sgd"]
Precision = Literal["auto", "mixed", "full"]


@dataclass(frozen=True)
class AutoencoderConfig:
    """The default convolutional autoencoder: numbers per image, channels of its first layer, range of its pixels.

    `value_range` is that of the pixels it reads and gives: "unit" [0, 1] or "symmetric" [-1, 1].
    """

    latent_size: int = 32
    width: int = 32
    value_range: ValueRange = "unit"

    def __post_init__(self) -> None:
        whole("latent_size", self.latent_size, 1, 4096)
        whole("width", self.width, 4, 256)
        one_of("value_range", self.value_range, ValueRange)


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
            whole("latent_size", self.latent_size, 1, 4096)
        one_of("value_range", self.value_range, ValueRange)


@dataclass(frozen=True)
class TrainingConfig:
    """How the autoencoder is trained.

    Parameters
    ----------
    validation_share : part of the images that is held out, in [0, 0.5].
    deterministic : the same seed gives the same weights on one device; without, a GPU may be faster.
    precision : "full" float32; "mixed" layers in 16 bits, faster where the processor has instructions for them, with
        a loss near that of "full"; "auto" mixed on a GPU and full on a CPU.
    decay : factor of the learning rate from one epoch to the next, in (0, 1].
    jitter : strength, in [0, 2], of the random turns, moves and scales that it learns each image with; `core.jitter`.
    contrast : weight, beside the loss of the reconstruction, of the contrastive loss; 0 goes without. It draws the latents of
        two pictures of one image, each with its own jitter, together, and those of different images apart.
    temperature : of the contrastive loss: the lower, the more it looks at the nearest of the other images.
    self_label_clusters : number of clusters of its own latents that the training labels its images by, and learns from; 0 for
        none. Labels that people gave are never looked at.
    self_label_from, self_label_every : epochs before it looks for such clusters first, and from then to the next time.
    self_label_weight : of what it learns from them, beside the loss of the reconstruction.
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
    precision: Precision = "auto"
    decay: float = field(default=1.0, metadata=LATER)
    jitter: float = field(default=0.0, metadata=LATER)
    contrast: float = field(default=0.0, metadata=LATER)
    temperature: float = field(default=0.2, metadata=LATER)
    self_label_clusters: int = field(default=0, metadata=LATER)
    self_label_from: int = field(default=6, metadata=LATER)
    self_label_every: int = field(default=3, metadata=LATER)
    self_label_weight: float = field(default=0.3, metadata=LATER)

    def __post_init__(self) -> None:
        one_of("loss", self.loss, Loss)
        one_of("optimizer", self.optimizer, Optimizer)
        positive("learning_rate", self.learning_rate)
        between("weight_decay", self.weight_decay, 0)
        whole("batch_size", self.batch_size, 1, 65536)
        whole("epochs", self.epochs, 1, 100_000)
        between("validation_share", self.validation_share, 0, 0.5)
        whole("seed", self.seed, 0, 2**32 - 1)
        yes_or_no("deterministic", self.deterministic)
        one_of("precision", self.precision, Precision)
        positive("decay", self.decay)
        between("decay", self.decay, 0, 1)
        between("jitter", self.jitter, 0, 2)
        between("contrast", self.contrast, 0, 100)
        if self.contrast and not self.jitter:
            raise ConfigError("contrast needs pictures of one image that differ: set jitter above 0.")
        between("temperature", self.temperature, 0.01, 10)
        whole("self_label_clusters", self.self_label_clusters, 0, 1000)
        if self.self_label_clusters and not self.jitter:
            raise ConfigError("self_label_clusters needs pictures of one image that differ: set jitter above 0.")
        whole("self_label_from", self.self_label_from, 1, 100_000)
        whole("self_label_every", self.self_label_every, 1, 100_000)
        positive("self_label_weight", self.self_label_weight)


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
        whole("resize", self.resize, 8, 1024)
        whole("crop", self.crop, 8, self.resize)
        whole("batch_size", self.batch_size, 1, 4096)
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
            values = getattr(self, name)
            if len(values) != 3:
                raise ConfigError(f"{name} needs 3 numbers, one a channel; it has {len(values)}.")
            for value in values:
                between(name, value, 0, 1) if name == "mean" else positive(name, value)


@dataclass(frozen=True)
class FeaturesConfig:
    """Features of a pretrained network as latents, with a decoder that is trained to turn them back into images.

    Parameters
    ----------
    network : what reads the images; a named one, whose code is known. The layer's output is averaged over the picture.
    n_features : numbers that this layer gives an image.
    weights : checksum of the network's weights, 32 hexadecimal digits.
    file : where they lie; "" where those of this network usually do.
    width : channels of the decoder's last layers, as of the default autoencoder.
    """

    network: ClassifierConfig
    n_features: int
    weights: str
    file: str = ""
    width: int = 16

    def __post_init__(self) -> None:
        if not isinstance(self.network, ClassifierConfig) or ":" in self.network.model:
            raise ConfigError("Pretrained features need the settings of a named network.")
        whole("n_features", self.n_features, 1, 65536)
        if not isinstance(self.weights, str) or not re.fullmatch("[0-9a-f]{32}", self.weights):
            raise ConfigError(f"weights {self.weights!r:.80} must be a checksum of 32 hexadecimal digits.")
        if not isinstance(self.file, str) or len(self.file) > 4096:
            raise ConfigError(f"file {self.file!r:.80} must be the path of a file.")
        whole("width", self.width, 4, 256)

    @property
    def latent_size(self) -> int:
        """Numbers an image, as of the other models."""
        return self.n_features

    @property
    def value_range(self) -> ValueRange:
        """Range of the pixels that the decoder gives."""
        return "unit"


ModelConfig = AutoencoderConfig | LayersConfig | FeaturesConfig


def latent_shape(config: ModelConfig, image_shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the shape of one image's latents: (latent_size,), or the encoder's own (c, h, w).

    Raises
    ------
    ConfigError : the layers do not fit images (h, w, c).
    """
    if isinstance(config, LayersConfig) and config.latent_size is None:
        return layers.latent_shape(layers.parse(config.encoder), image_shape)
    assert config.latent_size is not None
    return (config.latent_size,)

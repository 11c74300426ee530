"""Autoencoders as torch modules: the default one, those written layer by layer, and their table of layers.

The default one: strided convolutions to a row of latents, and back. Each encoder step halves height and width (rounded
up) and doubles the channels, up to 4 × width, until the larger side is at most 4. The decoder mirrors it: upsampling to
the exact sizes on the way, so that any image of 8 to 128 pixels a side comes back in its own size, and convolutions that
leave no checkerboard (Odena, Dumoulin, Olah: Deconvolution and Checkerboard Artifacts, Distill 2016).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from core import layers
from core.config import AutoencoderConfig, FeaturesConfig, LayersConfig, ModelConfig, latent_shape
from core.errors import CheckpointError
from core.layers import LayerSpec
from core.models import TrainedModel

SMALLEST = 4  # pixels of the larger side where the convolutions end
MOST = 4  # the deepest layer has at most this many times `width` channels
ROWS = 4096  # of features that are looked at together
LEAST = 1e-3  # of the largest spread of a feature


@dataclass(frozen=True)
class Layer:
    """A row of the layer table: name, output shape without the batch, number of parameters and of trained ones."""

    name: str
    output_shape: tuple[int, ...]
    n_parameters: int
    n_trainable: int


@dataclass(frozen=True)
class Summary:
    """The layers of an autoencoder, with sizes in bytes of one float32 image, of every output, of the parameters."""

    layers: tuple[Layer, ...]
    input_shape: tuple[int, ...]
    latent_shape: tuple[int, ...]
    input_bytes: int
    output_bytes: int
    parameter_bytes: int

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return sum(layer.n_parameters for layer in self.layers)

    @property
    def n_trainable(self) -> int:
        """Number of parameters that training changes."""
        return sum(layer.n_trainable for layer in self.layers)


class Autoencoder(nn.Module):
    """`encode` turns float images (b, c, h, w) into latents (b, d); `decode` turns them back."""

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Turn images (b, c, h, w) into latents (b, d)."""
        raise NotImplementedError

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Turn latents (b, d) into images (b, c, h, w)."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct images (b, c, h, w)."""
        return self.decode(self.encode(x))


class DefaultAutoencoder(Autoencoder):
    """The autoencoder for images of any size."""

    def __init__(self, config: AutoencoderConfig, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        h, w, c = image_shape
        sizes = [(h, w)]
        channels = [c]
        while max(sizes[-1]) > SMALLEST:
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
            channels.append(min(config.width * 2 ** (len(channels) - 1), config.width * MOST))
        self.sizes, self.channels = sizes, channels
        inner = channels[-1] * sizes[-1][0] * sizes[-1][1]
        self.down = nn.ModuleList(_down(channels[i], channels[i + 1]) for i in range(len(sizes) - 1))
        self.to_latents = nn.Linear(inner, config.latent_size)
        self.from_latents = nn.Linear(config.latent_size, inner)
        steps = range(len(sizes) - 1, 0, -1)
        self.up = nn.ModuleList(_up(channels[i], channels[i - 1] if i > 1 else channels[1]) for i in steps)
        self.to_image = nn.Conv2d(channels[1], c, 3, padding=1)
        self.to_range = nn.Sigmoid() if config.value_range == "unit" else nn.Tanh()

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Turn images (b, c, h, w) into latents (b, latent_size)."""
        for step in self.down:
            x = step(x)
        latents: torch.Tensor = self.to_latents(x.flatten(1))  # (b, channels · h' · w')
        return latents

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Turn latents (b, latent_size) into images (b, c, h, w)."""
        x = functional.relu(self.from_latents(latents))
        x = x.unflatten(1, (self.channels[-1], *self.sizes[-1]))  # (b, channels, h', w')
        for step, size in zip(self.up, reversed(self.sizes[:-1]), strict=True):
            x = step(functional.interpolate(x, size=size))
        images: torch.Tensor = self.to_range(self.to_image(x))
        return images


class FeatureDecoder(Autoencoder):
    """The default autoencoder's way back, from the features of a pretrained network, which it reads in place of images."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, config: FeaturesConfig, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.decoder = DefaultAutoencoder(AutoencoderConfig(config.n_features, config.width), image_shape)
        del self.decoder.down, self.decoder.to_latents
        self.register_buffer("mean", torch.zeros(config.n_features))
        self.register_buffer("scale", torch.ones(config.n_features))

    def standardise(self, features: np.ndarray, rows: np.ndarray) -> None:
        """Let features be read as differences from the mean of these rows of (n, d), in standard deviations."""
        total = np.zeros((2, features.shape[1]))
        for start in range(0, len(rows), ROWS):
            part = features[rows[start : start + ROWS]].astype(np.float64)
            total += part.sum(axis=0), np.square(part).sum(axis=0)
        mean, squares = total / len(rows)
        spread = np.sqrt(np.maximum(squares - mean**2, 0))
        told = spread > LEAST * spread.max()  # what hardly varies says nothing
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(np.divide(1, spread, out=np.zeros_like(spread), where=told)))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (b, d) as they are: they are the latents."""
        return x

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Turn features (b, d) into images (b, c, h, w)."""
        images: torch.Tensor = self.decoder.decode((latents - self.mean) * self.scale)
        return images


class LayeredAutoencoder(Autoencoder):
    """An autoencoder written layer by layer; the latents are the encoder's output, or a linear layer's after it."""

    def __init__(self, config: LayersConfig, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        encoder, decoder = layers.parse(config.encoder), layers.parse(config.decoder)
        layers.check_fit(encoder, decoder, image_shape)
        c = image_shape[2]
        self.inner = layers.latent_shape(encoder, image_shape)
        self.encoder = _sequence(encoder, c, c)
        if config.latent_size is not None:
            self.to_latents = nn.Linear(math.prod(self.inner), config.latent_size)
            self.from_latents = nn.Linear(config.latent_size, math.prod(self.inner))
        self.squeezed = config.latent_size is not None
        self.decoder = _sequence(decoder, self.inner[0], c)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Turn images (b, c, h, w) into latents (b, d)."""
        latents: torch.Tensor = self.encoder(x).flatten(1)  # (b, c' · h' · w')
        return self.to_latents(latents) if self.squeezed else latents

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Turn latents (b, d) into images (b, c, h, w)."""
        x = self.from_latents(latents) if self.squeezed else latents
        images: torch.Tensor = self.decoder(x.unflatten(1, self.inner))  # (b, c', h', w')
        return images


class _Sequence(nn.Sequential):
    """Layers one after the other, with the same outputs and gradients in less memory traffic."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = list(self)
        if x.is_meta:  # the table of layers counts them as they are written
            return super().forward(x)
        # The largest value is the same before and after ReLU, which has fewer values to look at after.
        for i in range(len(made) - 1):
            if isinstance(made[i], nn.ReLU) and isinstance(made[i + 1], nn.MaxPool2d):
                made[i], made[i + 1] = made[i + 1], made[i]
        for i, layer in enumerate(made):
            alone = i > 0 and isinstance(made[i - 1], (nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d))
            # No gradient of these layers needs what they put out.
            x = functional.relu(x, inplace=True) if alone and isinstance(layer, nn.ReLU) else layer(x)
        return x


def _sequence(specs: tuple[LayerSpec, ...], channels: int, image_channels: int) -> nn.Sequential:
    made = []
    for spec in specs:
        after = (spec.channels or image_channels) if spec.kind in ("conv", "deconv") else channels
        made.append(_module(spec, channels, after))
        channels = after
    return _Sequence(*made)


def _module(spec: LayerSpec, before: int, after: int) -> nn.Module:
    if spec.kind == "conv":
        return nn.Conv2d(before, after, spec.kernel, spec.stride, spec.padding, bias=spec.bias)
    if spec.kind == "deconv":
        return nn.ConvTranspose2d(before, after, spec.kernel, spec.stride, spec.padding, bias=spec.bias)
    if spec.kind == "maxpool":
        return nn.MaxPool2d(spec.kernel, spec.stride)
    if spec.kind == "batchnorm":
        return nn.BatchNorm2d(before)
    if spec.kind == "leakyrelu":
        return nn.LeakyReLU(spec.slope)
    return {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[spec.kind]()


def _down(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU())


def _up(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())


def build(config: ModelConfig, image_shape: tuple[int, int, int]) -> Autoencoder:
    """Make an autoencoder for images (h, w, c), with weights from torch's random state.

    Raises
    ------
    ConfigError : the layers do not fit such images.
    """
    if isinstance(config, AutoencoderConfig):
        return DefaultAutoencoder(config, image_shape)
    if isinstance(config, FeaturesConfig):
        return FeatureDecoder(config, image_shape)
    return LayeredAutoencoder(config, image_shape)


def to_weights(module: nn.Module) -> dict[str, np.ndarray]:
    """Copy a module's state to arrays by name."""
    return {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}


def from_model(model: TrainedModel, device: str | torch.device = "cpu") -> Autoencoder:
    """Rebuild a trained model on a device, ready to encode.

    Raises
    ------
    CheckpointError : the weights are of another architecture.
    """
    with torch.device("meta"):
        module = build(model.autoencoder, model.image_shape)
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    _check(expected, model)
    state = {name: torch.from_numpy(np.array(model.weights[name])) for name in expected}
    module.load_state_dict(state, assign=True)
    return module.to(device).eval()


def _check(expected: dict[str, tuple[int, ...]], model: TrainedModel) -> None:
    what = _described(model.autoencoder)
    for name, shape in expected.items():
        if name not in model.weights:
            raise CheckpointError(f"The model is of another architecture: an autoencoder of {what} needs {name!r}.")
        if tuple(model.weights[name].shape) != shape:
            raise CheckpointError(
                f"The model is of another architecture: {name!r} has shape {tuple(model.weights[name].shape)}, "
                f"where an autoencoder of {what} has {shape}."
            )
    for name in sorted(set(model.weights) - set(expected)):
        raise CheckpointError(f"The model is of another architecture: {name!r} is not part of this autoencoder.")


def _described(config: ModelConfig) -> str:
    if isinstance(config, AutoencoderConfig):
        return f"latent_size {config.latent_size} and width {config.width}"
    if isinstance(config, FeaturesConfig):
        return f"{config.n_features} features and width {config.width}"
    return f"{len(config.encoder.split())} layers down and {len(config.decoder.split())} up"


def summarize(config: ModelConfig, image_shape: tuple[int, int, int]) -> Summary:
    """List the layers with the shapes of what they put out, without computing anything.

    Raises
    ------
    ConfigError : the layers do not fit images (h, w, c).
    """
    h, w, c = image_shape
    rows: list[Layer] = []
    with torch.device("meta"), torch.inference_mode():
        module = build(config, image_shape).eval()
        for name, layer in module.named_modules():
            if not list(layer.children()):
                layer.register_forward_hook(_noted(rows, name))
        read = (config.n_features,) if isinstance(config, FeaturesConfig) else (c, h, w)
        latents = module.encode(torch.empty(1, *read))
        module.decode(latents)
    outputs = sum(math.prod(row.output_shape) for row in rows)
    return Summary(
        tuple(rows), (c, h, w), latent_shape(config, image_shape),
        4 * c * h * w, 4 * outputs, 4 * sum(row.n_parameters for row in rows),
    )  # fmt: skip


def _noted(rows: list[Layer], name: str) -> Callable[..., None]:
    def note(layer: nn.Module, given: object, output: torch.Tensor) -> None:
        parameters = list(layer.parameters())
        rows.append(
            Layer(
                f"{name} {type(layer).__name__}",
                tuple(output.shape[1:]),
                sum(p.numel() for p in parameters),
                sum(p.numel() for p in parameters if p.requires_grad),
            )
        )

    return note


def table_text(summary: Summary) -> str:
    """Write the layer table for people: layer, output shape, parameters; then totals and sizes."""
    wide = max(len(layer.name) for layer in summary.layers) + 2
    lines = [f"{'layer':<{wide}}{'output shape':<18}{'parameters':>14}"]
    for layer in summary.layers:
        lines.append(f"{layer.name:<{wide}}{_shape(layer.output_shape):<18}{layer.n_parameters:>14,}")
    lines += [
        "",
        f"latents            {_shape(summary.latent_shape)} = {math.prod(summary.latent_shape):,} numbers an image",
        f"parameters         {summary.n_parameters:,}, {summary.n_trainable:,} of them trainable",
        f"input size         {summary.input_bytes / 1024:,.1f} KiB an image, as float32",
        f"outputs of layers  {summary.output_bytes / 1024:,.1f} KiB an image",
        f"parameters size    {summary.parameter_bytes / 1024:,.1f} KiB",
    ]
    return "\n".join(lines)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))

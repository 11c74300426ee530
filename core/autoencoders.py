"""The convolutional autoencoder: strided convolutions to a row of latents, and back.

Each encoder step halves height and width (rounded up) and doubles the channels, up to 4 × width, until the
larger side is at most 4. The decoder mirrors it: upsampling to the exact sizes on the way, so that any image of
8 to 128 pixels a side comes back in its own size, and convolutions that leave no checkerboard
(Odena, Dumoulin, Olah: Deconvolution and Checkerboard Artifacts, Distill 2016).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from core.config import AutoencoderConfig
from core.errors import CheckpointError
from core.models import TrainedModel

SMALLEST = 4  # pixels of the larger side where the convolutions end
MOST = 4  # the deepest layer has at most this many times `width` channels


@dataclass(frozen=True)
class Layer:
    """A row of the layer table: name, output shape without the batch, number of trained values."""

    name: str
    output_shape: tuple[int, ...]
    n_parameters: int


class Autoencoder(nn.Module):
    """`encode` turns float images (b, c, h, w) in [0, 1] into latents (b, latent_size); `decode` turns them back."""

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

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Turn images (b, c, h, w) into latents (b, latent_size)."""
        for step in self.down:
            x = step(x)
        latents: torch.Tensor = self.to_latents(x.flatten(1))  # (b, channels · h' · w')
        return latents

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Turn latents (b, latent_size) into images (b, c, h, w) in [0, 1]."""
        x = functional.relu(self.from_latents(latents))
        x = x.unflatten(1, (self.channels[-1], *self.sizes[-1]))  # (b, channels, h', w')
        for step, size in zip(self.up, reversed(self.sizes[:-1]), strict=True):
            x = step(functional.interpolate(x, size=size))
        return torch.sigmoid(self.to_image(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct images (b, c, h, w)."""
        return self.decode(self.encode(x))


def _down(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU())


def _up(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())


def build(config: AutoencoderConfig, image_shape: tuple[int, int, int]) -> Autoencoder:
    """Make an autoencoder for images (h, w, c), with weights from torch's random state."""
    return Autoencoder(config, image_shape)


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
    what = f"latent_size {model.autoencoder.latent_size} and width {model.autoencoder.width}"
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


def layer_table(config: AutoencoderConfig, image_shape: tuple[int, int, int]) -> tuple[Layer, ...]:
    """List the layers with the shapes of what they put out, without computing anything."""
    with torch.device("meta"):
        module = build(config, image_shape)
    last = len(module.sizes) - 1
    rows = [
        *(
            (f"down {i + 1}", step, (module.channels[i + 1], *module.sizes[i + 1]))
            for i, step in enumerate(module.down)
        ),
        ("latents", module.to_latents, (config.latent_size,)),
        ("from latents", module.from_latents, (module.channels[-1], *module.sizes[-1])),
        *(
            (f"up {i + 1}", step, (module.channels[max(last - 1 - i, 1)], *module.sizes[last - 1 - i]))
            for i, step in enumerate(module.up)
        ),
        ("image", module.to_image, (image_shape[2], image_shape[0], image_shape[1])),
    ]
    return tuple(Layer(name, shape, sum(p.numel() for p in layer.parameters())) for name, layer, shape in rows)

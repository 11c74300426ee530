"""An autoencoder written layer by layer, as text: read, checked, and its shapes worked out without building it.

Layers are parted by blanks, and each takes the channels that the one before gives::

    conv(o,k,s,p)     2-D convolution: output channels (`c`: those of the image), kernel, stride, padding
    deconv(o,k,s,p)   transposed convolution, in the same order
    maxpool(k,s)      largest value in k × k pixels, every s pixels (s = k when left out)
    leakyrelu(a)      slope a below zero
    batchnorm relu sigmoid tanh

`nobias` as a fifth value leaves the bias of a convolution out. Output sizes are those of Dumoulin and Visin, A guide to
convolution arithmetic for deep learning (2016).
"""

import math
import re
from dataclasses import dataclass

from core.errors import ConfigError

MAX_LAYERS = 100
MAX_CHANNELS = 4096
IMAGE_CHANNELS = "c"
_CONVOLUTIONS = ("conv", "deconv")
_PLAIN = ("batchnorm", "relu", "sigmoid", "tanh")
_LAYER = re.compile(r"([a-z]+)(?:\(([^()]*)\))?")
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class LayerSpec:
    """One layer: what it does, and its numbers.

    Parameters
    ----------
    channels : given out by a convolution; 0 means as many as the image has.
    slope : of `leakyrelu` below zero.
    """

    kind: str
    channels: int = 0
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    bias: bool = True
    slope: float = 0.0

    def __str__(self) -> str:
        if self.kind in _CONVOLUTIONS:
            numbers = [self.channels or IMAGE_CHANNELS, self.kernel, self.stride, self.padding]
            return f"{self.kind}({','.join(map(str, numbers))}{'' if self.bias else ',nobias'})"
        if self.kind == "maxpool":
            return f"maxpool({self.kernel},{self.stride})"
        return f"leakyrelu({self.slope:g})" if self.kind == "leakyrelu" else self.kind


def parse(text: str) -> tuple[LayerSpec, ...]:
    """Read layers from text.

    Raises
    ------
    ConfigError : a layer that is not known, or with numbers that cannot be; the sentence names it.
    """
    if not isinstance(text, str):
        raise ConfigError(f"layers {text!r:.80} must be a text such as 'conv(32,3,2,1) relu'.")
    words = re.sub(r"\s*([(),])\s*", r"\1", text.lower()).replace(")", ") ").split()
    if not 1 <= len(words) <= MAX_LAYERS:
        raise ConfigError(f"An encoder and a decoder have 1 to {MAX_LAYERS} layers; here are {len(words)}.")
    return tuple(_layer(word) for word in words)


def write(specs: tuple[LayerSpec, ...]) -> str:
    """Write layers as the text that `parse` reads."""
    return " ".join(map(str, specs))


def output_shape(specs: tuple[LayerSpec, ...], shape: Shape, image_channels: int) -> Shape:
    """Return the shape (c, h, w) that these layers make of (c, h, w).

    Raises
    ------
    ConfigError : nothing would be left of the image.
    """
    for spec in specs:
        shape = step(spec, shape, image_channels)
    return shape


def step(spec: LayerSpec, shape: Shape, image_channels: int) -> Shape:
    """Return the shape (c, h, w) that one layer makes of (c, h, w).

    Raises
    ------
    ConfigError : nothing would be left, or far too much.
    """
    c, h, w = shape
    if spec.kind in _CONVOLUTIONS:
        c = spec.channels or image_channels
    if spec.kind == "deconv":
        h, w = ((side - 1) * spec.stride - 2 * spec.padding + spec.kernel for side in (h, w))
    elif spec.kind in ("conv", "maxpool"):
        h, w = ((side + 2 * spec.padding - spec.kernel) // spec.stride + 1 for side in (h, w))
    if not (1 <= h <= 1024 and 1 <= w <= 1024):
        raise ConfigError(f"Layer {spec} makes {h} × {w} pixels of {shape[1]} × {shape[2]}; 1 to 1024 are possible.")
    return c, h, w


def latent_shape(encoder: tuple[LayerSpec, ...], image_shape: Shape) -> Shape:
    """Return what an encoder makes of images (h, w, c), as (c, h, w)."""
    h, w, c = image_shape
    return output_shape(encoder, (c, h, w), c)


def check_fit(encoder: tuple[LayerSpec, ...], decoder: tuple[LayerSpec, ...], image_shape: Shape) -> None:
    """Check that the decoder brings images (h, w, c) back in their own shape.

    Raises
    ------
    ConfigError : it does not; the sentence says which sides would fit.
    """
    h, w, c = image_shape
    try:
        made = output_shape(decoder, latent_shape(encoder, image_shape), c)
    except ConfigError as error:
        raise ConfigError(f"This autoencoder cannot read images of {h}×{w}: {_first_lower(str(error))}") from error
    if made != (c, h, w):
        sides = [side for side in range(8, 129) if _fits(encoder, decoder, side, c)]
        advice = f"It fits sides of {', '.join(map(str, sides[:8]))} pixels." if sides else "It fits no square image."
        raise ConfigError(
            f"This autoencoder makes images of {made[1]}×{made[2]} with {made[0]} channels out of {h}×{w} with {c}. {advice}"
        )


def _fits(encoder: tuple[LayerSpec, ...], decoder: tuple[LayerSpec, ...], side: int, channels: int) -> bool:
    try:
        return output_shape(decoder, latent_shape(encoder, (side, side, channels)), channels) == (
            channels,
            side,
            side,
        )
    except ConfigError:
        return False


def _layer(word: str) -> LayerSpec:
    found = _LAYER.fullmatch(word)
    kind, inside = found.groups() if found else (word, None)
    values = [] if not inside else inside.split(",")
    if kind in _PLAIN and not values:
        return LayerSpec(kind)
    if kind in _CONVOLUTIONS:
        bias = values[-1:] != ["nobias"]
        numbers = values if bias else values[:-1]
        if len(numbers) == 4:
            own = numbers[0] == IMAGE_CHANNELS
            channels = 0 if own else _whole(word, numbers[0], 1, MAX_CHANNELS)
            kernel, stride = (_whole(word, number, 1, 64) for number in numbers[1:3])
            return LayerSpec(kind, channels, kernel, stride, _whole(word, numbers[3], 0, kernel - 1), bias)
    if kind == "maxpool" and 1 <= len(values) <= 2:
        kernel = _whole(word, values[0], 1, 64)
        return LayerSpec(kind, kernel=kernel, stride=_whole(word, values[-1], 1, 64))
    if kind == "leakyrelu" and len(values) == 1:
        return LayerSpec(kind, slope=_slope(word, values[0]))
    raise ConfigError(
        f"Layer {word[:60]!r} is not known: there are conv(o,k,s,p), deconv(o,k,s,p), maxpool(k,s), leakyrelu(a), "
        f"{', '.join(_PLAIN)}."
    )


def _whole(word: str, text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"\d{1,6}", text) or not low <= int(text) <= high:
        raise ConfigError(f"Layer {word[:60]!r}: {text[:20]!r} must be a whole number from {low} to {high}.")
    return int(text)


def _slope(word: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ConfigError(f"Layer {word[:60]!r}: the slope {text[:20]!r} must be a number from 0 to 1.")
    return value


def _first_lower(text: str) -> str:
    return text[:1].lower() + text[1:]

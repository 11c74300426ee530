"""Layers as text: read, written, and their shapes by hand."""

import pytest

from core import layers
from core.errors import ConfigError


def test_text_is_read_whatever_its_blanks_and_written_in_one_way():
    specs = layers.parse("  Conv( 8, 3 ,2,1 )relu\nmaxpool(2) leakyrelu(0.2) deconv(c,3,1,0,nobias) ")
    assert layers.write(specs) == "conv(8,3,2,1) relu maxpool(2,2) leakyrelu(0.2) deconv(c,3,1,0,nobias)"
    assert layers.parse(layers.write(specs)) == specs


@pytest.mark.parametrize(
    "text, shape, made",
    [
        ("conv(5,3,1,1)", (1, 28, 28), (5, 28, 28)),  # (28 + 2 - 3) / 1 + 1
        ("conv(5,3,3,1)", (1, 28, 28), (5, 10, 10)),  # ⌊27 / 3⌋ + 1
        ("maxpool(2,1)", (4, 3, 3), (4, 2, 2)),
        ("deconv(c,5,3,1)", (4, 5, 5), (1, 15, 15)),  # 4 · 3 - 2 + 5
        ("batchnorm relu tanh", (4, 3, 2), (4, 3, 2)),
    ],
)
def test_shapes_by_hand(text, shape, made):
    assert layers.output_shape(layers.parse(text), shape, 1) == made


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("", "1 to 100 layers; here are 0"),
        ("relu " * 101, "here are 101"),
        ("swish", "Layer 'swish' is not known"),
        ("conv(8,3,2)", "is not known"),
        ("conv(8,3,2,3)", "'3' must be a whole number from 0 to 2"),
        ("conv(0,3,2,1)", "'0' must be a whole number from 1 to 4096"),
        ("leakyrelu(2)", "slope '2'"),
        ("leakyrelu(nan)", "slope 'nan'"),
        ("relu(1)", "is not known"),
        ("__import__('os')", "is not known"),
    ],
)
def test_what_cannot_be_is_named(text, sentence):
    with pytest.raises(ConfigError) as caught:
        layers.parse(text)
    assert sentence in str(caught.value)


def test_an_image_that_would_vanish_or_explode_is_refused():
    with pytest.raises(ConfigError, match="makes 0 × 0 pixels of 2 × 2"):
        layers.output_shape(layers.parse("conv(1,3,1,0)"), (1, 2, 2), 1)
    with pytest.raises(ConfigError, match="1 to 1024"):
        layers.output_shape(layers.parse("deconv(1,2,64,0) deconv(1,2,64,0)"), (1, 8, 8), 1)

"""Colours that people with any colour vision tell apart, as far as their number allows.

The first six are Okabe and Ito's (Color Universal Design, 2008) without yellow and black, which vanish on white or on
black. The others were found one by one: of a grid of colours with CIELAB lightness 38 to 84, the one whose smallest
distance to those before is largest, where a distance is the smallest CIE76 difference under normal vision and
simulated protanopia and deuteranopia (Machado, Oliveira, Fernandes, IEEE TVCG 2009). So the first k colours are
the same for every k.
"""

from collections.abc import Sequence

import numpy as np

from core.errors import ConfigError

_COLORS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#6118ff", "#aadb86", "#796dff", "#b61831",
    "#f3c2c2", "#923d6d", "#92dbf3", "#ff3d6d", "#619eff", "#92e755", "#7931c2", "#db7949", "#aa0092", "#316d3d",
    "#b6310c", "#7949ff", "#86ce92", "#f30cc2", "#db929e", "#ff9ece", "#0c92c2", "#f3863d", "#cedb00", "#9ece61",
    "#aa5592", "#aa6155", "#864955", "#8600db", "#6179e7", "#92ceff", "#ff6ddb", "#9e6d86", "#c2aa6d", "#b66131",
    "#793db6", "#ffc2aa", "#ce31db", "#49c2c2", "#319e00", "#ce7979", "#555592", "#55aa92", "#c2c231", "#559eaa",
    "#31b6ff", "#db1849", "#188655", "#c231aa", "#61dbdb", "#9e556d", "#616100", "#3179ce", "#b6003d", "#0079aa",
    "#556179", "#9e9e55", "#3dc2aa", "#863ddb", "#6de7aa", "#ff6d24", "#aab649", "#3192ff", "#49e7c2", "#493df3",
    "#5561f3", "#ffc249", "#ff7961", "#e7aa86", "#c2db79", "#559edb", "#ff6d92", "#aa92c2", "#0c86c2", "#9279aa",
    "#497992", "#923d61", "#49b6db", "#c21824", "#e76131", "#f300ce", "#6daa86", "#ff9e55", "#1892e7", "#86c2ff",
    "#00ce79", "#61cedb", "#248661", "#aadb61", "#c26d49", "#c20079", "#616de7", "#ffb6e7", "#c2b69e", "#c2aac2",
)  # fmt: skip
MAX_COLORS = len(_COLORS)
MISSING = "#9a9a9a"  # points without a value

# Cividis (Nuñez, Anderton, Renslow, PLoS ONE 2018): even steps of lightness for any colour vision.
SEQUENTIAL = (
    (0.0, "#00224e"),
    (0.125, "#123570"),
    (0.25, "#3b496c"),
    (0.375, "#575d6d"),
    (0.5, "#707173"),
    (0.625, "#8a8678"),
    (0.75, "#a59c74"),
    (0.875, "#c3b369"),
    (1.0, "#fee838"),
)

# On linear RGB: normal vision, protanopia and deuteranopia of severity 1.
_VISIONS = (
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
)
_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
_WHITE = (0.95047, 1.0, 1.08883)  # D65


def categorical(k: int) -> tuple[str, ...]:
    """Return k colours as "#rrggbb"; the first k are the same for every k.

    Raises
    ------
    ConfigError : more than 100 are asked for.
    """
    if not 0 <= k <= MAX_COLORS:
        raise ConfigError(f"{k} groups are too many to tell apart by colour; the limit is {MAX_COLORS}.")
    return _COLORS[:k]


def differences(colors: Sequence[str]) -> np.ndarray:
    """Return how far apart k colours "#rrggbb" are, float64 (k, k): for the vision that tells two least apart, CIE76."""
    rgb = np.array([[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in colors]).reshape(-1, 3)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)  # (k, 3)
    seen = np.clip(linear @ np.array(_VISIONS).transpose(0, 2, 1), 0, 1)  # (visions, k, 3)
    xyz = seen @ np.array(_XYZ).T / _WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    lab = np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )  # (visions, k, 3)
    found: np.ndarray = np.linalg.norm(lab[:, :, None] - lab[:, None], axis=-1).min(axis=0)
    return found

"""A density as a picture with a transparent ground, to be laid over a page of any colour."""

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from core import palettes
from core.atlas.results import Density

FAINTEST = 0.4  # opacity of a cell with one row
FULL = 0.99  # share of the cells with rows that are below full opacity
PLAIN = {True: "#9ec5ff", False: "#1b4f91"}  # colour of rows without a kind, on a dark and on a light ground


def png(density: Density, colors: Mapping[str, str] | None = None, dark: bool = False) -> bytes:
    """Draw a density as a PNG of its size, RGBA, transparent where it is empty.

    Opacity grows with the logarithm of a cell's count, from 0.4 for one row to 1 for as many as in the fullest 1 % of the
    cells with rows. The colour of several kinds is the mean of theirs, weighted by their shares, in linear light; of a number
    it is that of its mean between the smallest and largest of the whole atlas, in even steps of lightness (cividis).

    Parameters
    ----------
    colors : "#rrggbb" of each name; None: those of `core.palettes`, in the names' order. A name without one is gray.
    dark : whether the page is; for rows without a kind.
    """
    counts = density.counts
    alpha = _opacity(counts)
    if density.shares is not None:
        rgb = _mixed(density, colors)
    elif density.means is not None:
        rgb = _of_numbers(density)
    else:
        rgb = np.broadcast_to(_rgb(PLAIN[dark]), (*counts.shape, 3))
    picture = np.concatenate([rgb, alpha[..., None]], axis=-1)  # (h, w, 4), in [0, 1]
    file = io.BytesIO()
    Image.fromarray(np.round(picture * 255).astype(np.uint8), "RGBA").save(file, "PNG", compress_level=3)
    return file.getvalue()


def _opacity(counts: np.ndarray) -> np.ndarray:
    """Return opacities in [0, 1], float32 (h, w), of counts (h, w)."""
    there = counts > 0
    if not there.any():
        return np.zeros(counts.shape, np.float32)
    full = np.log1p(np.float32(max(2.0, np.quantile(counts[there], FULL))))
    one = np.log1p(np.float32(1))
    grown = (np.log1p(counts.astype(np.float32)) - one) / (full - one)
    found: np.ndarray = np.where(there, FAINTEST + (1 - FAINTEST) * np.clip(grown, 0, 1), 0).astype(np.float32)
    return found


def _mixed(density: Density, colors: Mapping[str, str] | None) -> np.ndarray:
    """Return colours, float32 (h, w, 3), mixed by the shares of the kinds."""
    assert density.shares is not None
    if colors is None:
        named = density.names[:-1] if density.rest else density.names
        colors = dict(zip(named, palettes.categorical(len(named)), strict=True))
    known = [palettes.MISSING if density.rest and i == len(density.names) - 1 else colors.get(name, palettes.MISSING)
             for i, name in enumerate(density.names)]  # fmt: skip
    if not known:
        return np.zeros((*density.counts.shape, 3), np.float32)
    linear = _linear(np.stack([_rgb(color) for color in known]))  # (k, 3)
    return _gamma(density.shares @ linear)


def _of_numbers(density: Density) -> np.ndarray:
    """Return colours, float32 (h, w, 3), of the cells' means; gray where there is none."""
    assert density.means is not None
    low, high = density.low or 0.0, density.high or 0.0
    place = (density.means - low) / (high - low) if high > low else np.where(np.isnan(density.means), np.nan, 0.5)
    stops = [stop for stop, _ in palettes.SEQUENTIAL]
    rgb = np.stack([_rgb(color) for _, color in palettes.SEQUENTIAL])  # (stops, 3)
    found = np.stack([np.interp(np.nan_to_num(place), stops, rgb[:, i]) for i in range(3)], axis=-1)
    made: np.ndarray = np.where(np.isnan(place)[..., None], _rgb(palettes.MISSING), found).astype(np.float32)
    return made


def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255


def _linear(rgb: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return found


def _gamma(linear: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.clip(found, 0, 1).astype(np.float32)

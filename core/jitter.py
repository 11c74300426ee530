"""Images turned, moved, scaled and sheared a little at random, so that a model learns what does not depend on it."""

import numpy as np
import torch
from torch.nn import functional

TURN, MOVE, SCALE, SHEAR = 12.0, 0.09, 0.12, 0.12  # at most, of strength 1: degrees; share of a side; factors


def jittered(x: torch.Tensor, strength: float, random: np.random.Generator) -> torch.Tensor:
    """Return each of the images, float32 (b, c, h, w), turned, moved, scaled and sheared; their edges go on outwards.

    Parameters
    ----------
    strength : 1 turns by up to 12°, moves by up to 9 % of a side, scales and shears by up to 12 %; 0 changes nothing.
    random : says how; the same state, the same images.
    """
    if not strength:
        return x
    b, _, h, w = x.shape
    turn, right, down, wide, high, shear = random.uniform(-strength, strength, (6, b))
    sine, cosine = np.sin(np.radians(TURN * turn)), np.cos(np.radians(TURN * turn))
    wide, high, shear = 1 + SCALE * wide, 1 + SCALE * high, SHEAR * shear
    # From places in the result to places in the image, both from -1 to 1; sides of unequal lengths turn without bending.
    rows = (
        (wide * cosine + shear * sine, (shear * cosine - high * sine) * (h / w), 2 * MOVE * right),
        (wide * sine * (w / h), high * cosine, 2 * MOVE * down),
    )
    places = np.stack([np.stack(row, axis=1) for row in rows], axis=1).astype(np.float32)  # (b, 2, 3)
    grid = functional.affine_grid(torch.from_numpy(places).to(x.device), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)

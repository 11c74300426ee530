"""Small pictures beside each row: what a map shows of an image without opening its shard again."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image

LOSSLESS_SIDE = 32  # pixels up to which a thumbnail is a PNG of every pixel
SIDE = 64  # of a larger image's thumbnail, a WebP, at most
QUALITY = 75


def thumbnails(x: np.ndarray) -> pa.Array:
    """Return images uint8 (n, h, w, c) as encoded pictures, a column of bytes (n,)."""
    flat = x[..., 0] if x.shape[3] == 1 else x
    return pa.array([thumbnail(pixels) for pixels in flat], pa.binary())


def thumbnail(pixels: np.ndarray) -> bytes:
    """Return an image, uint8 (h, w) or (h, w, 3), as PNG where it is small, else as WebP of at most `SIDE` pixels a side."""
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if max(picture.size) <= LOSSLESS_SIDE:
        picture.save(buffer, "PNG", compress_level=3)
    else:
        if max(picture.size) > SIDE:
            picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        picture.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=2)
    return buffer.getvalue()

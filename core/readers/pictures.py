"""One picture file to a small array: a header looked at first, then decoded, turned upright and fitted."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from core.errors import DataError

MAX_PIXELS = 64_000_000
LARGE_PIXELS = 8_000_000  # pictures above are decoded one at a time, so that threads do not add up their memory
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # no other decoder of Pillow is ever run
Opened = Callable[[], BinaryIO]  # opens a picture's file anew at each call
GRAY_MODES = ("1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N")
_PLUGINS = (TiffImagePlugin, WebPImagePlugin)  # Pillow loads these two only when asked to
_BROKEN = (  # what Pillow's decoders raise on damaged files
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    EOFError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Header:
    """What a picture's header says: height and width when upright, and whether it can hold colour or transparency."""

    h: int
    w: int
    gray: bool


@dataclass(frozen=True)
class Frame:
    """What every picture is brought to: height, width, channels, and whether colour is turned to gray."""

    h: int
    w: int
    channels: Literal[1, 3]


def read_header(opened: Opened) -> Header:
    """Read size and mode of the file that `opened` opens, without decoding.

    Raises
    ------
    DataError : the file is no picture or has too many pixels; the text is the bare reason.
    """
    try:
        with opened() as file, _open(file) as image:
            w, h = image.size
            if _orientation(image) >= 5:
                h, w = w, h
            return Header(h, w, image.mode in GRAY_MODES and not image.has_transparency_data)
    except Image.DecompressionBombError as error:
        raise DataError(_too_large()) from error
    except _BROKEN as error:
        raise DataError(_reason(error)) from error


def read_picture(opened: Opened, frame: Frame, large: Lock) -> np.ndarray:
    """Decode the first frame of a picture to uint8 (h, w, c).

    It is turned upright by its EXIF orientation and put on white where transparent. 16-bit gray is scaled by
    255 / 65535. A picture of another size is scaled to fit, centred, its sides kept in proportion; the rest is
    white when its own border is on average brighter than middle gray, else black.

    Raises
    ------
    DataError : the file cannot be decoded; the text is the bare reason.
    """
    try:
        with opened() as file, _open(file) as image:
            if image.width * image.height > LARGE_PIXELS:
                with large:
                    return _decode(image, frame)
            return _decode(image, frame)
    except Image.DecompressionBombError as error:
        raise DataError(_too_large()) from error
    except _BROKEN as error:
        raise DataError(_reason(error)) from error


def read_rgb(opened: Opened, resize: int, crop: int) -> np.ndarray:
    """Decode a picture for a classifier, uint8 (crop, crop, 3): upright, shorter side to `resize`, the middle cut out.

    Raises
    ------
    DataError : the file cannot be decoded; the text is the bare reason.
    """
    try:
        with opened() as file, _open(file) as image:
            orientation = _orientation(image)
            small = _plain(image)
            if small.mode == "RGBA":
                small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
            if orientation in _TURNS:
                small = small.transpose(_TURNS[orientation])
            return middle(small.convert("RGB"), resize, crop)
    except Image.DecompressionBombError as error:
        raise DataError(_too_large()) from error
    except _BROKEN as error:
        raise DataError(_reason(error)) from error


def middle(image: Image.Image, resize: int, crop: int) -> np.ndarray:
    """Bring an RGB picture's shorter side to `resize` and cut out the middle, uint8 (crop, crop, 3), as torchvision does."""
    w, h = image.size
    scale = resize / min(w, h)
    longer = min(int(max(w, h) * scale), 100 * resize)  # a line of one pixel's height stays bounded
    size = (longer, resize) if w > h else (resize, longer)
    small = image.resize((max(size[0], resize), max(size[1], resize)), Image.Resampling.BILINEAR)
    left, top = round((small.width - crop) / 2), round((small.height - crop) / 2)
    return np.asarray(small.crop((left, top, left + crop, top + crop)))


def _open(file: BinaryIO) -> Image.Image:
    image = Image.open(file, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width:,} × {image.height:,} pixels"
        image.close()
        raise DataError(f"{size}; the limit is {MAX_PIXELS // 1_000_000} megapixels")
    return image


def _too_large() -> str:
    return f"more than the limit of {MAX_PIXELS // 1_000_000} megapixels"


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not a picture that can be read"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be opened: {error.strerror}"
    words = " ".join(str(error).split())[:120]
    return f"damaged picture: {words}" if words else "damaged picture"


def _orientation(image: Image.Image) -> int:
    # Pillow turns TIFF itself; and asking a PNG without EXIF in its head would decode it.
    if image.format == "TIFF" or "exif" not in image.info:
        return 1
    value = image.getexif().get(0x0112, 1)
    return value if value in _TURNS else 1


def _decode(image: Image.Image, frame: Frame) -> np.ndarray:
    orientation = _orientation(image)
    h, w = (frame.w, frame.h) if orientation >= 5 else (frame.h, frame.w)  # the frame, lying as the file does
    inner = _fitted(image.height, image.width, h, w)
    box = None
    if image.format in ("JPEG", "MPO") and image.size != (inner[1], inner[0]):
        drafted = image.draft(None, (2 * inner[1], 2 * inner[0]))  # JPEG decodes to 1/2, 1/4 or 1/8 for free
        box = drafted[1] if drafted else None
    small = _plain(image)
    if small.size != (inner[1], inner[0]):
        small = small.resize((inner[1], inner[0]), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    if small.mode == "RGBA":
        white = Image.new("RGBA", small.size, "white")
        small = Image.alpha_composite(white, small).convert("RGB")
    if orientation in _TURNS:
        small = small.transpose(_TURNS[orientation])
    small = small.convert("L" if frame.channels == 1 else "RGB")
    return _padded(np.atleast_3d(np.asarray(small)), frame)


def _plain(image: Image.Image) -> Image.Image:
    """Decode to mode L, RGB or RGBA."""
    if image.mode == "F":
        raise DataError("32-bit float values; save it with 8 or 16 bits")
    image.load()
    if image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _eight_bits(values: np.ndarray) -> np.ndarray:
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise DataError("32-bit values; save it with 8 or 16 bits")
    table = ((np.arange(65536, dtype=np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return table[values]


def _fitted(height: int, width: int, h: int, w: int) -> tuple[int, int]:
    scale = min(h / height, w / width)
    return max(1, min(h, round(height * scale))), max(1, min(w, round(width * scale)))


def _padded(pixels: np.ndarray, frame: Frame) -> np.ndarray:
    h, w, c = pixels.shape
    if (h, w) == (frame.h, frame.w):
        return pixels
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])  # (2w + 2h, c)
    out = np.full((frame.h, frame.w, c), 255 if border.mean() > 127.5 else 0, np.uint8)
    top, left = (frame.h - h) // 2, (frame.w - w) // 2
    out[top : top + h, left : left + w] = pixels
    return out

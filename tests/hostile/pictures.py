"""Pictures: cut, damaged, bombs, lying headers, odd modes, wrong endings, and what is no file."""

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.hostile.case import (
    MB,
    RAMP,
    Case,
    folder_with,
    good_are_there,
    read_as,
    read_or_skipped,
    skipped,
)

COLOUR = np.random.default_rng(3).integers(0, 255, (8, 12, 3), dtype=np.uint8)
FORMATS = {
    "png": {}, "jpg": {"quality": 90}, "gif": {}, "webp": {"lossless": True}, "tif": {"compression": "tiff_lzw"},
    "bmp": {}, "ppm": {},
}  # fmt: skip
UNREADABLE = "not a picture that can be read"


def encoded(ending: str, array: np.ndarray = COLOUR, **options: Any) -> bytes:
    """Return a picture as the bytes of its file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, Image.registered_extensions()[f".{ending}"], **options)
    return buffer.getvalue()


def file(
    name: str, content: bytes | Callable[[], bytes], holds: Callable[[Any], None], label: str = "", **more: Any
) -> Case:
    """Return a case of one file beside two good ones."""
    return Case(
        label or name,
        "images",
        lambda root: folder_with(root, {name: content() if callable(content) else content}),
        holds=holds,
        **more,
    )


def flipped(content: bytes, seed: int, bits: int = 8) -> bytes:
    """Return bytes with some bits turned over."""
    rng = np.random.default_rng(seed)
    found = np.frombuffer(content, np.uint8).copy()
    for at in rng.integers(0, len(found), bits):
        found[at] ^= 1 << int(rng.integers(8))
    return found.tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    w: int, h: int, depth: int = 8, kind: int = 0, data: bytes = b"", extra: bytes = b"", interlace: int = 0
) -> bytes:
    """Return a PNG whose header says what it is told to."""
    head = struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, interlace)
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", data or zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def zeros(size: int) -> bytes:
    """Return so many zeros, packed."""
    packer = zlib.compressobj(9)
    piece = bytes(MB)
    return b"".join(packer.compress(piece[: min(MB, size - at)]) for at in range(0, size, MB)) + packer.flush()


def rows(w: int, h: int) -> bytes:
    """Return the packed rows of a black 8-bit gray PNG."""
    return zeros(h * (w + 1))


def tiff(tags: list[tuple[int, int, int, int]], after: int = 0, body: bytes = b"", magic: bytes = b"II*\0") -> bytes:
    """Return a TIFF of entries (tag, type, count, value or offset), `after` being the offset of the next directory."""
    entries = b"".join(struct.pack("<HHII", *entry) for entry in sorted(tags))
    return magic + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", after) + body


def gray_tiff(w: int = 12, h: int = 8, **other: tuple[int, int, int]) -> list[tuple[int, int, int, int]]:
    """Return the tags of a gray picture, some of them changed: strips=(type, count, value)."""
    tags = {
        "width": (256, 4, 1, w), "height": (257, 4, 1, h), "bits": (258, 3, 1, 8), "packed": (259, 3, 1, 1),
        "kind": (262, 3, 1, 1), "strips": (273, 4, 1, 8), "samples": (277, 3, 1, 1), "rows": (278, 4, 1, h),
        "lengths": (279, 4, 1, 96),
    }  # fmt: skip
    return [(tags[name][0], *other[name]) if name in other else tags[name] for name in tags]


def gif(screen: tuple[int, int], frame: tuple[int, int, int, int], data: bytes = b"\x02\x02\x4c\x01\x00") -> bytes:
    """Return a GIF with a screen and a frame (left, top, width, height)."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes(6)
    return head + b"," + struct.pack("<HHHHB", *frame, 0) + data + b";"


def webp(canvas: tuple[int, int], chunks: bytes = b"", size: int | None = None) -> bytes:
    """Return an extended WebP with a canvas."""
    w, h = canvas[0] - 1, canvas[1] - 1
    head = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + w.to_bytes(3, "little") + h.to_bytes(3, "little")
    body = b"WEBP" + head + chunks
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def bmp(w: int, h: int, bits: int = 24, packed: int = 0, header: int = 40, data: bytes = bytes(400)) -> bytes:
    """Return a BMP whose header says what it is told to."""
    info = struct.pack("<IiiHHIIiiII", header, w, h, 1, bits, packed, len(data), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54) + info + data


def jpeg_sized(w: int, h: int) -> bytes:
    """Return a JPEG whose frame says another size."""
    content = bytearray(encoded("jpg"))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", h, w)
    return bytes(content)


def jpeg_with(marker: int, data: bytes) -> bytes:
    """Return a JPEG with a further segment right after its beginning."""
    content = encoded("jpg", quality=95, subsampling=0)
    return content[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data + content[2:]


def exif_loop() -> bytes:
    """Return EXIF whose directories point at each other without end."""
    body = b"II*\0\x08\0\0\0" + struct.pack("<H", 2)
    body += struct.pack("<HHII", 0x0112, 3, 1, 3) + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    return b"Exif\0\0" + body


def mode(name: str, array: Any, convert: str | None = None, ending: str = "png", **options: Any) -> bytes:
    """Return a picture of a mode."""
    image = Image.fromarray(array)
    buffer = io.BytesIO()
    (image.convert(convert) if convert else image).save(
        buffer, Image.registered_extensions()[f".{ending}"], **options
    )
    return buffer.getvalue()


def animated(ending: str) -> bytes:
    """Return three frames, the first of which is the ramp."""
    frames = [Image.fromarray(RAMP + i) for i in (0, 40, 80)]
    buffer = io.BytesIO()
    options = {"lossless": True} if ending == "webp" else {}
    kind = Image.registered_extensions()[f".{ending}"]
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=50, loop=0, **options)
    return buffer.getvalue()


def cmyk() -> bytes:
    """Return a red CMYK JPEG as Adobe writes it, inverted."""
    buffer = io.BytesIO()
    Image.new("CMYK", (12, 8), (0, 255, 255, 0)).save(buffer, "JPEG", quality=100)
    return buffer.getvalue()


def palette() -> bytes:
    """Return a palette picture: transparent, which lies on white, but for one red dot."""
    image = Image.new("P", (12, 8), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((0, 0), 1)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0)
    return buffer.getvalue()


def _red_dot() -> np.ndarray:
    wanted = np.full((8, 12, 3), 255, np.uint8)
    wanted[0, 0] = (255, 0, 0)
    return wanted


def _pipe(root: Path) -> dict[str, Any]:
    found = folder_with(root, {})
    os.mkfifo(root / "pipe.png")
    return dict(found)


def _socket(root: Path) -> dict[str, Any]:
    found = folder_with(root, {})
    here = Path.cwd()
    os.chdir(root)  # a socket's path must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.png")
    finally:
        os.chdir(here)
    return dict(found)


def _device(root: Path) -> dict[str, Any]:
    found = folder_with(root, {})
    (root / "zero.png").symlink_to("/dev/zero")
    return dict(found)


def _folder(root: Path) -> dict[str, Any]:
    found = folder_with(root, {"folder.png/inner.png": encoded("png")})
    return dict(found)


def _not_skipped(value: Any) -> None:
    good_are_there(value)
    assert value["skipped"] == {}


def _upload(content: bytes | Callable[[], bytes]) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        (root / "up.png").write_bytes(content() if callable(content) else content)
        return {"path": str(root / "up.png")}

    return build


CUT = [
    file(f"cut {name}.{ending}", lambda e=ending, o=options, s=share: (c := encoded(e, **o))[: max(1, int(len(c) * s))],
         read_or_skipped(f"cut {name}.{ending}"))
    for ending, options in FORMATS.items()
    for name, share in (("to 4 bytes", 0.0), ("early", 0.1), ("in the middle", 0.5), ("at the end", 0.97))
]  # fmt: skip
FLIPPED = [
    file(f"flipped {seed}.{ending}", lambda e=ending, o=options, s=seed: flipped(encoded(e, **o), s),
         read_or_skipped(f"flipped {seed}.{ending}"), memory=700 * MB)
    for ending, options in FORMATS.items()
    for seed in range(4)
]  # fmt: skip
BOMBS = [
    file("20,000 a side.png", png(20_000, 20_000, kind=2), skipped("20,000 a side.png", "megapixels")),
    file("2^31 a side.png", png(2**31 - 1, 2**31 - 1), skipped("2^31 a side.png", "megapixels|damaged|not a picture")),
    file("no width.png", png(0, 8), skipped("no width.png", "damaged|not a picture")),
    file("no height.png", png(12, 0), skipped("no height.png", "damaged|not a picture")),
    file("8,000 a side.png", lambda: png(8000, 8000, data=rows(8000, 8000)), read_as("8,000 a side.png"), memory=400 * MB),
    file("4,000 a side, interlaced.png", lambda: png(4000, 4000, data=rows(4000, 4000), interlace=1),
         read_or_skipped("4,000 a side, interlaced.png"), memory=400 * MB),
    file("4,000 a side with alpha.png", lambda: png(4000, 4000, kind=6, data=zeros(4000 * 16_001)),
         read_as("4,000 a side with alpha.png"), memory=400 * MB),
    file("more rows than said.png", lambda: png(12, 8, data=zeros(60 * MB)), read_as("more rows than said.png")),
    file("text bomb.png", lambda: png(12, 8, data=rows(12, 8), extra=chunk(b"zTXt", b"a\0\0" + zeros(20 * MB))),
         read_or_skipped("text bomb.png")),
    file("many text bombs.png", lambda: png(12, 8, data=rows(12, 8), extra=chunk(b"zTXt", b"a\0\0" + zeros(MB - 1)) * 100),
         read_or_skipped("many text bombs.png")),
    file("international text bomb.png",
         lambda: png(12, 8, data=rows(12, 8), extra=chunk(b"iTXt", b"a\0\1\0\0\0" + zeros(20 * MB))),
         read_or_skipped("international text bomb.png")),
    file("profile bomb.png", lambda: png(12, 8, data=rows(12, 8), extra=chunk(b"iCCP", b"a\0\0" + zeros(20 * MB))),
         read_or_skipped("profile bomb.png")),
    file("text bomb after.png", lambda: png(12, 8, data=rows(12, 8))[:-12] + chunk(b"zTXt", b"a\0\0" + zeros(20 * MB)),
         read_or_skipped("text bomb after.png")),
    file("lying chunk.png", png(12, 8)[:33] + struct.pack(">I", 2**31) + b"IDAT" + b"\0", skipped("lying chunk.png", ".")),
    file("frames without end.png",
         png(12, 8, data=rows(12, 8), extra=chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
         read_or_skipped("frames without end.png")),
    file("65,535 screen.gif", gif((65535, 65535), (0, 0, 1, 1)), skipped("65,535 screen.gif", "megapixels")),
    file("frame beyond screen.gif", gif((12, 8), (60_000, 60_000, 60_000, 60_000)),
         read_or_skipped("frame beyond screen.gif"), memory=700 * MB),
    file("large frame.gif", gif((12, 8), (0, 0, 65535, 65535)), read_or_skipped("large frame.gif"), memory=700 * MB),
    file("empty frame.gif", gif((12, 8), (0, 0, 0, 0)), read_or_skipped("empty frame.gif")),
    file("no screen.gif", gif((0, 0), (0, 0, 12, 8)), read_or_skipped("no screen.gif")),
    file("no codes.gif", gif((12, 8), (0, 0, 12, 8), b"\x0c\xff" + b"\xff" * 255 + b"\0"), read_or_skipped("no codes.gif")),
    file("comments.gif", encoded("gif")[:-1] + b"!\xfe\xff" + b"a" * 255 * 4000, read_or_skipped("comments.gif")),
    file("2^32 a side.tif", tiff(gray_tiff(2**32 - 1, 2**32 - 1)), skipped("2^32 a side.tif", ".")),
    file("2^31 strips.tif", tiff(gray_tiff(strips=(4, 2**31, 200), lengths=(4, 2**31, 200))), skipped("2^31 strips.tif",
         ".")),
    file("2^24 strips.tif", tiff(gray_tiff(strips=(4, 2**24, 200), lengths=(4, 2**24, 200)), body=bytes(300)),
         read_or_skipped("2^24 strips.tif")),
    file("strip of 4 GB.tif", tiff(gray_tiff(lengths=(4, 1, 2**32 - 1))), read_or_skipped("strip of 4 GB.tif")),
    file("strip beyond.tif", tiff(gray_tiff(strips=(4, 1, 2**31))), skipped("strip beyond.tif", ".")),
    file("tiles.tif", tiff([*gray_tiff(), (322, 4, 1, 1), (323, 4, 1, 1), (324, 4, 2**28, 8), (325, 4, 2**28, 8)]),
         read_or_skipped("tiles.tif")),
    file("tile of 2^31.tif", tiff([*gray_tiff()[:5], (322, 4, 1, 2**31), (323, 4, 1, 2**31), (324, 4, 1, 8), (325, 4, 1,
         96)]),
         read_or_skipped("tile of 2^31.tif")),
    file("directory loop.tif", tiff(gray_tiff(), after=8, body=bytes(300)), read_or_skipped("directory loop.tif")),
    file("directory in itself.tif", tiff([*gray_tiff(), (330, 4, 1, 8), (0x8769, 4, 1, 8)], after=8, body=bytes(300)),
         read_or_skipped("directory in itself.tif")),
    file("no directory.tif", b"II*\0\xff\xff\xff\xff", skipped("no directory.tif", ".")),
    file("unknown packing.tif", tiff(gray_tiff(packed=(3, 1, 65000))), skipped("unknown packing.tif", ".")),
    file("deflate bomb.tif", lambda: tiff(gray_tiff(packed=(3, 1, 8), strips=(4, 1, 122), lengths=(4, 1, 200_000)),
                                          body=zeros(60 * MB)), read_or_skipped("deflate bomb.tif")),
    file("200 bits.tif", tiff(gray_tiff(bits=(3, 1, 200))), skipped("200 bits.tif", ".")),
    file("2^16 samples.tif", tiff(gray_tiff(samples=(3, 1, 65535))), skipped("2^16 samples.tif", ".")),
    file("big.tif", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**62), skipped("big.tif", ".")),
    file("16,384 canvas.webp", webp((16384, 16384)), skipped("16,384 canvas.webp", ".")),
    file("2^24 canvas.webp", webp((1 << 24, 1 << 24)), skipped("2^24 canvas.webp", ".")),
    file("lying RIFF.webp", webp((12, 8), size=2**32 - 1), skipped("lying RIFF.webp", ".")),
    file("2^31 a side.bmp", bmp(2**31 - 1, 2**31 - 1), skipped("2^31 a side.bmp", "megapixels")),
    file("negative.bmp", bmp(-12, -8), skipped("negative.bmp", ".")),
    file("nothing.bmp", bmp(0, 0), skipped("nothing.bmp", ".")),
    file("lowest.bmp", bmp(12, -(2**31)), skipped("lowest.bmp", ".")),
    file("long header.bmp", bmp(12, 8, header=2**31 - 1), skipped("long header.bmp", ".")),
    file("runs.bmp", bmp(4000, 4000, 8, 1, data=b"\xff\0" * 200), read_or_skipped("runs.bmp"), memory=400 * MB),
    file("jumps.bmp", bmp(4000, 4000, 8, 1, data=b"\0\2\xff\xff" * 2000), read_or_skipped("jumps.bmp"), memory=400 * MB),
    file("huge.ppm", b"P6 99999999 99999999 255\n", skipped("huge.ppm", ".")),
    file("long number.ppm", b"P6 " + b"9" * 5000 + b" 8 255\n", skipped("long number.ppm", ".")),
    file("negative.ppm", b"P6 12 -8 255\n", skipped("negative.ppm", ".")),
    file("no maximum.pgm", b"P5 12 8 0\n" + bytes(96), skipped("no maximum.pgm", ".")),
    file("comment.pgm", b"P5 #" + b"a" * 100_000 + b"\n12 8 255\n" + RAMP.tobytes(), read_or_skipped("comment.pgm")),
    file("endless comment.pgm", b"P5 #" + b"a" * 100_000, skipped("endless comment.pgm", ".")),
    file("words.ppm", b"P3 12 8 255\n" + b"9" * MB, skipped("words.ppm", ".")),
    file("floats.ppm", b"Pf\n12 8\n-1.0\n" + bytes(384), skipped("floats.ppm", "float|damaged|not a picture")),
    file("65,535 a side.jpg", jpeg_sized(65535, 65535), skipped("65,535 a side.jpg", "megapixels")),
    file("nothing.jpg", jpeg_sized(0, 0), skipped("nothing.jpg", ".")),
    file("8,000 a side.jpg", jpeg_sized(8000, 8000), read_or_skipped("8,000 a side.jpg"), memory=500 * MB),
]  # fmt: skip
MODES = [
    file("animated.gif", animated("gif"), read_as("animated.gif", RAMP)),
    file("animated.png", animated("png"), read_as("animated.png", RAMP)),
    file("animated.webp", animated("webp"), read_as("animated.webp", RAMP)),
    file("animated.tif", animated("tif"), read_as("animated.tif", RAMP)),
    file("adobe.jpg", cmyk(), read_as("adobe.jpg", np.broadcast_to(np.uint8([255, 0, 0]), (8, 12, 3)), 6)),
    file("16 bits.png", mode("I;16", RAMP.astype(np.uint16) * 257), read_as("16 bits.png", RAMP)),
    file("16 bits.tif", mode("I;16", RAMP.astype(np.uint16) * 257, ending="tif"), read_as("16 bits.tif", RAMP)),
    file("deep.pgm", b"P5 12 8 65535\n" + (RAMP.astype(">u2") * 257).tobytes(), read_as("deep.pgm", RAMP)),
    file("palette.png", palette(), read_as("palette.png", _red_dot())),
    file("gray and alpha.png", mode("LA", np.stack([RAMP, np.full_like(RAMP, 255)], axis=2)),
         read_as("gray and alpha.png", RAMP)),
    file("clear.png", mode("RGBA", np.zeros((8, 12, 4), np.uint8)), read_as("clear.png", np.full((8, 12), 255, np.uint8))),
    file("clear.webp", mode("RGBA", np.zeros((8, 12, 4), np.uint8), ending="webp", lossless=True),
         read_as("clear.webp", np.full((8, 12), 255, np.uint8))),
    file("one bit.png", mode("1", (RAMP > 40).astype(np.uint8) * 255, "1"),
         read_as("one bit.png", np.where(RAMP > 40, 255, 0).astype(np.uint8))),
    file("floats.tif", mode("F", RAMP.astype(np.float32), ending="tif"), skipped("floats.tif", "32-bit float")),
    file("32 bits.tif", mode("I", RAMP.astype(np.int32) * 100_000, ending="tif"), skipped("32 bits.tif", "32-bit values")),
    file("progressive.jpg", encoded("jpg", np.stack([RAMP] * 3, 2), progressive=True, quality=95),
         read_as("progressive.jpg", RAMP, 8)),
    file("upside down.jpg", jpeg_with(0xE1, b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"),
         read_as("upside down.jpg", COLOUR[::-1, ::-1], 60)),
    file("broken EXIF.jpg", jpeg_with(0xE1, b"Exif\0\0" + b"\xff" * 300), read_as("broken EXIF.jpg", COLOUR, 60)),
    file("EXIF loop.jpg", jpeg_with(0xE1, exif_loop()), read_or_skipped("EXIF loop.jpg")),
    file("EXIF of 2^32 values.jpg",
         jpeg_with(0xE1, b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x0112, 3, 2**32 - 1, 8) + bytes(4)),
         read_or_skipped("EXIF of 2^32 values.jpg")),
    file("orientation 99.jpg", jpeg_with(0xE1, b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0"),
         read_as("orientation 99.jpg", COLOUR, 60)),
    file("garbage profile.jpg", jpeg_with(0xE2, b"ICC_PROFILE\0\x01\xff" + b"\xee" * 3000),
         read_as("garbage profile.jpg", COLOUR, 60)),
    file("garbage profile.png", png(12, 8, data=rows(12, 8), extra=chunk(b"iCCP", b"a\0\0garbage")),
         read_or_skipped("garbage profile.png")),
    file("several pictures.jpg", jpeg_with(0xE2, b"MPF\0II*\0\x08\0\0\0" + b"\xff" * 60),
         read_or_skipped("several pictures.jpg")),
    file("Photoshop.jpg", jpeg_with(0xED, b"Photoshop 3.0\0" + b"8BIM" + b"\xff" * 40), read_or_skipped("Photoshop.jpg")),
]  # fmt: skip
DISGUISED = [
    file("png called.jpg", encoded("png"), read_as("png called.jpg", COLOUR)),
    file("jpg called.png", encoded("jpg", np.stack([RAMP] * 3, 2), quality=95), read_as("jpg called.png", RAMP, 8)),
    file("gif called.tiff", encoded("gif", RAMP), read_as("gif called.tiff", RAMP)),
    file("empty.png", b"", skipped("empty.png", UNREADABLE)),
    file("page.png", b"<html><script>document.title='ran'</script></html>", skipped("page.png", UNREADABLE)),
    file("program.png", b"\x7fELF\x02\x01\x01" + bytes(200), skipped("program.png", UNREADABLE)),
    file("script.png", b"#!/bin/sh\ntouch ran\n", skipped("script.png", UNREADABLE)),
    file("drawing.png", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
         skipped("drawing.png", UNREADABLE)),
    file("entities.png", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><svg>&b;</svg>',
         skipped("entities.png", UNREADABLE)),
    file("postscript.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 8\n(%pipe%touch ran) (w) file\n%%EOF\n",
         skipped("postscript.png", UNREADABLE)),
    file("binary postscript.jpg", b"\xc5\xd0\xd3\xc6" + struct.pack("<IIII", 30, 200, 0, 0) + b"%!PS-Adobe\n",
         skipped("binary postscript.jpg", UNREADABLE)),
    file("document.png", b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n", skipped("document.png", UNREADABLE)),
    file("archive.png", b"PK\x05\x06" + bytes(18), skipped("archive.png", UNREADABLE)),
    file("pickle.png", b"\x80\x04cposix\nsystem\n(S'touch ran'\ntR.", skipped("pickle.png", UNREADABLE)),
    file("icon.png", b"\0\0\1\0\1\0\x0c\x08\0\0\1\0\x18\0\0\1\0\0\x16\0\0\0" + bytes(300), skipped("icon.png", UNREADABLE)),
    file("layers.png", b"8BPS\0\1" + bytes(200), skipped("layers.png", UNREADABLE)),
    file("stars.png", b"SIMPLE  =                    T" + b" " * 2850, skipped("stars.png", UNREADABLE)),
    file("windows metafile.png", b"\xd7\xcd\xc6\x9a" + bytes(200), skipped("windows metafile.png", UNREADABLE)),
    file("jpeg 2000.png", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100), skipped("jpeg 2000.png", UNREADABLE)),
    file("avif.png", b"\0\0\0\x1cftypavif" + bytes(100), skipped("avif.png", UNREADABLE)),
    file("gif and script.gif", encoded("gif", RAMP) + b"=1;alert(1)//", read_as("gif and script.gif", RAMP)),
    file("picture and archive.png", encoded("png", RAMP) + b"PK\x05\x06" + bytes(18), read_as("picture and archive.png",
         RAMP)),
    file("picture and page.jpg", jpeg_with(0xFE, b"<script>alert(1)</script>"), read_as("picture and page.jpg", COLOUR,
         60)),
    Case("a pipe named like a picture", "images", _pipe, holds=skipped("pipe.png", "not a regular file")),
    Case("a socket named like a picture", "images", _socket, holds=skipped("socket.png", "not a regular file")),
    Case("a link to a device named like a picture", "images", _device, holds=skipped("zero.png", "link out of the folder")),
    Case("a folder named like a picture", "images", _folder, holds=_not_skipped),
]  # fmt: skip
UPLOADS = [
    Case("uploaded text", "picture", _upload(b"text"), refused=UNREADABLE),
    Case("uploaded nothing", "picture", _upload(b""), refused=UNREADABLE),
    Case("uploaded postscript", "picture", _upload(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
         refused=UNREADABLE),
    Case("uploaded huge header", "picture", _upload(png(30_000, 30_000)), refused="megapixels"),
    Case("uploaded, cut", "picture", _upload(lambda: encoded("png")[:-30]), refused="damaged"),
    Case("uploaded picture called otherwise", "picture", _upload(lambda: encoded("gif", RAMP)),
         holds=lambda value: None),
    Case("read again for a classifier", "classifier pixels",
         lambda root: folder_with(root, {"a.gif": encoded("gif", RAMP), "cut.png": encoded("png")[:40]}),
         holds=lambda value: None),
]  # fmt: skip
CASES = [*CUT, *FLIPPED, *BOMBS, *MODES, *DISGUISED, *UPLOADS]

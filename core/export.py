"""Files to take away, whole or not at all; above all the map as one page that needs no network."""

import base64
import gzip
import hashlib
import html as markup
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from core import figures, sheets, web, whole
from core.errors import ExportError
from core.figures import MapSpec
from core.progress import Callback, Progress, ignore

MAX_BYTES = 8_000_000  # pictures are compressed further until a page is at most this large
QUALITIES = (None, 90, 80, 65, 50, 35)  # of WebP; None is lossless


def html(
    spec: MapSpec,
    x: np.ndarray,
    reconstructions: np.ndarray | None,
    title: str,
    summary: Mapping[str, str] | None = None,
    max_bytes: int = MAX_BYTES,
    texts: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Write a map with its pictures as one HTML page to select, search and look in.

    plotly.js, engine and pictures are inside; it makes no request when opened.

    Parameters
    ----------
    x, reconstructions : uint8 (n, h, w, c) of all images; `spec.rows` are rows of these.
    title, summary : texts for people; escaped.
    max_bytes : pictures are lossless when the page then is at most this large, else of the best quality that fits,
        else of the lowest; nothing is left out.
    texts : by title of a field whose groups or numbers are not all told apart, the text of each point.
    """
    n = len(x)
    spec, x, reconstructions = _drawn(spec, x, reconstructions)
    template, script, style = web.offline_page()
    fixed = {
        "title": markup.escape(title),
        "summary": markup.escape(" · ".join(f"{name} {value}" for name, value in (summary or {}).items())),
        "style": style,
        "script": script,
        "plotly": _packed(web.plotly_js().read_bytes()),
        "frame": _packed(figures.encode(spec)),
        "texts": _packed(json.dumps({name: list(values) for name, values in (texts or {}).items()}).encode()),
    }
    room = max_bytes - sum(len(text.encode()) for text in (template, *fixed.values())) - 1000
    pages, quality = _pages(x, reconstructions, room) if spec.image is not None else ([], None)
    parts = {
        **fixed,
        "sheets": json.dumps([_base64(page) for page in pages]),
        "footer": markup.escape(_footer(quality, len(x), n)),
    }
    own = _filled(template.partition("<script>")[2].partition("</script>")[0], parts)
    parts["scripts"] = " ".join(map(_hashed, (own.encode(), web.plotly_js().read_bytes())))
    return _filled(template, parts)


def _filled(template: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _hashed(script: bytes) -> str:
    """Name a script in a content-security policy, so that a page runs it and no other."""
    return f"'sha256-{_base64(hashlib.sha256(script).digest())}'"


def _drawn(
    spec: MapSpec, x: np.ndarray, reconstructions: np.ndarray | None
) -> tuple[MapSpec, np.ndarray, np.ndarray | None]:
    """Return a map and its pictures without the images that are not drawn; ids stay those of the whole set."""
    if np.array_equal(spec.rows, np.arange(len(x))):
        return spec, x, reconstructions
    x, made = x[spec.rows], None if reconstructions is None else reconstructions[spec.rows]
    ids = tuple(map(str, spec.rows.tolist())) if spec.ids is None else spec.ids
    image = None if spec.image is None else sheets.layout(x, made)
    return replace(spec, rows=np.arange(len(x), dtype=np.int32), ids=ids, image=image), x, made


def _pages(x: np.ndarray, reconstructions: np.ndarray | None, room: int) -> tuple[list[bytes], int | None]:
    """Return sheets of the best quality that fits, and this quality."""
    for quality in QUALITIES[:-1]:
        pages, left = [], float(room)
        for i in range(sheets.layout(x, reconstructions).pages):
            pages.append(sheets.page(x, reconstructions, i, quality))
            left -= 4 * len(pages[-1]) / 3 + 8
            if left < 0:  # the rest need not be made
                break
        if left >= 0:
            return pages, quality
    return sheets.pages(x, reconstructions, QUALITIES[-1]), QUALITIES[-1]


def _footer(quality: int | None, drawn: int, n: int) -> str:
    some = f"{drawn:,} of {n:,} images are here, chosen at random. " if drawn < n else ""
    how = "Pictures are exact." if quality is None else f"Pictures are compressed (WebP, quality {quality})."
    return f"{some}{how} Made with Embedding Explorer; this file works without a network."


def _packed(data: bytes) -> str:
    return _base64(gzip.compress(data, 9, mtime=0))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def pictures_zip(
    x: np.ndarray, names: Sequence[str], folders: Sequence[str], table: bytes, callback: Callback = ignore
) -> bytes:
    """Return a ZIP of pictures as PNG, each in the folder of its group, with a table beside them.

    Parameters
    ----------
    x : uint8 (n, h, w, c). names : of the images; what cannot be in a file's name becomes "-".
    folders : of each image. table : CSV, as `table.csv`.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # PNG is compressed already
        archive.writestr(_undated("table.csv"), table)
        for i, (image, name, folder) in enumerate(zip(x, names, folders, strict=True)):
            content = io.BytesIO()
            Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(content, "PNG")
            place = f"{file_name(folder)}/{i + 1:06d} {file_name(name)}.png"
            archive.writestr(_undated(place), content.getvalue())
            callback(Progress("Packing pictures", i + 1, len(x), "image"))
    return buffer.getvalue()


def _undated(name: str) -> zipfile.ZipInfo:
    """Name a file in a ZIP without the time, so that the same pictures are the same bytes."""
    info = zipfile.ZipInfo(name)  # of 1980, where a ZIP's time begins
    info.external_attr = 0o644 << 16  # as `writestr` gives to a mere name
    return info


def file_name(text: str) -> str:
    """Return a text such that it can be a file's name anywhere: at most 80 letters, digits, blanks, "." "_" "-"."""
    kept = "".join(letter if letter.isalnum() or letter in " ._-" else "-" for letter in text)
    return kept.strip(" .-")[:80] or "unnamed"


def write(path: Path, data: bytes | str) -> Path:
    """Write a file under a temporary name, then rename it; its folder is made when missing.

    Raises
    ------
    ExportError : the file cannot be written.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.write(path, content)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path

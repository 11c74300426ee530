"""Any images as shards: Parquet files or WebDataset tars, in a folder or at an address, each there whole or not at all.

Pictures are PNGs, so that every pixel comes back as it was.
"""

import io
import json
import math
import posixpath
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from core.errors import ConfigError, ExportError
from core.imageset import ImageSet
from core.readers import remote
from core.readers.addresses import checked, is_address

GROUP = 1_024  # rows of a row group
KINDS = {"parquet": ".parquet", "tar": ".tar"}
_OWN = ("image", "label", "id")


def write_shards(
    images: ImageSet, root: str, rows: int = 4_096, kind: Literal["parquet", "tar"] = "parquet"
) -> tuple[str, ...]:
    """Write images as shards of so many rows, with their ids, labels and columns; return where each lies.

    Raises
    ------
    ConfigError : `rows` or `kind` cannot be. DataError : the place may not be opened.
    ExportError : it holds other shards, or cannot be written to.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ConfigError(f"rows {rows!r:.80} must be a whole number of at least 1.")
    if kind not in KINDS:
        raise ConfigError(f"kind {kind!r:.80} must be one of {', '.join(KINDS)}.")
    root = checked(root)
    remote.check(root)
    count = math.ceil(len(images) / rows)
    names = [f"shard-{number:06d}-of-{count:06d}{KINDS[kind]}" for number in range(count)]
    others = sorted(remote.there(root, tuple(KINDS.values())) - set(names))
    if others:
        raise ExportError(f"{root} holds other shards, such as {others[0][:80]!r}; give an empty place.")
    paths = tuple(posixpath.join(root, name) if is_address(root) else str(Path(root) / name) for name in names)
    make = _parquet if kind == "parquet" else _tar
    for number, path in enumerate(paths):
        remote.write(path, make(images, range(number * rows, min(len(images), (number + 1) * rows))))
    return paths


def _parquet(images: ImageSet, rows: range) -> bytes:
    import pyarrow as pa  # takes a while to load
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "image": pa.array([_png(images.x[row]) for row in rows], pa.binary()),
            "label": pa.array([_label(images, row) for row in rows], pa.string()),
            "id": pa.array([images.ids[row] for row in rows], pa.string()),
            **{title: _column(values[rows.start : rows.stop]) for title, values in _columns(images).items()},
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=GROUP, compression="zstd")
    return buffer.getvalue()


def _tar(images: ImageSet, rows: range) -> bytes:
    buffer = io.BytesIO()
    columns = _columns(images)
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for row in rows:
            told: dict[str, object] = {"id": images.ids[row], "label": _label(images, row)}
            told |= {title: _plain(values[row]) for title, values in columns.items()}
            _add(archive, f"{row:09d}.png", _png(images.x[row]))
            _add(archive, f"{row:09d}.json", json.dumps(told).encode())
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # without a time or a user: the same images make the same bytes
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def _label(images: ImageSet, row: int) -> str | None:
    return None if images.y is None or images.y[row] < 0 else images.classes[images.y[row]]


def _columns(images: ImageSet) -> Mapping[str, np.ndarray]:
    """Return the columns of images; one that is called as what each shard has gets another name."""
    return {f"{title} (data)" if title.lower() in _OWN else title: values for title, values in images.columns.items()}


def _column(values: np.ndarray) -> Any:
    import pyarrow as pa

    return pa.array(values if values.dtype.kind in "fiub" else [str(value) for value in values])


def _plain(value: Any) -> float | int | str | None:
    """Return a value as JSON has it."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float):
        return plain if math.isfinite(plain) else None
    return plain if isinstance(plain, bool | int) else str(plain)

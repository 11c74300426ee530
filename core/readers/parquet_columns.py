"""Which columns of a Parquet file hold pictures, labels, ids and further values, by what they are called and of what kind."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from core.errors import DataError
from core.readers.csv_files import check_titles
from core.readers.rows import IDS, LABELS, short
from core.readers.sources import ShardedSource

IMAGES = ("image", "img", "jpg", "jpeg", "png", "picture", "photo", "webp", "bytes", "image_bytes", "content")
METADATA_BYTES = 8 << 20
MOST_NAMES = 100_000  # classes that HuggingFace's description names


@dataclass(frozen=True)
class Columns:
    """Which columns of a file are read, and as what: the picture's, "" for none of label and id, then the others."""

    image: str
    label: str
    id: str
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    classes: tuple[str, ...]  # names of the numbers in `label`
    leaves: tuple[str, ...]  # what is asked of the file: of a structure the bytes alone


def find_columns(schema: pa.Schema, source: ShardedSource, name: str) -> Columns:
    """Find the columns of pictures, labels and ids, those that the source names or those of usual names.

    Raises
    ------
    DataError : there is none of pictures, or not what the source names.
    """
    check_titles(schema.names, name)
    image = _image(schema, source.image, name)
    label = _named(schema, source.label, LABELS, name, "labels", image)
    id = _named(schema, source.id, IDS, name, "ids", image)
    others = [item for item in schema if item.name not in (image, label, id)]
    numbers = tuple(item.name for item in others if is_number(item.type))
    texts = tuple(item.name for item in others if _is_text(item.type) or _is_written(item.type))
    first = f"{image}.bytes" if pa.types.is_struct(schema.field(image).type) else image
    leaves = tuple(dict.fromkeys((first, *filter(None, (label, id)), *numbers, *texts)))
    classes = _class_names(schema, label) if label and pa.types.is_integer(schema.field(label).type) else ()
    return Columns(image, label, id, numbers, texts, classes, leaves)


def _image(schema: pa.Schema, asked: str, name: str) -> str:
    found = [item.name for item in schema if _holds_bytes(item.type)]
    if asked:
        if asked not in found:
            raise DataError(f"{name} has no column {asked!r} of encoded pictures; {_there(found)}.")
        return asked
    usual = {title.lower(): title for title in reversed(found)}
    likely = [usual[title] for title in IMAGES if title in usual]
    likely += [title for title in found if pa.types.is_struct(schema.field(title).type)]
    if not likely and len(found) != 1:
        raise DataError(f"{name} has no column that is known to hold encoded pictures; {_there(found)}.")
    return (likely or found)[0]


def _there(titles: Sequence[str]) -> str:
    shown = ", ".join(repr(title[:60]) for title in titles[:10])
    return f"its columns of bytes are {shown}" if titles else "it has no column of bytes"


def _named(schema: pa.Schema, asked: str, usual: Sequence[str], name: str, what: str, image: str) -> str:
    fit = [item.name for item in schema if _is_text(item.type) or is_number(item.type) or _is_written(item.type)]
    if asked:
        if asked not in fit or asked == image:
            raise DataError(f"{name} has no column {asked!r} of {what}, texts or numbers.")
        return asked
    lower = {title.lower(): title for title in reversed(fit)}
    return next((lower[title] for title in usual if title in lower), "")


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        at = kind.get_field_index("bytes")
        return at >= 0 and _is_bytes(kind.field(at).type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or str(kind) == "binary_view"


def is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view"
    )  # as Polars writes


def _is_written(kind: pa.DataType) -> bool:
    """Say whether values are none that is reckoned with, but can be written as a text."""
    moments = (pa.types.is_date, pa.types.is_time, pa.types.is_timestamp)
    return pa.types.is_boolean(kind) or any(is_one(kind) for is_one in moments)


def _class_names(schema: pa.Schema, label: str) -> tuple[str, ...]:
    """Return the names of classes in HuggingFace's description of a file, () where there are none that are sane."""
    text = (schema.metadata or {}).get(b"huggingface", b"")
    if not text or len(text) > METADATA_BYTES:
        return ()
    try:
        names = json.loads(text)["info"]["features"][label]["names"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ()
    if not isinstance(names, list) or len(names) > MOST_NAMES or not all(isinstance(item, str) for item in names):
        return ()
    cut = tuple(short(item).strip() for item in names)
    return cut if all(cut) and len(set(cut)) == len(cut) else ()

"""What an atlas's table is made of: the columns that are taken of each stage, the data's own, their names and types."""

from collections.abc import Sequence

import pyarrow as pa

from core.atlas.columns import MOST_COLUMNS, MOST_NAME, PICTURES, VECTORS
from core.atlas.described import WIDEST
from core.errors import ConfigError, DataError, one_line

KNOWN: dict[str, dict[str, pa.DataType]] = {
    "encoded": {"id": pa.string(), "label": pa.string(), "error": pa.float32()},
    "clustered": {"cluster": pa.int32(), "distance": pa.float32()},
    "map2": {"x": pa.float32(), "y": pa.float32()},
    "suspects": {
        "suspect": pa.float32(),
        "looks_like": pa.string(),
        "neighbours": pa.float32(),
        "margin": pa.float32(),
    },
}  # what is taken of each stage
NEEDED = ("encoded", "map2")
PLACE = {"part": pa.int32(), "row": pa.int32()}
_RESERVED = {"at", "curve", *PLACE, PICTURES, VECTORS, *(name for columns in KNOWN.values() for name in columns)}
_ORDER = ("id", "label", "cluster", "error", "distance", "x", "y", "suspect", "looks_like", "neighbours", "margin")
_CATEGORIES = ("label", "cluster", "looks_like")


def stages_of(stages: Sequence[str] | None, there: Sequence[str]) -> tuple[str, ...]:
    """Return the stages to join, in their order: those given, or else those there are, and always those that are needed.

    Raises
    ------
    ConfigError : one of them is no stage that an atlas has anything of.
    """
    for stage in stages or ():
        if stage not in KNOWN:
            raise ConfigError(f"An atlas has nothing of a stage {stage!r:.40}; it has of {', '.join(KNOWN)}.")
    wanted = {*NEEDED, *(there if stages is None else stages)}
    return tuple(stage for stage in KNOWN if stage in wanted)


def is_category(name: str, kind: pa.DataType) -> bool:
    """Say whether a column is a category if it has few enough values: texts but the ids, and the clusters."""
    return name in _CATEGORIES or (pa.types.is_string(kind) and name != "id")


def own_names(schemas: Sequence[pa.Schema]) -> dict[str, str]:
    """Name the data's own columns: as they are called, but not like another column, however the letters are written.

    What would be is told apart by " (data)"; line ends and the like are written as escapes, long names are cut.

    Raises
    ------
    DataError : there are too many.
    """
    taken, names = {name.casefold() for name in _RESERVED}, {}
    standard = {*KNOWN["encoded"], PICTURES, VECTORS}
    for given in dict.fromkeys(name for schema in schemas for name in schema.names if name not in standard):
        name = base = one_line(given)[: MOST_NAME - 12] or "column"
        count = 1
        while name.casefold() in taken:
            name = f"{base} (data)" if count == 1 else f"{base} (data {count})"
            count += 1
        taken.add(name.casefold())
        names[given] = name
    if len(names) > MOST_COLUMNS - len(_RESERVED):
        raise DataError(
            f"{len(names)} columns of the data's own are too many; the limit is {MOST_COLUMNS - len(_RESERVED)}."
        )
    return names


def types_of(schemas: Sequence[pa.Schema], own: dict[str, str], stages: Sequence[str]) -> dict[str, pa.DataType]:
    """Return the type of each column of the atlas, in its order.

    The data's own are float64, or texts where a part has them as texts.

    Raises
    ------
    DataError : one is of a type that an atlas cannot hold.
    """
    found: dict[str, pa.DataType] = dict(PLACE)
    known = {name: kind for stage in stages for name, kind in KNOWN[stage].items()}
    found |= {name: known[name] for name in _ORDER if name in known}
    for given, name in own.items():
        kinds = [schema.field(given).type for schema in schemas if given in schema.names]
        for kind in kinds:
            if not (_is_text(kind) or _is_number(kind)):
                raise DataError(
                    f"The column {given[:80]!r} is of type {kind!s:.80}; an atlas holds texts and numbers."
                )
        found[name] = pa.float64() if all(_is_number(kind) and kind != pa.null() for kind in kinds) else pa.string()
    if any(PICTURES in schema.names for schema in schemas):
        found[PICTURES] = pa.binary()
    vectors = {schema.field(VECTORS).type for schema in schemas if VECTORS in schema.names}
    if vectors:
        if len(vectors) > 1 or not all(_is_vector(kind) for kind in vectors):
            raise DataError(
                f"The latents are of several types or none that can be: {', '.join(map(str, vectors)):.200}."
            )
        found[VECTORS] = pa.list_(pa.float32(), vectors.pop().list_size)
    return found


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_number(kind: pa.DataType) -> bool:
    return (
        pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
    )


def _is_vector(kind: pa.DataType) -> bool:
    return (
        pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type) and 1 <= kind.list_size <= WIDEST
    )

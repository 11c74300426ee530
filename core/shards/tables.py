"""Tables of a run over shards, written part by part: the same columns as `core.tables` gives of results in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core import parts, tables, whole
from core.errors import ExportError
from core.shards.results import ShardedResults
from core.tables import Csv

_OWN = ("id", "label", "error", "latents", "thumbnail")  # of `encoded`, before the data's own columns


def frames(results: ShardedResults) -> Iterator[pd.DataFrame]:
    """Give a table of each shard, a row an image: path, label, cluster, matched class, agreement, coordinates, error, …"""
    mapped = results.mapped
    every = dict.fromkeys(
        name for number in results.numbers for name in parts.columns(results.root, "encoded", number)
    )
    own = [name for name in every if name not in _OWN]  # a shard may lack some that others have
    for number in results.numbers:
        encoded = parts.read(results.root, "encoded", number).drop_columns(["latents", "thumbnail"])
        clustered = parts.read(results.root, "clustered", number, ["cluster", "distance"])
        place = parts.read(results.root, "map2", number, ["x", "y"])
        labels = encoded["label"].to_pylist()
        cluster = clustered["cluster"].to_numpy()
        values: dict[str, Any] = {"path": encoded["id"].to_pylist()}
        if results.classes:
            values["label"] = ["" if label is None else label for label in labels]
        values["cluster"] = cluster
        if mapped is not None:
            names = np.asarray(mapped.names(), dtype=object)[cluster]
            values["matched"] = names
            there = np.array([label is not None for label in labels])
            agrees = np.array([own == name for own, name in zip(labels, names, strict=True)])
            values["agrees"] = pd.arrays.BooleanArray(agrees, ~there) if not there.all() else agrees
        values |= {name: place[name].to_numpy() for name in ("x", "y")}
        values["error"] = encoded["error"].to_numpy()
        values["centroid_distance"] = clustered["distance"].to_numpy()
        if results.suspected is not None:
            found = parts.read(results.root, "suspects", number)
            values |= {name: found[name].to_pandas() for name in found.column_names}
        there_too = set(encoded.column_names)
        values |= {name: encoded[name].to_pandas() if name in there_too else [None] * len(labels) for name in own}
        yield pd.DataFrame(values)


def predictions(results: ShardedResults) -> Iterator[pd.DataFrame]:
    """Give `id` and `label` of each shard's images: the class its cluster stands for, or the cluster when there are none."""
    mapped = results.mapped
    for number in results.numbers:
        ids = parts.read(results.root, "encoded", number, ["id"])["id"].to_pylist()
        cluster = parts.read(results.root, "clustered", number, ["cluster"])["cluster"].to_numpy()
        named = cluster if mapped is None else np.asarray(mapped.names(), dtype=object)[cluster]
        yield pd.DataFrame({"id": ids, "label": named})


def write_csv(path: Path, found: Iterator[pd.DataFrame], kind: Csv) -> None:
    """Write tables of the same columns as one CSV, whole or not at all.

    Raises
    ------
    ExportError : it cannot be written.
    """
    made = whole.beside(path)
    try:
        with made.open("wb") as file:
            for i, frame in enumerate(found):
                content = tables.csv(frame, kind)
                file.write(content if i == 0 else content[content.index(b"\n") + 1 :])
        made.replace(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        made.unlink(missing_ok=True)


def write_latents(path: Path, results: ShardedResults) -> None:
    """Write the latents of all images, float32 (n, d), as one .npy file, whole or not at all.

    Raises
    ------
    ExportError : it cannot be written.
    """
    made = whole.beside(path).with_suffix(".npy")
    try:
        array: Any = np.lib.format.open_memmap(made, "w+", np.float32, (results.n, results.model.value.n_latents))
        at = 0
        for part in results.encoded.parts:
            array[at : at + part.rows] = parts.matrix(
                parts.read(results.root, "encoded", part.number, ["latents"])["latents"]
            )
            at += part.rows
        array.flush()
        made.replace(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        made.unlink(missing_ok=True)

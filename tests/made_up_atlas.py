"""Runs that were never run: the parts of all stages for any number of rows, written piece by piece, and the atlas of them."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image

from core import parts
from core.atlas import build
from core.progress import ignore

POOL = 32  # different pictures of a label
PIECE = 50_000
SITES = np.array(["north", "south", 'the "old" one\'s', None], object)


def write(
    root,
    n,
    d=8,
    seed=0,
    side=8,
    labels=10,
    piece=PIECE,
    suspects=0.01,
    build_too=True,
    memory="4GB",
    about=None,
    own=True,
):
    """Write parts of n made-up rows below `root`, then (unless told not to) the atlas; return the numbers of the parts.

    A label is an island of the map whose points are Gaussian; a cluster is mostly its label's number; the picture's row of
    bright pixels is the label's. A share `suspects` of the labels is wrong: `looks_like` says what they should be.

    Parameters
    ----------
    d : length of the latents. side : of the thumbnails, in pixels. piece : rows of a part.
    own : whether there are columns of the data's own: "weight" (number, every 50th missing) and "site" (text).
    """
    rng = np.random.default_rng(seed)
    names = np.array([f"{i}" for i in range(labels)], object)
    angle = 2 * np.pi * np.arange(labels) / labels
    centres = np.stack([10 * np.cos(angle), 10 * np.sin(angle)], axis=1).astype(np.float32)  # (labels, 2)
    latent_centres = rng.normal(size=(labels, d)).astype(np.float32) * 3
    pool = pa.array([_picture(rng, label, labels, side) for label in range(labels) for _ in range(POOL)], pa.binary())
    numbers = range(-(-n // piece))
    for number in numbers:
        count = min(piece, n - number * piece)
        truth = rng.integers(0, labels, count)
        wrong = rng.random(count) < suspects
        label = np.where(wrong, (truth + 1) % labels, truth)
        spread = rng.standard_normal((count, 2), np.float32)
        latents = rng.standard_normal((count, d), np.float32) + latent_centres[truth]
        named = pa.DictionaryArray.from_arrays(pa.array(label, pa.int32()), pa.array(names, pa.string())).cast(
            pa.string()
        )
        encoded = {
            "id": pa.array(np.char.add(f"{number}/", np.arange(count).astype("U7"))),
            "label": named,
            "error": pa.array(rng.random(count, np.float32) * 0.1),
            "latents": parts.vectors(latents),
            "thumbnail": pool.take(pa.array(truth * POOL + rng.integers(0, POOL, count))),
        }
        if own:
            encoded["weight"] = pa.array(rng.random(count), mask=np.arange(count) % 50 == 0)
            encoded["site"] = pa.array(
                np.array(["north", "south", 'the "old" one\'s', None], object)[rng.integers(0, 4, count)]
            )
        parts.write(root, "encoded", number, pa.table(encoded), "made up", {"shard": f"{number}", "skipped": 0})
        _write_found(root, number, rng, truth, wrong, names, centres, spread)
    if build_too:
        given = {"image_shape": [side, side, 1], **(about or {})}
        build(root, numbers, given, ignore, memory=memory)
    return numbers


def _write_found(root, number, rng, truth, wrong, names, centres, spread):
    """Write what clustering, the map and the search for suspects would have found."""
    count = len(truth)
    clustered = {
        "cluster": pa.array(truth, pa.int32()),
        "distance": pa.array(np.linalg.norm(spread, axis=1).astype(np.float32)),
    }
    place = centres[truth] + spread
    mapped = {"x": place[:, 0], "y": place[:, 1], "fitted": rng.random(count) < 0.05}
    looks = pa.array(np.where(wrong, names[truth], None), pa.string())
    suspected = {
        "suspect": pa.array(
            np.where(wrong, 0.5 + 0.5 * rng.random(count), 0.4 * rng.random(count)).astype(np.float32)
        ),
        "looks_like": looks,
        "neighbours": pa.array(np.where(wrong, 1, 0).astype(np.float32)),
        "margin": pa.array(rng.random(count, np.float32)),
    }
    for stage, columns in (("clustered", clustered), ("map2", mapped), ("suspects", suspected)):
        parts.write(root, stage, number, pa.table(columns), "made up", {})


def _picture(rng, label, labels, side):
    pixels = rng.integers(0, 80, (side, side)).astype(np.uint8)
    pixels[label * side // labels] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()

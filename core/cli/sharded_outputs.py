"""What commands over shards write: the files of sets in memory, row by row; pages and pictures show a random sample."""

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from core import atlas, checkpoints, illustrations, pictures, plans, quality, recipes, report, runs
from core.cli import outputs
from core.cli.inputs import SKIPPED_SHOWN
from core.engines import Engine
from core.errors import one_line
from core.progress import Callback
from core.recipes import Recipe
from core.shards import gathered, tables
from core.shards.placing import Kept
from core.shards.results import ShardedResults
from core.tables import Csv, csv
from core.versions import versions

SUSPECTS = 20_000  # that a review lists, the most suspect first


def write_run(
    folder: Path, made: ShardedResults, engine: Engine, recipe: Recipe, kind: Csv, drawn: bool, callback: Callback
) -> None:
    """Write everything that a run made.

    Raises
    ------
    ExportError : the folder or a file in it cannot be written.
    """
    outputs.attempt(folder, lambda: folder.mkdir(parents=True, exist_ok=True))
    write_predictions(folder / "predictions.csv", made)
    write_table(folder / "table.csv", made, kind)
    tables.write_latents(folder / "latents.npy", made)
    outputs.put(folder / "model.safetensors", checkpoints.checkpoint_bytes(made.model.value))
    rows = gathered.chosen(made)
    for dimensions in made.maps:
        shown = gathered.gathered(made, engine, rows, dimensions, callback)
        outputs.put(folder / f"projection-{dimensions}d.html", report.html(shown))
        if drawn:
            write_pictures(folder / "pictures", illustrations.drawable(shown))
    write_numbers(folder, made, engine.name, recipe)


def write_predictions(path: Path, made: ShardedResults) -> None:
    """Write a row an image: its id, and the class that its cluster stands for, or the cluster."""
    tables.write_csv(path, tables.predictions(made), "plain")


def write_table(path: Path, made: ShardedResults, kind: Csv) -> None:
    """Write a row an image with all that was found of it."""
    tables.write_csv(path, tables.frames(made), kind)


def write_pictures(folder: Path, drawable: Mapping[str, Callable[[], Any]]) -> None:
    """Write each picture as PNG and PDF."""
    for name, draw in drawable.items():
        figure = draw()
        for kind in get_args(pictures.Kind):
            outputs.put(folder / f"{name}.{kind}", pictures.render(figure, kind))


def write_numbers(folder: Path, made: ShardedResults, engine: str, recipe: Recipe) -> None:
    """Write metrics.json and recipe.json."""
    again = recipes.of_plan(made.plan, recipe.name, recipe.summary)
    outputs.put(folder / "metrics.json", json.dumps(metrics(made, engine, recipe.name), indent=1) + "\n")
    outputs.put(folder / "recipe.json", json.dumps(recipes.to_json(again), indent=1) + "\n")


def write_review(folder: Path, made: ShardedResults, engine: str, recipe: Recipe, kind: Csv) -> int:
    """Write what a review of shards finds, and return how many suspects there are: those that look like another group.

    Raises
    ------
    ExportError : the folder or a file in it cannot be written.
    """
    outputs.attempt(folder, lambda: folder.mkdir(parents=True, exist_ok=True))
    opened = atlas.open_atlas(made.root)
    first = atlas.top(opened, "suspect", min(SUSPECTS, made.n), columns=_suspect_columns(opened.fetched)).to_pandas()
    own = first["label" if made.grouping == "label" else "cluster"].astype(str)
    listed = first.drop(columns="at").rename(columns={"suspect": "score", "looks_like": "suggested"})
    outputs.put(folder / "suspects.csv", csv(listed, kind))
    if made.y is not None:
        outputs.put(folder / "matrix.csv", csv(matrix(made), kind))
    outputs.put(folder / "clusters.csv", csv(clusters(made), kind))
    write_numbers(folder, made, engine, recipe)
    return int((first["looks_like"].notna() & (first["looks_like"].astype(str) != own)).sum())


def _suspect_columns(there: tuple[str, ...]) -> list[str]:
    wanted = ("id", "label", "cluster", "looks_like", "suspect", "neighbours", "margin", "error")
    return [name for name in wanted if name in there]


def matrix(made: ShardedResults) -> pd.DataFrame:
    """Return counts of images by cluster and label, those without a label in the last column."""
    assert made.y is not None
    k, classes = len(made.centers.centers), len(made.classes)
    counts = np.zeros((k, classes + 1), np.int64)
    np.add.at(counts, (made.labels, made.y), 1)  # -1 finds the last
    values: dict[str, Any] = {"cluster": np.arange(k)}
    values |= {name: counts[:, i] for i, name in enumerate(made.classes)}
    return pd.DataFrame(values | {"(no label)": counts[:, -1]})


def clusters(made: ShardedResults) -> pd.DataFrame:
    """Return a row a cluster: its size, share, and what it stands for where there are labels."""
    sizes = made.centers.sizes
    values: dict[str, Any] = {"cluster": np.arange(len(sizes)), "size": sizes, "share": sizes / made.n}
    if made.mapped is not None:
        values["stands_for"] = list(made.mapped.names())
    return pd.DataFrame(values)


def metrics(made: ShardedResults, engine: str, recipe: str) -> dict[str, Any]:
    """Return what there is to say of a run, as `core.runs.metrics`, and of how many images each figure of a sample is."""
    return {
        "recipe": recipe,
        "data": made.name,
        **runs.model_numbers(made.model.value),
        **asdict(made.scores),
        "trustworthiness": made.trustworthiness,
        "samples": samples(made),
        "engine": engine,
        "shards": len(made.shards),
        "shards_skipped": [[item.id, item.reason] for item in made.problems],
        "images_skipped": made.encoded.skipped,
        "seconds": {name: round(value, 3) for name, value in made.seconds.items()},
        "found": dict(made.found),
        "versions": versions(),
    }


def samples(made: ShardedResults) -> dict[str, Any]:
    """Return, for each figure that a sample tells, how many of the n images it is of, and the standard error where known."""
    few = min(made.n, quality.SILHOUETTE_SAMPLE)
    told: dict[str, Any] = {
        "silhouette": {"n": made.n, "sample": few},
        "trustworthiness": {"n": made.n, "sample": few},
        "clusters": {"n": made.n, "started_on": made.centers.started_on},
    }
    for dimensions, flat in made.maps.items():
        told[f"map{dimensions}"] = {
            "n": flat.n,
            "fitted": flat.fitted,
            "kept_fitted": _told(flat.kept_fitted),
            "kept_placed": _told(flat.kept_placed),
        }
    if made.index is not None:
        info = made.index
        told["neighbours"] = {
            "n": info.n,
            "sample": info.queries,
            "recall": info.recall,
            "standard_error": info.recall_se,
        }
    return told


def _told(kept: Kept | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    return {"share": kept.share, "standard_error": kept.se if math.isfinite(kept.se) else None, "sample": kept.judged}


def name_skipped(made: ShardedResults) -> None:
    """Name on stderr the shards and the pictures that could not be used."""
    problems = made.problems
    if problems:
        print(f"{len(problems):,} of {len(made.shards):,} shards could not be read:", file=sys.stderr)
        for item in problems[:SKIPPED_SHOWN]:
            print(f"  {one_line(item.id)}: {one_line(item.reason)}", file=sys.stderr)
        if len(problems) > SKIPPED_SHOWN:
            print(f"  and {len(problems) - SKIPPED_SHOWN:,} more", file=sys.stderr)
    if made.encoded.skipped:
        print(f"{made.encoded.skipped:,} pictures in the other shards could not be used.", file=sys.stderr)


def tell(made: ShardedResults, folder: Path) -> None:
    """Print what a run found, and where it lies."""
    h, w, c = made.model.value.image_shape
    shards = f"{len(made.numbers):,} shard{'' if len(made.numbers) == 1 else 's'}"
    print(f"{made.name}: {made.n:,} images of {plans.shape_text((h, w, c))} in {shards}")
    scores = {name: value for name, value in asdict(made.scores).items() if name != "n" and value is not None}
    print(", ".join(f"{name} {value:.4g}" for name, value in scores.items()))
    flat = made.maps[2]
    if flat.fitted < flat.n:
        print(f"map fitted on {flat.fitted:,} of {flat.n:,} images, the others placed by their neighbours among them")
    print(f"written to {folder}; open {made.root} on the dashboard's page Atlas")

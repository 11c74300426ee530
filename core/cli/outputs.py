"""What a run writes to its folder."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from core import checkpoints, export, illustrations, pictures, pipeline, plans, recipes, report, review, runs, tables
from core.errors import ExportError
from core.figures import Category
from core.models import TrainedModel
from core.plans import Plan, Results
from core.recipes import Recipe
from core.store import Store


def write(
    args: argparse.Namespace, store: Store, recipe: Recipe, plan: Plan, results: Results, solid: Results | None
) -> None:
    """Write everything that a run made.

    Raises
    ------
    ExportError : the folder or a file in it cannot be written.
    """
    folder = args.out
    attempt(folder, lambda: folder.mkdir(parents=True, exist_ok=True))
    again = recipes.of_plan(plan, recipe.name, recipe.summary)
    metrics = runs.metrics(recipe.name, results, solid)
    runs.remember(store, plan, folder.name, metrics)
    files: dict[str, Callable[[], str | bytes]] = {
        "predictions.csv": lambda: tables.predictions_csv(results),
        "table.csv": lambda: tables.csv(tables.table(results), args.csv_kind),
        "projection-2d.html": lambda: report.html(results),
        "latents.npy": lambda: tables.latents_npy(results),
        "metrics.json": lambda: json.dumps(metrics, indent=1) + "\n",
        "recipe.json": lambda: json.dumps(recipes.to_json(again), indent=1) + "\n",
    }
    if solid is not None:
        files["projection-3d.html"] = lambda: report.html(solid)
    else:
        (folder / "projection-3d.html").unlink(missing_ok=True)
    if plan.known or tables.invertible(results):
        files["prediction.csv"] = files["predictions.csv"]
    if tables.invertible(results):
        files["prediction_invert.csv"] = lambda: tables.predictions_csv(results, inverted=True)
    if review.predicted(results) is not None:
        files |= _classified(args, plan, results, solid)
    for name, content in files.items():
        put(folder / name, content())
    for epoch, kept in pipeline.checkpoints(store, plan).items():
        put(folder / "checkpoints" / f"epoch-{epoch:04d}.safetensors", checkpoints.checkpoint_bytes(kept))
    model = plans.some(results.model).value
    if isinstance(model, TrainedModel):
        put(folder / "model.safetensors", checkpoints.checkpoint_bytes(model))
    if not args.no_pictures:
        for found in (results, solid):
            drawn = {} if found is None else illustrations.drawable(found)
            for name, draw in drawn.items():
                figure = draw()
                for kind in get_args(pictures.Kind):
                    put(folder / "pictures" / f"{name}.{kind}", pictures.render(figure, kind))


def _classified(
    args: argparse.Namespace, plan: Plan, results: Results, solid: Results | None
) -> dict[str, Callable[[], str | bytes]]:
    name = {"TSNEConfig": "t-SNE", "UMAPConfig": "UMAP", "PCAConfig": "PCA"}.get(
        type(plan.projection).__name__, "map"
    )
    files: dict[str, Callable[[], str | bytes]] = {
        "classes.csv": lambda: tables.csv(tables.answers(results, args.top), args.csv_kind),
        f"{name}-2D.csv": lambda: tables.csv(tables.coordinates(results), args.csv_kind),
    }
    if solid is not None:
        files[f"{name}-3D.csv"] = lambda: tables.csv(tables.coordinates(solid), args.csv_kind)
    predicted = "Predicted class"
    for size, found in (("2D", results), ("3D", solid)):
        if found is not None:
            for by, column in (("true", "Label"), ("predicted", predicted)):
                if column != "Label" or found.images.value.y is not None:
                    files[f"{name}-{size}-{by}.html"] = lambda found=found, column=column: report.html(  # type: ignore[misc]
                        found, column, _shape(found, column)
                    )
    return files


def _shape(results: Results, column: str) -> str | None:
    """Return the column for the shapes when its groups can be told apart by shape."""
    return column if any(c.title == column and isinstance(c, Category) for c in report.columns(results)) else None


def check_new(path: Path, overwrite: bool) -> None:
    """Check that a file may be written.

    Raises
    ------
    ExportError : it is a folder, or is there already.
    """
    if path.is_dir():
        raise ExportError(f"{path} is a folder; --out must be a file.")
    if path.exists() and not overwrite:
        raise ExportError(f"{path} exists already; choose another name, or add --overwrite.")


def put(path: Path, content: str | bytes) -> None:
    """Write a file, whole or not at all, and the folder it is in.

    Raises
    ------
    ExportError : it cannot be written.
    """
    export.write(path, content)


def attempt(path: Path, action: Callable[[], object]) -> None:
    """Do something to a file.

    Raises
    ------
    ExportError : the system refuses.
    """
    try:
        action()
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}.") from error

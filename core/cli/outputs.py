"""What a run writes to its folder."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np

from core import checkpoints, illustrations, known, pictures, pipeline, plans, recipes, report, review, tables
from core.architectures import name_of
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
    metrics = _metrics(recipe, plan, results, solid)
    store.put("run", recipes_key(plan), {}, {"name": folder.name, "metrics": metrics}, 0.0)
    files: dict[str, Callable[[], str | bytes]] = {
        "predictions.csv": lambda: tables.predictions_csv(results),
        "table.csv": lambda: tables.csv(tables.table(results)),
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


def recipes_key(plan: Plan) -> str:
    """Key under which a run is remembered for comparison: the same plan has one."""
    from core.store import key_of

    return key_of(1, recipes.to_json(recipes.of_plan(plan, "")))


def _classified(
    args: argparse.Namespace, plan: Plan, results: Results, solid: Results | None
) -> dict[str, Callable[[], str | bytes]]:
    name = {"TSNEConfig": "t-SNE", "UMAPConfig": "UMAP", "PCAConfig": "PCA"}.get(
        type(plan.projection).__name__, "map"
    )
    files: dict[str, Callable[[], str | bytes]] = {
        "classes.csv": lambda: tables.csv(tables.answers(results, args.top)),
        f"{name}-2D.csv": lambda: tables.csv(tables.coordinates(results)),
    }
    if solid is not None:
        files[f"{name}-3D.csv"] = lambda: tables.csv(tables.coordinates(solid))
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


def _metrics(recipe: Recipe, plan: Plan, results: Results, solid: Results | None) -> dict[str, Any]:
    stages = {name: getattr(results, name) for name in plans.STAGES}
    if solid is not None:
        stages["projection-3d"] = solid.projection
    there = {name: staged for name, staged in stages.items() if staged is not None}
    mapped, answers = review.mapped(results), review.predicted(results)
    told: dict[str, Any] = {}
    if results.known is not None and mapped is not None:
        told = {"known": results.known.n, "known_labels": known.describe(results.known, mapped)}
        told["mapped_accuracy"] = review.mapped_accuracy(results)
    if answers is not None and answers.truth is not None:
        told |= {"classifier_accuracy": answers.accuracy(), "classifier_top3_accuracy": answers.accuracy(3)}
    agreement = plans.some(results.clustering).value.agreement
    if agreement is not None:
        pairs = agreement[np.triu_indices(len(agreement), 1)]
        told |= {"ensemble_members": len(agreement), "ensemble_agreement": float(pairs.mean())}
    return {
        "recipe": recipe.name,
        "data": results.images.value.name,
        **_model(results),
        **asdict(report.scores(results)),
        "trustworthiness": report.trustworthiness(results),
        **told,
        "seconds": {name: round(staged.seconds, 3) for name, staged in there.items()},
        "found": {name: staged.found for name, staged in there.items()},
    }


def _model(results: Results) -> dict[str, Any]:
    model = plans.some(results.model).value
    if not isinstance(model, TrainedModel):
        return {"model": model.config.model, "parameters": None, "training_loss": None, "validation_loss": None}
    last = model.history[-1] if model.history else None
    return {
        "model": name_of(model.autoencoder),
        "parameters": model.n_parameters,
        "training_loss": None if last is None else last.train_loss,
        "validation_loss": None if last is None else last.validation_loss,
    }


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
    """Write a file, and the folder it is in.

    Raises
    ------
    ExportError : it cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content

    def act() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    attempt(path, act)


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

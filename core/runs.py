"""What there is to say of a finished run, and the runs that a store remembers for comparison."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from core import compare, known, plans, recipes, report, review, ways
from core.architectures import name_of
from core.errors import DataError
from core.models import TrainedModel
from core.plans import AnyModel, Plan, Results
from core.store import Store, key_of
from core.versions import versions

STAGE = "run"


def metrics(recipe: str, results: Results, solid: Results | None = None) -> dict[str, Any]:
    """Return what there is to say of a run, as plain JSON values; `solid` is the same run with a 3-D map."""
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
        "recipe": recipe,
        "data": results.images.value.name,
        **model_numbers(plans.some(results.model).value),
        **asdict(report.scores(results)),
        "trustworthiness": report.trustworthiness(results),
        **told,
        **({} if results.plan is None else {"steps": list(ways.steps(results.plan, results))}),
        "seconds": {name: round(staged.seconds, 3) for name, staged in there.items()},
        "found": {name: staged.found for name, staged in there.items()},
        "versions": versions(),
    }


def model_numbers(model: AnyModel) -> dict[str, Any]:
    """Return a model's name, parameters and last losses, as plain JSON values."""
    if not isinstance(model, TrainedModel):
        return {"model": model.config.model, "parameters": None, "training_loss": None, "validation_loss": None}
    last = model.history[-1] if model.history else None
    return {
        "model": name_of(model.autoencoder),
        "parameters": model.n_parameters,
        "training_loss": None if last is None else last.train_loss,
        "validation_loss": None if last is None else last.validation_loss,
    }


def key(plan: Plan) -> str:
    """Key under which a run is remembered: the same plan has one."""
    return key_of(1, recipes.to_json(recipes.of_plan(plan, "")))


def remember(store: Store, plan: Plan, name: str, values: Mapping[str, Any]) -> None:
    """Remember a run for comparison under its name; what was remembered of the same plan is replaced."""
    store.drop(STAGE, key(plan))
    store.put(STAGE, key(plan), {}, {"name": name, "metrics": dict(values)}, 0.0)


def remembered(store: Store) -> tuple[dict[str, compare.Run], int]:
    """Return the runs by key, oldest first, and how many cannot be read."""
    found, unreadable = {}, 0
    for item in sorted(store.entries(STAGE), key=lambda item: str(item["made"])):
        info = item["info"]
        try:
            values = compare.checked(info.get("metrics"), "a run in the store")
        except DataError:
            unreadable += 1
            continue
        found[str(item["key"])] = compare.Run(f"{info.get('name', 'run')} ({values.get('data', '')})", values)
    return found, unreadable

"""What a review writes to its folder."""

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from core import (
    corrections_csv,
    duplicates,
    finding_pictures,
    findings,
    outliers,
    pictures,
    recipes,
    runs,
    suspects_table,
    tables,
)
from core.cli import outputs
from core.errors import ExportError
from core.findings import Findings
from core.matching import Agreement, Matching
from core.plans import Plan
from core.recipes import Recipe
from core.suggestion import suggest
from core.sweep import SCORES, Sweep

ALWAYS = ("suspects.csv", "outliers.csv", "duplicates.csv", "clusters.csv", "metrics.json", "recipe.json")
WITH_LABELS, WITH_SWEEP, CORRECTED, CORRECTIONS = (
    "matrix.csv",
    "sweep.csv",
    "corrected_predictions.csv",
    "corrections.csv",
)
READ = ("data", "labels", "known", "metadata", "corrections", "recipe")  # flags that may name files
OF_LABELS = ("accuracy", "nmi", "ari")


def check_not_read(args: argparse.Namespace) -> None:
    """Check that no file that is read would be written.

    Raises
    ------
    ExportError : one would.
    """
    written = {_real(args.out / name) for name in (*ALWAYS, WITH_LABELS, WITH_SWEEP, CORRECTED, CORRECTIONS)}
    for flag in READ:
        given = getattr(args, flag)
        if given is not None and _real(Path(given)) in written:
            raise ExportError(f"--{flag} {given} would be written over; choose another folder for --out.")


def write(args: argparse.Namespace, recipe: Recipe, plan: Plan, found: Findings) -> None:
    """Write everything that a review found; what an earlier one left there goes, but for its corrections.

    Raises
    ------
    ConfigError : the corrections do not fit the clusters. ExportError : the folder or a file in it cannot be written.
    """
    folder = args.out
    again = recipes.of_plan(plan, recipe.name, recipe.summary)
    files = _corrected(found) | {name: tables.csv(frame, args.csv_kind) for name, frame in _tables(found).items()}
    outputs.attempt(folder, lambda: folder.mkdir(parents=True, exist_ok=True))
    for name, content in files.items():
        outputs.put(folder / name, content)
    outputs.put(folder / "metrics.json", json.dumps(_metrics(args, recipe, found), indent=1) + "\n")
    outputs.put(folder / "recipe.json", json.dumps(recipes.to_json(again), indent=1) + "\n")
    _remove(folder, {WITH_LABELS, WITH_SWEEP, CORRECTED} - set(files))
    drawn = {} if args.no_pictures else finding_pictures.drawable(found, args.top)
    for name, draw in drawn.items():
        figure = draw()
        for kind in get_args(pictures.Kind):
            outputs.put(folder / "pictures" / f"{name}.{kind}", pictures.render(figure, kind))
    gone = set(finding_pictures.NAMES) - set(drawn)
    _remove(folder / "pictures", {f"{name}.{kind}" for name in gone for kind in get_args(pictures.Kind)})


def _tables(found: Findings) -> dict[str, pd.DataFrame]:
    results, images, labelled = found.results, found.results.images.value, found.agreement is not None
    frames = {
        "suspects.csv": suspects_table.suspects(results, found.ranked),
        "outliers.csv": findings.outlying(results, found.isolation, labelled),
        "duplicates.csv": duplicates.table(found.duplicates.groups, images.ids, images.y, images.classes),
        "clusters.csv": findings.clusters(results, found.agreement),
    }
    if found.agreement is not None:
        frames[WITH_LABELS] = findings.matrix(results, found.agreement)
    if found.sweep is not None:
        scores = {name: getattr(found.sweep, name) for name in ("inertia", *SCORES)}
        frames[WITH_SWEEP] = pd.DataFrame({"k": found.sweep.ks, **scores})
    return frames


def _corrected(found: Findings) -> dict[str, bytes]:
    review = found.results.review
    if review is None or not review.current:
        return {}
    predicted = corrections_csv.corrected_predictions(found.results, review)
    return {
        CORRECTIONS: corrections_csv.csv(corrections_csv.corrections(review)),
        CORRECTED: tables.plain_csv(predicted),
    }


def _metrics(args: argparse.Namespace, recipe: Recipe, found: Findings) -> dict[str, Any]:
    """Return all numbers as plain JSON values; of labels only where there are any."""
    told = runs.metrics(recipe.name, found.results)
    if found.agreement is None:
        told = {name: value for name, value in told.items() if name not in OF_LABELS}
    else:
        told |= _matchings(found.agreement, found.results.images.value.classes)
    told |= findings.numbers(found)
    if found.results.review is not None and found.results.review.current:
        told["decisions"] = found.results.review.counts()
    if found.sweep is not None:
        told["sweep"] = _swept(found.sweep)
    evidence, isolation = found.ranked.evidence, found.isolation
    told["weights"] = {name: value for name, value in asdict(found.ranked.weights).items() if name in evidence.parts}
    told["settings"] = {
        "parts_left_out": dict(evidence.missing),
        "outliers": {
            "neighbours": min(findings.NEAREST, len(isolation.lof) - 1),
            "far_neighbour_distance": outliers.fence(isolation.knn_distance),
            "far_local_outlier_factor": outliers.fence(isolation.lof),
        },
        "duplicates": asdict(found.duplicates.thresholds),
        "top": args.top,
    }
    told["seconds"] |= {name: round(staged.seconds, 3) for name, staged in found.staged.items()}
    told["found"] |= {name: staged.found for name, staged in found.staged.items()}
    return told


def _matchings(found: Agreement, classes: tuple[str, ...]) -> dict[str, Any]:
    names = ("homogeneity", "completeness", "v_measure", "purity")
    return {
        "labelled": int(found.support.sum()),
        **{name: getattr(found, name) for name in names},
        "one_to_one": _matching(found.one_to_one, found.support, classes),
        "majority": _matching(found.majority, found.support, classes),
    }


def _matching(found: Matching, support: np.ndarray, classes: tuple[str, ...]) -> dict[str, Any]:
    per_class = [
        {"label": name, **{score: _number(getattr(found, score)[i]) for score in ("precision", "recall", "f1")}}
        | {"support": int(support[i])}
        for i, name in enumerate(classes)
    ]
    of_cluster = [classes[code] if code >= 0 else None for code in found.of_cluster]
    return {"accuracy": found.accuracy, "right": found.right, "of_cluster": of_cluster, "classes": per_class}


def _swept(found: Sweep) -> dict[str, Any]:
    suggested = suggest(found)
    scores = {name: [_number(value) for value in getattr(found, name)] for name in ("inertia", *SCORES)}
    return {
        "k": found.ks.tolist(),
        **scores,
        "note": found.note,
        **{f"suggested_{k}": v for k, v in asdict(suggested).items()},
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None  # JSON has no NaN


def _real(path: Path) -> str:
    try:
        return str(path.expanduser().resolve())
    except (OSError, ValueError, RuntimeError):
        return str(path)


def _remove(folder: Path, names: set[str]) -> None:
    for name in names:
        outputs.attempt(folder / name, lambda name=name: (folder / name).unlink(missing_ok=True))  # type: ignore[misc]

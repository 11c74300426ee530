"""What each command of `python -m core` does."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core import checkpoints, compare, known, moving, pipeline, plans, report, review, roots, stages, tables, ways
from core.architectures import ARCHITECTURES
from core.cli import benchmark, inputs, outputs, reviewing, sharded, training
from core.cli.bars import Bars
from core.cli.training import GO_ON
from core.errors import CheckpointError, ConfigError, ExplorerError, ExportError
from core.images import SAMPLES, SampleSource
from core.plans import KeptModel, Plan, Results, StageName
from core.progress import Cancelled
from core.recipes import RECIPES, Recipe
from core.store import Store

UPTO: Mapping[str, StageName] = {"latents": "latents", "model": "model"}  # other exports need every stage
OTHERS = """
Other images:
  /a/folder            pictures; its sub-folders are the classes (--size brings them to one side)
  a.npy                uint8 (n, h, w) or (n, h, w, 3), labels with --labels b.npy
  a.zip                pictures in a ZIP, as in the folder that it would unpack to
  a.npz                arrays x, and y and classes if there are labels
  mnist:/a/folder      also fashion-mnist: and cifar-10:, as torchvision keeps them; :test for the test part
  a.parquet, a.tar     a table with a column of encoded pictures, or a WebDataset; also a folder of them,
  s3://bucket/folder   or an address, gs:// and file:// too; shards:/a/folder reads pictures shard by shard
  --labels c.csv       a CSV of id,label gives any of these labels, in place of their own"""


def datasets(args: argparse.Namespace, bars: Bars) -> int:
    """Print the samples, and how other images are named."""
    for name in SAMPLES:
        images = stages.images(pipeline.open_store(), SampleSource(name)).value
        print(f"{name:<10} {inputs.about(images)}")
    print(OTHERS)
    return 0


def list_models(args: argparse.Namespace, bars: Bars) -> int:
    """Print the models that `--model` takes and the architectures there are, or the layers of one of them."""
    if args.name is not None:
        return _layers(args.name)
    found: list[dict[str, Any]] = []
    for name in (*SAMPLES, *checkpoints.names(checkpoints.models_root())):
        try:
            model = stages.read_model(KeptModel(name))
        except CheckpointError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        found.append(
            {
                "name": name,
                "origin": "sample" if name in SAMPLES else "kept",
                "image_shape": list(model.image_shape),
                "latent_shape": [*model.latent_shape],
                "parameters": model.n_parameters,
                "trained_on": model.trained_on,
                "epochs": len(model.history),
            }
        )
    found += [_architecture(name) for name in ARCHITECTURES]
    if args.json:
        print(json.dumps(found, indent=1))
        return 0
    for item in found:
        h, w, c = item["image_shape"]
        shape = plans.shape_text((h, w, c))
        latents = f"{'×'.join(map(str, item['latent_shape']))} latents"
        print(f"{item['name']:<20} {shape:<14} {latents:<15} {item['parameters']:>11,} parameters  {item['origin']}")
    return 0


def _architecture(name: str) -> dict[str, Any]:
    from core.autoencoders import summarize

    known = ARCHITECTURES[name]
    summary = summarize(known.config, known.image_shape)
    return {
        "name": name,
        "origin": "architecture",
        "image_shape": list(known.image_shape),
        "latent_shape": list(summary.latent_shape),
        "parameters": summary.n_parameters,
        "trained_on": "",
        "epochs": 0,
    }


def _layers(name: str) -> int:
    from core.autoencoders import summarize, table_text

    if name in ARCHITECTURES:
        known = ARCHITECTURES[name]
        print(table_text(summarize(known.config, known.image_shape)))
        return 0
    model = stages.read_model(KeptModel(name))
    print(table_text(summarize(model.autoencoder, model.image_shape)))
    return 0


def run(args: argparse.Namespace, bars: Bars) -> int:
    """Make both maps and the clusters, and write everything to a folder."""
    if args.out.exists() and not args.out.is_dir():
        raise ExportError(f"{args.out} is a file; --out must be a folder.")
    if getattr(args, "engine", None) is not None:
        return sharded.run_over(args, bars)
    store, recipe, plan, results = _results(args, bars, "clustering")
    try:
        config = replace(plan.projection, n_components=3)
        start = None if plan.start is None else replace(plan.start, n_components=3)
        third = moving.projection(store, plans.some(results.reduced), config, start, bars)
        solid = replace(results, projection=third)
    except ConfigError as error:
        solid = None
        print(f"projection-3d.html is not written: {error}", file=sys.stderr)
    bars.check()
    bars.close()
    outputs.write(args, store, recipe, plan, results, solid)
    _summary(results, args.out)
    return 0


def list_recipes(args: argparse.Namespace, bars: Bars) -> int:
    """Print the recipes that `--recipe` takes."""
    for recipe in RECIPES.values():
        print(f"{recipe.name:<14} {recipe.summary}")
    return 0


def compare_runs(args: argparse.Namespace, bars: Bars) -> int:
    """Print one table of several runs, and write it as files."""
    for path in (args.csv, args.html):
        if path is not None:
            outputs.check_new(path, args.overwrite)
    for folder in args.runs:
        roots.check(folder / "metrics.json")
    found = [compare.read_run(folder) for folder in args.runs]
    frame = compare.table(found)
    if args.csv is not None:
        outputs.put(args.csv, tables.csv(frame, args.csv_kind))
    if args.html is not None:
        outputs.put(args.html, compare.html(frame))
    print(compare.text(frame))
    if differences := compare.differences(found):
        print(f"Made with different versions: {'; '.join(differences)}")
    return 0


def export(args: argparse.Namespace, bars: Bars) -> int:
    """Write one result to a file."""
    outputs.check_new(args.out, args.overwrite)
    if args.engine is not None:
        return sharded.export_over(args, bars)
    *_, results = _results(args, bars, UPTO.get(args.what, "clustering"))
    bars.check()
    bars.close()
    content: str | bytes
    if args.what == "html":
        content = report.html(results, args.color, args.symbol)
    elif args.what == "predictions":
        content = tables.predictions_csv(results)
    elif args.what == "table":
        content = tables.csv(tables.table(results), args.csv_kind)
    else:
        content = tables.latents_npy(results) if args.what == "latents" else tables.model_bytes(results)
    outputs.put(args.out, content)
    print(args.out)
    return 0


def _results(args: argparse.Namespace, bars: Bars, upto: StageName) -> tuple[Store, Recipe, Plan, Results]:
    found = inputs.asked(args, bars, upto == "clustering")
    return found.store, found.recipe, found.plan, inputs.results(found, bars, upto)


def _summary(results: Results, folder: Path) -> None:
    scores = asdict(report.scores(results))
    print(f"{results.images.value.name}: {inputs.about(results.images.value)}, {scores['k']} clusters")
    shown = {name: value for name, value in scores.items() if name not in ("n", "k") and value is not None}
    print(", ".join(f"{name} {value:.4g}" for name, value in shown.items()))
    if results.plan is not None:
        print(f"clusters: {' → '.join(ways.steps(results.plan, results))}")
    mapped, answers = review.mapped(results), review.predicted(results)
    if results.known is not None and mapped is not None:
        print(known.describe(results.known, mapped))
    if answers is not None and answers.truth is not None:
        print(f"classifier: accuracy {answers.accuracy():.4g}, top-3 accuracy {answers.accuracy(3):.4g}")
    print(f"written to {folder}")


COMMANDS: Mapping[str, Callable[[argparse.Namespace, Bars], int]] = {
    "datasets": datasets,
    "models": list_models,
    "train": training.train,
    "recipes": list_recipes,
    "run": run,
    "classify": run,
    "review": reviewing.review,
    "compare": compare_runs,
    "export": export,
    "bench": benchmark.run,
}


def perform(args: argparse.Namespace, bars: Bars) -> int:
    """Run the command that was given and return its exit code; a mistake is one sentence on stderr.

    0 done, 2 a mistake of the user, 130 stopped.
    """
    if getattr(args, "roots", None):
        roots.add(args.roots)
    try:
        return COMMANDS[args.command](args, bars)
    except ExplorerError as error:
        bars.close()
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (Cancelled, KeyboardInterrupt):
        bars.close()
        print(f"Stopped; finished stages stay in the store. {GO_ON}", file=sys.stderr)
        return 130

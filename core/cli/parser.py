"""The flags of the command line.

A setting's flag is its name in `core.config` with dashes; one that was not given is None.
"""

import argparse
import dataclasses
import math
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core import bench, pretrained, roots
from core.architectures import ARCHITECTURES, DEFAULT
from core.bench import clusters, million, sharded
from core.cli import engine_flags
from core.config import (
    MANIFOLD,
    AgglomerativeConfig,
    AutoencoderConfig,
    ClassifierConfig,
    ClusterOn,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KernelPCAConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    PCAConfig,
    SpectralConfig,
    TrainingConfig,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.engines import ENGINES
from core.evidence import PARTS
from core.recipes import RECIPES
from core.tables import Csv

PROJECTIONS = {"pca": PCAConfig, "kernel-pca": KernelPCAConfig, "tsne": TSNEConfig, "umap": UMAPConfig}
REDUCTIONS = {"none": None, "pca": PCAConfig, "kernel-pca": KernelPCAConfig, "svd": TruncatedSVDConfig}
CLUSTERINGS = {
    "kmeans": KMeansConfig,
    "minibatch": MiniBatchKMeansConfig,
    "gaussian-mixture": GaussianMixtureConfig,
    "agglomerative": AgglomerativeConfig,
    "hdbscan": HDBSCANConfig,
    "spectral": SpectralConfig,
}
OTHER_FLAGS = (
    "n_clusters",
    "seed",
    "batch_size",
)  # --clusters, and flags that mean more than clusters
EXPORTS = ("html", "predictions", "table", "latents", "model")
MANIFOLDS = {
    "n_components": (int, "dimensions"),
    "n_neighbors": (int, "near images that shape each one's place"),
    "min_dist": (float, "how close images may come"),
    "sample": (int, "images it is fitted on; the others are placed"),
}
TRAINING = (AutoencoderConfig, TrainingConfig)
LAYERS = ("architecture", "encoder", "decoder", "features", "features_weights")


def build() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    root = argparse.ArgumentParser(prog="python -m core", description="Embedding Explorer without a browser.")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("datasets", help="list the samples, and how other images are named")
    listing = commands.add_parser("models", help="list the models of the samples and the kept ones")
    listing.add_argument("name", nargs="?", help="print this one's table of layers")
    listing.add_argument("--json", action="store_true", help="print JSON")
    commands.add_parser("recipes", help="list the recipes for --recipe")

    train = commands.add_parser("train", help="train an autoencoder and keep it")
    _data(train)
    _training(train.add_argument_group("model and training"))
    where = train.add_mutually_exclusive_group(required=True)
    where.add_argument("--name", help="keep the model under this name, for --model and the dashboard")
    where.add_argument("--out", type=Path, metavar="FILE", help="write the model to this .safetensors file")
    _overwrite(train)
    engine_flags.add(train)

    run = commands.add_parser("run", help="make maps and clusters, and write everything to a folder")
    _plan(run)
    run.add_argument("--recipe", metavar="NAME|FILE", help=f"{', '.join(RECIPES)}, or recipe.json of a run before")
    _results(run)
    engine_flags.add(run)

    classify = commands.add_parser("classify", help="run a trained classifier, and map what it sees")
    _data(classify)
    classify.add_argument("--model", metavar="NAME", help="torchvision's name, or package.module:name (vgg16)")
    classify.add_argument("--batch-size", type=int, help="(32)")
    classify.add_argument("--seed", type=int, help="(0)")
    _classifying(classify)
    _mapping(classify)
    _results(classify)

    review = commands.add_parser("review", help="list suspects, outliers and duplicates, and write them to a folder")
    _plan(review, classifier="classifier-")
    review.add_argument("--recipe", metavar="NAME|FILE", help=f"{', '.join(RECIPES)}, or recipe.json of a run before")
    _review(review.add_argument_group("review"))
    _results(review)
    engine_flags.add(review)

    compare = commands.add_parser("compare", help="one table of several runs")
    compare.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="folders that `run` or `classify` wrote")
    compare.add_argument("--csv", type=Path, metavar="FILE", help="write the table as CSV, too")
    _csv(compare, "--csv-for")
    compare.add_argument("--html", type=Path, metavar="FILE", help="write it as a page, too")
    _overwrite(compare)

    timed = commands.add_parser(
        "bench", help="time this program against what others do, on the same data",
        epilog=f"NAME is one of {', '.join(bench.ALL)}, or {million.NAME}, {clusters.NAME} or {sharded.NAME}, which run alone.",
    )  # fmt: skip
    timed.add_argument("names", nargs="*", metavar="NAME", help="benchmarks (all); --list says what each is")
    timed.add_argument("--list", action="store_true", help="say what there is")
    timed.add_argument("--data", metavar="SRC", default="digits", help="images that the digits' model reads (digits)")
    timed.add_argument("--repeats", type=int, metavar="N", help="runs of each side (3, of long ones 1)")
    timed.add_argument(
        "--count", type=int, default=1_000_000, metavar="N", help="images of `million`, `shards` (1000000)"
    )
    timed.add_argument("--engine", choices=ENGINES, default="local", help="of `shards` (local)")
    timed.add_argument("--workers", type=int, metavar="N", help="of `shards` (as many as there are cores)")
    timed.add_argument("--test", metavar="SRC", help="of `clusters`: images to score that nothing is learnt from")
    timed.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help=f"of `clusters`: {', '.join(clusters.METHODS)} (all that work here)",
    )
    timed.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="SEED", help="of `clusters` (0)")
    timed.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    timed.add_argument("--store", type=Path, metavar="DIR", help="where latents are kept and found again")
    timed.add_argument("--quiet", action="store_true", help="no progress bars")

    export = commands.add_parser("export", help="write one result to a file")
    export.add_argument("what", choices=EXPORTS)
    _plan(export)
    export.add_argument("--dimensions", type=int, choices=(2, 3), default=2, help="of the map (2)")
    export.add_argument("--color", metavar="COLUMN", help="what colours the dots of the HTML map (Cluster)")
    export.add_argument("--symbol", metavar="COLUMN", help="what shapes them (nothing)")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    _csv(export, "--csv")
    _overwrite(export)
    engine_flags.add(export)
    return root


def _data(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("images")
    group.add_argument("--data", metavar="SRC", help="images; `datasets` lists how to name them")
    group.add_argument("--labels", metavar="FILE", help="CSV of id,label, or a .npy for a .npy or .npz file")
    group.add_argument(
        "--size", type=int, help="bring the pictures of a folder or ZIP to this side in pixels, 8 to 128"
    )
    group.add_argument("--limit", type=int, metavar="N", help="at most so many images, chosen at random (all)")
    group.add_argument("--only", nargs="+", metavar="CLASS", help="only images of these classes (all)")
    told = f"folder that may be opened, can be given several times (all, or what {roots.VARIABLE} lists)"
    group.add_argument("--root", dest="roots", action="append", metavar="DIR", help=told)
    group = command.add_argument_group("running")
    group.add_argument("--store", type=Path, metavar="DIR", help="where results are kept and found again")
    group.add_argument("--device", metavar="NAME", help="cpu, cuda or mps (the fastest there is)")
    group.add_argument("--quiet", action="store_true", help="no progress bars")


def _plan(command: argparse.ArgumentParser, classifier: str = "") -> None:
    _data(command)
    group = command.add_argument_group("model", "A sample's own model is used unless one is named or to be trained.")
    group.add_argument("--model", metavar="NAME|FILE", help="a kept model or a model file, instead of training one")
    _training(group)
    _classifying(command, classifier)
    _mapping(command)


def _training(group: Any) -> None:
    group.add_argument("--architecture", choices=(DEFAULT, *ARCHITECTURES), help=f"({DEFAULT})")
    group.add_argument("--encoder", metavar="LAYERS", help="own layers, such as 'conv(16,3,2,1) relu conv(8,3,2,1)'")
    group.add_argument(
        "--decoder", metavar="LAYERS", help="the layers back, such as 'deconv(16,2,2,0) relu deconv(c,2,2,0)'"
    )
    group.add_argument(
        "--features", metavar="NAME",
        help=f"what a pretrained network sees, and a decoder to train: {', '.join(pretrained.PACKAGES)} or torchvision's name",
    )  # fmt: skip
    group.add_argument(
        "--features-weights", metavar="FILE", help="its weights (where its package or torchvision keeps them)"
    )
    _settings(group, TRAINING)
    group.add_argument("--train-data", metavar="SRC", help="learn from these images instead of --data")
    group.add_argument("--validation-data", metavar="SRC", help="validate on these instead of a share of the others")
    group.add_argument(
        "--checkpoint-every", type=int, metavar="K", help="keep the model every K epochs (0: only the last)"
    )
    group.add_argument(
        "--fresh", action="store_true", help="begin anew instead of going on with a training that was interrupted"
    )


def _classifying(command: argparse.ArgumentParser, prefix: str = "") -> None:
    group = command.add_argument_group("classifier", "In place of an autoencoder: its inner layer gives the latents.")
    told = "its weights, .safetensors or a PyTorch file of tensors"
    group.add_argument(f"--{prefix}weights", dest="weights", metavar="FILE", help=told)
    group.add_argument("--classes", metavar="FILE", help="JSON of its classes' names by number")
    group.add_argument("--layer", help="inner layer whose output is taken (what enters the last linear layer)")
    _settings(group, (ClassifierConfig,), without={"model", "layer", "batch_size"})
    group.add_argument(
        "--ignore-labels", action="store_true", help="the images' labels are not the classifier's classes"
    )
    if not prefix:
        group.add_argument("--top", type=int, default=3, metavar="N", help="classes to list for each image (3)")


def _review(group: Any) -> None:
    told = f"how much each part of the score counts: {' '.join(PARTS)}"
    group.add_argument("--weights", dest="suspect_weights", nargs="+", metavar="NAME=VALUE", help=told)
    group.add_argument("--top", type=int, default=48, metavar="N", help="suspects that the pictures show (48)")
    group.add_argument(
        "--corrections", metavar="FILE", help="decisions of this CSV in place of the review that is kept"
    )
    group.add_argument(
        "--sweep", nargs=2, type=int, metavar=("FIRST", "LAST"), help="try each of these numbers of clusters"
    )


def _mapping(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("map")
    group.add_argument("--reduction", choices=list(REDUCTIONS), help="before the map (none)")
    group.add_argument("--reduction-components", type=int, metavar="R", help="numbers that the reduction leaves")
    group.add_argument(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        help="bring each latent to mean 0 and variance 1 first",
    )
    group.add_argument("--projection", choices=list(PROJECTIONS), help="the map's method (tsne)")
    _settings(group, PROJECTIONS.values(), without={"n_components", "seed", "sample"})
    group.add_argument(
        "--start-perplexity", type=float, metavar="P", help="t-SNE goes on from the map with this perplexity (anew)"
    )
    told = "fit t-SNE and UMAP on at most so many images and place the others by their neighbours (all)"
    group.add_argument("--sample", type=int, metavar="N", help=told)
    group = command.add_argument_group("clusters")
    group.add_argument("--clusters", type=int, metavar="K", help="number of clusters (that of the classes, or 10)")
    group.add_argument("--cluster-method", choices=list(CLUSTERINGS), help="(kmeans)")
    _settings(group, CLUSTERINGS.values(), without=OTHER_FLAGS)
    told = "what is clustered; “manifold” is UMAP coordinates of the latents, made for it (latents)"
    group.add_argument("--cluster-on", choices=typing.get_args(ClusterOn), help=told)
    for name, (kind, told) in MANIFOLDS.items():
        default = getattr(MANIFOLD, name)
        told = f"of --cluster-on manifold: {told} ({'all' if default is None else default})"
        group.add_argument(manifold_flag(name), type=kind, help=told)
    group.add_argument(
        "--known", metavar="WHAT", help="labels known beforehand: first:5=0, labels, or a CSV of id,label"
    )
    group.add_argument("--metadata", metavar="FILE", help="CSV or Parquet of further values, by id or file name")
    group = command.add_argument_group("ensemble", "Each value is one more run; all are combined by vote.")
    group.add_argument("--ensemble-seeds", nargs="+", type=int, metavar="SEED", help="other seeds")
    group.add_argument("--ensemble-models", nargs="+", metavar="NAME|FILE", help="other models")
    group.add_argument(
        "--ensemble-reductions", nargs="+", metavar="R", help="other reductions, such as pca:32 svd:32 none"
    )
    group.add_argument("--ensemble-clusters", nargs="+", type=int, metavar="K", help="other numbers of clusters")


def _results(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    command.add_argument("--no-pictures", action="store_true", help="write no PNG and PDF pictures")
    _csv(command, "--csv")


def _csv(command: argparse.ArgumentParser, flag: str) -> None:
    told = "in CSV, put ' before texts that a spreadsheet would run as formulas, or leave them plain (spreadsheet)"
    kinds = typing.get_args(Csv)
    command.add_argument(flag, dest="csv_kind", choices=kinds, default=kinds[0], help=told)


def _overwrite(command: argparse.ArgumentParser) -> None:
    command.add_argument("--overwrite", action="store_true", help="replace the file --out if it exists")


def _settings(group: Any, classes: Iterable[type], without: Iterable[str] = ()) -> None:
    """Add a flag for each setting of these configs; one flag serves all that have a setting of this name."""
    added = set(without)
    defaults: dict[str, list[str]] = {}
    for cls in classes:
        for field in dataclasses.fields(cls):
            default = "automatic" if field.default is None else str(field.default)
            if default not in defaults.setdefault(field.name, []):
                defaults[field.name].append(default)
    for cls in classes:
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if field.name in added:
                continue
            added.add(field.name)
            kind = hints[field.name]
            choices = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else None
            told = f"({', '.join(defaults[field.name])})"
            if kind is bool:
                group.add_argument(flag_of(field.name), action=argparse.BooleanOptionalAction, help=told)
                continue
            number = None if choices else (int if kind in (int, int | None) else _number)
            several = 3 if typing.get_origin(kind) is tuple else None
            group.add_argument(flag_of(field.name), type=number, choices=choices, nargs=several, help=told)


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def manifold_flag(name: str) -> str:
    return flag_of(f"manifold_{name.removeprefix('n_')}")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value

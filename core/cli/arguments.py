"""The flags of the command line, and the plan they ask for.

A setting's flag is its name in `core.config` with dashes. A flag that was not given is None, so that one which
does not belong to the chosen method is refused instead of ignored.
"""

import argparse
import dataclasses
import math
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core import models
from core.config import (
    AutoencoderConfig,
    ClusterConfig,
    ClusterOn,
    KernelPCAConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    PCAConfig,
    ProjectionConfig,
    ReductionConfig,
    TrainingConfig,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.errors import ConfigError
from core.images import SAMPLES, ImageSet, SampleSource, Source, parse_source
from core.plans import CheckpointFile, KeptModel, ModelRef, Plan, TrainSpec

PROJECTIONS = {"pca": PCAConfig, "kernel-pca": KernelPCAConfig, "tsne": TSNEConfig, "umap": UMAPConfig}
REDUCTIONS = {"none": None, "pca": PCAConfig, "kernel-pca": KernelPCAConfig, "svd": TruncatedSVDConfig}
CLUSTERINGS = {"kmeans": KMeansConfig, "minibatch": MiniBatchKMeansConfig}
EXPORTS = ("html", "predictions", "table", "latents", "model")
TRAINING = (AutoencoderConfig, TrainingConfig)
DEFAULT_CLUSTERS = 10


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    root = argparse.ArgumentParser(prog="python -m core", description="Embedding Explorer without a browser.")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("datasets", help="list the samples, and how other images are named")
    listing = commands.add_parser("models", help="list the models of the samples and the kept ones")
    listing.add_argument("--json", action="store_true", help="print JSON")

    train = commands.add_parser("train", help="train an autoencoder and keep it")
    _data(train)
    _settings(train.add_argument_group("model and training"), TRAINING)
    where = train.add_mutually_exclusive_group(required=True)
    where.add_argument("--name", help="keep the model under this name, for --model and the dashboard")
    where.add_argument("--out", type=Path, metavar="FILE", help="write the model to this .safetensors file")
    _overwrite(train)

    run = commands.add_parser("run", help="make maps and clusters, and write everything to a folder")
    _plan(run)
    run.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")

    export = commands.add_parser("export", help="write one result to a file")
    export.add_argument("what", choices=EXPORTS)
    _plan(export)
    export.add_argument("--dimensions", type=int, choices=(2, 3), default=2, help="of the map (2)")
    export.add_argument("--color", metavar="COLUMN", help="what colours the dots of the HTML map (Cluster)")
    export.add_argument("--symbol", metavar="COLUMN", help="what shapes them (nothing)")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    _overwrite(export)
    return root


def source(args: argparse.Namespace) -> Source:
    """Return the images that `--data`, `--labels` and `--size` name."""
    return parse_source(args.data, args.labels, args.size)


def train_spec(args: argparse.Namespace) -> TrainSpec:
    """Return the model and training that the flags ask for."""
    return TrainSpec(_made(AutoencoderConfig, args), _made(TrainingConfig, args))


def model(args: argparse.Namespace, chosen: Source) -> ModelRef:
    """Return the model to use: `--model`, else the sample's own, else one trained as the flags say.

    Raises
    ------
    ConfigError : `--model` and settings of a training were both given.
    """
    given = _given(args, _names(TRAINING) - {"seed"})
    if args.model is not None:
        if given:
            raise ConfigError(f"{_flag(given[0])} is for training; it cannot be given with --model {args.model}.")
        known = (*SAMPLES, *models.names(models.models_root()))
        path = Path(args.model).expanduser()
        named = args.model in known or not (path.exists() or path.suffix or len(path.parts) > 1)
        return KeptModel(args.model) if named else CheckpointFile(str(path.absolute()))
    if isinstance(chosen, SampleSource) and not given:
        return KeptModel(chosen.name)
    return train_spec(args)


def plan(args: argparse.Namespace, chosen: Source, ref: ModelRef, images: ImageSet) -> Plan:
    """Return the plan that the flags ask for; without `--clusters`, as many clusters as classes.

    Raises
    ------
    ConfigError : a setting is out of its range, or does not belong to the chosen method.
    """
    k = args.clusters
    if k is None:
        k = len(images.classes) or min(DEFAULT_CLUSTERS, len(images))
    method = CLUSTERINGS[args.cluster_method](n_clusters=k, **_seed(args))
    return Plan(chosen, ref, _reduction(args), _projection(args), ClusterConfig(method, args.cluster_on))


def _projection(args: argparse.Namespace) -> ProjectionConfig:
    cls = PROJECTIONS[args.projection]
    own = {field.name for field in dataclasses.fields(cls)}
    for name in _given(args, _names(PROJECTIONS.values()) - {"seed", "n_components"}):
        if name not in own:
            raise ConfigError(f"{_flag(name)} is not a setting of --projection {args.projection}.")
    made: ProjectionConfig = _made(cls, args, n_components=getattr(args, "dimensions", 2))
    return made


def _reduction(args: argparse.Namespace) -> ReductionConfig:
    cls = REDUCTIONS[args.reduction]
    if cls is None:
        if args.reduction_components is not None:
            raise ConfigError("--reduction-components needs a --reduction: pca, kernel-pca or svd.")
        return ReductionConfig(args.standardize)
    if args.reduction_components is None:
        raise ConfigError(f"--reduction {args.reduction} needs --reduction-components.")
    settings: dict[str, Any] = {} if cls is PCAConfig else _seed(args)
    return ReductionConfig(args.standardize, cls(n_components=args.reduction_components, **settings))


def _data(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("images")
    group.add_argument("--data", required=True, metavar="SRC", help="images; `datasets` lists how to name them")
    group.add_argument("--labels", metavar="FILE", help=".npy with one label an image of a .npy or .npz file")
    group.add_argument("--size", type=int, help="bring the pictures of a folder to this side in pixels, 8 to 128")
    group = command.add_argument_group("running")
    group.add_argument("--store", type=Path, metavar="DIR", help="where results are kept and found again")
    group.add_argument("--device", metavar="NAME", help="cpu, cuda or mps (the fastest there is)")
    group.add_argument("--quiet", action="store_true", help="no progress bars")


def _plan(command: argparse.ArgumentParser) -> None:
    _data(command)
    group = command.add_argument_group("model", "A sample's own model is used unless one is named or to be trained.")
    group.add_argument("--model", metavar="NAME|FILE", help="a kept model or a model file, instead of training one")
    _settings(group, TRAINING)
    group = command.add_argument_group("map")
    group.add_argument("--reduction", choices=list(REDUCTIONS), default="none", help="before the map (none)")
    group.add_argument("--reduction-components", type=int, metavar="R", help="numbers that the reduction leaves")
    group.add_argument("--standardize", action="store_true", help="bring each latent to mean 0 and variance 1 first")
    group.add_argument("--projection", choices=list(PROJECTIONS), default="tsne", help="the map's method (tsne)")
    _settings(group, PROJECTIONS.values(), without={"n_components", "seed"})
    group = command.add_argument_group("clusters")
    group.add_argument("--clusters", type=int, metavar="K", help="number of clusters (that of the classes, or 10)")
    group.add_argument("--cluster-method", choices=list(CLUSTERINGS), default="kmeans", help="(kmeans)")
    group.add_argument("--cluster-on", choices=typing.get_args(ClusterOn), default="latents", help="(latents)")


def _overwrite(command: argparse.ArgumentParser) -> None:
    command.add_argument("--overwrite", action="store_true", help="replace the file --out if it exists")


def _settings(group: Any, classes: Iterable[type], without: Iterable[str] = ()) -> None:
    """Add a flag for each setting of these configs; one flag serves all that have a setting of this name."""
    added = set(without)
    for cls in classes:
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if field.name in added:
                continue
            added.add(field.name)
            kind = hints[field.name]
            choices = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else None
            number = None if choices else (int if kind is int else _number)
            default = "automatic" if field.default is None else field.default
            group.add_argument(_flag(field.name), type=number, choices=choices, help=f"({default})")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _names(classes: Iterable[type]) -> set[str]:
    return {field.name for cls in classes for field in dataclasses.fields(cls)}


def _given(args: argparse.Namespace, names: Iterable[str]) -> list[str]:
    return [name for name in sorted(names) if getattr(args, name, None) is not None]


def _seed(args: argparse.Namespace) -> dict[str, int]:
    return {} if args.seed is None else {"seed": args.seed}


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _made(cls: type, args: argparse.Namespace, **fixed: Any) -> Any:
    """Make a config of the flags that were given; the others keep their defaults."""
    own = {field.name for field in dataclasses.fields(cls)} - set(fixed)
    return cls(**fixed, **{name: getattr(args, name) for name in _given(args, own)})

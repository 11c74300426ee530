"""The flags of the command line, and the plan they ask for.

A setting's flag is its name in `core.config` with dashes. A flag that was not given is None: it then keeps what the recipe
says, and one that does not belong to the chosen method is refused instead of ignored.
"""

import argparse
import dataclasses
import math
import typing
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from core import models, recipes
from core.architectures import ARCHITECTURES, DEFAULT, architecture
from core.config import (
    AutoencoderConfig,
    ClassifierConfig,
    ClusterOn,
    KernelPCAConfig,
    KMeansConfig,
    LayersConfig,
    MiniBatchKMeansConfig,
    ModelConfig,
    PCAConfig,
    ProjectionConfig,
    ReductionConfig,
    TrainingConfig,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.errors import ConfigError
from core.images import SAMPLES, ImageSet, Source, parse_source
from core.plans import CheckpointFile, KeptModel, ModelRef, Plan, TrainedClassifier, TrainSpec
from core.recipes import RECIPES, Recipe

PROJECTIONS = {"pca": PCAConfig, "kernel-pca": KernelPCAConfig, "tsne": TSNEConfig, "umap": UMAPConfig}
REDUCTIONS = {"none": None, "pca": PCAConfig, "kernel-pca": KernelPCAConfig, "svd": TruncatedSVDConfig}
CLUSTERINGS = {"kmeans": KMeansConfig, "minibatch": MiniBatchKMeansConfig}
EXPORTS = ("html", "predictions", "table", "latents", "model")
TRAINING = (AutoencoderConfig, TrainingConfig)
LAYERS = ("architecture", "encoder", "decoder")


def parser() -> argparse.ArgumentParser:
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

    run = commands.add_parser("run", help="make maps and clusters, and write everything to a folder")
    _plan(run)
    run.add_argument("--recipe", metavar="NAME|FILE", help=f"{', '.join(RECIPES)}, or recipe.json of a run before")
    _results(run)

    classify = commands.add_parser("classify", help="run a trained classifier, and map what it sees")
    _data(classify)
    classify.add_argument("--model", metavar="NAME", help="torchvision's name, or package.module:name (vgg16)")
    classify.add_argument("--batch-size", type=int, help="(32)")
    classify.add_argument("--seed", type=int, help="(0)")
    _classifying(classify)
    _mapping(classify)
    _results(classify)

    compare = commands.add_parser("compare", help="one table of several runs")
    compare.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="folders that `run` or `classify` wrote")
    compare.add_argument("--csv", type=Path, metavar="FILE", help="write the table as CSV, too")
    compare.add_argument("--html", type=Path, metavar="FILE", help="write it as a page, too")
    _overwrite(compare)

    export = commands.add_parser("export", help="write one result to a file")
    export.add_argument("what", choices=EXPORTS)
    _plan(export)
    export.add_argument("--dimensions", type=int, choices=(2, 3), default=2, help="of the map (2)")
    export.add_argument("--color", metavar="COLUMN", help="what colours the dots of the HTML map (Cluster)")
    export.add_argument("--symbol", metavar="COLUMN", help="what shapes them (nothing)")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    _overwrite(export)
    return root


def asked(args: argparse.Namespace) -> tuple[Recipe, Source]:
    """Return the recipe with the flags that override it, and the images it is for.

    Raises
    ------
    ConfigError : a setting is out of its range, or does not belong to the chosen method.
    """
    recipe = recipes.find(args.recipe) if getattr(args, "recipe", None) else Recipe()
    if args.data is None and recipe.source is None:
        raise ConfigError(
            "--data is needed: a sample, a folder, a file or a data set; `datasets` lists how to name them."
        )
    chosen = source(args) if args.data is not None else recipe.source
    assert chosen is not None
    recipe = replace(recipe, model=model(args, recipe, chosen))
    recipe, chosen = recipes.with_parts(recipe, chosen)
    recipe = replace(recipe, reduction=_reduction(args, recipe), projection=_projection(args, recipe))
    method = _method(args, recipe)
    cluster = replace(recipe.cluster, method=method, **({} if args.cluster_on is None else {"on": args.cluster_on}))
    recipe = replace(recipe, cluster=cluster, known=recipe.known if args.known is None else args.known)
    if args.clusters is not None:
        recipe = replace(recipe, n_clusters=args.clusters)
    return recipe, chosen


def plan(args: argparse.Namespace, recipe: Recipe, chosen: Source, images: ImageSet) -> Plan:
    """Return the plan of a recipe for the images that were read, with the further runs of an ensemble."""
    made = recipes.plan_of(recipe, chosen, images)
    return replace(made, others=made.others + tuple(_others(args, made)))


def source(args: argparse.Namespace) -> Source:
    """Return the images that `--data`, `--labels`, `--size`, `--limit` and `--only` name."""
    return parse_source(args.data, args.labels, args.size, args.limit, tuple(args.only or ()))


def train_spec(args: argparse.Namespace, base: TrainSpec | None = None) -> TrainSpec:
    """Return the model and training that the flags ask for, the rest as in `base`."""
    base = base or TrainSpec()
    spec = replace(base, autoencoder=_autoencoder(args, base.autoencoder), training=_made(base.training, args))
    if args.train_data is not None:
        spec = replace(spec, data=parse_source(args.train_data, None, args.size, args.limit))
    if args.validation_data is not None:
        spec = replace(spec, validation=parse_source(args.validation_data, None, args.size, args.limit))
    every = args.checkpoint_every
    if every is not None and every < 0:
        raise ConfigError(f"--checkpoint-every {every} must be 0 or more.")
    return spec if every is None else replace(spec, checkpoint_every=every)


def model(args: argparse.Namespace, recipe: Recipe, chosen: Source) -> ModelRef | None:
    """Return the model to use: `--model`, else the recipe's, else the sample's own, else one trained as the flags say.

    Raises
    ------
    ConfigError : `--model` and settings of a training were both given.
    """
    if isinstance(recipe.model, TrainedClassifier) or args.command == "classify":
        base = (
            recipe.model if isinstance(recipe.model, TrainedClassifier) else TrainedClassifier(ClassifierConfig(), "")
        )
        return _classifier(args, base)
    given = _given(args, (*_names(TRAINING) - {"seed"}, *LAYERS, "train_data", "validation_data", "checkpoint_every"))
    if args.model is not None:
        if given:
            raise ConfigError(f"{_flag(given[0])} is for training; it cannot be given with --model {args.model}.")
        known = (*SAMPLES, *models.names(models.models_root()))
        path = Path(args.model).expanduser()
        named = args.model in known or not (path.exists() or path.suffix or len(path.parts) > 1)
        return KeptModel(args.model) if named else CheckpointFile(str(path.absolute()))
    if given or isinstance(recipe.model, TrainSpec):
        return train_spec(args, recipe.model if isinstance(recipe.model, TrainSpec) else None)
    return recipe.model if recipe.model is not None else recipes.model_of(recipe, chosen)


def _classifier(args: argparse.Namespace, base: TrainedClassifier) -> TrainedClassifier:
    found = replace(base, config=_made(base.config, args))
    if args.weights is not None:
        found = replace(found, weights=_absolute(args.weights))
    if args.classes is not None:
        found = replace(found, classes=_absolute(args.classes))
    if not found.weights:
        raise ConfigError("--weights is needed: the file of the classifier's weights.")
    return replace(found, compared=False) if args.ignore_labels else found


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _autoencoder(args: argparse.Namespace, base: ModelConfig) -> ModelConfig:
    if args.architecture is not None:
        base = architecture(args.architecture)
    if (args.encoder is None) != (args.decoder is None):
        raise ConfigError("--encoder and --decoder must be given together.")
    if args.encoder is not None:
        base = LayersConfig(args.encoder, args.decoder)
    own = {field.name for field in dataclasses.fields(base)}
    for name in _given(args, _names((AutoencoderConfig, LayersConfig)) - own):
        raise ConfigError(f"{_flag(name)} is not a setting of this architecture.")
    made: ModelConfig = _made(base, args, without=("encoder", "decoder"))
    return made


def _projection(args: argparse.Namespace, recipe: Recipe) -> ProjectionConfig:
    base: Any = recipe.projection
    if args.projection is not None and not isinstance(base, PROJECTIONS[args.projection]):
        base = PROJECTIONS[args.projection]()
    own = {field.name for field in dataclasses.fields(base)}
    name_of = next(name for name, cls in PROJECTIONS.items() if isinstance(base, cls))
    for name in _given(args, _names(PROJECTIONS.values()) - {"seed", "n_components"}):
        if name not in own:
            raise ConfigError(f"{_flag(name)} is not a setting of --projection {name_of}.")
    made: ProjectionConfig = replace(_made(base, args), n_components=getattr(args, "dimensions", 2))
    return made


def _reduction(args: argparse.Namespace, recipe: Recipe) -> ReductionConfig:
    base = recipe.reduction
    if args.standardize is not None:
        base = replace(base, standardize=args.standardize)
    if args.reduction is None:
        if args.reduction_components is None:
            return base if base.method is None else replace(base, method=_seeded(base.method, args))
        if base.method is None:
            raise ConfigError("--reduction-components needs a --reduction: pca, kernel-pca or svd.")
        return replace(base, method=_seeded(replace(base.method, n_components=args.reduction_components), args))
    return replace(base, method=_reducer(args.reduction, args.reduction_components, args, base))


def _reducer(name: str, components: int | None, args: argparse.Namespace, base: ReductionConfig) -> Any:
    cls = REDUCTIONS[name]
    if cls is None:
        if components is not None:
            raise ConfigError("--reduction-components needs a --reduction: pca, kernel-pca or svd.")
        return None
    if isinstance(base.method, cls):
        return _seeded(base.method if components is None else replace(base.method, n_components=components), args)
    if components is None:
        raise ConfigError(f"--reduction {name} needs --reduction-components.")
    return _seeded(cls(n_components=components), args)


def _method(args: argparse.Namespace, recipe: Recipe) -> Any:
    base: Any = recipe.cluster.method
    if args.cluster_method is not None and not isinstance(base, CLUSTERINGS[args.cluster_method]):
        base = CLUSTERINGS[args.cluster_method]()
    if args.clusters is not None:  # its range is checked here, before anything is read
        base = replace(base, n_clusters=args.clusters)
    return _seeded(base, args)


def _others(args: argparse.Namespace, made: Plan) -> Iterable[Plan]:
    """Return one more plan for each seed, model, reduction and k that `--ensemble-…` names."""
    for seed in getattr(args, "ensemble_seeds", None) or ():
        yield reseeded(made, seed)
    for name in getattr(args, "ensemble_models", None) or ():
        path = Path(name).expanduser()
        kept = name in (*SAMPLES, *models.names(models.models_root()))
        yield replace(made, model=KeptModel(name) if kept else CheckpointFile(str(path.absolute())))
    for text in getattr(args, "ensemble_reductions", None) or ():
        name, _, components = text.partition(":")
        if name not in REDUCTIONS or (components and not components.isdecimal()):
            raise ConfigError(f"--ensemble-reductions {text!r} must be one of {', '.join(REDUCTIONS)}, as in pca:32.")
        method = _reducer(name, int(components) if components else None, args, ReductionConfig())
        on = made.cluster.on if made.cluster.on != "latents" else "reduced"  # else it would change nothing
        yield replace(made, reduction=replace(made.reduction, method=method), cluster=replace(made.cluster, on=on))
    for k in getattr(args, "ensemble_clusters", None) or ():
        yield replace(made, cluster=replace(made.cluster, method=replace(made.cluster.method, n_clusters=k)))


def reseeded(made: Plan, seed: int) -> Plan:
    """Return a plan with another seed in its training, its map and its clusters."""
    ref = made.model
    if isinstance(ref, TrainSpec):
        ref = replace(ref, training=replace(ref.training, seed=seed))
    projection: Any = made.projection
    projection = replace(projection, seed=seed) if hasattr(projection, "seed") else projection
    cluster = replace(made.cluster, method=replace(made.cluster.method, seed=seed))
    return replace(made, model=ref, projection=projection, cluster=cluster, others=())


def _data(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("images")
    group.add_argument("--data", metavar="SRC", help="images; `datasets` lists how to name them")
    group.add_argument("--labels", metavar="FILE", help=".npy with one label an image of a .npy or .npz file")
    group.add_argument("--size", type=int, help="bring the pictures of a folder to this side in pixels, 8 to 128")
    group.add_argument("--limit", type=int, metavar="N", help="at most so many images, chosen at random (all)")
    group.add_argument("--only", nargs="+", metavar="CLASS", help="only images of these classes (all)")
    group = command.add_argument_group("running")
    group.add_argument("--store", type=Path, metavar="DIR", help="where results are kept and found again")
    group.add_argument("--device", metavar="NAME", help="cpu, cuda or mps (the fastest there is)")
    group.add_argument("--quiet", action="store_true", help="no progress bars")


def _plan(command: argparse.ArgumentParser) -> None:
    _data(command)
    group = command.add_argument_group("model", "A sample's own model is used unless one is named or to be trained.")
    group.add_argument("--model", metavar="NAME|FILE", help="a kept model or a model file, instead of training one")
    _training(group)
    _classifying(command)
    _mapping(command)


def _training(group: Any) -> None:
    group.add_argument("--architecture", choices=(DEFAULT, *ARCHITECTURES), help=f"({DEFAULT})")
    group.add_argument("--encoder", metavar="LAYERS", help="own layers, such as 'conv(16,3,2,1) relu conv(8,3,2,1)'")
    group.add_argument(
        "--decoder", metavar="LAYERS", help="the layers back, such as 'deconv(16,2,2,0) relu deconv(c,2,2,0)'"
    )
    _settings(group, TRAINING)
    group.add_argument("--train-data", metavar="SRC", help="learn from these images instead of --data")
    group.add_argument("--validation-data", metavar="SRC", help="validate on these instead of a share of the others")
    group.add_argument(
        "--checkpoint-every", type=int, metavar="K", help="keep the model every K epochs (0: only the last)"
    )


def _classifying(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("classifier", "In place of an autoencoder: its inner layer gives the latents.")
    group.add_argument("--weights", metavar="FILE", help="its weights, .safetensors or a PyTorch file of tensors")
    group.add_argument("--classes", metavar="FILE", help="JSON of its classes' names by number")
    group.add_argument("--layer", help="inner layer whose output is taken (what enters the last linear layer)")
    _settings(group, (ClassifierConfig,), without={"model", "layer", "batch_size"})
    group.add_argument(
        "--ignore-labels", action="store_true", help="the images' labels are not the classifier's classes"
    )
    group.add_argument("--top", type=int, default=3, metavar="N", help="classes to list for each image (3)")


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
    _settings(group, PROJECTIONS.values(), without={"n_components", "seed"})
    group = command.add_argument_group("clusters")
    group.add_argument("--clusters", type=int, metavar="K", help="number of clusters (that of the classes, or 10)")
    group.add_argument("--cluster-method", choices=list(CLUSTERINGS), help="(kmeans)")
    group.add_argument("--cluster-on", choices=typing.get_args(ClusterOn), help="(latents)")
    group.add_argument(
        "--known", metavar="WHAT", help="labels known beforehand: first:5=0, labels, or a CSV of id,label"
    )
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
            default = "automatic" if field.default is None else field.default
            if kind is bool:
                group.add_argument(_flag(field.name), action=argparse.BooleanOptionalAction, help=f"({default})")
                continue
            number = None if choices else (int if kind is int else _number)
            several = 3 if typing.get_origin(kind) is tuple else None
            group.add_argument(_flag(field.name), type=number, choices=choices, nargs=several, help=f"({default})")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _names(classes: Iterable[type]) -> set[str]:
    return {field.name for cls in classes for field in dataclasses.fields(cls)}


def _given(args: argparse.Namespace, names: Iterable[str]) -> list[str]:
    return [name for name in sorted(names) if getattr(args, name, None) is not None]


def _seeded(config: Any, args: argparse.Namespace) -> Any:
    return replace(config, seed=args.seed) if args.seed is not None and hasattr(config, "seed") else config


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _made(base: Any, args: argparse.Namespace, without: Iterable[str] = ()) -> Any:
    """Return a config with the flags that were given; the others keep what it says."""
    own = {field.name for field in dataclasses.fields(base)} - set(without)
    return replace(base, **{name: getattr(args, name) for name in _given(args, own)})

"""The recipe and the plan that the flags of the command line ask for.

A flag that was not given is None: it then keeps what the recipe says, and one that does not belong to the chosen method is
refused instead of ignored.
"""

import argparse
import dataclasses
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from core import checkpoints, plans, recipes
from core.cli import model_flags
from core.cli.given import absolute, flags_given, seeded, setting_names, with_flags
from core.cli.parser import (
    CLUSTERINGS,
    MANIFOLDS,
    OTHER_FLAGS,
    PROJECTIONS,
    REDUCTIONS,
    flag_of,
    manifold_flag,
)
from core.config import (
    ClusterConfig,
    ProjectionConfig,
    ReductionConfig,
    TSNEConfig,
    clusters_of,
    seed_of,
    with_clusters,
)
from core.errors import ConfigError
from core.images import SAMPLES, ImageSet, Source, parse_source
from core.plans import CheckpointFile, KeptModel, Plan, TrainSpec
from core.recipes import Recipe


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
    recipe = replace(recipe, model=model_flags.model(args, recipe))
    recipe, chosen = recipes.with_parts(recipe, chosen)
    recipe = replace(recipe, reduction=_reduction(args, recipe), projection=_projection(args, recipe))
    recipe = replace(recipe, start=_start(args, recipe))
    recipe = replace(recipe, cluster=_cluster(args, recipe), known=recipe.known if args.known is None else args.known)
    if args.metadata is not None:
        recipe = replace(recipe, metadata=absolute(args.metadata))
    if args.clusters is not None:
        recipe = replace(recipe, n_clusters=args.clusters)
    return recipe, chosen


def plan(args: argparse.Namespace, recipe: Recipe, chosen: Source, images: ImageSet, learnt: ImageSet) -> Plan:
    """Return the plan of a recipe for the images that were read, with the further runs of an ensemble.

    Parameters
    ----------
    learnt : the images that a model learns from, where the flags or the recipe have it trained: most often `images`.
    """
    made = recipes.plan_of(recipe, chosen, images)
    if recipe.model is None and (isinstance(made.model, TrainSpec) or model_flags.training_given(args)):
        made = replace(made, model=model_flags.usual_spec(args, learnt, recipe.n_clusters))
    return replace(made, others=made.others + tuple(_others(args, made)))


def source(args: argparse.Namespace) -> Source:
    """Return the images that `--data`, `--labels`, `--size`, `--limit` and `--only` name."""
    return parse_source(args.data, args.labels, args.size, args.limit, tuple(args.only or ()))


def _projection(args: argparse.Namespace, recipe: Recipe) -> ProjectionConfig:
    base: Any = recipe.projection
    if args.projection is not None and not isinstance(base, PROJECTIONS[args.projection]):
        base = PROJECTIONS[args.projection]()
    own = {field.name for field in dataclasses.fields(base)}
    name_of = next(name for name, cls in PROJECTIONS.items() if isinstance(base, cls))
    for name in flags_given(args, setting_names(PROJECTIONS.values()) - {"seed", "n_components"}):
        if name not in own:
            raise ConfigError(f"{flag_of(name)} is not a setting of --projection {name_of}.")
    made: ProjectionConfig = replace(with_flags(base, args), n_components=getattr(args, "dimensions", 2))
    return made


def _start(args: argparse.Namespace, recipe: Recipe) -> ProjectionConfig | None:
    """Return the settings of the map that this one goes on from: its own but for the perplexity."""
    perplexity = getattr(recipe.start, "perplexity", None) if args.start_perplexity is None else args.start_perplexity
    if perplexity is None:
        return None
    if not isinstance(recipe.projection, TSNEConfig):
        if args.start_perplexity is None:
            return None
        raise ConfigError("--start-perplexity is for --projection tsne.")
    start = replace(recipe.projection, perplexity=perplexity)
    return None if start == recipe.projection else start


def _reduction(args: argparse.Namespace, recipe: Recipe) -> ReductionConfig:
    base = recipe.reduction
    if args.standardize is not None:
        base = replace(base, standardize=args.standardize)
    if args.reduction is None:
        if args.reduction_components is None:
            return base if base.method is None else replace(base, method=seeded(base.method, args))
        if base.method is None:
            raise ConfigError("--reduction-components needs a --reduction: pca, kernel-pca or svd.")
        return replace(base, method=seeded(replace(base.method, n_components=args.reduction_components), args))
    return replace(base, method=_reducer(args.reduction, args.reduction_components, args, base))


def _reducer(name: str, components: int | None, args: argparse.Namespace, base: ReductionConfig) -> Any:
    cls = REDUCTIONS[name]
    if cls is None:
        if components is not None:
            raise ConfigError("--reduction-components needs a --reduction: pca, kernel-pca or svd.")
        return None
    if isinstance(base.method, cls):
        return seeded(base.method if components is None else replace(base.method, n_components=components), args)
    if components is None:
        raise ConfigError(f"--reduction {name} needs --reduction-components.")
    return seeded(cls(n_components=components), args)


def _cluster(args: argparse.Namespace, recipe: Recipe) -> ClusterConfig:
    on = recipe.cluster.on if args.cluster_on is None else args.cluster_on
    values = {name: getattr(args, f"manifold_{name.removeprefix('n_')}") for name in MANIFOLDS}
    given = {name: value for name, value in values.items() if value is not None}
    if on != "manifold":
        if given:
            raise ConfigError(f"{manifold_flag(next(iter(given)))} needs --cluster-on manifold.")
        return ClusterConfig(_method(args, recipe), on)
    return ClusterConfig(_method(args, recipe), on, seeded(replace(recipe.cluster.manifold, **given), args))


def _method(args: argparse.Namespace, recipe: Recipe) -> Any:
    base: Any = recipe.cluster.method
    if args.cluster_method is not None and not isinstance(base, CLUSTERINGS[args.cluster_method]):
        base = CLUSTERINGS[args.cluster_method]()
    own = {field.name for field in dataclasses.fields(base)} - set(OTHER_FLAGS)
    name_of = next(name for name, cls in CLUSTERINGS.items() if isinstance(base, cls))
    for name in flags_given(args, setting_names(CLUSTERINGS.values()) - set(OTHER_FLAGS)):
        if name not in own:
            raise ConfigError(f"{flag_of(name)} is not a setting of --cluster-method {name_of}.")
    for name in ("clusters", "ensemble_clusters"):
        if getattr(args, name, None) is not None and clusters_of(base) is None:
            raise ConfigError(
                f"{flag_of(name)} is not a setting of --cluster-method {name_of}; it finds the number itself."
            )
    if args.clusters is not None:  # its range is checked here, before anything is read
        base = with_clusters(base, args.clusters)
    return seeded(with_flags(base, args, without=OTHER_FLAGS), args)


def _others(args: argparse.Namespace, made: Plan) -> Iterable[Plan]:
    """Return one more plan for each seed, model, reduction and k that `--ensemble-…` names."""
    for seed in getattr(args, "ensemble_seeds", None) or ():
        if not _random(made):
            raise ConfigError("--ensemble-seeds changes nothing here: neither the model nor the clusters are random.")
        yield plans.reseeded(made, seed)
    for name in getattr(args, "ensemble_models", None) or ():
        path = Path(name).expanduser()
        kept = name in (*SAMPLES, *checkpoints.names(checkpoints.models_root()))
        yield replace(made, model=KeptModel(name) if kept else CheckpointFile(str(path.absolute())))
    for text in getattr(args, "ensemble_reductions", None) or ():
        name, _, components = text.partition(":")
        if name not in REDUCTIONS or (components and not components.isdecimal()):
            raise ConfigError(f"--ensemble-reductions {text!r} must be one of {', '.join(REDUCTIONS)}, as in pca:32.")
        method = _reducer(name, int(components) if components else None, args, ReductionConfig())
        on = made.cluster.on if made.cluster.on != "latents" else "reduced"  # else it would change nothing
        yield replace(made, reduction=replace(made.reduction, method=method), cluster=replace(made.cluster, on=on))
    for k in getattr(args, "ensemble_clusters", None) or ():
        yield replace(made, cluster=replace(made.cluster, method=with_clusters(made.cluster.method, k)))


def _random(made: Plan) -> bool:
    """Say whether another seed can give a plan other clusters."""
    of_map = made.cluster.on == "projection" and hasattr(made.projection, "seed")
    of_map |= made.cluster.on == "manifold"
    return isinstance(made.model, TrainSpec) or of_map or seed_of(made.cluster.method) is not None

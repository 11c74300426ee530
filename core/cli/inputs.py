"""The images that the flags name, and the stages of the plan that they ask for."""

import argparse
import sys
from dataclasses import dataclass, replace

from core import clustering, pipeline, plans, projection, stages
from core.cli import arguments, model_flags
from core.cli.bars import Bars
from core.errors import ConfigError, one_line
from core.images import ImageSet
from core.plans import Plan, Results, Staged, StageName, TrainSpec
from core.recipes import Recipe
from core.store import Store

SKIPPED_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Asked:
    """What the flags ask for, with the images, which decide defaults, read already."""

    store: Store
    recipe: Recipe
    plan: Plan
    images: Staged[ImageSet]
    device: str | None


def asked(args: argparse.Namespace, bars: Bars, check_clusters: bool = True) -> Asked:
    """Read the images, and say what is wrong with them or the settings before anything long is begun.

    Raises
    ------
    ExplorerError : the images cannot be read, or a setting cannot work with them.
    """
    recipe, source = arguments.asked(args)
    device = checked_device(args.device)
    store = pipeline.open_store(args.store)
    images = stages.images(store, source, bars)
    name_skipped(images.value)
    learnt = None if recipe.model is not None else model_flags.learnt_from(args)
    plan = arguments.plan(
        args,
        recipe,
        source,
        images.value,
        images.value if learnt is None else stages.images(store, learnt, bars).value,
    )
    pipeline.attached(Results(images), plan)
    if check_clusters:
        clustering.check_size(plan.cluster.method, len(images.value))
        if plan.cluster.on == "manifold":
            projection.check_size(plan.cluster.manifold, len(images.value))
    if getattr(args, "fresh", False):
        for each in (plan, *plan.others):
            if isinstance(each.model, TrainSpec):
                stages.begin_anew(store, each.model, images.value, bars)
    return Asked(store, recipe, plan, images, device)


def results(found: Asked, bars: Bars, upto: StageName = "clustering") -> Results:
    """Make or find the stages."""
    made = pipeline.run(found.store, found.plan, upto, bars, found.device)
    return pipeline.attached(replace(made, images=found.images), found.plan)


def about(images: ImageSet) -> str:
    """Say what images are."""
    classes = f"{len(images.classes)} classes" if images.classes else "no labels"
    return f"{len(images):,} images of {plans.shape_text(images.image_shape)}, {classes}"


def name_skipped(images: ImageSet) -> None:
    """Name on stderr what could not be used."""
    if not images.skipped:
        return
    print(f"{len(images.skipped):,} pictures could not be used:", file=sys.stderr)
    for item in images.skipped[:SKIPPED_SHOWN]:
        print(f"  {one_line(item.id)}: {one_line(item.reason)}", file=sys.stderr)
    if len(images.skipped) > SKIPPED_SHOWN:
        print(f"  and {len(images.skipped) - SKIPPED_SHOWN:,} more", file=sys.stderr)


def checked_device(name: str | None) -> str | None:
    """Return a device that can be used.

    Raises
    ------
    ConfigError : it cannot.
    """
    if name is None:
        return None
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for the device
        raise ConfigError(f"Device {name!r} cannot be used here; try --device cpu.") from error
    return name

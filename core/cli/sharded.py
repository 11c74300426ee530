"""Commands for sets that are gone through shard by shard: the same flags, and the same files as of sets in memory."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from core import checkpoints, engines, pipeline, report, stages, ways
from core.cli import arguments, inputs, model_flags, outputs, sharded_outputs
from core.cli.bars import Bars
from core.cli.engine_flags import LEARNT
from core.cli.given import absolute, flags_given
from core.cli.parser import flag_of
from core.config import KMeansConfig, MiniBatchKMeansConfig
from core.engines import Engine
from core.errors import CheckpointError, ConfigError
from core.images import FolderSource, Source, base_of
from core.models import TrainedModel
from core.plans import Plan, Staged, TrainedClassifier, TrainSpec
from core.readers.addresses import is_address
from core.readers.pictures import Frame
from core.readers.shard_writing import write_shards
from core.readers.shards import Shard, find_frame, list_shards
from core.readers.sources import ShardedSource
from core.recipes import Recipe
from core.shards import gathered, tables
from core.shards.learnt import Drawn, draw
from core.shards.results import ShardedResults
from core.shards.run import Run, run
from core.shards.training import data_parallel
from core.store import Store

FEW = 5_000  # images that defaults are set by, where none are learnt from
IMAGES = "images"  # folder of the shards that images of another kind are written as


@dataclass(frozen=True, eq=False)
class Opened:
    """A set in shards that can be gone through, and the images of it that defaults are set by, or that a model learns from."""

    store: Store
    engine: Engine
    root: str
    source: ShardedSource
    shards: tuple[Shard, ...]
    frame: Frame
    drawn: Drawn
    device: str | None


@dataclass(frozen=True, eq=False)
class Asked(Opened):
    """What the flags ask for of such a set."""

    recipe: Recipe
    plan: Plan


@contextmanager
def opened(
    args: argparse.Namespace, named: Source, bars: Bars, learns: bool, engine: str | None = None
) -> Iterator[Opened]:
    """Open the engine, list the shards, and draw images: as many as a model learns from, where one `learns`.

    Raises
    ------
    ExplorerError : there are no images, or the engine is not there.
    """
    limit = LEARNT if args.train_sample is None else args.train_sample
    if limit < 0 or limit == 1:
        raise ConfigError(f"--train-sample {limit} must be at least 2, or 0 for all images.")
    if args.workers is not None and args.workers < 1:
        raise ConfigError(f"--workers {args.workers} must be at least 1.")
    device, store, root = inputs.checked_device(args.device), pipeline.open_store(args.store), _root(args)
    with engines.open_engine(engine or args.engine, args.address, args.workers) as there:
        source = _sharded(named, store, root, bars)
        shards = list_shards(source)
        frame = find_frame(source, shards)
        drawn = draw(there, source, shards, frame, limit if limit and learns else FEW, callback=bars)
        yield Opened(store, there, root, source, shards, frame, drawn, device)


@contextmanager
def asked(args: argparse.Namespace, bars: Bars) -> Iterator[Asked]:
    """Open a set, and say what is wrong with the flags before anything long is begun.

    Raises
    ------
    ExplorerError : as `opened`; a setting cannot work with shards.
    """
    recipe, named = arguments.asked(args)
    with opened(args, named, bars, recipe.model is None) as found:
        learnt = None if recipe.model is not None else model_flags.learnt_from(args)
        images = found.drawn.images if learnt is None else stages.images(found.store, learnt, bars).value
        plan = _plan(args, arguments.plan(args, recipe, named, found.drawn.images, images), found.drawn)
        if isinstance(plan.model, TrainSpec) and args.train_sample == 0:
            plan = replace(plan, model=spec_of_all(args, found.drawn, recipe.n_clusters))
        yield Asked(**vars(found), recipe=recipe, plan=plan)


def spec_of_all(args: argparse.Namespace, drawn: Drawn, k: int | None = None) -> TrainSpec:
    """Return what is trained on all images of a set; without own labels, which need all latents at once, unless asked for."""
    spec = model_flags.usual_spec(args, drawn.images, k, drawn.n)
    if args.self_label_clusters is None:
        spec = replace(spec, training=replace(spec.training, self_label_clusters=0))
    return spec


def results(found: Asked, args: argparse.Namespace, bars: Bars) -> ShardedResults:
    """Train or find the model, and go through every stage; say at the end what could not be read."""
    trained = model(found, args, bars)
    solid = args.command == "run"
    made = run(
        found.engine,
        Run(found.root, found.source, found.shards, found.frame, found.plan, trained, solid),
        bars,
    )
    bars.close()
    sharded_outputs.name_skipped(made)
    return made


def model(found: Asked, args: argparse.Namespace, bars: Bars) -> Staged[TrainedModel]:
    """Find the model or train it: on the images that were drawn, or on all, data-parallel."""
    spec = found.plan.model
    if isinstance(spec, TrainSpec) and args.train_sample == 0:
        return trained_on_all(found, spec, args, bars)
    if isinstance(spec, TrainSpec) and args.fresh:
        stages.begin_anew(found.store, spec, found.drawn.images, bars)
    staged = stages.model(found.store, spec, found.drawn.images, bars, found.device)
    if not isinstance(staged.value, TrainedModel):
        raise CheckpointError(
            "A classifier cannot go through shards; give an autoencoder with --model, or have one trained."
        )
    return Staged(staged.value, staged.key, staged.found, staged.seconds)


def trained_on_all(found: Opened, spec: TrainSpec, args: argparse.Namespace, bars: Bars) -> Staged[TrainedModel]:
    """Find the model or train it on all shards: by this process, by those that torchrun started, or by workers of Ray."""
    for name in flags_given(args, ("train_data", "validation_data", "checkpoint_every")):
        raise ConfigError(
            f"{flag_of(name)} is not for a training on all shards; leave it out, or give --train-sample."
        )
    place = found.store.root if is_address(found.root) else Path(found.root)
    if args.fresh:
        raise ConfigError(
            f"A training on all shards begins anew once its folder {place / data_parallel.FOLDER} is removed."
        )
    ray = None if found.engine.name != "ray" else data_parallel.OnRay(args.workers or 2, args.address)
    return data_parallel.trained(found.store, found.source, found.shards, spec, place, bars, found.device, ray)


def _root(args: argparse.Namespace) -> str:
    if args.parts is not None:
        return str(args.parts) if is_address(args.parts) else absolute(args.parts)
    out = args.out if args.command == "run" or args.command == "review" else args.out.with_suffix(".parts")
    return absolute(str(out))


def _sharded(source: Source, store: Store, root: str, bars: Bars) -> ShardedSource:
    """Return a source in shards; a folder is one, and images of any other kind are written as shards first."""
    if isinstance(source, ShardedSource):
        return source
    if isinstance(source, FolderSource):
        return ShardedSource(source.path, source.size, source.color)
    if isinstance(base_of(source), ShardedSource):
        raise ConfigError(
            "--limit, --only and --labels are not for sets in shards; leave them out, or leave --engine out."
        )
    images = stages.images(store, source, bars).value
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in images.name)[:60].strip("-")
    place = f"{root.rstrip('/')}/{IMAGES}/{images.fingerprint[:16]}/{name or IMAGES}"
    write_shards(images, place)
    return ShardedSource(place)


def _plan(args: argparse.Namespace, plan: Plan, drawn: Drawn) -> Plan:
    """Return the plan with random batches where KMeans was not asked for and images may be many; refuse what is not for shards.

    Raises
    ------
    ConfigError : a setting that is not for sets in shards.
    """
    told = [
        (isinstance(plan.model, TrainedClassifier), "A classifier"),
        (bool(plan.others), "An ensemble"),
        (bool(plan.known), "--known"),
        (bool(plan.metadata), "--metadata"),
        (plan.start is not None, "--start-perplexity"),
        (plan.cluster.on == "manifold", "--cluster-on manifold"),
    ]
    for given, name in told:
        if given:
            raise ConfigError(f"{name} is not for sets in shards; leave it out, or leave --engine out.")
    method = plan.cluster.method
    if (
        isinstance(method, KMeansConfig)
        and args.cluster_method is None
        and getattr(args, "recipe", None) is None
        and not drawn.whole
    ):
        batches = MiniBatchKMeansConfig(method.n_clusters, ways.BATCH, seed=method.seed)
        plan = replace(plan, cluster=replace(plan.cluster, method=batches))
    return plan


def run_over(args: argparse.Namespace, bars: Bars) -> int:
    """Go through all stages and write everything to a folder."""
    with asked(args, bars) as found:
        made = results(found, args, bars)
        sharded_outputs.write_run(
            args.out, made, found.engine, found.recipe, args.csv_kind, not args.no_pictures, bars
        )
        bars.close()
    sharded_outputs.tell(made, args.out)
    return 0


def review_over(args: argparse.Namespace, bars: Bars) -> int:
    """Find what may be in the wrong place, and write it to a folder."""
    _refuse(args, ("corrections", "sweep", "suspect_weights"))
    with asked(args, bars) as found:
        made = results(found, args, bars)
        if made.suspected is None:
            raise ConfigError(
                'A review of shards needs FAISS, and 2 groups: pip install "embedding-explorer[cluster]".'
            )
        several = sharded_outputs.write_review(args.out, made, found.engine.name, found.recipe, args.csv_kind)
    sharded_outputs.tell(made, args.out)
    most = min(made.n, sharded_outputs.SUSPECTS)
    told = f"{several:,} of the {most:,} most suspect images look like another {made.grouping}"
    print(f"{told}; suspects.csv lists these {most:,}")
    return 0


def export_over(args: argparse.Namespace, bars: Bars) -> int:
    """Write one result to a file."""
    if args.what == "html":
        _refuse(args, ("color", "symbol"))
    with asked(args, bars) as found:
        made = results(found, args, bars)
        if args.what == "html":
            shown = gathered.gathered(made, found.engine, gathered.chosen(made), args.dimensions, bars)
            outputs.put(args.out, report.html(shown))
        elif args.what == "predictions":
            sharded_outputs.write_predictions(args.out, made)
        elif args.what == "table":
            sharded_outputs.write_table(args.out, made, args.csv_kind)
        elif args.what == "latents":
            tables.write_latents(args.out, made)
        else:
            outputs.put(args.out, checkpoints.checkpoint_bytes(made.model.value))
    print(args.out)
    return 0


def _refuse(args: argparse.Namespace, names: Sequence[str]) -> None:
    for name in flags_given(args, names):
        raise ConfigError(f"{flag_of(name)} is not for sets in shards; leave it out, or leave --engine out.")

"""`train`: a model trained and kept, of images in memory or in shards."""

import argparse
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from core import checkpoints, pipeline, stages
from core.cli import arguments, inputs, model_flags, outputs, sharded
from core.cli.bars import Bars
from core.errors import CheckpointError, ConfigError
from core.models import TrainedModel
from core.plans import Staged, TrainSpec
from core.shards.training import data_parallel

GO_ON = "The same command goes on from there."


@dataclass(frozen=True, eq=False)
class Trained:
    """A model, what was asked for, the images it learnt from, or a sample of them, and in words what they are."""

    model: Staged[TrainedModel]
    spec: TrainSpec
    learnt: str
    about: str


def train(args: argparse.Namespace, bars: Bars) -> int:
    """Train a model; when stopped, keep its complete epochs, and where it was to go on from there."""
    if args.data is None:
        raise ConfigError(
            "--data is needed: a sample, a folder, a file or a data set; `datasets` lists how to name them."
        )
    model_flags.train_spec(args)  # a mistake in the flags is told before anything is read
    check_name(args)
    if args.engine is not None or data_parallel.in_torchrun():
        return _over_shards(args, bars)
    device = inputs.checked_device(args.device)
    store = pipeline.open_store(args.store)
    images = stages.images(store, arguments.source(args), bars).value
    inputs.name_skipped(images)
    learnt = model_flags.learnt_from(args)
    spec = model_flags.usual_spec(args, images if learnt is None else stages.images(store, learnt, bars).value)
    before = check_place(args, spec, stages.learnt_from(store, spec, images, bars)[0].name)
    if args.fresh:
        stages.begin_anew(store, spec, images, bars)
    staged = stages.model(store, spec, images, bars, device)
    bars.close()
    assert isinstance(staged.value, TrainedModel)  # not a classifier, as the spec is one of a training
    made = Staged(staged.value, staged.key, staged.found, staged.seconds)
    return keep(args, bars, Trained(made, spec, images.name, inputs.about(images)), before)


def _over_shards(args: argparse.Namespace, bars: Bars) -> int:
    """Train on a sample of shards, or on all; of several processes that torchrun started the first keeps the model."""
    several = data_parallel.in_torchrun()
    if several:
        if args.engine == "ray":
            raise ConfigError("torchrun starts the processes; leave --engine ray out.")
        args.train_sample = 0
    from core.shards.training import distributed  # torch

    first = data_parallel.first_of_group()
    with distributed.group(args.device) if several else nullcontext():
        bars = bars if first else Bars(quiet=True)
        with sharded.opened(args, arguments.source(args), bars, True, args.engine or "local") as found:
            images = found.drawn.images
            everything = args.train_sample == 0
            spec = sharded.spec_of_all(args, found.drawn) if everything else model_flags.usual_spec(args, images)
            before = check_place(args, spec, images.name) if first else None
            if everything:
                staged = sharded.trained_on_all(found, spec, args, bars)
            else:
                if args.fresh:
                    stages.begin_anew(found.store, spec, images, bars)
                made = stages.model(found.store, spec, images, bars, found.device)
                assert isinstance(made.value, TrainedModel)
                staged = Staged(made.value, made.key, made.found, made.seconds)
            bars.close()
    if not first:
        return 0
    of = f"{inputs.about(images)}, of {found.drawn.n:,} in {len(found.shards):,} shards"
    return keep(args, bars, Trained(staged, spec, images.name, of), before)


def keep(args: argparse.Namespace, bars: Bars, made: Trained, before: TrainedModel | None) -> int:
    """Keep a model where the flags say, and tell of it."""
    model = made.model.value
    place = _keep(model, args, before)
    last = model.history[-1]
    losses = f"training loss {last.train_loss:.5f}"
    if last.validation_loss is not None:
        losses += f", validation loss {last.validation_loss:.5f}"
    how = "found in the store" if made.model.found else f"trained in {made.model.seconds:.1f} s"
    print(f"{made.learnt}: {made.about}")
    print(f"model: {len(model.history)} epochs {how}, {losses}")
    print(f"kept in {place}")
    if bars.stop:
        print(f"Stopped after {len(model.history)} of {made.spec.training.epochs} epochs. {GO_ON}", file=sys.stderr)
        return 130
    return 0


def check_name(args: argparse.Namespace) -> None:
    if args.name is not None:
        checkpoints.checked_name(args.name)
    elif args.out.suffix != ".safetensors":
        raise ConfigError(f"The model file {args.out.name!r} must end in .safetensors.")


def check_place(args: argparse.Namespace, spec: TrainSpec, learnt: str) -> TrainedModel | None:
    """Check that the model can be kept where the flags say; return what lies there when it is its own first epochs.

    Raises
    ------
    ConfigError : there is a model of this name, or of other images than those named `learnt`. ExportError : there is a file.
    """
    place = args.out if args.name is None else checkpoints.models_root() / checkpoints.checked_name(args.name)
    before = _stopped_before(place, spec)
    if args.name is None:
        outputs.check_new(args.out, args.overwrite or before is not None)
        before = None if args.overwrite else before
    elif before is None and args.name in checkpoints.names(checkpoints.models_root()):
        raise ConfigError(f"There is a model {args.name!r} already; choose another name.")
    if before is not None and before.trained_on != learnt:
        raise ConfigError(f"{args.name or args.out} is a model of other images already; choose another name.")
    return before


def _stopped_before(place: Path, spec: TrainSpec) -> TrainedModel | None:
    """Return the model that the same training left at a place when it was stopped, or None."""
    try:
        model = checkpoints.read_checkpoint(place)
    except CheckpointError:
        return None
    planned = model.training and replace(model.training, epochs=spec.training.epochs)
    same = (model.autoencoder, planned) == (spec.autoencoder, spec.training)
    return model if same and model.stopped_early else None


def _keep(model: TrainedModel, args: argparse.Namespace, before: TrainedModel | None) -> Path:
    if args.name is None:
        outputs.attempt(args.out, lambda: checkpoints.write_checkpoint(model, args.out))
        return Path(args.out)
    if before is None:
        return checkpoints.keep(model, args.name, checkpoints.models_root())
    directory = checkpoints.models_root() / args.name
    checkpoints.save(model, directory)
    return directory

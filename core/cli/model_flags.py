"""The model that the flags of the command line ask for: one there is, or one to be trained."""

import argparse
import dataclasses
from dataclasses import replace
from pathlib import Path

from core import checkpoints, pretrained
from core.architectures import architecture
from core.cli.given import absolute, flags_given, setting_names, with_flags
from core.cli.parser import LAYERS, TRAINING, flag_of
from core.config import AutoencoderConfig, ClassifierConfig, FeaturesConfig, LayersConfig, ModelConfig
from core.errors import ConfigError
from core.images import SAMPLES, ImageSet, Source, parse_source
from core.plans import CheckpointFile, KeptModel, ModelRef, TrainedClassifier, TrainSpec
from core.recipes import Recipe
from core.usual_training import usual


def train_spec(args: argparse.Namespace, base: TrainSpec | None = None) -> TrainSpec:
    """Return the model and training that the flags ask for, the rest as in `base`."""
    base = base or TrainSpec()
    if args.features is not None:
        base = replace(base, autoencoder=_features(args), training=pretrained.TRAINING)
    elif args.features_weights is not None:
        raise ConfigError("--features-weights needs --features, the name of the network.")
    spec = replace(base, autoencoder=_autoencoder(args, base.autoencoder), training=with_flags(base.training, args))
    if args.train_data is not None:
        spec = replace(spec, data=learnt_from(args))
    if args.validation_data is not None:
        spec = replace(spec, validation=parse_source(args.validation_data, None, args.size, args.limit))
    every = args.checkpoint_every
    if every is not None and every < 0:
        raise ConfigError(f"--checkpoint-every {every} must be 0 or more.")
    return spec if every is None else replace(spec, checkpoint_every=every)


def learnt_from(args: argparse.Namespace) -> Source | None:
    """Return the images that `--train-data` names, or None."""
    return None if args.train_data is None else parse_source(args.train_data, None, args.size, args.limit)


def usual_spec(args: argparse.Namespace, learnt: ImageSet, k: int | None = None, n: int | None = None) -> TrainSpec:
    """Return the model and training that the flags ask for, the rest as is usual for these images in k groups.

    What has its own architecture or features is trained plainly. k is else the number of their classes, if they have any,
    and n that of the images that are learnt from, where `learnt` are only some of them.
    """
    if flags_given(args, ("architecture", "encoder", "decoder", "features")):
        return train_spec(args)
    return train_spec(args, usual(learnt.image_shape, n or len(learnt), k or len(learnt.classes)))


def model(args: argparse.Namespace, recipe: Recipe) -> ModelRef | None:
    """Return the model to use: `--model`, else the recipe's with the flags' settings.

    None is the sample's own, or one that is yet to be trained as is usual for the images, with the flags' settings.

    Raises
    ------
    ConfigError : `--model` and settings of a training were both given.
    """
    if isinstance(recipe.model, TrainedClassifier) or args.command == "classify":
        base = (
            recipe.model if isinstance(recipe.model, TrainedClassifier) else TrainedClassifier(ClassifierConfig(), "")
        )
        return _classifier(args, base)
    given = training_given(args)
    if args.model is not None:
        if given:
            raise ConfigError(f"{flag_of(given[0])} is for training; it cannot be given with --model {args.model}.")
        known = (*SAMPLES, *checkpoints.names(checkpoints.models_root()))
        path = Path(args.model).expanduser()
        named = args.model in known or not (path.exists() or path.suffix or len(path.parts) > 1)
        return KeptModel(args.model) if named else CheckpointFile(str(path.absolute()))
    if isinstance(recipe.model, TrainSpec):
        return train_spec(args, recipe.model)
    if given:
        train_spec(args)  # a mistake is told before anything is read
        return None
    return recipe.model


def training_given(args: argparse.Namespace) -> list[str]:
    """Return the flags that were given and that only a training has a use for."""
    return flags_given(
        args, (*setting_names(TRAINING) - {"seed"}, *LAYERS, "train_data", "validation_data", "checkpoint_every")
    )


def _classifier(args: argparse.Namespace, base: TrainedClassifier) -> TrainedClassifier:
    found = replace(base, config=with_flags(base.config, args))
    if args.weights is not None:
        found = replace(found, weights=absolute(args.weights))
    if args.classes is not None:
        found = replace(found, classes=absolute(args.classes))
    if not found.weights:
        flag = "--classifier-weights" if args.command == "review" else "--weights"
        raise ConfigError(f"{flag} is needed: the file of the classifier's weights.")
    return replace(found, compared=False) if args.ignore_labels else found


def _features(args: argparse.Namespace) -> FeaturesConfig:
    for name in flags_given(args, ("architecture", "encoder", "decoder")):
        raise ConfigError(f"{flag_of(name)} cannot be given with --features, which bring a decoder of their own.")
    return pretrained.choose(args.features, args.features_weights or "")


def _autoencoder(args: argparse.Namespace, base: ModelConfig) -> ModelConfig:
    if args.architecture is not None:
        base = architecture(args.architecture)
    if (args.encoder is None) != (args.decoder is None):
        raise ConfigError("--encoder and --decoder must be given together.")
    if args.encoder is not None:
        base = LayersConfig(args.encoder, args.decoder)
    own = {field.name for field in dataclasses.fields(base)}
    for name in flags_given(args, setting_names((AutoencoderConfig, LayersConfig)) - own):
        raise ConfigError(f"{flag_of(name)} is not a setting of this architecture.")
    made: ModelConfig = with_flags(
        base, args, without=("encoder", "decoder", "weights")
    )  # of a classifier, as a flag
    return made

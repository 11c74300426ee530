"""Five published systems and the program's own as data, and any plan as a recipe in JSON that runs again to the same result.

A recipe is a plan without its images, with names for people. What a recipe says can all be said with other settings too.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from core import config, roots
from core.architectures import ARCHITECTURES
from core.config import (
    ClassifierConfig,
    ClusterConfig,
    KernelPCAConfig,
    KMeansConfig,
    MiniBatchKMeansConfig,
    PCAConfig,
    ProjectionConfig,
    ReductionConfig,
    TrainingConfig,
    TSNEConfig,
    clusters_of,
    with_clusters,
)
from core.errors import ConfigError
from core.images import SAMPLES, ImageSet, SampleSource, Source, base_of, parts_of, source_from_json, source_to_json
from core.plans import CheckpointFile, KeptModel, ModelRef, Plan, StoredModel, TrainedClassifier, TrainSpec
from core.readers.json_text import parsed
from core.readers.opening import open_file, size_of
from core.usual_training import usual
from core.ways import UMAP, WAYS

DEFAULT_CLUSTERS = 10
LIMIT_BYTES = 10 << 20


@dataclass(frozen=True)
class Parts:
    """Which part of a data set is learnt from, which validated on, which mapped, where it has such parts."""

    train: str = "train"
    validation: str | None = None
    map: str = "train"


@dataclass(frozen=True)
class Recipe:
    """A plan without its images.

    Parameters
    ----------
    model : None is the sample's own for a sample, and what `core.usual_training` says for other images.
    n_clusters : None is the number of classes, or 10 without labels; `cluster` says the rest. A method that finds the number
        itself has no use for it.
    parts : None maps the images that are given and learns from them.
    source : the images it was run on, if it was.
    start : settings of the t-SNE map, begun anew, that this one's map goes on from; None begins it anew.
    """

    name: str = "default"
    summary: str = ""
    model: ModelRef | None = None
    reduction: ReductionConfig = field(default_factory=ReductionConfig)
    projection: ProjectionConfig = field(default_factory=TSNEConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    n_clusters: int | None = None
    known: str = ""
    metadata: str = ""
    parts: Parts | None = None
    others: tuple[Plan, ...] = ()
    source: Source | None = None
    start: ProjectionConfig | None = None


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                "conv-pool",
                "unlabelled colour images in two groups: kernel PCA to 200, t-SNE, clusters of the map",
                TrainSpec(
                    ARCHITECTURES["conv-pool"].config,
                    TrainingConfig("mse", "adam", 1e-5, 1e-5, 64, 100, 0.0),
                    checkpoint_every=10,
                ),
                ReductionConfig(method=KernelPCAConfig(200)),
                TSNEConfig(),
                ClusterConfig(MiniBatchKMeansConfig(2), "projection"),
                n_clusters=2,
                parts=Parts("train", None, "train"),
            ),
            Recipe(
                "strided-small",
                "the small baseline: standardised latents, PCA to 32, two clusters, labels flipped by five known images",
                TrainSpec(
                    ARCHITECTURES["strided-small"].config, TrainingConfig("l1", "adam", 1e-3, 0.0, 32, 20, 0.0)
                ),
                ReductionConfig(True, PCAConfig(32)),
                TSNEConfig(),
                ClusterConfig(KMeansConfig(2), "reduced"),
                n_clusters=2,
                known="first:5=0",
                parts=Parts("train", None, "train"),
            ),
            Recipe(
                "conv-mnist",
                "digits learnt from one part, validated on another after each epoch, whose latents are mapped",
                TrainSpec(
                    ARCHITECTURES["conv-mnist"].config, TrainingConfig("mse", "adamw", 1e-3, 1e-5, 256, 20, 0.0)
                ),
                parts=Parts("train", "test", "test"),
            ),
            Recipe(
                "deep-bn",
                "digits in 24 numbers each by a tiny batch-normalised autoencoder, mapped with the classes' names",
                TrainSpec(ARCHITECTURES["deep-bn"].config, TrainingConfig("l1", "adam", 5e-4, 0.0, 100, 20, 0.0)),
                parts=Parts("train", "test", "test"),
            ),
            Recipe(
                "manifold",
                "the program's own way: its autoencoder, UMAP to 10 dimensions, a Gaussian mixture, and a t-SNE map",
                reduction=WAYS[UMAP].reduction or ReductionConfig(),
                cluster=WAYS[UMAP].cluster,
            ),
            Recipe(
                "classifier",
                "what a trained classifier sees: its predictions, and its second last layer as latents",
                TrainedClassifier(ClassifierConfig("vgg16", "classifier.4"), ""),
            ),
        )
    }
)


def find(name: str) -> Recipe:
    """Return a recipe by its name, or from the file that a run wrote.

    Raises
    ------
    ConfigError : there is none, or the file is not a recipe. DataError : the file may not be opened.
    """
    if name in RECIPES:
        return RECIPES[name]
    try:
        path = Path(name).expanduser()
    except RuntimeError as error:  # ~somebody who is not known
        raise ConfigError(f"The folder that {name[:80]!r} begins with is not known.") from error
    if path.suffix.lower() != ".json":
        raise ConfigError(f"There is no recipe {name!r}; there are {', '.join(RECIPES)}, and recipe.json of any run.")
    roots.check(path)
    try:
        with open_file(path) as file:
            if size_of(file) > LIMIT_BYTES:
                raise ConfigError(f"{path.name} has more than {LIMIT_BYTES >> 20} MiB; it is no recipe.")
            values = parsed(file.read(), paths=True)
    except OSError as error:
        raise ConfigError(f"The recipe {path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ConfigError(f"The recipe {path} is not JSON, or no path.") from error
    return from_json(values)


def plan_of(recipe: Recipe, source: Source, found: ImageSet) -> Plan:
    """Return the plan of a recipe for these images, whose model also learns from them where the recipe names none.

    Raises
    ------
    ConfigError : a setting cannot work.
    """
    k = recipe.n_clusters or len(found.classes) or min(DEFAULT_CLUSTERS, len(found))
    cluster = replace(recipe.cluster, method=with_clusters(recipe.cluster.method, k))
    model = model_of(recipe, source, found)
    plan = Plan(
        source, model, recipe.reduction, recipe.projection, cluster, recipe.known,
        metadata=recipe.metadata, start=recipe.start,
    )  # fmt: skip
    return replace(plan, others=tuple(replace(other, source=source) for other in recipe.others))


def model_of(recipe: Recipe, source: Source, learnt: ImageSet) -> ModelRef:
    """Return the model of a recipe for images of this source; one that is yet to be trained learns from `learnt`."""
    if recipe.model is not None:
        return recipe.model
    base = base_of(source)
    if isinstance(base, SampleSource) and base.name in SAMPLES:
        return KeptModel(base.name)
    return usual(learnt.image_shape, len(learnt), recipe.n_clusters or len(learnt.classes))


def with_parts(recipe: Recipe, source: Source) -> tuple[Recipe, Source]:
    """Let a recipe learn from one part of a data set and map another, where the data set has the parts it names."""
    parts, found = recipe.parts, parts_of(source)
    if parts is None or not isinstance(recipe.model, TrainSpec) or recipe.model.data is not None:
        return recipe, source
    if not {parts.train, parts.map, parts.validation or parts.train} <= set(found):
        return recipe, source
    data = None if parts.train == parts.map else found[parts.train]
    validation = None if parts.validation is None else found[parts.validation]
    return replace(recipe, model=replace(recipe.model, data=data, validation=validation)), found[parts.map]


def spec_for(recipe: Recipe, whole: Source, mapped: Source) -> ModelRef | None:
    """Return a recipe's model for a map of some images.

    Parameters
    ----------
    whole : the data set with all its parts, of which the recipe may name one to learn from.
    mapped : the images on the map, one of the parts or all.
    """
    fitted, own = with_parts(recipe, whole)
    if not isinstance(fitted.model, TrainSpec) or fitted.model.data is not None:
        return fitted.model
    is_part = own in parts_of(whole).values()
    return replace(fitted.model, data=own) if is_part and own != mapped else fitted.model


def of_plan(plan: Plan, name: str, summary: str = "") -> Recipe:
    """Return a finished plan as a recipe that runs again to the same result."""
    return Recipe(
        name, summary, plan.model, plan.reduction, plan.projection, plan.cluster,
        clusters_of(plan.cluster.method), plan.known, plan.metadata, None, plan.others, plan.source,
        plan.start,
    )  # fmt: skip


def to_json(recipe: Recipe) -> dict[str, Any]:
    """Turn a recipe into plain JSON values."""
    values: dict[str, Any] = plain(recipe)
    return values


def from_json(values: Any) -> Recipe:
    """Rebuild a recipe from `to_json`'s values.

    Raises
    ------
    ConfigError : they are not a recipe's. DataError : there is no sample of this name.
    """
    try:
        recipe = rebuilt(values)
    except (TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ConfigError(f"This is not a recipe that can be read: {str(error).rstrip('.')}.") from error
    if not isinstance(recipe, Recipe):
        raise ConfigError("The file is not a recipe that a run wrote.")
    return recipe


_OWN: tuple[type, ...] = (Recipe, Parts, Plan, TrainSpec, KeptModel, CheckpointFile, StoredModel, TrainedClassifier)


def plain(value: Any) -> Any:
    """Turn a recipe, plan, model or source into plain JSON values; each says its type."""
    if isinstance(value, Source):
        return source_to_json(value)
    if isinstance(value, _OWN) and dataclasses.is_dataclass(value):
        fields = {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
        if fields.get("start", value) is None:  # runs of before there was this setting are found again
            del fields["start"]
        return {"type": type(value).__name__, **fields}
    if dataclasses.is_dataclass(value):
        return config.to_json(value)
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def rebuilt(value: Any) -> Any:
    """Rebuild what `plain` turned into JSON; raises ValueError, TypeError or our own errors when it is none of it."""
    if isinstance(value, list):
        return tuple(rebuilt(each) for each in value)
    if not isinstance(value, Mapping):
        return value
    kind = value.get("type")
    own = {cls.__name__: cls for cls in _OWN}
    if kind in own:
        return _checked(own[kind](**{name: rebuilt(each) for name, each in value.items() if name != "type"}))
    return source_from_json(value) if str(kind).endswith("Source") else config.from_json(value)


def _checked(made: Any) -> Any:
    """Return what was rebuilt when each of its fields is of the type that its class says; raises TypeError else."""
    for name, kind in get_type_hints(type(made)).items():
        if not _is(getattr(made, name), kind):
            raise TypeError(f"{type(made).__name__} cannot have {str(getattr(made, name))[:40]!r} as {name}")
    return made


def _is(value: Any, kind: Any) -> bool:
    if get_origin(kind) in (Union, UnionType):
        return any(_is(value, each) for each in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is(each, get_args(kind)[0]) for each in value)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))

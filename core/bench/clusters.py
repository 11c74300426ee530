"""How right clusters are that were found without a label: of pixels, of published systems, of features, as the program begins.

Labels score what came out, at the end, and tell how many groups there are; nothing else looks at them.
"""

import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from core import pipeline, plans, pretrained, quality, recipes, ways
from core.architectures import fits
from core.clustering import cluster
from core.config import KMeansConfig, PCAConfig, TSNEConfig, UMAPConfig
from core.errors import ConfigError
from core.images import ImageSet, Source, parse_source
from core.models import TrainedModel
from core.neighbours import searcher
from core.plans import Plan, Results, StoredModel, TrainSpec, some
from core.progress import Callback, ignore
from core.projection.sampling import JUDGED, kept
from core.recipes import RECIPES
from core.store import Store
from core.usual_training import usual

NAME = "clusters"
WHAT = "how right clusters without a label are: of pixels, published systems, features, the default; labels only score them"
PIXELS, FEATURES, DEFAULT, MAPS = "pixels", "features", "default", "maps"
SYSTEMS = ("conv-pool", "strided-small", "conv-mnist", "deep-bn")
METHODS = (PIXELS, *SYSTEMS, FEATURES, DEFAULT, MAPS)
NETWORK = "efficientnet-lite0"  # that features are of: its weights come in a package
NEIGHBOURS = 15  # training images whose clusters decide that of a test image
SCORES = ("accuracy", "nmi", "ari")


@dataclass(frozen=True)
class Row:
    """One way, one seed, one group of images.

    Parameters
    ----------
    of : the images that are scored: "learnt from", "test part" or "both".
    accuracy, nmi, ari : against the labels, as `core.quality` says; None of a map.
    silhouette : of the clusters, without labels; None of images that the clusters were not made of.
    minutes : of training; None where nothing was trained for it.
    trustworthiness, kept : of a map in 2-D: see `core.quality`, and the share of the 10 nearest that is kept.
    """

    data: str
    method: str
    seed: int
    of: str
    n: int
    accuracy: float | None = None
    nmi: float | None = None
    ari: float | None = None
    silhouette: float | None = None
    error: float | None = None
    minutes: float | None = None
    trustworthiness: float | None = None
    kept: float | None = None


@dataclass(frozen=True)
class Given:
    """What is to be clustered: images to learn from, and a test part or None, with a store for what comes of them."""

    store: Store
    source: Source
    images: ImageSet
    test: tuple[Source, ImageSet] | None
    callback: Callback = ignore

    @property
    def k(self) -> int:
        """Number of groups."""
        return len(self.images.classes)


def here() -> tuple[str, ...]:
    """Return the methods that can be run on this computer: features need their weights."""
    return tuple(name for name in METHODS if name != FEATURES or NETWORK in pretrained.available())


def run(
    store: Store,
    data: str,
    test: str | None,
    methods: Sequence[str],
    seeds: Sequence[int],
    told: Callable[[Row], object],
    callback: Callback = ignore,
) -> list[Row]:
    """Cluster by each method with each seed, and tell each row as it is known.

    Raises
    ------
    ConfigError : there is no such method, the images have no labels to score by, or weights are not on this computer.
    """
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise ConfigError(f"There is no method {unknown[0]!r}; there are {', '.join(METHODS)}.")
    if FEATURES in methods:
        pretrained.choose(NETWORK)  # says now what to install, not after hours
    source = parse_source(data)
    images = pipeline.run(store, Plan(source), "images", callback).images.value
    if images.y is None:
        raise ConfigError(f"{images.name} has no labels, so nothing tells how right clusters are.")
    other = None
    if test is not None:
        other = (parse_source(test), pipeline.run(store, Plan(parse_source(test)), "images", callback).images.value)
    given, rows = Given(store, source, images, other, callback), []
    for method in methods:
        if method in SYSTEMS and not fits(_spec(method).autoencoder, images.image_shape):
            continue
        for seed in seeds:
            work = {PIXELS: _pixels, FEATURES: _features, DEFAULT: _default, MAPS: _maps}.get(method)
            for row in _system(given, method, seed) if work is None else work(given, seed):
                told(row)
                rows.append(row)
    return rows


def _pixels(given: Given, seed: int) -> list[Row]:
    flat = given.images.x.reshape(len(given.images), -1).astype(np.float32) / 255
    found = cluster(flat, KMeansConfig(given.k, seed=seed), given.callback).labels
    return [_row(given, PIXELS, seed, "learnt from", given.images, found)]


def _spec(name: str) -> TrainSpec:
    found = RECIPES[name].model
    assert isinstance(found, TrainSpec)
    return found


def _system(given: Given, name: str, seed: int) -> list[Row]:
    recipe = replace(RECIPES[name], n_clusters=given.k, known="", parts=None)
    plan = plans.reseeded(recipes.plan_of(recipe, given.source, given.images), seed)
    return [_of_results(given, name, seed, "learnt from", pipeline.run(given.store, plan, callback=given.callback))]


def _plan(given: Given, model: TrainSpec, seed: int) -> Plan:
    """Return what the program begins with for a model."""
    n = len(given.images)
    found = ways.usual(n)
    cluster = ways.cluster_of(found, n, given.k)
    return plans.reseeded(Plan(given.source, model, found.reduction or Plan.reduction, cluster=cluster), seed)


def _usual(given: Given, seed: int) -> Plan:
    """Return what the program begins with."""
    return _plan(given, usual(given.images.image_shape, len(given.images), given.k), seed)


def _clustered(given: Given, plan: Plan) -> Results:
    """Return the results of a plan without a map."""
    made = pipeline.run(given.store, plan, "manifold", given.callback)
    made = replace(made, on=plan.cluster.on)
    found = pipeline.clustering(given.store, pipeline.clustered(made), plan.cluster, given.callback)
    return replace(made, clustering=found)


def _default(given: Given, seed: int) -> list[Row]:
    return _of_plan(given, DEFAULT, _usual(given, seed), seed)


def _features(given: Given, seed: int) -> list[Row]:
    spec = TrainSpec(pretrained.choose(NETWORK), pretrained.TRAINING)
    return _of_plan(given, FEATURES, _plan(given, spec, seed), seed)


def _of_plan(given: Given, method: str, plan: Plan, seed: int) -> list[Row]:
    made = _clustered(given, plan)
    rows = [_of_results(given, method, seed, "learnt from", made)]
    if given.test is None:
        return rows
    source, images = given.test
    model = StoredModel(some(made.model).key)
    encoded = pipeline.run(given.store, Plan(source, model), "latents", given.callback).latents
    near = searcher(some(made.latents).value.latents, NEIGHBOURS, "euclidean")(some(encoded).value.latents)[1]
    labels = some(made.clustering).value.labels
    voted = np.array([np.bincount(labels[row], minlength=given.k).argmax() for row in near])
    rows.append(_row(given, method, seed, "test part", images, voted))
    with tempfile.TemporaryDirectory(prefix="embedding-explorer-") as folder:
        path = Path(folder) / "both.npz"
        assert given.images.y is not None and images.y is not None
        np.savez(
            path,
            x=np.concatenate([given.images.x, images.x]).squeeze(),
            y=np.concatenate([given.images.y, images.y]),
        )
        whole = replace(plan, source=parse_source(str(path)), model=model)
        rows.append(_of_results(given, method, seed, "both", _clustered(given, whole)))
    return rows


def _maps(given: Given, seed: int) -> list[Row]:
    """Return how much of the default latents' neighbourhoods each map keeps."""
    rows = []
    for config in (PCAConfig(2), TSNEConfig(2, seed=seed), UMAPConfig(2, seed=seed)):
        plan = replace(_usual(given, seed), projection=config)
        made = pipeline.run(given.store, plan, "projection", given.callback)
        values, places = some(made.reduced).value.values, some(made.projection).value.coordinates
        chosen = np.sort(np.random.default_rng(0).choice(len(values), min(JUDGED, len(values)), replace=False))
        name = f"map by {type(config).__name__.removesuffix('Config')}"
        rows.append(
            Row(
                given.images.name, name, seed, "learnt from", len(values),
                trustworthiness=quality.trustworthiness(values, places), kept=kept(values, places, chosen),
            )
        )  # fmt: skip
    return rows


def _of_results(given: Given, method: str, seed: int, of: str, made: Results) -> Row:
    clusters, model, encoded = some(made.clustering).value.labels, some(made.model).value, some(made.latents).value
    assert isinstance(model, TrainedModel) and encoded.errors is not None
    return replace(
        _row(given, method, seed, of, made.images.value, clusters),
        silhouette=quality.silhouette(pipeline.coordinates_of(pipeline.clustered(made).value), clusters),
        error=float(np.mean(encoded.errors)),
        minutes=sum(epoch.seconds for epoch in model.history) / 60 if of == "learnt from" else None,
    )


def _row(given: Given, method: str, seed: int, of: str, images: ImageSet, clusters: np.ndarray) -> Row:
    assert images.y is not None
    found = {name: getattr(quality, name)(clusters, images.y) for name in SCORES}
    return Row(given.images.name, method, seed, of, len(images), **found)


def table(rows: Sequence[Row]) -> str:
    """Write rows for people: mean over the seeds and, of several, the standard deviation."""
    groups: dict[tuple[str, str, str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.data, row.method, row.of, row.n), []).append(row)
    lines = []
    for (data, method, of, n), found in groups.items():
        told = []
        for name in (*SCORES, "silhouette", "error", "minutes", "trustworthiness", "kept"):
            values = [value for row in found if (value := getattr(row, name)) is not None]
            if values:
                spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 and name in SCORES else ""
                digits = 1 if name == "minutes" else 4
                told.append(f"{name} {statistics.mean(values):.{digits}f}{spread}")
        lines.append(f"{data}, {method}, {of} ({n:,} images, {len(found)} seeds): {', '.join(told)}")
    return "\n".join(lines)


def text(row: Row) -> str:
    """Write one row for people."""
    told = [f"{k} {v:.4f}" for k, v in asdict(row).items() if isinstance(v, float)]
    return f"{row.method}, seed {row.seed}, {row.of}: {', '.join(told)}"


def as_json(rows: Sequence[Row]) -> str:
    """Write rows as JSON, so that those of several runs can be put together."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def from_json(text: str) -> list[Row]:
    """Read what `as_json` wrote."""
    values: list[Mapping[str, object]] = json.loads(text)
    return [Row(**value) for value in values]  # type: ignore[arg-type]

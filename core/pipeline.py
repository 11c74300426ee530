"""The stages joined: the dashboard, the command line and the worker all call this."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core import known, metadata, models
from core.clustering import Clustering, of_labels
from core.config import to_json
from core.ensemble import combine
from core.entries import clustering_arrays, clustering_of, staged_in
from core.errors import ConfigError
from core.images import assets_root
from core.keys import (
    ensemble_key,
    model_key,
)
from core.models import TrainedModel
from core.moving import projection
from core.plans import (
    STAGES,
    AnyModel,
    Plan,
    Results,
    Staged,
    StageName,
    TrainSpec,
    some,
)
from core.progress import Callback, Cancelled, ignore
from core.stages import clustered, clustering, coordinates_of, images, latents, manifold, model, reduced
from core.store import Store, default_root


def open_store(root: Path | None = None) -> Store:
    """Open the store with the results that ship beside the samples."""
    return Store(root or default_root(), shipped=assets_root() / "store")


def run(
    store: Store, plan: Plan, upto: StageName = "clustering", callback: Callback = ignore, device: str | None = None
) -> Results:
    """Make or find every stage of a plan up to `upto`, but for coordinates that only clusters need.

    Raises
    ------
    ExplorerError : any error of a stage. Cancelled passes through; training keeps its complete epochs.
    """
    last = STAGES.index(upto)
    results = Results(images(store, plan.source, callback), plan=plan)
    if last >= 1:
        results = replace(results, model=model(store, plan.model, results.images.value, callback, device))
    if last >= 2:
        encoded = latents(store, some(results.model).value, results.images, plan.source, callback, device)
        results = replace(results, latents=encoded)
    if last >= 3:
        results = replace(results, reduced=reduced(store, some(results.latents), plan.reduction))
    if upto == "manifold" or (upto == "clustering" and plan.cluster.on == "manifold"):
        results = replace(results, manifold=manifold(store, some(results.reduced), plan.cluster.manifold, callback))
    if last >= 5:
        results = replace(
            results, projection=projection(store, some(results.reduced), plan.projection, plan.start, callback)
        )
    if last >= 6:
        results = replace(results, on=plan.cluster.on)
        results = replace(results, clustering=_clusters(store, plan, results, callback, device))
        results = attached(results, plan)
    return results


def attached(results: Results, plan: Plan) -> Results:
    """Add what the plan says is known beside the images: labels known beforehand, and a table of further values.

    Raises
    ------
    ConfigError, DataError : they cannot be read or do not fit the images.
    """
    if plan.metadata:
        found = metadata.attached(results.images.value, plan.metadata)
        results = replace(results, images=replace(results.images, value=found))
    if not plan.known:
        return results
    found = results.images.value
    return replace(results, known=known.parse(plan.known, found.ids, found.y, found.classes))


def _clusters(
    store: Store, plan: Plan, results: Results, callback: Callback, device: str | None
) -> Staged[Clustering]:
    own = clustering(store, clustered(results), plan.cluster, callback)
    if not plan.others:
        return own
    members = [(some(results.model).value, plan)]
    for other in plan.others:
        if other.source != plan.source:
            raise ConfigError("The runs of an ensemble must be of the same images.")
        members.append((model(store, other.model, results.images.value, callback, device).value, other))

    def labels_of(member: AnyModel, other: Plan) -> np.ndarray:
        here = Results(results.images, on=other.cluster.on)
        here = replace(here, latents=latents(store, member, results.images, plan.source, callback, device))
        if here.on != "latents":
            here = replace(here, reduced=reduced(store, some(here.latents), other.reduction))
        if here.on == "manifold":
            here = replace(here, manifold=manifold(store, some(here.reduced), other.cluster.manifold, callback))
        if here.on == "projection":
            here = replace(
                here, projection=projection(store, some(here.reduced), other.projection, other.start, callback)
            )
        return clustering(store, clustered(here), other.cluster, callback).value.labels

    return ensemble(
        store, results, members, lambda: [own.value.labels, *(labels_of(*m) for m in members[1:])], callback
    )


def ensemble(
    store: Store,
    results: Results,
    members: Sequence[tuple[AnyModel, Plan]],
    labels: Callable[[], list[np.ndarray]],
    callback: Callback = ignore,
) -> Staged[Clustering]:
    """Combine the clusters of several plans by vote; `labels` gives each member's, int32 (n,), when they are needed."""
    values = coordinates_of(clustered(results).value)
    return staged_in(
        store,
        "clustering",
        ensemble_key(results.images.value, members),
        lambda: _vote(labels(), values),
        clustering_arrays,
        clustering_of,
        lambda v: {
            "members": [to_json(plan.cluster) for _, plan in members], "n": len(values), "inertia": v.inertia, "n_iter": 0
        },
        callback,
    )  # fmt: skip


def voted(store: Store, key: str) -> Staged[Clustering]:
    """Return an ensemble's vote that lies in the store.

    Raises
    ------
    Cancelled : it is not there any more.
    """
    entry = store.get("clustering", key)
    if entry is None:
        raise Cancelled
    return Staged(clustering_of(entry), key, True, entry.seconds)


def _vote(labels: list[np.ndarray], values: np.ndarray) -> Clustering:
    found = combine(labels)
    whole = of_labels(values, found.labels, found.k)
    return replace(whole, confidence=found.confidence, agreement=found.agreement)


def checkpoints(store: Store, plan: Plan) -> dict[int, TrainedModel]:
    """Return the models that a plan's training kept on its way, by epoch, as far as they are still in the store."""
    spec = plan.model
    if not isinstance(spec, TrainSpec) or not spec.checkpoint_every:
        return {}
    learnt = images(store, spec.data or plan.source).value
    validation = None if spec.validation is None else images(store, spec.validation).value
    found = {}
    for epoch in range(spec.checkpoint_every, spec.training.epochs, spec.checkpoint_every):
        earlier = replace(spec, training=replace(spec.training, epochs=epoch))
        entry = store.get("model", model_key(learnt, earlier, validation))
        if entry is not None:
            found[epoch] = models.from_entry(entry)
    return found

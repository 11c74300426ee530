"""Analyses: what is computed from a plan's results beyond the stages, kept in the store like a stage.

An analysis is asked for by its config. `ANALYSES` says for each config's class how it is made, kept and read; a further
one is a module with such a config, and a line there. Its key holds only what it `needs`, so that it is found again
whatever else changes: one of the latents is the same for every map, k and colour.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from core import duplicates, evidence, neighbours, pipeline, spreading, stages, sweep
from core.config import AnalysisConfig, Metric, to_json
from core.duplicates import DuplicateConfig
from core.entries import staged_in
from core.errors import ConfigError
from core.evidence import SuspectConfig
from core.latents import Latents
from core.neighbours import Graph, GraphConfig
from core.plans import Plan, Results, Staged, StageName, some
from core.progress import Callback, ignore
from core.spreading import SpreadConfig
from core.stages import clustered, coordinates_of
from core.store import Entry, Store, fingerprint, key_of
from core.sweep import SweepConfig

Need = Literal["latents", "coordinates", "clustering", "labels"]
NO_INFO: Mapping[str, Any] = MappingProxyType({})


def _no_info(value: Any) -> Mapping[str, Any]:
    return NO_INFO


@dataclass(frozen=True)
class Analysis:
    """How an analysis is made and kept.

    Parameters
    ----------
    stage : its folder in the store.
    version : to be raised when its algorithm changes: what was kept before is then never found again.
    needs : what it is computed from: the latents, the coordinates that are clustered, the clusters, the labels.
    make : results that hold what it needs, its config, a callback, a function that gives another analysis of these
        results, and one that gives the latents' neighbours, at least so many by a metric, to its value.
    to_arrays : its value to arrays by name. from_entry : what the store holds back to its value.
    seconds : predicts how long it takes for n images of d numbers each.
    info : the rest of its value as plain JSON values.
    """

    stage: str
    version: int
    needs: tuple[Need, ...]
    make: Callable[[Results, Any, Callback, Callable[[AnalysisConfig], Any], Callable[[int, Metric], Graph]], Any]
    to_arrays: Callable[[Any], Mapping[str, np.ndarray]]
    from_entry: Callable[[Entry], Any]
    seconds: Callable[[Any, int, int], float]
    info: Callable[[Any], Mapping[str, Any]] = _no_info


ANALYSES: Mapping[type[AnalysisConfig], Analysis] = MappingProxyType(
    {
        GraphConfig: Analysis(
            "graph", 1, ("latents",),
            lambda found, asked, callback, other, near: near(asked.k, asked.metric).first(asked.k).light(),
            lambda v: {"rows": v.rows, "distances": v.distances},
            lambda e: neighbours.Graph(e.arrays["rows"], e.arrays["distances"]),
            neighbours.predict_seconds,
        ),
        SweepConfig: Analysis(
            "sweep", 2, ("coordinates",),
            lambda found, asked, callback, other, near: sweep.sweep(coordinates_of(clustered(found).value), asked, callback),
            sweep.to_arrays, sweep.from_entry, sweep.predict_seconds,
            lambda v: {"n": v.n, "fitted": v.fitted, "note": v.note},
        ),
        SuspectConfig: Analysis(
            "suspects", 1, ("latents", "clustering", "labels"),
            lambda found, asked, callback, other, near: _evidence(found, other(GraphConfig()), callback),
            evidence.to_arrays, evidence.from_entry,
            lambda asked, n, d: neighbours.predict_seconds(GraphConfig(), n, d) + 2e-4 * n,
            lambda v: {"of": v.of, "missing": dict(v.missing)},
        ),
        DuplicateConfig: Analysis(
            "duplicates", 1, ("latents",),
            lambda found, asked, callback, other, near: duplicates.search(
                found.images.value.x, other(GraphConfig()), asked, callback
            ),
            duplicates.to_arrays, duplicates.from_entry,
            lambda asked, n, d: neighbours.predict_seconds(GraphConfig(), n, d) + 2e-5 * n,
            lambda v: {"latent": v.thresholds.latent, "pixel": v.thresholds.pixel},
        ),
        SpreadConfig: Analysis(
            "spread", 1, ("latents",),
            lambda found, asked, callback, other, near: spreading.spread(
                other(GraphConfig()).first(asked.k), asked.given(len(found.images.value)), asked.n_classes, callback=callback
            ),
            lambda v: {"labels": v.labels, "confidence": v.confidence, "shares": v.shares},
            lambda e: spreading.Spread(
                e.arrays["labels"], e.arrays["confidence"], e.arrays["shares"], int(e.info["steps"]), bool(e.info["settled"])
            ),
            lambda asked, n, d: neighbours.predict_seconds(GraphConfig(), n, d) + 2e-4 * n,
            lambda v: {"steps": v.steps, "settled": v.settled},
        ),
    }
)  # fmt: skip


def _evidence(results: Results, graph: Graph, callback: Callback) -> evidence.Evidence:
    clustering, encoded = some(results.clustering).value, some(results.latents).value
    labels = None if results.images.value.y is None else results.images.value.y
    return evidence.gather(
        encoded.latents, graph, clustering.labels, labels, encoded.errors, clustering.confidence, callback
    )


def _neighbours(store: Store, encoded: Staged[Latents], k: int, metric: Metric, callback: Callback) -> Graph:
    values = encoded.value.latents
    if k < 1 or len(values) < 2:
        raise ConfigError(f"Neighbours need k of at least 1 and 2 images; here are k = {k} and {len(values)}.")
    return stages.neighbours(store, encoded.key, values, min(k, len(values) - 1), metric, callback)


def analysis_of(config: AnalysisConfig) -> Analysis:
    """Return how the analysis that a config asks for is made.

    Raises
    ------
    ConfigError : there is no such analysis.
    """
    found = ANALYSES.get(type(config))
    if found is None:
        raise ConfigError(f"{type(config).__name__} is not an analysis.")
    return found


def upto(plan: Plan, config: AnalysisConfig) -> StageName:
    """Return the last stage that an analysis needs of a plan."""
    needs = analysis_of(config).needs
    if "clustering" in needs:
        return "clustering"
    return plan.cluster.on if "coordinates" in needs else "latents"


def inputs(plan: Plan, config: AnalysisConfig) -> tuple[object, ...]:
    """Return the parts of a plan that decide an analysis, by which callers who ask for the same one share a job."""
    needs = analysis_of(config).needs
    parts: list[object] = [plan.source, plan.model]
    if {"coordinates", "clustering"} & set(needs):
        on = plan.cluster.on
        parts += [
            on,
            plan.reduction if on != "latents" else None,
            plan.cluster.manifold if on == "manifold" else None,
            (plan.projection, plan.start) if on == "projection" else None,
        ]
    if "clustering" in needs:
        parts += [plan.cluster, plan.others]
    if "labels" in needs:
        parts += [plan.known]
    return (*parts, config)


def key(results: Results, config: AnalysisConfig) -> str:
    """Return the key of an analysis of these results."""
    analysis = analysis_of(config)
    return key_of(analysis.version, *(_part(results, need) for need in analysis.needs), to_json(config))


def found(store: Store, results: Results, config: AnalysisConfig) -> Staged[Any] | None:
    """Return an analysis that the store holds, or None."""
    analysis, name = analysis_of(config), key(results, config)
    entry = store.get(analysis.stage, name)
    return None if entry is None else Staged(analysis.from_entry(entry), name, True, entry.seconds)


def of_results(store: Store, results: Results, config: AnalysisConfig, callback: Callback = ignore) -> Staged[Any]:
    """Find an analysis of results that are at hand, or make and keep it.

    Raises
    ------
    ExplorerError : any error of the analysis. Cancelled passes through, and nothing is kept.
    """
    analysis = analysis_of(config)
    return staged_in(
        store,
        analysis.stage,
        key(results, config),
        lambda: analysis.make(
            results,
            config,
            callback,
            lambda other: of_results(store, results, other, callback).value,
            lambda k, metric: _neighbours(store, some(results.latents), k, metric, callback),
        ),
        analysis.to_arrays,
        analysis.from_entry,
        lambda v: {"config": to_json(config), **analysis.info(v)},
        callback,
    )


def analyse(
    store: Store, plan: Plan, config: AnalysisConfig, callback: Callback = ignore, device: str | None = None
) -> Staged[Any]:
    """Find an analysis of a plan, or make and keep it with every stage that it needs.

    Raises
    ------
    ExplorerError : any error of a stage or of the analysis. Cancelled passes through.
    """
    last = upto(plan, config)
    results = pipeline.run(store, plan, last, callback, device)
    if last != "clustering":
        results = replace(results, on=plan.cluster.on)
        if "labels" in analysis_of(config).needs:
            results = pipeline.attached(results, plan)
    return of_results(store, results, config, callback)


def predict_seconds(results: Results, config: AnalysisConfig) -> float:
    """Predict the seconds that an analysis of these results takes."""
    analysis = analysis_of(config)
    on = some(results.latents) if "latents" in analysis.needs else clustered(results)
    return analysis.seconds(config, *coordinates_of(on.value).shape)


def _part(results: Results, need: Need) -> Any:
    """Return what stands in a key for a part of the results."""
    if need == "latents":
        return some(results.latents).key
    if need == "coordinates":
        return clustered(results).key
    if need == "clustering":
        return some(results.clustering).key
    images, known = results.images.value, results.known
    labels = [None if images.y is None else fingerprint(images.y), list(images.classes)]
    return [*labels, None if known is None else [fingerprint(known.y), list(known.classes)]]

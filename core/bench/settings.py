"""A setting that was seen before, found in the store, against computing it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import pipeline
from core.bench.data import Data
from core.bench.runner import Benchmark, Side
from core.config import ClusterConfig, KMeansConfig, TSNEConfig
from core.plans import Plan
from core.store import Store


@dataclass(frozen=True)
class _Prepared:
    store: Store
    plan: Plan


def _prepare(data: Data) -> _Prepared:
    plan = Plan(
        data.plan.source, data.plan.model, projection=TSNEConfig(n_iter=250), cluster=ClusterConfig(KMeansConfig(10))
    )
    pipeline.run(data.opened, plan)
    return _Prepared(data.opened, plan)


def _compute(prepared: _Prepared) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        empty = Store(Path(folder))
        return pipeline.run(empty, prepared.plan)


SEEN_BEFORE = Benchmark(
    name="seen-before",
    what="a t-SNE map and clusters with settings that were used before",
    prepare=_prepare,
    ours=Side("found in the store", lambda prepared: pipeline.run(prepared.store, prepared.plan)),
    theirs=Side("computed", _compute),
    target=100.0,
)

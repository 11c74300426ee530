"""Benchmarks: the same work by this program and by what it is held against, in turn, in one process.

Each benchmark is a module here with a `Benchmark`; `ALL` names them for `python -m core bench`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from core.bench.kernel_pca import KERNEL_PCA, KERNEL_PCA_MANY
from core.bench.kmeans import KMEANS
from core.bench.runner import Benchmark, Outcome, Side, report, run
from core.bench.settings import SEEN_BEFORE
from core.bench.umap_maps import UMAP_MAPS

ALL: Mapping[str, Benchmark] = MappingProxyType(
    {item.name: item for item in (SEEN_BEFORE, KERNEL_PCA, KERNEL_PCA_MANY, KMEANS, *UMAP_MAPS)}
)

__all__ = ["ALL", "Benchmark", "Outcome", "Side", "report", "run"]

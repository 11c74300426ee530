"""Benchmarks: the same work by this program and by what it is held against, in turn, in one process.

Each benchmark is a module here with a `Benchmark`; `ALL` names them for `python -m core bench`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from core.bench.runner import Benchmark, Outcome, Side, report, run
from core.bench.settings import SEEN_BEFORE
from core.bench.tsne import TSNE_2D, TSNE_3D, TSNE_LARGE, TSNE_PERPLEXITY

_EACH = (SEEN_BEFORE, TSNE_2D, TSNE_3D, TSNE_PERPLEXITY, TSNE_LARGE)
ALL: Mapping[str, Benchmark] = MappingProxyType({item.name: item for item in _EACH})

__all__ = ["ALL", "Benchmark", "Outcome", "Side", "report", "run"]

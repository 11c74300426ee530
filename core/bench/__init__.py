"""Benchmarks: the same work by this program and by what it is held against, in turn, in one process.

Each benchmark is a module here with a `Benchmark`; `ALL` names them for `python -m core bench`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from core.bench.browser import K_MOVED, MAP_BYTES, RECOLOUR_BYTES
from core.bench.encoding import ENCODE
from core.bench.runner import Benchmark, Outcome, Side, report, run
from core.bench.settings import SEEN_BEFORE
from core.bench.training import TRAINING

_IN_ORDER = (SEEN_BEFORE, K_MOVED, *TRAINING, ENCODE, MAP_BYTES, RECOLOUR_BYTES)
ALL: Mapping[str, Benchmark] = MappingProxyType({item.name: item for item in _IN_ORDER})

__all__ = ["ALL", "Benchmark", "Outcome", "Side", "report", "run"]

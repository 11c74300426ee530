"""Benchmarks: the same work by this program and by what it is held against, in turn, in one process.

Each benchmark is a module here with a `Benchmark`; `ALL` names them for `python -m core bench`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from core.bench.browser import K_MOVED, MAP_BYTES, RECOLOUR_BYTES
from core.bench.devices import TSNE_DEVICE
from core.bench.encoding import ENCODE, ENCODE_MEMORY
from core.bench.kernel_pca import KERNEL_PCA, KERNEL_PCA_MANY
from core.bench.kmeans import KMEANS
from core.bench.runner import Benchmark, Outcome, Side, report, run
from core.bench.settings import SEEN_BEFORE
from core.bench.training import TRAINING
from core.bench.tsne import TSNE_2D, TSNE_3D, TSNE_LARGE, TSNE_PERPLEXITY
from core.bench.umap_maps import UMAP_MAPS

_IN_ORDER = (
    SEEN_BEFORE, K_MOVED, TSNE_2D, TSNE_3D, TSNE_PERPLEXITY, TSNE_LARGE, KERNEL_PCA, KERNEL_PCA_MANY, KMEANS, *UMAP_MAPS,
    *TRAINING, ENCODE, ENCODE_MEMORY, TSNE_DEVICE, MAP_BYTES, RECOLOUR_BYTES,
)  # fmt: skip
ALL: Mapping[str, Benchmark] = MappingProxyType({item.name: item for item in _IN_ORDER})

__all__ = ["ALL", "Benchmark", "Outcome", "Side", "report", "run"]

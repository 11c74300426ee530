"""t-SNE's descent: from affinities and a first map to the map of least divergence."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from core.projection.tsne_forces import Graph, Repulsion, attraction

MOMENTUM = 0.9
# No point moves further in one iteration, in units of the map: none shoots off.
LONGEST = 5.0
# Gets the iterations done in all, the divergence and a copy of the map.
Watch = Callable[[int, float, np.ndarray], None]


class Descent:
    """Gradient descent on the Kullback-Leibler divergence between affinities and a map.

    Parameters
    ----------
    affinities : sparse (n, n), symmetric, summing to 1.
    start : (n, k), k from 1 to 3.
    threads : at most; the map is the same for any number.
    """

    def __init__(self, affinities: Any, start: np.ndarray, threads: int) -> None:
        n, k = start.shape
        self._k = k
        self._points = np.zeros((max(k, 2), n), np.float32)  # a line is a plane without height
        self._points[:k] = start.T
        self._step = np.zeros_like(self._points)
        self._gains = np.ones_like(self._points)
        self._graph: Graph = (
            affinities.indptr.astype(np.int32),
            affinities.indices.astype(np.int32),
            affinities.data.astype(np.float32),
        )
        p = affinities.data[affinities.data > 0]
        self._entropy = float((p * np.log(p)).sum())
        self._done = 0
        self._threads = threads
        self._repel = Repulsion(threads)

    @property
    def map(self) -> np.ndarray:
        """A copy of the map as it is now, float32 (n, k)."""
        return np.ascontiguousarray(self._points[: self._k].T)

    def run(self, iterations: int, exaggeration: float, every: int, watch: Watch) -> None:
        """Descend; `watch` is called before each `every`th iteration. What it raises ends the descent and passes through.

        The learning rate is n / exaggeration (Belkina et al., 2019), the gradient taken without its factor of 4.
        """
        from core.projection.tsne_kernels import move

        rate = np.float32(self._points.shape[1] / exaggeration)
        with ThreadPoolExecutor(max(1, self._threads - 1)) as pool:
            for _ in range(iterations):
                gradient, z = self._gradient(exaggeration, pool)
                if self._done and self._done % every == 0:
                    watch(self._done, self._divergence(z), self.map)
                self._done += 1
                move(self._points, gradient, self._step, self._gains, rate, np.float32(MOMENTUM), np.float32(LONGEST))

    def divergence(self) -> float:
        """Return the Kullback-Leibler divergence of the map as it is now, in nats."""
        return self._divergence(self._repel(self._points)[1])

    def gradient(self, exaggeration: float = 1.0) -> np.ndarray:
        """Return a quarter of the divergence's slope by each coordinate, float32 (k, n)."""
        with ThreadPoolExecutor(max(1, self._threads - 1)) as pool:
            return self._gradient(exaggeration, pool)[0][: self._k]

    def _gradient(self, exaggeration: float, pool: ThreadPoolExecutor) -> tuple[np.ndarray, float]:
        pull = attraction(self._graph, self._points, pool if self._threads > 1 else None, max(1, self._threads - 1))
        push, z = self._repel(self._points)
        gradient = pull()
        gradient *= np.float32(exaggeration)
        gradient -= push / np.float32(max(z, 1e-12))
        gradient[self._k :] = 0
        return gradient, z

    def _divergence(self, z: float) -> float:
        from core.projection.tsne_kernels import stretch

        return self._entropy + stretch(self._graph, self._points) + float(np.log(max(z, 1e-12)))

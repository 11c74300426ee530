"""Labels that a training gives its own images: clusters of their latents, where an image's neighbours all agree.

They sharpen the latents: what is surely one cluster is drawn together, and unsure images follow what the network then
says of them. Nothing here knows a label that people gave.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from core.clustering import MIXTURE_SAMPLE, cluster
from core.clustering.joining import joined
from core.config import GaussianMixtureConfig, UMAPConfig
from core.errors import ConfigError
from core.neighbours import search
from core.progress import Callback, ignore
from core.projection.umap_map import umap

SAMPLE = 20_000  # images that clusters are looked for among, at most
DIMENSIONS, NEIGHBOURS, STARTS = 10, 15, 10
FURTHER = 100  # neighbours, of few images as many as a fourth of a cluster, that say which parts are of one cluster
PARTS = 1.2  # a cluster: so many the mixture has, and they are joined
REGULAR = 1e-4  # added to variances against clusters thin as a line; in the mixture a share of the mean one
CORE = 0.7  # of a cluster's images, those nearest its centre, may be learnt from
SURE = 0.95  # probability from which a class that the network gives an image is learnt from
SCALE = 10.0  # of the cosines that the head makes probabilities of


@dataclass(frozen=True)
class SelfLabels:
    """What one search found: `rows` int64 (m,) of the images it is sure of, and their `labels` int64 (m,) in 0..k - 1."""

    rows: np.ndarray
    labels: np.ndarray


def check_size(k: int, n: int) -> None:
    """Raise ConfigError when n images are too few to be given k labels."""
    fewest = max(2 * k, NEIGHBOURS + 2)  # one neighbour at least beside those of the manifold
    if k and n < fewest:
        raise ConfigError(f"self_label_clusters {k} needs at least {fewest} images; there are {n}.")


def sample(rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the rows among which clusters are looked for, in order: all, or a random `SAMPLE` of more."""
    return rows if len(rows) <= SAMPLE else np.sort(random.choice(rows, SAMPLE, replace=False))


def find(rows: np.ndarray, latents: np.ndarray, k: int, seed: int, callback: Callback = ignore) -> SelfLabels:
    """Cluster the latents, float32 (m, d), of images of these rows, and keep those that are surely of their cluster.

    They are near the centre of their part, of which a cluster may have several, and their neighbours are all of the cluster:
    15, of few images as many as a fourth of a cluster.

    Notes
    -----
    UMAP to 10 dimensions and a Gaussian mixture, as in McConville et al.: N2D (2019). Learning from those that neighbours
    agree about: Van Gansbeke et al.: SCAN (ECCV 2020); from those near a centre: Niu et al.: SPICE (IEEE TIP 2022).
    """
    graph = search(latents, max(NEIGHBOURS + 1, min(FURTHER, len(rows) // (4 * k))), "euclidean", callback)
    unfolded = umap(latents, UMAPConfig(DIMENSIONS, NEIGHBOURS, 0.0, seed=seed), callback, graph=graph)
    count = math.ceil(PARTS * k)
    method = GaussianMixtureConfig(count, reg_covar=REGULAR, n_init=STARTS, seed=seed, start_sample=MIXTURE_SAMPLE)
    parts = cluster(unfolded, method, callback).labels
    labels = joined(parts, graph.rows[:, NEIGHBOURS:], k)
    asked = min(NEIGHBOURS, max(1, len(rows) // (4 * k)))
    agreed = (labels[graph.rows[:, :asked]] == labels[:, None]).all(axis=1)
    agreed &= _central(unfolded, parts)
    return SelfLabels(rows[agreed].astype(np.int64), labels[agreed].astype(np.int64))


def _central(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Say which rows of values (m, d) are among the `CORE` of their cluster nearest its centre, by Mahalanobis distance."""
    inside = np.zeros(len(values), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        offset = values[own].astype(np.float64) - values[own].mean(axis=0, dtype=np.float64)
        spread = offset.T @ offset / len(own) + REGULAR * np.eye(values.shape[1])
        distance = (offset * np.linalg.solve(spread, offset.T).T).sum(axis=1)
        inside[own[np.argsort(distance, kind="stable")[: math.ceil(CORE * len(own))]]] = True
    return inside


class Head(nn.Module):
    """Says from the direction of latents (b, d) which of k labels an image has: (b, k), to be made probabilities of."""

    def __init__(self, d: int, k: int, seed: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(k, d)), nn.Parameter(torch.empty(k))
        self.begin(seed)

    def begin(self, seed: int) -> None:
        """Set the weights to random ones."""
        bound = self.weight.shape[1] ** -0.5
        random = np.random.default_rng(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                drawn = random.uniform(-bound, bound, tuple(parameter.shape)).astype(np.float32)
                parameter.copy_(torch.from_numpy(drawn))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the scores of each label."""
        return functional.linear(functional.normalize(latents, dim=1) * SCALE, self.weight, self.bias)


def agreement_loss(plain: torch.Tensor, views: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Return how far views are from what the network is sure that the plain images are: scores (b, k) each, in nats.

    Notes
    -----
    Sohn et al.: FixMatch (NeurIPS 2020).
    """
    probability, label = plain.detach().softmax(dim=1).max(dim=1)
    sure = (probability > SURE).to(plain.dtype)
    losses = [functional.cross_entropy(view, label, reduction="none") * sure for view in views]
    return torch.stack([loss.mean() for loss in losses]).sum()

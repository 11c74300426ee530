"""How good a map and its clusters are: each score with its formula and source."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from core.errors import DataError

SILHOUETTE_SAMPLE = 2000

EXPLANATIONS: Mapping[str, str] = MappingProxyType(
    {
        "n": "Number of images.",
        "k": "Number of clusters.",
        "noise": "Share of images that are in no cluster. They count as wrong in the accuracy, as one more group in NMI and "
        "ARI, and are left out of the silhouette.",
        "accuracy": "Share of images whose cluster stands for their class, each cluster paired with one class as well as "
        "possible. 0 to 1, higher is better; clusters beyond the number of classes count as wrong.",
        "nmi": "Normalised mutual information: how much the clusters tell about the classes. 0 (nothing) to 1 (all), "
        "higher is better; more clusters than classes cost little.",
        "ari": "Adjusted Rand index: share of image pairs on which clusters and classes agree, beyond chance. 0 is chance, "
        "1 is perfect, below 0 is worse than chance.",
        "silhouette": "How much nearer images lie to their own cluster than to the next one, in the numbers that were "
        "clustered. -1 to 1, higher is better; above 0.5 clusters are well apart, near 0 they touch.",
        "trustworthiness": "How far an image's 15 neighbours on the map are its neighbours in the numbers that were mapped. "
        "0 to 1, higher is better; of a sample of 2,000 images.",
        "explained_variance": "Share of the variance that the components keep. 0 to 1, higher is better.",
        "kl_divergence": "What t-SNE minimises: how far neighbourhoods on the map differ from the real ones. From 0 up, "
        "lower is better; compare it only between maps of the same images and perplexity.",
        "kept_fitted": "Of the 10 nearest neighbours of images that the map was fitted on, the share that is among the 10 "
        "nearest on the map, too. 0 to 1, higher is better; of 1,000 images, among all.",
        "kept_placed": "The same of images that were placed by their neighbours; what is missing to the share of the fitted "
        "ones is what placing costs.",
        "reconstruction_error": "Mean squared difference between images and what the model makes of them, pixels from 0 to "
        "1. From 0 up, lower is better.",
    }
)


# Short enough to stand side by side.
TITLES: Mapping[str, str] = MappingProxyType(
    {
        "n": "Images",
        "k": "Clusters",
        "noise": "Noise",
        "accuracy": "Accuracy",
        "nmi": "NMI",
        "ari": "ARI",
        "silhouette": "Silhouette",
        "explained_variance": "Expl. variance",
        "kl_divergence": "KL",
        "kept_fitted": "Kept, fitted",
        "kept_placed": "Kept, placed",
        "reconstruction_error": "Error (MSE)",
    }
)


@dataclass(frozen=True)
class Scores:
    """Scores of a map and its clusters; None where one has no meaning (no labels, one cluster, another method).

    `EXPLANATIONS` says in plain words what each is, its range, and what is good.
    """

    n: int
    k: int
    accuracy: float | None = None
    nmi: float | None = None
    ari: float | None = None
    silhouette: float | None = None
    explained_variance: float | None = None
    kl_divergence: float | None = None
    reconstruction_error: float | None = None
    noise: float | None = None
    kept_fitted: float | None = None
    kept_placed: float | None = None


def score(
    clusters: np.ndarray,
    y: np.ndarray | None,
    values: np.ndarray,
    explained_variance_ratio: np.ndarray | None = None,
    kl_divergence: float | None = None,
    errors: np.ndarray | None = None,
    seed: int = 0,
) -> Scores:
    """Compute every score that these results allow.

    Images that are noise count as wrong in the accuracy, as one more group in NMI and ARI, so that calling images noise gains
    nothing there; the silhouette leaves them out.

    Parameters
    ----------
    clusters : int (n,), from 0; -1 for noise.
    y : int (n,) true classes from 0, -1 where there is no label, or None.
    values : (n, d), what was clustered.
    explained_variance_ratio : (r,) of the map, or None.
    errors : (n,) reconstruction errors, or None.

    Raises
    ------
    DataError : arrays of different length.
    """
    lengths = {len(item) for item in (clusters, y, values, errors) if item is not None}
    if len(lengths) > 1:
        raise DataError(f"Clusters, labels, values and errors must be of one length; they have {sorted(lengths)}.")
    labelled = np.flatnonzero(y >= 0) if y is not None else np.empty(0, int)
    return Scores(
        n=len(clusters),
        k=len(np.unique(clusters[clusters >= 0])),
        noise=float((clusters < 0).mean()) if (clusters < 0).any() else None,
        **_against(clusters[labelled], y[labelled]) if y is not None and len(labelled) else {},
        silhouette=silhouette(values, clusters, seed=seed),
        explained_variance=None if explained_variance_ratio is None else float(np.sum(explained_variance_ratio)),
        kl_divergence=kl_divergence,
        reconstruction_error=None if errors is None else float(np.mean(errors, dtype=np.float64)),
    )


def _against(clusters: np.ndarray, y: np.ndarray) -> dict[str, float]:
    inside = clusters >= 0
    grouped = np.where(inside, clusters, clusters.max() + 1)
    matched = accuracy(clusters[inside], y[inside]) * float(inside.mean()) if inside.any() else 0.0
    return {"accuracy": matched, "nmi": nmi(grouped, y), "ari": ari(grouped, y)}


def contingency(clusters: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Count images by cluster and class, int64 (k, classes).

    Raises
    ------
    DataError : empty arrays, different lengths, or numbers below 0.
    """
    if len(clusters) != len(y) or len(y) == 0:
        raise DataError(f"{len(clusters)} clusters cannot be compared with {len(y)} labels.")
    if min(clusters.min(), y.min()) < 0:
        raise DataError("Clusters and labels must be numbered from 0.")
    table = np.zeros((int(clusters.max()) + 1, int(y.max()) + 1), np.int64)
    np.add.at(table, (clusters, y), 1)
    return table


def match(clusters: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Name the class that each cluster stands for, int32 (k,).

    One cluster for one class so that most images agree (Kuhn, The Hungarian method, 1955); with more clusters than classes,
    each left over takes the class of most of its images.
    """
    table = contingency(clusters, y)
    result = table.argmax(axis=1).astype(np.int32)
    for row, column in zip(*_assignment(table), strict=True):
        result[row] = column
    return result


def agreement(clusters: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Say of each image whether its cluster stands for its class, bool (n,)."""
    return np.asarray(match(clusters, y)[clusters] == y)


def accuracy(clusters: np.ndarray, y: np.ndarray) -> float:
    """Return the matched share, in [0, 1]: max over one-to-one pairings p of Σ_i [p(cluster_i) = y_i] / n.

    Xie, Girshick, Farhadi: Unsupervised deep embedding for clustering analysis (2016). Clusters left over count as wrong,
    so that it cannot be raised by cutting clusters up; `agreement` gives them their majority class.
    """
    table = contingency(clusters, y)
    return float(table[_assignment(table)].sum() / table.sum())


def nmi(clusters: np.ndarray, y: np.ndarray) -> float:
    """Return normalised mutual information I(C; Y) / ((H(C) + H(Y)) / 2), in [0, 1].

    Strehl and Ghosh: Cluster ensembles (2002), with the arithmetic mean as in scikit-learn.
    """
    from sklearn.metrics import normalized_mutual_info_score

    contingency(clusters, y)
    return float(np.clip(normalized_mutual_info_score(y, clusters), 0, 1))


def ari(clusters: np.ndarray, y: np.ndarray) -> float:
    """Return the adjusted Rand index (RI - E[RI]) / (max RI - E[RI]), in [-0.5, 1].

    Hubert and Arabie: Comparing partitions (1985).
    """
    from sklearn.metrics import adjusted_rand_score

    contingency(clusters, y)
    return float(adjusted_rand_score(y, clusters))


def silhouette(
    values: np.ndarray, clusters: np.ndarray, sample: int = SILHOUETTE_SAMPLE, seed: int = 0
) -> float | None:
    """Return the mean of (b - a) / max(a, b), in [-1, 1]; None with fewer than 2 clusters or only single images.

    a is an image's mean Euclidean distance to its own cluster, b that to the nearest other one (Rousseeuw, Silhouettes,
    1987); of a seeded random sample of at most `sample` images. Noise, -1 in `clusters`, is left out.
    """
    from sklearn.metrics import silhouette_score

    rows = np.flatnonzero(clusters >= 0)
    if len(rows) > sample:
        rows = rows[np.random.default_rng(seed).choice(len(rows), sample, replace=False)]
    values, clusters = values[rows], clusters[rows]
    if not 2 <= len(np.unique(clusters)) < len(values):
        return None
    return float(silhouette_score(values.astype(np.float64), clusters))


def trustworthiness(
    values: np.ndarray, coordinates: np.ndarray, n_neighbors: int = 15, sample: int = SILHOUETTE_SAMPLE, seed: int = 0
) -> float | None:
    """Return the trustworthiness of a map, in [0, 1]; None for fewer images than twice the neighbours.

    T(k) = 1 - 2 / (nk(2n - 3k - 1)) Σ_i Σ_j (r(i, j) - k) over those j among the k nearest on the map that are not among the
    k nearest in `values`, where j is the r-th neighbour (Venna and Kaski, Neighborhood preservation in nonlinear projection
    methods, 2001); of a seeded random sample, as the memory it takes is n².
    """
    from sklearn.manifold import trustworthiness as of_all

    if len(values) > sample:
        chosen = np.random.default_rng(seed).choice(len(values), sample, replace=False)
        values, coordinates = values[chosen], coordinates[chosen]
    if 2 * n_neighbors >= len(values):
        return None
    return float(of_all(values, coordinates, n_neighbors=n_neighbors))


def continuity(
    values: np.ndarray, coordinates: np.ndarray, n_neighbors: int = 15, sample: int = SILHOUETTE_SAMPLE, seed: int = 0
) -> float | None:
    """Return the continuity of a map, in [0, 1]: how far neighbours in `values` are neighbours on the map.

    It is the trustworthiness of `values` as a map of the coordinates (Venna and Kaski, 2001).
    """
    return trustworthiness(coordinates, values, n_neighbors, sample, seed)


def _assignment(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the one-to-one pairing with the largest sum."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(table, maximize=True)
    return rows, columns


def text(name: str, value: float) -> str:
    """Write a score of `Scores` for people: counts whole, shares in per cent, the rest with three digits."""
    if name in ("n", "k"):
        return f"{value:,}"
    if name in ("accuracy", "explained_variance", "noise", "kept_fitted", "kept_placed"):
        return f"{100 * value:.1f} %"
    return f"{value:.4f}" if name == "reconstruction_error" else f"{value:.3f}"

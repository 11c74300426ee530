"""UMAP by umap-learn: exact neighbours, progress between epochs, cancelled by a callback that raises."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from core.config import UMAPConfig
from core.errors import ConfigError
from core.progress import Callback, Progress, ignore, stopwatch
from core.projection.checks import checked
from core.projection.linear import pca
from core.projection.neighbors import EXACT_LIMIT, nearest

# A spectral start needs a few more images than axes; smaller sets start from their principal components.
_SPECTRAL_FROM = 16


def umap(values: np.ndarray, config: UMAPConfig, callback: Callback = ignore) -> np.ndarray:
    """Lay (n, d) out so that the graph of nearest neighbours is kept.

    Progress counts the epochs of the layout; finding neighbours and compiling come before the first one.

    Returns
    -------
    coordinates : float32 (n, n_components).

    Raises
    ------
    ConfigError : n_neighbors is not below the number of images.

    Notes
    -----
    McInnes, Healy, Melville: UMAP: Uniform manifold approximation and projection (2018). Epochs as in umap-learn: 500 up to
    10,000 images, 200 above. Exact neighbours up to 20,000 images, above NN-descent. The start is spectral; umap-learn
    takes a random one where the eigenvectors do not converge, and below 16 images it is the principal components.
    """
    n = len(checked(values))
    check_neighbors(config.n_neighbors, n)
    epochs = 500 if n <= 10_000 else 200
    callback(Progress("UMAP", 0, epochs, "epoch"))
    known = _neighbors(values, config) if n <= EXACT_LIMIT else (None, None)
    callback(Progress("UMAP", 0, epochs, "epoch"))
    with _quiet():
        from umap import UMAP

        layout = UMAP(
            n_components=config.n_components,
            n_neighbors=config.n_neighbors,
            min_dist=config.min_dist,
            metric=config.metric,
            n_epochs=epochs,
            init="spectral" if n >= max(_SPECTRAL_FROM, config.n_components + 3) else _start(values, config),
            precomputed_knn=known,
            random_state=config.seed,
            n_jobs=1,  # what a seed needs
            tqdm_kwds=_bar(_Epochs(callback, epochs)),
        )
        coordinates = np.asarray(_fit(layout, values), dtype=np.float32)
    callback(Progress("UMAP", epochs, epochs, "epoch", 0.0, preview={"coordinates": coordinates}))
    return coordinates


class _Epochs:
    """The file that umap-learn's progress bar writes to: turn each "17" into a Progress."""

    def __init__(self, callback: Callback, total: int) -> None:
        self.callback = callback
        self.total = total
        self.seconds_left = stopwatch(total)
        self.stopped = False

    def write(self, text: str) -> None:
        digits = text.strip()
        if self.stopped or not digits.isdigit() or int(digits) >= self.total:
            return
        try:
            done = int(digits)
            self.callback(Progress("UMAP", done, self.total, "epoch", self.seconds_left(done)))
        except BaseException:
            self.stopped = True
            raise

    def flush(self) -> None:
        """Do nothing: each report is out at once."""


def _bar(file: _Epochs) -> dict[str, object]:
    return {"disable": False, "file": file, "bar_format": "{n_fmt}", "mininterval": 0.1, "leave": False}


def _fit(layout: object, values: np.ndarray) -> np.ndarray:
    """Fit; when the callback stops it inside the bar, give back the lock that tqdm then still holds."""
    from tqdm.auto import tqdm

    try:
        return layout.fit_transform(values.astype(np.float32))  # type: ignore[attr-defined]
    except BaseException:
        if layout.tqdm_kwds["file"].stopped:  # type: ignore[attr-defined]
            tqdm.get_lock().release()
        raise


def check_neighbors(n_neighbors: int, n: int) -> None:
    """Raise ConfigError when n images are too few for so many neighbours."""
    if n_neighbors >= n:
        raise ConfigError(f"n_neighbors {n_neighbors} needs at least {n_neighbors + 1} images; this set has {n}.")


def _neighbors(values: np.ndarray, config: UMAPConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return indices and distances (n, n_neighbors) as umap-learn wants them: each image is its own first neighbour."""
    indices, distances = nearest(values, config.n_neighbors - 1, config.metric)
    own = np.arange(len(values))[:, None]
    return (
        np.hstack([own, indices]).astype(np.int32),
        np.hstack([np.zeros((len(values), 1)), distances]).astype(np.float32),
    )


def _start(values: np.ndarray, config: UMAPConfig) -> np.ndarray:
    """Principal components with a spread of 10 and a little noise, float32 (n, n_components)."""
    found = min(config.n_components, *values.shape)
    start = np.zeros((len(values), config.n_components))
    start[:, :found] = pca(values, found)[0]
    size = np.abs(start).max()
    if size > 0:
        start *= 10 / size
    noise = np.random.default_rng(config.seed).normal(0, 1e-4, start.shape)
    return (start + noise).astype(np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what umap-learn says about things that are meant here."""
    with warnings.catch_warnings():
        # No TensorFlow: parametric UMAP is not used.
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        # Exact neighbours come without a search index: no new points are placed.
        warnings.filterwarnings("ignore", r"precomputed_knn\[2\]", UserWarning)
        # Manhattan and others have no inverse transform: it is not used.
        warnings.filterwarnings("ignore", "gradient function is not yet implemented", UserWarning)
        # A random start instead of the spectral one: said in umap's docstring.
        warnings.filterwarnings("ignore", "Spectral initialisation failed", UserWarning)
        yield

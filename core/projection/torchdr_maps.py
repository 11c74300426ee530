"""t-SNE and PCA by TorchDR (Van Assel et al.), which computes on a GPU; on the CPU it is here for tests and comparison."""

import warnings
from typing import Any

import numpy as np

from core.config import TSNEConfig
from core.progress import Callback, Progress, ignore, stopwatch
from core.projection.checks import ratio, signs

REPORT_EVERY = 20  # iterations
MOMENTUM = 0.9
_INITIAL_STD = 1e-4


def tsne_fits(config: TSNEConfig) -> bool:
    """Say whether TorchDR makes the map that a config asks for.

    It takes the affinities of other metrics from other distances than we do, and a spectral start needs our affinities.
    """
    return config.metric == "euclidean" and config.init != "spectral"


def tsne(
    values: np.ndarray, config: TSNEConfig, device: str, callback: Callback = ignore, start: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Lay (n, d) out in 1 to 3 dimensions on a device.

    Progress, a preview and the chance to cancel come every 20 iterations, but not while the affinities are found. All pairs
    of images are looked at: memory grows with n².

    Parameters
    ----------
    config : its iterations, exaggeration and perplexity; of the euclidean metric.
    start : first map (n, n_components), whose size is kept; None is that of the config's `init` and seed.

    Returns
    -------
    coordinates : float32 (n, n_components), centred.
    kl_divergence : of the map, in nats.

    Raises
    ------
    Cancelled : raised by the callback.
    """
    import torch

    if start is None:
        start = _start(values, config, callback)
    total = config.early_exaggeration_iter + config.n_iter
    callback(Progress("t-SNE", 0, total, "iteration"))
    left = stopwatch(total)

    def report(done: int, divergence: float, points: np.ndarray) -> None:
        told = {"kl_divergence": divergence}
        callback(Progress("t-SNE", done, total, "iteration", left(done), told, {"coordinates": points}))

    estimator = _estimator(config, np.asarray(start, np.float32), total, device, report)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that TorchDR would use if they were there
        estimator.fit_transform(torch.from_numpy(np.array(values, np.float32)).to(device))
    report(total, estimator.divergence, estimator.map)
    return estimator.map, estimator.divergence


def pca(values: np.ndarray, n_components: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Project (n, d) onto its directions of largest variance on a device, in float32; returns what `linear.pca` does."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = _torchdr().PCA(n_components, device=device, process_duplicates=False, distributed=False)
        scores = estimator.fit_transform(torch.from_numpy(np.array(values, np.float32)).to(device))
    turned = scores.cpu().numpy() * signs(estimator.components_.cpu().numpy().T)
    total = float(values.var(axis=0, dtype=np.float64).sum())
    return turned.astype(np.float32), ratio(turned.var(axis=0, dtype=np.float64), total)


def _start(values: np.ndarray, config: TSNEConfig, callback: Callback) -> np.ndarray:
    from core.projection.linear import pca as exact
    from core.projection.tsne import of_sample

    n, k = len(values), config.n_components
    random, start = np.random.default_rng(config.seed), np.zeros((n, k))
    if config.init == "random":
        return random.normal(0, _INITIAL_STD, (n, k))
    if config.init == "sample":
        start[:] = of_sample(values, config, callback)
        start -= start.mean(axis=0)
    else:
        found = min(k, *values.shape)
        start[:, :found] = exact(values, found)[0]
    start *= _INITIAL_STD / max(float(start[:, 0].std()), 1e-30)
    return start + random.normal(0, _INITIAL_STD / 100, (n, k))


def _torchdr() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says on import which libraries it lacks
        import torchdr
    return torchdr


def _estimator(config: TSNEConfig, start: np.ndarray, total: int, device: str, report: Any) -> Any:
    """Return TorchDR's t-SNE with our start, steps with gains, and a look at the map every `REPORT_EVERY` iterations."""
    import torch

    base: Any = _torchdr().TSNE

    class Watched(base):
        """Pairs of an image with itself are left out of the repulsion, as t-SNE has it."""

        done, entropy = 0, 0.0

        def _pairs(self) -> Any:
            points = self.embedding_
            lengths = points.square().sum(dim=1)
            apart = (lengths[:, None] + lengths[None] - 2 * points @ points.T).clamp_(min=0)  # (n, n)
            return torch.reciprocal(1 + apart.fill_diagonal_(float("inf"))).sum()

        def _compute_repulsive_loss(self) -> Any:
            return self._pairs().log()

        def on_affinity_computation_end(self) -> None:
            super().on_affinity_computation_end()
            self.entropy = _entropy(self.affinity_in_.cpu().numpy(), self.NN_indices_.cpu().numpy())

        def on_training_step_end(self) -> Any:
            result, self.done = super().on_training_step_end(), self.done + 1
            if self.done % REPORT_EVERY == 0 and self.done < total:
                self.look()
                report(self.done, self.divergence, self.map)
            elif self.done == total:
                self.look()
            return result

        @torch.no_grad()
        def look(self) -> None:
            points = self.embedding_.detach()
            self.map = (points - points.mean(dim=0)).cpu().numpy().astype(np.float32)
            self.divergence = float(self._compute_attractive_loss() + self._compute_repulsive_loss()) - self.entropy

    return Watched(
        perplexity=config.perplexity, n_components=config.n_components, optimizer=_gains(), optimizer_kwargs=None,
        early_exaggeration_coeff=config.early_exaggeration, early_exaggeration_iter=config.early_exaggeration_iter,
        max_iter=total, init=start, init_scaling=float(start[:, 0].std()), min_grad_norm=0.0, check_interval=total + 1,
        device=device, process_duplicates=False, distributed=False,
    )  # fmt: skip


def _entropy(rows: np.ndarray, neighbours: np.ndarray) -> float:
    """Return -Σ p log p of the symmetric affinities of which `rows` (n, m) are a half, summing to 1."""
    from scipy.sparse import csr_matrix

    n, m = rows.shape
    half = csr_matrix((rows.ravel().astype(np.float64), neighbours.ravel(), np.arange(n + 1) * m), shape=(n, n))
    p = ((half + half.T) / 2).data
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def _gains() -> Any:
    """Return an optimizer: steps with momentum and gains, as in `tsne_kernels.move`, which plain descent is far slower than."""
    import torch

    class Gains(torch.optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure: Any = None) -> Any:
            for group in self.param_groups:
                for points in group["params"]:
                    kept = self.state[points]
                    if not kept:
                        kept["step"], kept["gains"] = torch.zeros_like(points), torch.ones_like(points)
                    step, gains, slope = kept["step"], kept["gains"], points.grad
                    gains.copy_(torch.where(step.sign() == slope.sign(), gains * 0.8 + 0.01, gains + 0.2))
                    step.mul_(MOMENTUM).sub_(group["lr"] * gains * slope)
                    points.add_(step)

    return Gains

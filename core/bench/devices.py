"""Libraries for a GPU against this program's own code, on whatever device there is."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from core.bench.data import Data
from core.bench.runner import Benchmark, Side
from core.config import TSNEConfig

IMAGES, ON_CPU = 10_000, 500  # all pairs of images take long on a CPU
WORSE = 1.02  # times our divergence


def _prepare(data: Data) -> np.ndarray:
    from core.latents import pick_device
    from core.projection import torchdr_maps, tsne

    values = data.latents(IMAGES if pick_device() != "cpu" else ON_CPU)
    short = TSNEConfig(early_exaggeration_iter=5, n_iter=5)
    tsne(values, short)  # what is compiled or loaded once is not part of it
    torchdr_maps.tsne(values, short, pick_device())
    return values


def _library(config: TSNEConfig, values: np.ndarray) -> tuple[np.ndarray, float]:
    from core.latents import pick_device
    from core.projection import torchdr_maps

    return torchdr_maps.tsne(values, config, pick_device())


def _own(config: TSNEConfig, values: np.ndarray) -> tuple[np.ndarray, float]:
    from core.projection import tsne

    return tsne(values, config)


def _divergence(values: np.ndarray, made: tuple[np.ndarray, float]) -> Mapping[str, float]:
    return {"kl_divergence": made[1], "images": float(len(values))}


def _fair(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    worse = ours["kl_divergence"] / theirs["kl_divergence"]
    return "" if worse <= WORSE else f"the divergence is {worse:.3f} times that of the CPU's map"


TSNE_DEVICE = Benchmark(
    name="tsne-device",
    what=f"t-SNE 2-D of {IMAGES:,} images on the device there is (of {ON_CPU} on a CPU)",
    prepare=_prepare,
    ours=Side("TorchDR", partial(_library, TSNEConfig()), _divergence),
    theirs=Side("own t-SNE, on the CPU", partial(_own, TSNEConfig()), _divergence),
    target=1.0,
    fair=_fair,
    needs="torchdr",
)

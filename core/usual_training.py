"""What a model is trained with unless something else is asked for, by the kind and number of images, and why.

The same for every set of a kind; no label is looked at but to count the classes, as for KMeans. What it is measured by is in
the README, and `python -m core bench clusters` shows it again.

Each image is learnt from turned, moved and scaled a little, with a small contrastive loss beside that of the reconstruction
(Chen et al., SimCLR, ICML 2020), so that latents follow what is shown more than where it lies. From a third of the epochs on it
learns from clusters of its own latents (`core.self_labels`), twice looked for. Steps get smaller towards the end.
"""

import math
from pathlib import Path

from core.config import AutoencoderConfig, Precision, TrainingConfig
from core.plans import TrainSpec

PHOTOGRAPH = 64  # pixels a side above which images are photographs, and their latents hold more
EPOCHS_60_000 = 18  # 10 minutes of one core for 28×28; fewer images get more, by the square root
FEWEST_EPOCHS, MOST_EPOCHS = 6, 100
LEAST = 0.15  # of the learning rate, after the last epoch
BATCHES = 20  # an epoch at least
A_CLUSTER = 100  # images at least, on average, for clusters to be learnt from
CPU_INFO = Path("/proc/cpuinfo")


def usual(image_shape: tuple[int, int, int], n: int, k: int = 0) -> TrainSpec:
    """Return what to train for n images of a shape (h, w, c) in k groups; 0 where that is not known."""
    epochs = round(EPOCHS_60_000 * math.sqrt(60_000 / n))
    epochs = min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS)
    training = TrainingConfig(
        learning_rate=3e-3,
        batch_size=min(max(2 ** int(math.log2(max(n / BATCHES, 1))), 32), 256),
        epochs=epochs,
        validation_share=0.05,
        precision=_precision(),
        decay=round(LEAST ** (1 / epochs), 2),
        jitter=1.0,
        contrast=0.02,
        temperature=0.2,
        self_label_clusters=k if 2 <= k <= n // A_CLUSTER else 0,
        self_label_from=round(epochs / 3),
        self_label_every=round(epochs / 3),
        self_label_weight=0.1,
    )
    return TrainSpec(AutoencoderConfig(_latent_size(image_shape), width=16), training)


def _latent_size(image_shape: tuple[int, int, int]) -> int:
    """Return the numbers an image: what a kind of images varies in, and what its reconstruction needs."""
    h, w, _ = image_shape
    return 64 if max(h, w) > PHOTOGRAPH else 32


def _precision() -> Precision:
    """Return the quicker precision on this computer's CPU; a GPU takes 16 bits with either."""
    try:
        known = CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:  # another system than Linux
        return "auto"
    return "mixed" if "avx512_bf16" in known or "amx_bf16" in known else "auto"

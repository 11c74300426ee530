"""Run a trained classifier: probabilities of every class, and the output of a named inner layer, batch by batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import CheckpointError, ConfigError
from core.latents import pick_device
from core.networks import Classifier, first_words, tapped
from core.progress import Callback, Progress, ignore, stopwatch

if TYPE_CHECKING:
    import torch

LIMIT_BYTES = 4 << 30


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a classifier makes of n images.

    Parameters
    ----------
    probabilities : float32 (n, classes), softmax; each row's sum is 1.
    features : float32 (n, d), the named layer's output, flattened.
    """

    probabilities: np.ndarray
    features: np.ndarray


def infer(
    classifier: Classifier,
    pixels: Callable[[int, int], np.ndarray],
    n: int,
    callback: Callback = ignore,
    device: str | None = None,
    done: Mapping[int, Predictions] | None = None,
    finished: Callable[[int, Predictions], None] | None = None,
    chunk: int = 256,
) -> Predictions:
    """Classify n images.

    Parameters
    ----------
    pixels : gives rows start..stop-1 as uint8 (b, h, w, 3).
    done : results that are there already, by their first row; these images are not read again.
    finished : gets each further chunk of results with its first row.

    Raises
    ------
    ConfigError : the layer gives no tensor, or too many numbers. CheckpointError : values that are not finite.
    """
    parts: dict[int, Predictions] = dict(done or {})
    seconds_left = stopwatch(n - sum(len(part.features) for part in parts.values()))
    made = 0
    for start in range(0, n, chunk):
        stop = min(n, start + chunk)
        if start not in parts or len(parts[start].features) != stop - start:
            batches = []
            for row in range(start, stop, classifier.config.batch_size):
                end = min(stop, row + classifier.config.batch_size)
                batches.append(_batch(classifier, pixels(row, end), pick_device(device)))
                made += end - row
                callback(Progress("Classifying", end, n, "image", seconds_left(made)))
            parts[start] = joined(batches)
            if finished is not None:
                finished(start, parts[start])
        width = parts[start].features.shape[1] + parts[start].probabilities.shape[1]
        if 4 * n * width > LIMIT_BYTES:
            raise ConfigError(
                f"Layer {classifier.features!r} gives {width:,} numbers an image, more than {LIMIT_BYTES >> 30} GiB for "
                f"{n:,} images; choose a later layer or fewer images."
            )
    return joined([parts[start] for start in range(0, n, chunk)])


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Join the results of parts to one."""
    return Predictions(
        np.concatenate([part.probabilities for part in parts]), np.concatenate([part.features for part in parts])
    )


def top(probabilities: np.ndarray, n: int) -> np.ndarray:
    """Return the n likeliest classes of each image, int64 (rows, n), likeliest first; ties by number."""
    order: np.ndarray = np.argsort(-probabilities, axis=1, kind="stable")[:, :n]
    return order


def top_correct(probabilities: np.ndarray, y: np.ndarray, n: int) -> np.ndarray:
    """Say of each image whether its class is among the n likeliest, bool (rows,); without a label (-1) it is not."""
    found: np.ndarray = (top(probabilities, n) == y[:, None]).any(axis=1)
    return found


def confusion(y: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Count images by true (rows) and predicted class (columns), int64 (classes, classes); -1 in y is left out."""
    table = np.zeros((n_classes, n_classes), np.int64)
    there = y >= 0
    np.add.at(table, (y[there], predicted[there]), 1)
    return table


def _batch(classifier: Classifier, pixels: np.ndarray, device: str) -> Predictions:
    scores, features = outputs(classifier, pixels, device)
    found = Predictions(scores.softmax(dim=1).cpu().numpy(), features.flatten(1).cpu().numpy())
    if not (np.isfinite(found.probabilities).all() and np.isfinite(found.features).all()):
        raise CheckpointError("The network's weights give values that are not finite.")
    return found


def outputs(classifier: Classifier, pixels: np.ndarray, device: str) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the class scores, float32 (b, classes), and the named layer's output, float32 (b, …), of uint8 (b, h, w, 3).

    Raises
    ------
    ConfigError : the network cannot read images of this size, or the layer gives no tensor.
    """
    import torch

    mean, std = (
        torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in (classifier.config.mean, classifier.config.std)
    )
    try:
        with torch.inference_mode(), tapped(classifier.module, classifier.features, classifier.before) as held:
            x = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float().div(255)  # (b, 3, h, w)
            scores = classifier.module((x - mean) / std)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"The network cannot read images of {pixels.shape[1]}×{pixels.shape[2]}: {first_words(error)}"
        ) from error
    if not isinstance(scores, torch.Tensor) or scores.ndim != 2 or not held:
        raise ConfigError("The network must give one row of class scores an image, and use the named layer.")
    return scores.float(), held[-1].float()

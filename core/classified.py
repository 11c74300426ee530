"""A trained classifier in the place of an autoencoder: its inner layer gives the latents, batch by batch in the store."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core import classifier, networks, roots
from core.classifier import Predictions
from core.config import ClassifierConfig, to_json
from core.errors import DataError
from core.imageset import ImageSet
from core.latents import Latents
from core.progress import Callback, ignore
from core.readers.classnames import ClassName, match_classes, read_class_names
from core.readers.pixels import Pixels
from core.readers.sources import Source
from core.readers.weights import checksum
from core.store import Store, key_of

STAGE = "classified"
CHUNK = 256  # images whose results are kept at once, so that a run that was stopped goes on from there


@dataclass(frozen=True, eq=False)
class ClassifierModel:
    """A classifier by its files; `names` are None when no file of class names was given."""

    config: ClassifierConfig
    weights: Path
    names: tuple[ClassName, ...] | None
    compared: bool
    fingerprint: str

    def class_names(self, n_classes: int) -> tuple[str, ...]:
        """Return the name of each of the classes, its number where there is none."""
        return tuple(map(str, range(n_classes))) if self.names is None else tuple(item.name for item in self.names)


def read(config: ClassifierConfig, weights: str, classes: str | None, compared: bool = True) -> ClassifierModel:
    """Read the class names and fingerprint the weights; the network itself is built when it is needed.

    Raises
    ------
    CheckpointError : the weights cannot be read. DataError : the class names cannot be read, or a file may not be opened.
    """
    path = Path(weights).expanduser()
    roots.check(path)
    if classes is not None:
        roots.check(Path(classes).expanduser())
    names = None if classes is None else read_class_names(Path(classes).expanduser())
    settings = to_json(config) | {"batch_size": None}
    return ClassifierModel(config, path, names, compared, key_of(1, checksum(path), settings))


def encode(
    model: ClassifierModel,
    images: ImageSet,
    source: Source,
    store: Store,
    key: str,
    callback: Callback = ignore,
    device: str | None = None,
) -> Latents:
    """Run the classifier over every image; what an earlier run finished is taken from the store.

    Raises
    ------
    CheckpointError : the weights are of another network. ConfigError : there is no such network or layer.
    DataError : the class names are not as many as the network's classes, or lack the images' classes.
    """  # fmt: skip
    if model.compared and images.y is not None:
        truth(model, images)  # says what does not fit before anything long is begun
    loaded = networks.load(model.config, model.weights, device=device)
    if model.names is not None and len(model.names) != loaded.n_classes:
        raise DataError(
            f"There are {len(model.names)} class names for a classifier of {loaded.n_classes} classes; "
            "give the file of names that belongs to these weights."
        )
    n = len(images)

    def keep(start: int, part: Predictions) -> None:
        arrays = {"probabilities": part.probabilities, "features": part.features}
        store.put(STAGE, key_of(1, key, start), arrays, {"of": key, "start": start}, 0.0)

    pixels = Pixels(source, images, model.config.resize, model.config.crop)
    found = classifier.infer(
        loaded, pixels, n, callback, device, done=_done(store, key, n), finished=keep, chunk=CHUNK
    )
    return Latents(found.features, probabilities=found.probabilities)


def truth(model: ClassifierModel, images: ImageSet) -> np.ndarray | None:
    """Return each image's true class as the classifier numbers them, int64 (n,), -1 without a label; None if not compared.

    Raises
    ------
    DataError : an image's class is not among the classifier's.
    """
    if images.y is None or not model.compared:
        return None
    names = model.names or tuple(ClassName(str(i), str(i)) for i in range(len(images.classes)))
    numbers = np.append(match_classes(images.classes, names), -1)  # -1 finds the last
    found: np.ndarray = numbers[images.y]
    return found


def _done(store: Store, key: str, n: int) -> dict[int, Predictions]:
    found = {}
    for start in range(0, n, CHUNK):
        entry = store.get(STAGE, key_of(1, key, start))
        if entry is not None:
            found[start] = Predictions(entry.arrays["probabilities"], entry.arrays["features"])
    return found

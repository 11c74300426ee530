"""Labels that are known beforehand, for some images or all, and the classes they give to clusters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core import roots
from core.clustering import name_of
from core.errors import ConfigError, DataError
from core.quality import match
from core.readers.labels import read_rows, rows_of

DIGITS = 9  # of a number that people type


@dataclass(frozen=True, eq=False)
class Known:
    """Known labels of n images.

    Parameters
    ----------
    y : int64 (n,), index into `classes`, -1 where it is not known.
    how : says for people where they come from.
    """

    y: np.ndarray
    classes: tuple[str, ...]
    how: str

    @property
    def n(self) -> int:
        """Number of images with a known label."""
        return int((self.y >= 0).sum())


@dataclass(frozen=True, eq=False)
class Mapped:
    """What clusters stand for.

    Parameters
    ----------
    of_cluster : int32 (k,), index into `classes`, -1 where no known image says.
    votes : int64 (k, classes), known images by cluster and class.
    """

    classes: tuple[str, ...]
    of_cluster: np.ndarray
    votes: np.ndarray

    def name(self, cluster: int) -> str:
        """Return the class of a cluster, or "cluster 3"."""
        code = int(self.of_cluster[cluster])
        return self.classes[code] if code >= 0 else name_of(cluster)

    def names(self) -> tuple[str, ...]:
        """Return the class of each cluster."""
        return tuple(self.name(i) for i in range(len(self.of_cluster)))

    def codes(self, clusters: np.ndarray) -> np.ndarray:
        """Return the class that each image's cluster (n,) stands for, int32 (n,); -1 for none, and for noise."""
        found: np.ndarray = np.append(self.of_cluster, np.int32(-1))[clusters]  # noise is -1 and finds the last
        return found


def parse(text: str, ids: Sequence[str], y: np.ndarray | None, classes: Sequence[str]) -> Known:
    """Understand what people type: `first:5=0`, `labels` for the data's own, or the path of a CSV of `id,label`.

    Raises
    ------
    ConfigError : it cannot be understood. DataError : the CSV cannot be read or does not fit the images.
    """
    text = text.strip()
    if text == "labels":
        if y is None:
            raise ConfigError("These images have no labels of their own; give known labels as a CSV or as first:5=0.")
        return from_labels(y, classes)
    if text.startswith("first:"):
        count, _, label = text.removeprefix("first:").partition("=")
        if not count.isdecimal() or len(count) > DIGITS or not label:
            raise ConfigError(
                f"Known labels {text[:80]!r} cannot be understood; write first:5=0 for five images of class 0."
            )
        return first(int(count), label, len(ids), classes)
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # ~somebody who is not known
        raise ConfigError(f"The folder that {text[:80]!r} begins with is not known.") from error
    roots.check(path)
    return from_csv(path, ids, classes)


def first(count: int, label: str, n: int, classes: Sequence[str] = ()) -> Known:
    """Say that the first `count` of n images are of one class, by its name or, where none is so named, its number.

    Raises
    ------
    ConfigError : there are not so many images.
    """
    if not 1 <= count <= n:
        raise ConfigError(f"The first {count} labels cannot be known: there are {n} images.")
    if label not in classes and label.isdecimal() and len(label) <= DIGITS and int(label) < len(classes):
        label = classes[int(label)]
    every = tuple(dict.fromkeys([*classes, label]))
    y = np.full(n, -1, np.int64)
    y[:count] = every.index(label)
    return Known(y, every, f"the first {count} images are {label!r}")


def from_labels(y: np.ndarray, classes: Sequence[str]) -> Known:
    """Take all labels that the images have."""
    return Known(np.asarray(y, np.int64), tuple(classes), "the images' own labels")


def from_csv(path: Path, ids: Sequence[str], classes: Sequence[str] = ()) -> Known:
    """Read a CSV with the columns `id` and `label`; it may name only some images.

    Raises
    ------
    DataError : it cannot be read, names an image that is not there or one twice, or has a row without a label.
    """
    rows = read_rows(path)
    if not rows:
        raise DataError(f"{path.name} has no row with a known label.")
    for name, label in rows:
        if not label:
            raise DataError(f"{path.name} has no label for image {name[:80]!r}.")
    at = rows_of([name for name, _ in rows], ids, path.name)
    every = tuple(dict.fromkeys([*classes, *(label for _, label in rows)]))
    code = {name: i for i, name in enumerate(every)}
    y = np.full(len(ids), -1, np.int64)
    y[at] = [code[label] for _, label in rows]
    return Known(y, every, f"{len(rows):,} labels of {path.name}")


def map_clusters(clusters: np.ndarray, k: int, known: Known) -> Mapped:
    """Give each cluster the class of most of its known images; ties go to the class named first.

    Two clusters of two classes get one class each, the way round on which more known images agree: the flip rule of
    two-class problems. A tie leaves cluster 0 with the first class. Noise, -1 in `clusters`, has no vote.
    """
    classes = known.classes
    if k == 2 and len(classes) == 1:
        classes = tuple(sorted(("0", "1"))) if classes[0] in ("0", "1") else (classes[0], f"not {classes[0]}")
    codes = np.array([classes.index(name) for name in known.classes] + [-1])[known.y]
    votes = np.zeros((k, len(classes)), np.int64)
    there = (codes >= 0) & (clusters >= 0)
    np.add.at(votes, (clusters[there], codes[there]), 1)
    if k == 2 and len(classes) == 2:
        flipped = votes[0, 1] + votes[1, 0] > votes[0, 0] + votes[1, 1]
        return Mapped(classes, np.array([1, 0] if flipped else [0, 1], np.int32), votes)
    of_cluster = np.where(votes.any(axis=1), votes.argmax(axis=1), -1)
    return Mapped(classes, of_cluster.astype(np.int32), votes)


def map_by_labels(clusters: np.ndarray, k: int, y: np.ndarray, classes: Sequence[str]) -> Mapped:
    """Pair clusters with classes one to one as well as all labels allow; -1 in `y` is no label, in `clusters` noise."""
    there = (y >= 0) & (clusters >= 0)
    votes = np.zeros((k, len(classes)), np.int64)
    np.add.at(votes, (clusters[there], y[there]), 1)
    of_cluster = np.full(k, -1, np.int32)
    if there.any():
        found = match(clusters[there], y[there])
        of_cluster[: len(found)] = np.where(votes[: len(found)].any(axis=1), found, -1)
    return Mapped(tuple(classes), of_cluster, votes)


def inverted(mapped: Mapped) -> Mapped:
    """Swap the classes of two clusters.

    Raises
    ------
    ConfigError : there are not two clusters of two classes.
    """
    if len(mapped.of_cluster) != 2 or len(mapped.classes) != 2:
        raise ConfigError("Only two clusters of two classes can be swapped.")
    return replace(mapped, of_cluster=mapped.of_cluster[::-1].copy())


def describe(known: Known, mapped: Mapped) -> str:
    """Say in plain words what was known and what was made of it."""
    parts = []
    for i, name in enumerate(mapped.names()):
        votes = int(mapped.votes[i, mapped.of_cluster[i]]) if mapped.of_cluster[i] >= 0 else 0
        total = int(mapped.votes[i].sum())
        parts.append(f"cluster {i} → {name} ({votes} of {total})" if total else f"cluster {i} → {name} (none known)")
    return f"{known.n:,} of {len(known.y):,} labels were known ({known.how}): {', '.join(parts)}."

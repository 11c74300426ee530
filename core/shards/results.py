"""What a run over shards found: where its parts lie, and what follows from all rows without holding them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from core import known, parts, quality
from core.imageset import Skipped
from core.known import Mapped
from core.models import TrainedModel
from core.plans import Plan, Staged
from core.quality import Scores
from core.readers.files import natural_key
from core.readers.pictures import Frame
from core.readers.shards import Shard
from core.readers.sources import ShardedSource
from core.shards.clustering.kmeans import Centers
from core.shards.columns import Vectors
from core.shards.encoding import Encoded
from core.shards.index import IndexInfo
from core.shards.placing import Kept, Placed
from core.shards.rows import Rows
from core.shards.suspects import Suspected

MOST_CLASSES = 10_000  # labels above which they are texts and no classes


@dataclass(frozen=True, eq=False)
class ShardedResults:
    """The stages of a run over shards; what was not asked for is None.

    Parameters
    ----------
    root : where the parts lie.
    reduced : what was mapped. clustered : what was clustered.
    variance : share of the variance that each component of the reduction keeps, float32 (r,).
    maps : by dimensions, 2 and perhaps 3.
    seconds : that each stage took. found : whether it was all there already.
    """

    root: str
    source: ShardedSource
    shards: tuple[Shard, ...]
    frame: Frame
    plan: Plan
    model: Staged[TrainedModel]
    encoded: Encoded
    reduced: Vectors
    clustered: Vectors
    centers: Centers
    maps: Mapping[int, Placed]
    variance: np.ndarray | None = None
    index: IndexInfo | None = None
    suspected: Suspected | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    found: Mapping[str, bool] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Images that were encoded."""
        return sum(part.rows for part in self.encoded.parts)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the shards that were encoded, in order."""
        return tuple(part.number for part in self.encoded.parts)

    @property
    def name(self) -> str:
        """Short name of the images for people."""
        return self.source.path.rstrip("/").rsplit("/", 1)[-1] or self.source.path

    @property
    def grouping(self) -> Literal["label", "cluster"]:
        """By what suspects are found: labels where there are two or more."""
        return "label" if len(self.classes) > 1 else "cluster"

    @property
    def problems(self) -> tuple[Skipped, ...]:
        """Shards that could not be read, and why."""
        return self.encoded.problems

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in natural order; () where there are no labels, or too many to be classes."""
        found: set[str] = set()
        for number in self.numbers:
            column = parts.read(self.root, "encoded", number, ["label"])["label"]
            found |= {label for label in column.unique().to_pylist() if label is not None}
            if len(found) > MOST_CLASSES:
                return ()
        return tuple(sorted(found, key=natural_key))

    @cached_property
    def y(self) -> np.ndarray | None:
        """Class of each image, int32 (n,), -1 where it has no label; None without classes."""
        if not self.classes:
            return None
        code = {name: i for i, name in enumerate(self.classes)}
        found = []
        for number in self.numbers:
            column = parts.read(self.root, "encoded", number, ["label"])["label"].combine_chunks().dictionary_encode()
            names = np.array([code[name] for name in column.dictionary.to_pylist()] + [-1], np.int32)
            found.append(names[column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)])
        return np.concatenate(found)

    @cached_property
    def labels(self) -> np.ndarray:
        """Cluster of each image, int32 (n,)."""
        found = [
            parts.read(self.root, "clustered", number, ["cluster"])["cluster"].to_numpy() for number in self.numbers
        ]
        return np.concatenate(found).astype(np.int32, copy=False)

    @cached_property
    def mapped(self) -> Mapped | None:
        """Class that each cluster stands for, by all labels; None without labels."""
        if self.y is None or not (self.y >= 0).any():
            return None
        return known.map_by_labels(self.labels, len(self.centers.centers), self.y.astype(np.int64), self.classes)

    @cached_property
    def errors(self) -> np.ndarray:
        """Reconstruction error of each image, float32 (n,)."""
        found = [parts.read(self.root, "encoded", number, ["error"])["error"].to_numpy() for number in self.numbers]
        return np.concatenate(found)

    @cached_property
    def scores(self) -> Scores:
        """Scores of the 2-D map and the clusters, as `core.quality.score` has them; the silhouette is of a sample of 2,000."""
        flat = self.maps[2]
        y = None if self.y is None else self.y.astype(np.int64)
        values: Any = Rows(self.clustered)
        found = quality.score(self.labels, y, values, flat.explained_variance_ratio, flat.kl_divergence, self.errors)
        fitted, placed = (None if kept is None else kept.share for kept in self.kept)
        return replace(found, kept_fitted=fitted, kept_placed=placed)

    @property
    def trustworthiness(self) -> float | None:
        """How far neighbours on the map are neighbours in what was mapped, in [0, 1]; of a sample of 2,000."""
        flat = Vectors(self.root, "map2", ("x", "y"), self.reduced.numbers, self.reduced.sizes)
        values: Any = [Rows(self.reduced), Rows(flat)]
        if self.n <= quality.SILHOUETTE_SAMPLE:
            values = [one[np.arange(self.n)] for one in values]
        return quality.trustworthiness(*values)

    @property
    def kept(self) -> tuple[Kept | None, Kept | None]:
        """What a map of a sample keeps of neighbourhoods, of fitted and of placed images; nothing of a map of all."""
        flat = self.maps[2]
        return (flat.kept_fitted, flat.kept_placed) if flat.fitted < flat.n else (None, None)

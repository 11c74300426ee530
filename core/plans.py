"""What is asked for and what comes of it, as frozen values: a plan, the stages of its results."""

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from core.clustering import Clustering
from core.config import (
    AutoencoderConfig,
    ClusterConfig,
    ClusterOn,
    ProjectionConfig,
    ReductionConfig,
    TrainingConfig,
    TSNEConfig,
)
from core.images import ImageSet, Source
from core.latents import Latents
from core.models import TrainedModel
from core.projection import Projection, Reduced

STAGES = ("images", "model", "latents", "reduced", "projection", "clustering")
StageName = Literal["images", "model", "latents", "reduced", "projection", "clustering"]
T = TypeVar("T")


@dataclass(frozen=True)
class TrainSpec:
    """A model to train on the plan's images."""

    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


@dataclass(frozen=True)
class KeptModel:
    """A model by name: one that ships with a sample, or one the user kept."""

    name: str


@dataclass(frozen=True)
class CheckpointFile:
    """A model in a file or directory."""

    path: str


ModelRef = TrainSpec | KeptModel | CheckpointFile


@dataclass(frozen=True)
class Plan:
    """Everything that decides a map and its clusters."""

    source: Source
    model: ModelRef = field(default_factory=TrainSpec)
    reduction: ReductionConfig = field(default_factory=ReductionConfig)
    projection: ProjectionConfig = field(default_factory=TSNEConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)


@dataclass(frozen=True)
class Staged(Generic[T]):
    """A stage's value, its store key, whether it was found there, and the seconds it took to make."""

    value: T
    key: str
    found: bool
    seconds: float


@dataclass(frozen=True)
class Results:
    """The stages of a plan, up to the last one asked for; later ones are None. `on` says what was clustered."""

    images: Staged[ImageSet]
    model: Staged[TrainedModel] | None = None
    latents: Staged[Latents] | None = None
    reduced: Staged[Reduced] | None = None
    projection: Staged[Projection] | None = None
    clustering: Staged[Clustering] | None = None
    on: ClusterOn = "latents"


def shape_text(shape: tuple[int, int, int]) -> str:
    """Write an image shape (h, w, c) for people: "28×28 gray"."""
    return f"{shape[0]}×{shape[1]} {'gray' if shape[2] == 1 else 'colour'}"

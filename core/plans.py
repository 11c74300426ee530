"""What is asked for and what comes of it, as frozen values: a plan, the stages of its results."""

from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

from core.classified import ClassifierModel
from core.clustering import Clustering
from core.config import (
    AutoencoderConfig,
    ClassifierConfig,
    ClusterConfig,
    ClusterOn,
    ModelConfig,
    ProjectionConfig,
    ReductionConfig,
    TrainingConfig,
    TSNEConfig,
    with_seed,
)
from core.corrections import Review
from core.images import ImageSet, Source
from core.known import Known
from core.latents import Latents
from core.models import TrainedModel
from core.projection import Projection, Reduced

STAGES = ("images", "model", "latents", "reduced", "manifold", "projection", "clustering")
StageName = Literal["images", "model", "latents", "reduced", "manifold", "projection", "clustering"]
T = TypeVar("T")


@dataclass(frozen=True)
class TrainSpec:
    """A model to train.

    Parameters
    ----------
    data : what it learns from; None for the plan's own images.
    validation : what it is validated on, in place of a share of the images it learns from.
    checkpoint_every : the model is kept in the store after every so many epochs, as one trained for so many; 0 never.
    """

    autoencoder: ModelConfig = field(default_factory=AutoencoderConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    data: Source | None = None
    validation: Source | None = None
    checkpoint_every: int = 0


@dataclass(frozen=True)
class KeptModel:
    """A model by name: one that ships with a sample, or one the user kept."""

    name: str


@dataclass(frozen=True)
class CheckpointFile:
    """A model in a file or directory."""

    path: str


@dataclass(frozen=True)
class StoredModel:
    """A model that was trained before, on whatever images, by its key in the store."""

    key: str


@dataclass(frozen=True)
class TrainedClassifier:
    """A classifier whose inner layer gives the latents.

    Parameters
    ----------
    weights : file of its weights.
    classes : JSON file of its classes' names; None names them by number.
    compared : whether the images' labels are the classifier's classes.
    """

    config: ClassifierConfig
    weights: str
    classes: str | None = None
    compared: bool = True


ModelRef = TrainSpec | KeptModel | CheckpointFile | StoredModel | TrainedClassifier
AnyModel = TrainedModel | ClassifierModel


@dataclass(frozen=True)
class Plan:
    """Everything that decides a map and its clusters.

    Parameters
    ----------
    known : labels that are known beforehand, as `core.known.parse` reads them; "" matches clusters with all labels.
    metadata : CSV or Parquet file of further values, joined to the images by id or file name; "" for none.
    others : further plans of the same images; their clusters and this one's are combined by vote.
    start : settings of the t-SNE map, begun anew, that this one's map goes on from; None begins it anew.
    """

    source: Source
    model: ModelRef = field(default_factory=TrainSpec)
    reduction: ReductionConfig = field(default_factory=ReductionConfig)
    projection: ProjectionConfig = field(default_factory=TSNEConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    known: str = ""
    others: tuple["Plan", ...] = ()
    metadata: str = ""
    start: ProjectionConfig | None = None


def reseeded(made: Plan, seed: int) -> Plan:
    """Return a plan with another seed in its training, its map and its clusters."""
    ref = made.model
    if isinstance(ref, TrainSpec):
        ref = replace(ref, training=replace(ref.training, seed=seed))
    projection: Any = made.projection
    projection = replace(projection, seed=seed) if hasattr(projection, "seed") else projection
    start = replace(made.start, seed=seed) if isinstance(made.start, TSNEConfig) else made.start
    cluster = replace(made.cluster, method=with_seed(made.cluster.method, seed))
    if cluster.on == "manifold":
        cluster = replace(cluster, manifold=replace(cluster.manifold, seed=seed))
    return replace(made, model=ref, projection=projection, cluster=cluster, others=(), start=start)


@dataclass(frozen=True)
class Staged(Generic[T]):
    """A stage's value, its store key, whether it was found there, and the seconds it took to make."""

    value: T
    key: str
    found: bool
    seconds: float


@dataclass(frozen=True)
class Results:
    """The stages of a plan, up to the last one asked for; later ones are None.

    Parameters
    ----------
    manifold : UMAP coordinates that are clustered and not looked at; None where something else is clustered.
    on : what was clustered.
    known : labels known beforehand, by which clusters get their class; None takes all labels.
    plan : what these are the results of, where they came of one.
    review : what people decided of these images; None where nobody was asked.
    """

    images: Staged[ImageSet]
    model: Staged[AnyModel] | None = None
    latents: Staged[Latents] | None = None
    reduced: Staged[Reduced] | None = None
    manifold: Staged[Projection] | None = None
    projection: Staged[Projection] | None = None
    clustering: Staged[Clustering] | None = None
    on: ClusterOn = "latents"
    known: Known | None = None
    plan: Plan | None = None
    review: Review | None = None


def some(staged: Staged[T] | None) -> Staged[T]:
    """Return a stage that must be there."""
    if staged is None:
        raise TypeError("an earlier stage is missing")
    return staged


def shape_text(shape: tuple[int, int, int]) -> str:
    """Write an image shape (h, w, c) for people: "28×28 gray"."""
    return f"{shape[0]}×{shape[1]} {'gray' if shape[2] == 1 else 'colour'}"

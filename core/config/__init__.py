"""One frozen dataclass a method: the settings of every stage, checked when made, to and from JSON.

What is here goes into store keys. Device, threads and callbacks say how and not what; they are never here.
"""

from core.config.analyses import AnalysisConfig
from core.config.clusters import ClusterConfig, ClusterMethod, ClusterOn, KMeansConfig, MiniBatchKMeansConfig
from core.config.maps import (
    Init,
    Kernel,
    KernelPCAConfig,
    Metric,
    PCAConfig,
    ProjectionConfig,
    ReductionConfig,
    ReductionMethod,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.config.networks import (
    AutoencoderConfig,
    ClassifierConfig,
    LayersConfig,
    Loss,
    ModelConfig,
    Optimizer,
    TrainingConfig,
    ValueRange,
    latent_shape,
)
from core.config.plain import from_json, to_json

__all__ = [
    "AnalysisConfig",
    "AutoencoderConfig",
    "ClassifierConfig",
    "ClusterConfig",
    "ClusterMethod",
    "ClusterOn",
    "Init",
    "KMeansConfig",
    "Kernel",
    "KernelPCAConfig",
    "LayersConfig",
    "Loss",
    "Metric",
    "MiniBatchKMeansConfig",
    "ModelConfig",
    "Optimizer",
    "PCAConfig",
    "ProjectionConfig",
    "ReductionConfig",
    "ReductionMethod",
    "TSNEConfig",
    "TrainingConfig",
    "TruncatedSVDConfig",
    "UMAPConfig",
    "ValueRange",
    "from_json",
    "latent_shape",
    "to_json",
]

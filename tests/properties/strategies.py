"""Random settings, sources, plans and labels; each setting of each class has a line here, and a test counts them."""

import os

import numpy as np
from hypothesis import strategies as st

from core.config import (
    AgglomerativeConfig,
    AutoencoderConfig,
    ClassifierConfig,
    ClusterConfig,
    FeaturesConfig,
    GaussianMixtureConfig,
    HDBSCANConfig,
    KernelPCAConfig,
    KMeansConfig,
    LayersConfig,
    MiniBatchKMeansConfig,
    PCAConfig,
    ReductionConfig,
    SpectralConfig,
    TrainingConfig,
    TruncatedSVDConfig,
    TSNEConfig,
    UMAPConfig,
)
from core.duplicates import DuplicateConfig
from core.evidence import SuspectConfig
from core.images import (
    ArraySource,
    FolderSource,
    JoinedSource,
    LabelledSource,
    SampleSource,
    ShardedSource,
    SubsetSource,
    TorchvisionSource,
)
from core.neighbours import GraphConfig
from core.plans import CheckpointFile, KeptModel, Plan, StoredModel, TrainedClassifier, TrainSpec
from core.recipes import Parts, Recipe
from core.spreading import SpreadConfig
from core.sweep import SweepConfig


def whole(low, high=10_000):
    return st.integers(low, high)


def number(low, high, **more):
    """A float, or the same written as a whole number."""
    return st.floats(low, high, allow_subnormal=False, **more) | st.integers(int(np.ceil(low)), int(high))


def or_none(strategy):
    return st.none() | strategy


POSITIVE = number(0.0, 1e6, exclude_min=True).filter(lambda value: value > 0)
SEED = st.integers(0, 2**32 - 1)
SIZES = st.integers(2, 40)  # of a set of images
METRIC = st.sampled_from(["euclidean", "cosine", "manhattan"])
RANGE = st.sampled_from(["unit", "symmetric"])
STARTS = {"n_clusters": whole(1, 200), "n_init": whole(1, 1000), "max_iter": whole(1, 100_000), "seed": SEED}

# What each setting may be; where settings limit each other, the part that is always allowed.
SETTINGS = {
    AutoencoderConfig: {"latent_size": whole(1, 4096), "width": whole(4, 256), "value_range": RANGE},
    LayersConfig: {
        "encoder": st.sampled_from(["conv(4,3,2,1) relu", "conv( 4, 3,2,1)  RELU", "conv(8,3,1,1)"]),
        "decoder": st.sampled_from(["deconv(c,4,2,1)", "deconv(c,3,1,1) sigmoid"]),
        "latent_size": or_none(whole(1, 4096)),
        "value_range": RANGE,
    },
    TrainingConfig: {
        "loss": st.sampled_from(["mse", "l1", "huber"]),
        "optimizer": st.sampled_from(["adam", "adamw", "sgd"]),
        "learning_rate": POSITIVE,
        "weight_decay": number(0.0, 1e3),
        "batch_size": whole(1, 65536),
        "epochs": whole(1, 100_000),
        "validation_share": number(0.0, 0.5),
        "seed": SEED,
        "deterministic": st.booleans(),
        "precision": st.sampled_from(["auto", "mixed", "full"]),
        "decay": number(1e-3, 1.0),
        "jitter": number(1e-3, 2.0),  # what comes next needs some
        "contrast": number(0.0, 100.0),
        "temperature": number(0.01, 10.0),
        "self_label_clusters": whole(0, 1000),
        "self_label_from": whole(1, 100_000),
        "self_label_every": whole(1, 100_000),
        "self_label_weight": number(1e-3, 100.0),
    },
    ClassifierConfig: {
        "model": st.text(min_size=1, max_size=30),
        "layer": or_none(st.text(min_size=1, max_size=30)),
        "resize": whole(512, 1024),
        "crop": whole(8, 512),
        "mean": st.tuples(*[number(0.0, 1.0)] * 3),
        "std": st.tuples(*[POSITIVE] * 3),
        "batch_size": whole(1, 4096),
    },
    PCAConfig: {"n_components": whole(1)},
    KernelPCAConfig: {
        "n_components": whole(1),
        "kernel": st.sampled_from(["rbf", "poly", "cosine"]),
        "gamma": or_none(POSITIVE),
        "degree": whole(1, 10),
        "n_landmarks": whole(10, 10_000),
        "seed": SEED,
    },
    TruncatedSVDConfig: {"n_components": whole(1), "seed": SEED},
    TSNEConfig: {
        "n_components": whole(1, 3),
        "perplexity": number(1.0, 1e4),
        "early_exaggeration": number(1.0, 1000.0),
        "early_exaggeration_iter": whole(0, 10_000),
        "n_iter": whole(1, 100_000),
        "init": st.sampled_from(["pca", "random", "spectral", "sample"]),
        "metric": METRIC,
        "seed": SEED,
        "sample": or_none(whole(10)),
    },
    UMAPConfig: {
        "n_components": whole(1),
        "n_neighbors": whole(2),
        "min_dist": number(0.0, 1.0),
        "metric": METRIC,
        "seed": SEED,
        "sample": or_none(whole(10)),
    },
    KMeansConfig: {**STARTS, "start_sample": or_none(whole(200))},
    MiniBatchKMeansConfig: {**STARTS, "batch_size": whole(1)},
    GaussianMixtureConfig: {
        **STARTS,
        "start_sample": or_none(whole(200)),
        "covariance": st.sampled_from(["full", "tied", "diag", "spherical"]),
        "reg_covar": number(1e-9, 1.0),
    },
    AgglomerativeConfig: {
        "n_clusters": whole(1),
        "linkage": st.just("ward"),
        "graph_neighbors": or_none(whole(2, 1000)),
    },
    HDBSCANConfig: {
        "min_cluster_size": whole(2),
        "min_samples": or_none(whole(1)),
        "cluster_selection_method": st.sampled_from(["eom", "leaf"]),
    },
    SpectralConfig: {
        "n_clusters": whole(1),
        "graph_neighbors": whole(2, 1000),
        "n_init": whole(1, 1000),
        "seed": SEED,
    },
}


def built(cls):
    """A config with every setting at random."""
    made = st.builds(cls, **SETTINGS[cls])
    if cls is not ClusterConfig:
        return made
    others = st.sampled_from(["latents", "reduced", "projection"])  # which go without a manifold
    return made | st.builds(cls, method=METHODS, on=others)


OTHER_LINKAGES = st.builds(
    AgglomerativeConfig, n_clusters=whole(1), linkage=st.sampled_from(["average", "complete", "single"])
)
METHODS = st.one_of(
    built(KMeansConfig),
    built(MiniBatchKMeansConfig),
    built(GaussianMixtureConfig),
    built(AgglomerativeConfig),
    OTHER_LINKAGES,
    built(HDBSCANConfig),
    built(SpectralConfig),
)
PROJECTIONS = st.one_of(*map(built, (PCAConfig, KernelPCAConfig, TSNEConfig, UMAPConfig)))
NAMED = st.text("abcdefghij-_0123456789", min_size=1, max_size=30)  # networks by name
SETTINGS |= {
    FeaturesConfig: {
        "network": st.builds(
            ClassifierConfig, **SETTINGS[ClassifierConfig] | {"model": NAMED, "batch_size": st.just(32)}
        ),
        "n_features": whole(1, 65536),
        "weights": st.text("0123456789abcdef", min_size=32, max_size=32),
        "file": st.text(max_size=20),
        "width": whole(4, 256),
    },
    ReductionConfig: {
        "standardize": st.booleans(),
        "method": or_none(st.one_of(*map(built, (PCAConfig, KernelPCAConfig, TruncatedSVDConfig)))),
    },
    ClusterConfig: {"method": METHODS, "on": st.just("manifold"), "manifold": built(UMAPConfig)},
    GraphConfig: {"k": whole(1), "metric": st.sampled_from(["euclidean", "cosine"])},
    DuplicateConfig: {"latent": or_none(number(0.0, 1e6)), "pixel": or_none(number(0.0, 1.0))},
    SuspectConfig: {},
    SpreadConfig: {
        "labels": st.lists(st.tuples(whole(0), whole(0, 20)), max_size=5, unique_by=lambda pair: pair[0]).map(tuple),
        "n_classes": whole(1, 20),
        "k": whole(1, 100),
    },
    SweepConfig: {
        "method": st.one_of(built(MiniBatchKMeansConfig), built(SpectralConfig), OTHER_LINKAGES),
        "ks": st.sets(whole(2, 50), min_size=1, max_size=5).map(lambda ks: tuple(sorted(ks))),
        "subsamples": whole(2, 100),
        "most": whole(10),
        "seed": SEED,
    },
}

TEXT = st.text(max_size=20)
# As Python has names of files: a byte that is no UTF-8 is a half of a pair.
PATH = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name).map(os.fsdecode)
COLUMN = TEXT.filter(lambda name: "\0" not in name)
SINGLE = st.one_of(
    st.builds(SampleSource, st.sampled_from(["digits", "emoji"])),
    st.builds(FolderSource, PATH, or_none(whole(8, 128)), st.sampled_from(["auto", "gray", "rgb"])),
    st.builds(ArraySource, PATH, or_none(PATH), PATH, PATH, PATH),
    st.builds(
        ShardedSource, PATH, or_none(whole(8, 128)), st.sampled_from(["auto", "gray", "rgb"]), COLUMN, COLUMN, COLUMN
    ),
    st.builds(TorchvisionSource, PATH, st.sampled_from(["mnist", "fashion-mnist", "cifar-10"]), st.booleans()),
)
JOINED = st.lists(st.tuples(PATH, SINGLE), min_size=1, max_size=3, unique_by=lambda pair: pair[0]).map(
    lambda pairs: JoinedSource(*zip(*pairs, strict=True))
)
LABELLED = st.builds(LabelledSource, SINGLE | JOINED, PATH)
SOURCES = st.one_of(
    SINGLE,
    JOINED,
    LABELLED,
    st.builds(SubsetSource, SINGLE | JOINED | LABELLED, or_none(whole(2)), st.lists(TEXT, max_size=3).map(tuple)),
)
MODELS = st.one_of(
    st.builds(
        TrainSpec,
        built(AutoencoderConfig) | built(LayersConfig) | built(FeaturesConfig),
        built(TrainingConfig),
        or_none(SOURCES),
        or_none(SOURCES),
        whole(0, 100),
    ),
    st.builds(KeptModel, TEXT),
    st.builds(CheckpointFile, PATH),
    st.builds(StoredModel, TEXT),
    st.builds(TrainedClassifier, built(ClassifierConfig), PATH, or_none(PATH), st.booleans()),
)
ASKED = {
    "model": MODELS,
    "reduction": built(ReductionConfig),
    "projection": PROJECTIONS,
    "cluster": built(ClusterConfig),
    "known": TEXT,
    "metadata": TEXT,
    "start": or_none(PROJECTIONS),
}
PLANS = st.builds(
    Plan, source=SOURCES, others=st.lists(st.builds(Plan, source=SOURCES, **ASKED), max_size=2).map(tuple), **ASKED
)
RECIPES = st.builds(
    Recipe,
    name=TEXT,
    summary=TEXT,
    n_clusters=or_none(whole(1)),
    parts=or_none(st.builds(Parts, TEXT, or_none(TEXT), TEXT)),
    others=st.lists(PLANS, max_size=1).map(tuple),
    source=or_none(SOURCES),
    **ASKED | {"model": or_none(MODELS)},
)


@st.composite
def labellings(draw, lowest=0, most=5, sizes=SIZES):
    """Clusters and classes of the same images, from `lowest` (-1: none), and how many of each there may be."""
    n, k, c = draw(sizes), draw(st.integers(1, most)), draw(st.integers(1, most))
    rows = [draw(st.lists(st.integers(lowest, top - 1), min_size=n, max_size=n)) for top in (k, c)]
    return np.array(rows[0], np.int64), np.array(rows[1], np.int64), k, c


@st.composite
def points(draw, n=SIZES):
    """Points (n, d) without ties, or whole numbers with many: equal points, constant columns."""
    shape = (draw(n), draw(st.integers(1, 4)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        return random.normal(size=shape).astype(np.float32)
    values = random.integers(0, draw(st.integers(1, 4)), shape).astype(np.float32)
    values[:, draw(st.integers(0, shape[1] - 1))] = 2.0
    return values

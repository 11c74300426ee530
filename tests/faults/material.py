"""What is damaged: a store with an entry of every stage, a kept model, a review and a kept view, all small and seeded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest

from core import analyses, checkpoints, corrections, pipeline, runs
from core.config import ClassifierConfig, ClusterConfig, KMeansConfig, PCAConfig, ReductionConfig, TSNEConfig
from core.decisions import Choice
from core.duplicates import DuplicateConfig
from core.evidence import SuspectConfig
from core.images import ArraySource
from core.models import TrainedModel
from core.plans import Plan, TrainedClassifier
from core.spreading import SpreadConfig
from core.store import Store, key_of
from core.sweep import SweepConfig
from tests import made_up

MODEL = "kept"
DECISIONS = 12
LARGE = 20 << 20  # bytes: an array that is mapped into memory, not read


@dataclass(frozen=True)
class Material:
    """Where everything lies: `make` fills a store, or what is missing of one."""

    folder: Path
    make: Callable[[Store], None]

    @property
    def store(self) -> Path:
        """The store's folder."""
        return self.folder / "store"

    @property
    def model(self) -> Path:
        """The kept model's folder."""
        return self.folder / "models" / MODEL

    @property
    def review(self) -> Path:
        """The review's file."""
        return self.folder / "reviews" / f"{'ab' * 16}.jsonl"

    @property
    def view(self) -> Path:
        """The kept view's file."""
        return self.folder / "views" / "view.json"


def build(folder: Path, large: bool = False) -> Material:
    """Make everything in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    images = made_up.write(folder)
    weights = folder / "classifier.safetensors"
    torch.manual_seed(0)
    save_file(_network().state_dict(), weights)

    def make(store: Store) -> None:
        _make(store, images, weights)
        if large and store.get("large", "0" * 32) is None:
            numbers = np.arange(LARGE // 4, dtype=np.int32)
            store.put("large", "0" * 32, {"numbers": numbers}, {"n": len(numbers)}, 0.0)

    material = Material(folder, make)
    store = pipeline.open_store(material.store)
    make(store)
    results = pipeline.run(store, made_up.plan(images), "model")
    model = results.model.value if results.model else None
    assert isinstance(model, TrainedModel)
    checkpoints.keep(model, MODEL, material.model.parent)
    write_review(material.review)
    material.view.parent.mkdir()
    material.view.write_bytes(_view())
    return material


def write_review(path: Path) -> None:
    """Decide on some images, name a cluster, take a decision back."""
    review = corrections.load(path)
    for row in range(DECISIONS):
        choice = Choice(row, f"image {row}", "relabel", "top", "bottom", 0.5 + row / 100)
        review = corrections.decide(path, review, [choice], "Ada")
    review = corrections.name_cluster(path, review, "cd" * 16, 3, "sevens", "#336699", "Ada")
    review = corrections.undo(path, review, "Ada")
    corrections.decide(path, review, [Choice(30, "image 30", "junk", "top", "", 0.9)], "Bo")


def _network() -> torch.nn.Module:
    from torchvision import models

    return models.squeezenet1_1(num_classes=3)


def _make(store: Store, images: Path, weights: Path) -> None:
    """Make every stage and analysis that the store lacks."""
    plan = made_up.plan(images)
    reduced = ReductionConfig(True, PCAConfig(3))
    moved = TSNEConfig(perplexity=6.0, early_exaggeration_iter=10, n_iter=20)
    plans = [
        made_up.plan(images, on="reduced"),
        Plan(plan.source, plan.model, reduced, moved, plan.cluster, start=plan.projection),
        Plan(plan.source, plan.model, reduced, PCAConfig(2), plan.cluster, others=(made_up.plan(images, k=4),)),
        Plan(
            ArraySource(str(images)),
            TrainedClassifier(ClassifierConfig("squeezenet1_1", resize=64, crop=64), str(weights), compared=False),
            ReductionConfig(),
            PCAConfig(2),
            ClusterConfig(KMeansConfig(3)),
        ),
    ]
    results = pipeline.run(store, plan)
    for other in plans:
        pipeline.run(store, other)
    for config in (
        SuspectConfig(),
        DuplicateConfig(),
        SpreadConfig(((0, 0), (1, 1), (2, 2)), 3),
        SweepConfig(ks=(2, 3)),
    ):
        analyses.analyse(store, plan, config)
    if store.get(runs.STAGE, runs.key(plan)) is None:
        runs.remember(store, plan, "run", runs.metrics("run", results))
    bits = np.packbits(np.arange(made_up.N) % 3 == 0, bitorder="little")
    key = key_of(2, "selection", bits.tobytes().hex())
    if store.get("selection", key) is None:
        store.put("selection", key, {"bits": bits}, {"n": made_up.N}, 0.0)


def _view() -> bytes:
    """Return a view as the page keeps it."""

    def script() -> None:
        import streamlit as st

        from core.images import ImageSet
        from dashboard import saved, state
        from tests import made_up

        x, y = made_up.blobs()
        found = ImageSet(
            x=x, y=y, classes=("top", "middle", "bottom"), ids=tuple(map(str, range(len(x)))), name="blobs",
            fingerprint="ab" * 16,
        )  # fmt: skip
        state.keep_settings()
        for name, first, chosen in (
            ("tsne.perplexity", 30, 12),
            ("point_size", 5, 9),
            ("color", "Cluster", "Label"),
            ("k.abababab", 3, 7),
        ):
            state.setting(name, first)
            state.change(name, chosen)
        st.text(saved.content(found).decode())

    page = AppTest.from_function(script).run()
    return str(page.text[0].value).encode()

"""A million images through the whole pipeline: the seconds of each stage, and the most memory the process took.

It has no other side: `python -m core bench million` shows that a set larger than others can map goes through at all.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core import figures, pipeline, report
from core.bench.watching import Watching
from core.config import (
    AutoencoderConfig,
    ClusterConfig,
    MiniBatchKMeansConfig,
    PCAConfig,
    ReductionConfig,
    TrainingConfig,
    TSNEConfig,
)
from core.images import ArraySource, SubsetSource
from core.plans import Plan, Results, StageName, TrainSpec, some
from core.progress import Callback
from core.store import Store

NAME = "million"
WHAT = "1,000,000 generated images → 64 latents → PCA → MiniBatchKMeans → t-SNE fitted on 20,000: seconds and memory"
N, SIDE, SHAPES = 1_000_000, 8, 20
SAMPLE, LEARNT, EPOCHS = 20_000, 20_000, 3
BATCH = 50_000
GB = 1_000_000_000


@dataclass(frozen=True)
class Row:
    """A stage: its seconds, and the most memory until its end in GB: all pages of the process, and those that no file backs.

    `anonymous` is None where the system does not tell it. Pages of mapped files count among `resident` while memory is free.
    """

    stage: str
    seconds: float
    resident: float | None
    anonymous: float | None
    found: bool = False


class Watch(Watching):
    """The memory of this process, looked at ten times a second while the block runs."""

    def __init__(self) -> None:
        self.anonymous: float | None = None

    def look(self) -> None:
        """Look at the pages that no file backs."""
        now = _anonymous()
        if now is not None:
            self.anonymous = max(self.anonymous or 0.0, now)

    def row(self, stage: str, seconds: float, found: bool = False) -> Row:
        """Return what a stage took that has just ended."""
        return Row(stage, seconds, _resident(), self.anonymous, found)


def write(path: Path, n: int = N, seed: int = 0) -> None:
    """Write n gray images of 8 × 8, a seeded mixture of 20 shapes with noise, piece by piece; a file that is there stays."""
    if path.exists():
        return
    random = np.random.default_rng(seed)
    shapes = random.integers(0, 160, (SHAPES, SIDE, SIDE))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    made: Any = np.lib.format.open_memmap(part, "w+", np.uint8, (n, SIDE, SIDE))
    for start in range(0, n, BATCH):
        of = random.integers(0, SHAPES, min(BATCH, n - start))
        bright = random.uniform(0.6, 1.4, (len(of), 1, 1))
        noise = random.normal(0, 20, (len(of), SIDE, SIDE))
        made[start : start + len(of)] = np.clip(shapes[of] * bright + noise, 0, 255)
    made.flush()
    part.rename(path)


def plan_of(path: Path, sample: int = SAMPLE, learnt: int = LEARNT, epochs: int = EPOCHS) -> Plan:
    """Return the plan: an autoencoder that learns from some of the images, PCA to 32 of 64 latents, a sampled t-SNE."""
    source = ArraySource(str(path.absolute()))
    training = TrainingConfig(epochs=epochs, batch_size=256)
    return Plan(
        source,
        TrainSpec(AutoencoderConfig(64, 8), training, SubsetSource(source, learnt)),
        ReductionConfig(method=PCAConfig(32)),
        TSNEConfig(sample=sample),
        ClusterConfig(MiniBatchKMeansConfig(SHAPES, 4096)),
    )


def run(store: Store, plan: Plan, callback: Callback, told: Callable[[Row], None]) -> tuple[list[Row], Results]:
    """Go through the stages one by one, telling each as it ends; what the store has is found and said to be."""
    rows: list[Row] = []

    def tell(row: Row) -> None:
        rows.append(row)
        told(row)

    with Watch() as watch:
        for stage in ("images", "model", "latents", "reduced"):
            _stage(store, plan, stage, callback, watch, tell)
        flat = replace(plan, projection=PCAConfig(2))
        _stage(store, flat, "projection", callback, watch, tell, "PCA map")
        _stage(store, flat, "clustering", callback, watch, tell, "MiniBatchKMeans")
        _stage(store, plan, "projection", callback, watch, tell, "t-SNE map")
        found = _stage(store, plan, "clustering", callback, watch, tell)
        started = time.perf_counter()
        report.scores(found)
        tell(watch.row("scores", time.perf_counter() - started))
        started = time.perf_counter()
        figures.parts(report.map_spec(found))
        tell(watch.row("map as bytes", time.perf_counter() - started))
    return rows, found


def _stage(
    store: Store,
    plan: Plan,
    stage: StageName,
    callback: Callback,
    watch: Watch,
    tell: Callable[[Row], None],
    name: str = "",
) -> Results:
    found = pipeline.run(store, plan, stage, callback)
    last = some(getattr(found, stage))
    if name or stage != "clustering":
        tell(watch.row(name or stage, last.seconds, last.found))
    return found


def text(row: Row) -> str:
    """Write a stage in one line."""
    took = "found in the store" if row.found else f"{row.seconds:.1f} s"
    memory = [] if row.resident is None else [f"{row.resident:.2f} GB resident at most"]
    memory += [] if row.anonymous is None else [f"{row.anonymous:.2f} GB of it without a file"]
    return ", ".join([f"{row.stage}: {took}", *memory])


def as_json(rows: list[Row], found: Results) -> Mapping[str, Any]:
    """Return the figures as plain values."""
    value = some(found.projection).value
    return {
        "name": NAME,
        "n": len(found.images.value),
        "fitted": value.fitted,
        "kept_fitted": value.kept_fitted,
        "kept_placed": value.kept_placed,
        "stages": [asdict(row) for row in rows],
    }


def _resident() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GB


def _anonymous() -> float | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / GB
    return None

"""A million images in shards, end to end: the seconds, bytes and memory of each stage, from which larger sets are planned.

It has no other side: `python -m core bench shards --engine ray` shows that a set of any size goes through, and at what cost.
"""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core import stages, whole
from core.bench.watching import Watching
from core.config import (
    AutoencoderConfig,
    ClusterConfig,
    MiniBatchKMeansConfig,
    PCAConfig,
    ReductionConfig,
    TrainingConfig,
    UMAPConfig,
)
from core.engines import Engine
from core.models import TrainedModel
from core.plans import Plan, Staged, TrainSpec
from core.progress import Callback
from core.readers.shards import find_frame, list_shards
from core.readers.sources import ShardedSource
from core.shards.learnt import draw
from core.shards.results import ShardedResults
from core.shards.run import Run
from core.shards.run import run as over_shards
from core.store import Store

NAME = "shards"
WHAT = "1,000,000 generated images in shards → latents → PCA, KMeans, maps, neighbours, atlas: seconds, bytes, memory"
N, SIDE, SHAPES = 1_000_000, 8, 20
A_SHARD = 10_000
LATENTS, COMPONENTS, LEARNT, EPOCHS, BATCH = 64, 32, 20_000, 3, 4_096
GB = 1_000_000_000


@dataclass(frozen=True)
class Row:
    """A stage: its seconds, the bytes that it left, and the most memory in GB of this process and of any worker so far."""

    stage: str
    seconds: float
    size: int
    driver: float | None
    worker: float | None


def write(root: Path, n: int = N, seed: int = 0, a_shard: int = A_SHARD) -> None:
    """Write n gray images of 8 × 8 as PNG in Parquet files, each of one of 20 shapes with noise, which is its label.

    Files that are there stay.
    """
    random = np.random.default_rng(seed)
    shapes = random.integers(0, 160, (SHAPES, SIDE, SIDE))
    root.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, n, a_shard)):
        path = root / f"images-{number:06d}.parquet"
        if not path.exists():
            own = np.random.default_rng([seed, number])
            whole.write(path, _shard(own, shapes, range(start, min(n, start + a_shard))))


def _shard(random: np.random.Generator, shapes: np.ndarray, rows: range) -> bytes:
    of = random.integers(0, SHAPES, len(rows))
    noise = random.normal(0, 20, (len(rows), SIDE, SIDE))
    x = np.clip(shapes[of] * random.uniform(0.6, 1.4, (len(rows), 1, 1)) + noise, 0, 255).astype(np.uint8)
    table = pa.table(
        {"id": [str(row) for row in rows], "image": [_png(one) for one in x], "label": [f"shape {i}" for i in of]}
    )
    made = io.BytesIO()
    pq.write_table(table, made, row_group_size=1_024)
    return made.getvalue()


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.fromarray(image).save(made, "PNG", compress_level=1)
    return made.getvalue()


def run(
    store: Store, engine: Engine, root: Path, n: int, callback: Callback, told: Callable[[Row], None]
) -> tuple[list[Row], ShardedResults]:
    """Write n images in shards, go through every stage, and tell each as it ends.

    An autoencoder of 64 latents learns from 20,000 of them, PCA brings these to 32, random batches find 20 clusters, and UMAP
    is fitted on 20,000 and places the others.
    """
    rows: list[Row] = []
    with Watch() as watch:

        def tell(stage: str, seconds: float) -> None:
            rows.append(Row(stage, seconds, _size(root, stage), watch.driver, watch.worker))
            told(rows[-1])

        started = time.perf_counter()
        write(root / "images", n)
        rows.append(
            Row("images", time.perf_counter() - started, size_of(root / "images"), watch.driver, watch.worker)
        )
        told(rows[-1])
        source = ShardedSource(str((root / "images").absolute()))
        listed = list_shards(source)
        frame = find_frame(source, listed)
        started = time.perf_counter()
        drawn = draw(engine, source, listed, frame, min(LEARNT, n), callback=callback)
        tell("sample to learn from", time.perf_counter() - started)
        spec = TrainSpec(AutoencoderConfig(LATENTS, 8), TrainingConfig(epochs=EPOCHS, batch_size=256))
        trained = stages.model(store, spec, drawn.images, callback)
        assert isinstance(trained.value, TrainedModel)
        tell("model", trained.seconds)
        model = Staged(trained.value, trained.key, trained.found, trained.seconds)
        plan = Plan(
            source, spec, ReductionConfig(method=PCAConfig(COMPONENTS)), UMAPConfig(),
            ClusterConfig(MiniBatchKMeansConfig(SHAPES, BATCH), "reduced"),
        )  # fmt: skip
        made = over_shards(engine, Run(str(root.absolute()), source, listed, frame, plan, model), callback, tell)
        started = time.perf_counter()
        made.scores  # noqa: B018 (found when asked for)
        tell("scores", time.perf_counter() - started)
    return rows, made


def _size(root: Path, stage: str) -> int:
    """Return the bytes that a stage left."""
    if stage == "index":
        return sum(path.stat().st_size for path in root.glob("index.faiss*"))
    return size_of(root / stage)


class Watch(Watching):
    """The most memory of this process and of any of Ray's workers, in GB, looked at five times a second while the block runs.

    Both stay None where the system does not tell them, as only Linux does.
    """

    seconds = 0.2

    def __init__(self) -> None:
        self.driver: float | None = None
        self.worker: float | None = None

    def look(self) -> None:
        """Look at this process and at all workers."""
        self.driver = _larger(self.driver, _most("self"))
        for process in _workers():
            self.worker = _larger(self.worker, _most(process))


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder and below it; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def text(row: Row) -> str:
    """Write a stage in one line."""
    told = [f"{row.stage}: {row.seconds:.1f} s"]
    told += [f"{row.size / 1e6:,.0f} MB"] if row.size else []
    told += [] if row.driver is None else [f"this process {row.driver:.2f} GB at most"]
    told += [] if row.worker is None else [f"a worker {row.worker:.2f} GB"]
    return ", ".join(told)


def _larger(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)


def _workers() -> Iterator[str]:
    """Give the numbers of the processes that are workers of Ray: their command line says "ray::" and what they do."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cmdline").read_bytes().startswith(b"ray::"):
                yield path.name
        except OSError:  # it has ended
            continue


def _most(process: str) -> float | None:
    """Return the most memory that a process has had, in GB; what workers of Ray share counts for each."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / GB
    return None


def as_json(rows: list[Row], made: ShardedResults, engine: str) -> dict[str, Any]:
    """Return the figures as plain values."""
    scores = {name: value for name, value in asdict(made.scores).items() if value is not None}
    return {"name": NAME, "engine": engine, **scores, "stages": [asdict(row) for row in rows]}

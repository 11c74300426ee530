"""What random batches, samples and lists cost where the full answer is possible: `python -m tests.bench.sampled IMAGES`.

IMAGES is what `--data` takes, such as a .npz of MNIST's 60,000. They are written as shards and encoded with the model of the
sample `digits`; each figure over shards stands beside the one of all images.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from core import clustering, parts, stages
from core.config import KMeansConfig, MiniBatchKMeansConfig, PCAConfig, TSNEConfig, UMAPConfig
from core.engines import Local
from core.images import load, parse_source
from core.plans import KeptModel
from core.projection import pca, project
from core.projection.sampling import JUDGED, kept
from core.quality import ari
from core.readers.shard_writing import write_shards
from core.readers.shards import find_frame, list_shards
from core.readers.sources import ShardedSource
from core.shards import index, placing
from core.shards.clustering import kmeans
from core.shards.columns import Vectors
from core.shards.encoding import encode
from core.shards.rows import Rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", metavar="IMAGES")
    parser.add_argument(
        "--sample", type=int, default=10_000, metavar="N", help="images that maps are fitted on (10000)"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = str(Path(folder) / "run")
        latents = _encoded(args.images, root)
        values = Rows(latents)[np.arange(latents.n)]
        print(f"{latents.n:,} images, {values.shape[1]} latents, {len(latents.numbers)} shards")
        _axes(latents, values, root)
        _clusters(latents, values, root)
        _neighbours(latents, root)
        for config in (UMAPConfig(), TSNEConfig()):
            _maps(latents, values, config, args.sample, root)


def _encoded(images: str, root: str) -> Vectors:
    place = f"{root}/images"
    write_shards(load(parse_source(images)), place)
    source = ShardedSource(place)
    shards = list_shards(source)
    model = stages.read_model(KeptModel("digits"))
    started = time.perf_counter()
    found = encode(Local(), source, shards, find_frame(source, shards), model, root, "key")
    print(f"encoded {found.n / (time.perf_counter() - started):,.0f} images a second in one process")
    numbers, sizes = tuple(part.number for part in found.parts), tuple(part.rows for part in found.parts)
    return Vectors(root, "encoded", "latents", numbers, sizes)


def _axes(latents: Vectors, values: np.ndarray, root: str) -> None:
    placing.project(Local(), latents, PCAConfig(2), 2, root, "pca")
    over = Rows(Vectors(root, "map2", ("x", "y"), latents.numbers, latents.sizes))[np.arange(latents.n)]
    whole, _ = pca(values, 2)
    print(f"PCA of all rows: largest difference {np.abs(over - whole).max():.1e}, of a spread of {whole.std():.2f}")


def _clusters(latents: Vectors, values: np.ndarray, root: str) -> None:
    lloyd = KMeansConfig(10, start_sample=3000)
    whole = clustering.cluster(values, lloyd)
    for method in (lloyd, MiniBatchKMeansConfig(10, 4096)):
        found = kmeans.cluster(Local(), latents, method, root, type(method).__name__)
        read = (
            parts.read(root, "clustered", number, ["cluster"])["cluster"].to_numpy() for number in latents.numbers
        )
        same = ari(np.concatenate(list(read)), whole.labels)
        excess = found.inertia / whole.inertia - 1
        print(f"{type(method).__name__}: inertia {excess:+.3%} of that in memory, ARI with its clusters {same:.4f}")


def _neighbours(latents: Vectors, root: str) -> None:
    found = index.build_index(latents, f"{root}/index.faiss")
    print(
        f"Index: {found.recall:.3f} ± {found.recall_se:.3f} of the 10 nearest, {found.n_probe} of {found.n_lists} lists"
    )


def _maps(latents: Vectors, values: np.ndarray, config: UMAPConfig | TSNEConfig, sample: int, root: str) -> None:
    rows = np.sort(np.random.default_rng(0).choice(latents.n, JUDGED, replace=False))
    whole = project(values, config)
    print(
        f"{type(config).__name__} of all: {kept(values, whole.coordinates, rows):.3f} of the 10 nearest kept, of {JUDGED:,}"
    )
    found = placing.project(Local(), latents, replace(config, sample=sample), 2, root, type(config).__name__)
    for name, one in (("fitted", found.kept_fitted), ("placed", found.kept_placed)):
        assert one is not None
        print(
            f"{type(config).__name__} of {found.fitted:,}: {one.share:.3f} ± {one.se:.3f}, {name} images, of {one.judged:,}"
        )


if __name__ == "__main__":
    main()

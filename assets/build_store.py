"""Compute what ships with the samples, so that the first page opens at once: `python assets/build_store.py`.

Makes each sample's default map in 2-D and 3-D and its clusters, by the way that the dashboard begins with and by KMeans of the
latents, by the ordinary pipeline, and packs the entries into `store/`. The emoji's latents are left out (their pictures would
be over 2 MB), and the neighbours; the dashboard makes them in seconds.
"""

import shutil
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from build_samples import pack

from core import checksums, pipeline, stages, ways
from core.config import ClusterConfig, KMeansConfig, TSNEConfig
from core.images import SAMPLES, SampleSource
from core.plans import KeptModel, Plan
from core.store import Store

HERE = Path(__file__).parent
LEFT_OUT = (("emoji", "latents"), ("digits", "neighbours"), ("emoji", "neighbours"))


def main() -> None:
    """Compute and pack all samples."""
    shutil.rmtree(HERE / "store", ignore_errors=True)
    with TemporaryDirectory() as folder:
        for name in SAMPLES:
            store = Store(Path(folder) / name)
            source = SampleSource(name)
            images = stages.images(store, source).value
            n, k = len(images), len(images.classes)
            usual = ways.cluster_of(ways.usual(n), n, k)
            for dimensions, cluster in ((2, usual), (3, ClusterConfig(KMeansConfig(k)))):
                pipeline.run(store, Plan(source, KeptModel(name), projection=TSNEConfig(dimensions), cluster=cluster))
            for sidecar in store.entries():
                if (name, sidecar["stage"]) not in LEFT_OUT:
                    ship(store, sidecar["stage"], sidecar["key"])


def ship(store: Store, stage: str, key: str) -> None:
    """Write an entry with all arrays in one compressed file."""
    entry = store.get(stage, key)
    if entry is None:
        raise SystemExit(f"{stage} {key} cannot be read")
    target = HERE / "store" / stage / key
    target.mkdir(parents=True)
    pack(dict(entry.arrays), target / "arrays.npz")
    sidecar = checksums.unsealed((store.root / stage / key / "entry.json").read_bytes())
    sidecar["files"] = {"arrays.npz": (target / "arrays.npz").stat().st_size}
    sidecar["sums"] = {"arrays.npz": checksums.of_file(target / "arrays.npz")}
    (target / "entry.json").write_bytes(checksums.sealed(sidecar, indent=1) + b"\n")
    with zipfile.ZipFile(target / "arrays.npz") as file:
        print(stage, key, sidecar["files"]["arrays.npz"], file.namelist())


if __name__ == "__main__":
    main()

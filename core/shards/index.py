"""An index of all vectors that finds near ones without looking at most, by FAISS, in one file that is memory-mapped.

FAISS reads a file without mistrust, so only those that were made here are opened: JSON beside it says how long it is and has
its checksum. That tells a damaged file, one half copied and one put there by mistake. It is no protection against someone who
may write into the folder and means harm.
"""

import weakref
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

from core.checksums import Damaged, of_file, sealed, unsealed
from core.config.checks import whole
from core.engines import Local
from core.errors import ConfigError, DataError
from core.progress import Callback, Progress, ignore, stopwatch
from core.shards.columns import Vectors, read
from core.shards.index_files import fetched, put, writing
from core.shards.nearest import Nearest, nearest
from core.shards.sampling import uniform

EXACT_BELOW = 10_000  # vectors, which are all compared
FLAT_BYTES = 2 << 30  # of vectors as they are; of more each number is kept in 8 bits
TRAINED_ON = 64  # vectors a list, from which the lists are found ...
TRAINED_BYTES = 256 << 20  # ... as long as they take no more than this
MOST_LISTS = 65_536
K = 10
QUERIES = 200
WANTED = 0.95  # share of the 10 nearest that is to be found
_JSON_BYTES = 65_536
Kind = Literal["all", "lists", "lists of 8 bits"]


@dataclass(frozen=True)
class IndexInfo:
    """An index of n vectors of d numbers.

    Parameters
    ----------
    kind : "all" compares with every vector, "lists" with those of the `n_probe` of `n_lists` lists that are nearest.
    bytes : of its file.
    recall : share, in [0, 1], of the 10 nearest others that it finds, of so many `queries` drawn from the n at random, and
        `recall_se`, the standard error of that mean. Of kind "all" 1, without a query.
    """

    n: int
    d: int
    kind: Kind
    n_lists: int
    n_probe: int
    bytes: int
    recall: float
    recall_se: float
    queries: int


@dataclass(frozen=True, eq=False)
class Index:
    """An open index."""

    info: IndexInfo
    faiss: Any

    def search(self, values: np.ndarray, k: int) -> Nearest:
        """Find the k nearest of vectors (q, d): running numbers and Euclidean distances, nearest first; -1 where none."""
        squares, rows = self.faiss.search(np.ascontiguousarray(values, np.float32), k)
        away = np.sqrt(np.maximum(squares, 0), dtype=np.float64)
        return Nearest(rows.astype(np.int64), np.where(rows < 0, np.inf, away))


def build_index(vectors: Vectors, path: str, callback: Callback = ignore, n_lists: int | None = None) -> IndexInfo:
    """Build an index of all vectors, by their running numbers, and write it with what is to be known of it, in `<path>.json`.

    Up to 10,000 vectors are kept as they are. More are kept in lists by their nearest of `n_lists` centers, or of about 4 √n;
    beyond 2 GB with 8 bits a number. It searches the smallest of 1, 2, 4, … lists that gives 0.95 of the 10 nearest, measured
    against a comparison with all vectors. Parts are added one after another; memory is that of the index.

    Raises
    ------
    ConfigError : FAISS is not installed, or n_lists does not fit. DataError : a part cannot be read.
    ExportError : it cannot be written. Cancelled : raised by the callback; nothing is left then.
    """
    faiss = _faiss()
    if n_lists is not None:
        whole("n_lists", n_lists, 1, min(MOST_LISTS, vectors.n))
    made, kind = _empty(faiss, vectors, n_lists, callback)
    left = stopwatch(len(vectors.numbers))
    for at in range(len(vectors.numbers)):
        callback(Progress("Indexing", at, len(vectors.numbers), "shard", left(at)))
        values = read(vectors, at)
        if values.shape[1] != made.d:
            raise DataError(f"Some parts have vectors of {made.d} numbers, others of {values.shape[1]}.")
        made.add(values)
    callback(Progress("Indexing", len(vectors.numbers), len(vectors.numbers), "shard"))
    recall = (1.0, 0.0, 0, 0) if kind == "all" else _probes(made, vectors, kind, callback)
    lists = 0 if kind == "all" else int(made.nlist)
    share, se, queries, probe = recall
    with writing(path) as file:
        faiss.write_index(made, str(file))
        size = file.stat().st_size
        info = IndexInfo(vectors.n, int(made.d), kind, lists, probe, size, share, se, queries)
        described = sealed({"index": of_file(file), **asdict(info)}, indent=1)
        put(path, file, described)
    return info


def open_index(path: str) -> Index:
    """Open an index that was made here, memory-mapped; one at an address is fetched first, and gone with the index.

    Raises
    ------
    ConfigError : FAISS is not installed. DataError : it is not there, or not what was written.
    """
    faiss, folder = _faiss(), None
    try:
        place, folder = fetched(path)
        index = _opened(faiss, place)
    except FileNotFoundError as error:
        raise DataError(f"There is no index {path}.") from error
    except (OSError, RuntimeError, ValueError, RecursionError) as error:
        if folder is not None:
            folder.cleanup()
        raise DataError(f"The index {path} is not one that was made here: {error!s:.200}. Build it anew.") from error
    if folder is not None:
        weakref.finalize(index, folder.cleanup)
    return index


def _opened(faiss: Any, place: Path) -> Index:
    info = _checked(place)
    made = faiss.read_index(str(place), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    if (made.ntotal, made.d) != (info.n, info.d):
        raise Damaged(f"it holds {made.ntotal:,} vectors of {made.d}, not {info.n:,} of {info.d}")
    if info.kind != "all":
        made.nprobe = info.n_probe
    return Index(info, made)


def _faiss() -> Any:
    try:
        return import_module("faiss")
    except ImportError as error:
        raise ConfigError('The index needs FAISS: pip install "embedding-explorer[cluster]".') from error


def _empty(faiss: Any, vectors: Vectors, n_lists: int | None, callback: Callback) -> tuple[Any, Kind]:
    """Return an index without vectors, its lists found on a random sample."""
    d = read(vectors, int(np.argmax(vectors.sizes))).shape[1]
    if vectors.n < EXACT_BELOW and n_lists is None:
        return faiss.IndexFlatL2(d), "all"
    most = max(1, TRAINED_BYTES // (4 * d * TRAINED_ON))
    lists = n_lists or max(1, min(round(4 * vectors.n**0.5), most, MOST_LISTS))
    sample = uniform(vectors, max(lists, min(TRAINED_ON * lists, TRAINED_BYTES // (4 * d))), 0, callback).values
    near = faiss.IndexFlatL2(d)
    many = vectors.n * d * 4 > FLAT_BYTES
    if many:
        made = faiss.IndexIVFScalarQuantizer(near, d, lists, faiss.ScalarQuantizer.QT_8bit)
    else:
        made = faiss.IndexIVFFlat(near, d, lists)
    made.cp.min_points_per_centroid = 1  # it would write a warning to the terminal
    callback(Progress("Finding lists", 0, 1))
    made.train(sample)
    callback(Progress("Finding lists", 1, 1))
    return made, "lists of 8 bits" if many else "lists"


def _probes(made: Any, vectors: Vectors, kind: Kind, callback: Callback) -> tuple[float, float, int, int]:
    """Find how many lists must be searched, and return recall, its standard error, queries, and lists."""
    k = min(K, vectors.n - 1)
    asked = uniform(vectors, QUERIES, 1, callback)
    own = asked.running(vectors)
    exact = nearest(Local(), vectors, asked.values, own, k, callback=callback)
    probe = 1
    while True:
        made.nprobe = probe
        squares, rows = made.search(asked.values, k + 1)
        right = (rows[:, :, None] == exact.rows[:, None, :]).any(axis=2)
        if kind == "lists":  # of equally far ones any will do; distances of 8 bits do not tell
            right |= np.sqrt(np.maximum(squares, 0)) <= exact.distances[:, -1:] * (1 + 1e-6)
        right &= (rows != own[:, None]) & (rows >= 0)
        shares = np.minimum(right.sum(axis=1), k) / k
        if shares.mean() >= WANTED or probe == made.nlist:
            se = float(shares.std(ddof=1) / np.sqrt(len(shares))) if len(shares) > 1 else float("nan")
            return float(shares.mean()), se, len(shares), probe
        probe = min(2 * probe, int(made.nlist))
        callback(Progress("Measuring the index", probe, int(made.nlist), "list"))


def _checked(place: Path) -> IndexInfo:
    """Read what describes an index, and check that its file is the one described."""
    with Path(f"{place}.json").open("rb") as file:
        text = file.read(_JSON_BYTES + 1)
    told = unsealed(text) if len(text) <= _JSON_BYTES else None
    kinds = {
        "index": str,
        **{item.name: item.type if item.type in (int, float) else str for item in fields(IndexInfo)},
    }
    if not isinstance(told, dict) or {name: type(value) for name, value in told.items()} != kinds:
        raise Damaged("what is told of it is not what was written")
    checksum = told.pop("index")
    info = IndexInfo(**told)
    if place.stat().st_size != info.bytes or of_file(place) != checksum:
        raise Damaged("its checksum does not fit what it holds")
    return info

"""An atlas as it is opened: what it says of itself, and a locked connection of DuckDB that can read it and nothing else."""

import posixpath
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import whole
from core.atlas import asking
from core.atlas.columns import PICTURES, VECTORS, Column, Filter, View
from core.atlas.described import FOLDER, MOST_BYTES, NAME, Described, File, from_json
from core.errors import DataError
from core.readers.addresses import is_address
from core.readers.opening import open_file

__all__ = ["Atlas", "Column", "Filter", "View", "open_atlas"]


@dataclass(frozen=True, eq=False)
class Atlas:
    """A table of any length beside its map; many threads may ask it at once.

    Parameters
    ----------
    root : the run's folder or address; the table lies in `atlas` below it.
    key : says which making of the table this is, for caches.
    n : rows.
    columns : what can be filtered and counted by.
    fetched : every column that can be asked for in rows, those of `columns`, "thumbnail" and "latents" among them.
    bounds : the rectangle that all points lie in.
    image_shape : (h, w, c) of the images that the model takes.
    about : what made it, as given to `build`.
    connection : DuckDB's; a query takes a cursor of it.
    folder : where the files lie, as DuckDB is told. files : the table's, in its order.
    types : DuckDB's type of each column. d : length of the latents, 0 where there are none.
    """

    root: str
    key: str
    n: int
    columns: tuple[Column, ...]
    fetched: tuple[str, ...]
    bounds: View
    image_shape: tuple[int, int, int]
    about: Mapping[str, Any]
    connection: Any
    folder: str
    files: tuple[File, ...]
    types: Mapping[str, str]
    d: int

    def paths(self, files: tuple[File, ...]) -> list[str]:
        """Return where some of the files lie."""
        return [posixpath.join(self.folder, file.name) for file in files]

    def close(self) -> None:
        """Close the connection; nothing can be asked any more."""
        self.connection.close()


def open_atlas(root: str, memory: str = "1GB", threads: int | None = None) -> Atlas:
    """Open the atlas below a run's folder or address.

    Parameters
    ----------
    memory : most that DuckDB takes for queries, all together. threads : that it works with; None: the computer's cores.

    Raises
    ------
    DataError : there is none, or it is damaged or not as it should be.
    ConfigError : `memory` is no size.
    """
    system, folder = _place(root)
    described = from_json(_read(root, folder, system))
    if system is None:
        for file in described.files:
            _check_file(Path(folder) / file.name)
    connection = asking.connect(folder, system, memory, threads)
    try:
        paths = [posixpath.join(folder, file.name) for file in described.files]
        types = asking.types(connection, paths)
        _check_types(described, types)
        rows = asking.table(connection, "SELECT count(*) AS n FROM read_parquet($files)", {"files": paths})["n"][
            0
        ].as_py()
        if rows != described.n:
            raise DataError(f"The atlas in {root} has {rows:,} rows, where {described.n:,} are told of.")
    except BaseException:
        connection.close()
        raise
    told = {
        name: getattr(described, name)
        for name in ("key", "n", "columns", "fetched", "bounds", "image_shape", "about")
    }
    return Atlas(
        root, connection=connection, folder=folder, files=described.files, types=types, d=described.d, **told
    )


def _place(root: str) -> tuple[Any, str]:
    """Return fsspec's file system and the address of the folder that holds the table; no system and a path for a local one."""
    if not is_address(root):
        return None, whole.restored(Path(root).resolve() / FOLDER).as_posix()
    import fsspec

    try:
        system, inner = fsspec.core.url_to_fs(root)
    except (ImportError, OSError, ValueError) as error:
        raise DataError(f"{root} cannot be opened: {error!s:.200}.") from error
    return system, posixpath.join(system.unstrip_protocol(inner), FOLDER)


def _read(root: str, folder: str, system: Any) -> bytes:
    path = posixpath.join(folder, NAME)
    try:
        with open_file(Path(path), links=False) if system is None else system.open(path, "rb") as file:
            data: bytes = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise DataError(f"There is no atlas in {root}; a run makes one.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error!s:.200}.") from error
    if len(data) > MOST_BYTES:
        raise DataError(f"{path} is larger than {MOST_BYTES >> 20} MB.")
    return data


def _check_file(path: Path) -> None:
    """Check that a file of the table is one, and no link to elsewhere, which DuckDB would refuse in other words."""
    try:
        regular = stat.S_ISREG(path.lstat().st_mode)
    except OSError as error:
        raise DataError(f"{path} of the atlas is not there: {error.strerror}.") from error
    if not regular:
        raise DataError(f"{path} of the atlas is not a file.")


def _check_types(described: Described, types: Mapping[str, str]) -> None:
    """Check that the table has the columns that are told of, each of its type."""
    kinds: dict[str, tuple[str, ...]] = dict.fromkeys(described.fetched, ())  # () for any
    kinds |= {PICTURES: ("BLOB",)} if PICTURES in kinds else {}
    kinds |= {VECTORS: ("FLOAT[]", f"FLOAT[{described.d}]")} if VECTORS in kinds else {}
    of_kind = {"category": ("VARCHAR", "INTEGER"), "text": ("VARCHAR",), "number": ("FLOAT", "DOUBLE", "INTEGER")}
    kinds |= {column.name: of_kind[column.kind] for column in described.columns}
    kinds |= {"at": ("BIGINT",), "x": ("FLOAT",), "y": ("FLOAT",)}
    for name, allowed in kinds.items():
        found = types.get(name)
        if found is None or (allowed and found not in allowed):
            raise DataError(
                f"The atlas's column {name!r:.80} is {found or 'not there'!s:.80}; it should be {' or '.join(allowed)}."
            )
    if (VECTORS in kinds) != (described.d > 0):
        raise DataError(f"The atlas's latents are told to be {described.d} numbers.")

"""Pictures of a few rows: their thumbnails, and what the run's model makes of their latents."""

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from core import checkpoints, latents
from core.atlas.columns import PICTURES, VECTORS
from core.atlas.table import Atlas
from core.errors import CheckpointError, ExplorerError
from core.models import TrainedModel
from core.parts import matrix
from core.readers.addresses import is_address
from dashboard.caches import cached

MOST_SIDE = 64  # pixels of a thumbnail
MOST_BYTES = 100_000  # of one that is read
MODEL = "model.safetensors"
MOST_MODEL = 2 << 30  # bytes of a model that is fetched from an address
GONE = 128  # gray of a picture that cannot be read


@dataclass(frozen=True, eq=False)
class Pictures:
    """Thumbnails uint8 (n, h, w, c), what the model makes of them, of the same shape, or None, and why there is none."""

    originals: np.ndarray
    reconstructions: np.ndarray | None
    note: str = ""


def read(atlas: Atlas, rows: pa.Table) -> Pictures:
    """Decode the thumbnails of rows, and their latents where both the model and they are there.

    Parameters
    ----------
    rows : with the columns "thumbnail" and, for reconstructions, "latents".
    """
    originals = thumbnails(rows.column(PICTURES).to_pylist())
    if VECTORS not in rows.column_names:
        return Pictures(originals, None)
    try:
        model = model_of(atlas)
        if model is None:
            return Pictures(originals, None, "There is no model beside the atlas, so nothing is reconstructed.")
        made = latents.decode(model, matrix(rows.column(VECTORS)))
    except ExplorerError as error:
        return Pictures(originals, None, str(error))
    return Pictures(originals, _fitted(made, originals.shape[1:]))


def thumbnails(files: Sequence[bytes | None]) -> np.ndarray:
    """Decode encoded thumbnails, uint8 (n, h, w, c), all in the shape of the largest; one that cannot be read is gray."""
    found = [_decoded(file) for file in files]
    there = [picture for picture in found if picture is not None]
    h = max((picture.height for picture in there), default=8)
    w = max((picture.width for picture in there), default=8)
    mode = "L" if all(picture.mode == "L" for picture in there) else "RGB"
    made = np.full((len(files), h, w, 1 if mode == "L" else 3), GONE, np.uint8)
    for i, picture in enumerate(found):
        if picture is not None:
            same = picture.convert(mode)
            made[i] = np.asarray(same if same.size == (w, h) else same.resize((w, h))).reshape(made.shape[1:])
    return made


def _decoded(file: bytes | None) -> Image.Image | None:
    if not file or len(file) > MOST_BYTES:
        return None
    try:
        with Image.open(io.BytesIO(file), formats=("PNG", "WEBP", "JPEG")) as picture:
            if max(picture.size) > MOST_SIDE:
                return None
            return picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what Pillow raises of damaged files
        return None


def _fitted(made: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return images uint8 (n, h, w, c) in the shape (h, w, c) of the thumbnails."""
    h, w, c = shape
    if made.shape[1:] == shape:
        return made
    fitted = np.empty((len(made), h, w, c), np.uint8)
    for i, image in enumerate(made):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("L" if c == 1 else "RGB")
        fitted[i] = np.asarray(picture.resize((w, h), Image.Resampling.BOX)).reshape(shape)
    return fitted


def model_of(atlas: Atlas) -> TrainedModel | None:
    """Return the run's model, None where there is none.

    Raises
    ------
    CheckpointError : it cannot be read.
    """
    return _model(atlas.root, atlas.key)


@cached(max_entries=2, show_spinner=False)
def _model(root: str, key: str) -> TrainedModel | None:
    if not is_address(root):
        path = Path(root) / MODEL
        return checkpoints.read_checkpoint(path) if path.is_file() else None
    import fsspec

    try:
        system, inner = fsspec.core.url_to_fs(f"{root.rstrip('/')}/{MODEL}")
        if not system.exists(inner):
            return None
        if system.size(inner) > MOST_MODEL:
            raise CheckpointError(f"The model beside the atlas has more than {MOST_MODEL >> 30} GiB.")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / MODEL
            system.get_file(inner, str(path))
            return checkpoints.read_checkpoint(path)
    except OSError as error:
        raise CheckpointError(f"The model beside the atlas cannot be read: {error!s:.200}.") from error

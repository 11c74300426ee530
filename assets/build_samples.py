"""Make the two samples from their originals: `python assets/build_samples.py digits mnist_5k.csv.gz` and
`python assets/build_samples.py emoji emoji_64.npz`. `README.md` here says where these come from.

The arrays of a sample lie in one LZMA-compressed `images.npz`, which `numpy.load` reads; equal input gives equal bytes.
"""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
EMOJI_SIDE = 32


def digits(csv: Path) -> dict[str, np.ndarray]:
    """Read rows of 784 pixels and a label."""
    table = np.loadtxt(csv, delimiter=",", dtype=np.float32)
    x = table[:, :784].astype(np.uint8).reshape(-1, 28, 28)  # (n, h, w)
    return {"x": x, "y": table[:, 784].astype(np.int64), "classes": np.array([str(i) for i in range(10)])}


def emoji(npz: Path) -> dict[str, np.ndarray]:
    """Scale 64×64 pictures to 32×32."""
    with np.load(npz, allow_pickle=False) as given:
        arrays = {name: given[name] for name in given.files}
    size = (EMOJI_SIDE, EMOJI_SIDE)
    small = [np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)) for image in arrays["x"]]
    names = [str(name) for name in arrays.pop("name")]
    ids = [name if name not in names[:i] else f"{name} ({i})" for i, name in enumerate(names)]
    return arrays | {"x": np.stack(small), "ids": np.array(ids)}


def pack(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Write arrays as a .npz of LZMA-compressed members with a fixed date."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), buffer.getvalue(), zipfile.ZIP_LZMA)


if __name__ == "__main__":
    _, sample, original = sys.argv
    pack({"digits": digits, "emoji": emoji}[sample](Path(original)), HERE / sample / "images.npz")

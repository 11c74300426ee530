"""How files are read in the program, each as the page or the command line does it; run in the guard."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core import compare, corrections, corrections_csv, known, metadata, recipes, stages
from core.images import ImageSet, image_set, parse_source, read_picture_bytes
from core.readers import classnames
from core.store import Store

SMALL = 200_000  # bytes of images that are sent back


def warm() -> None:
    """Load what reading needs, so that a case takes only what it takes itself."""
    import pyarrow.parquet  # noqa: F401
    import torch

    from core.networks import build
    from dashboard import saved  # noqa: F401

    images(path="digits")
    with torch.device("meta"):  # torch makes a folder of its own the first time
        build("squeezenet1_1")


def told(found: ImageSet) -> dict[str, Any]:
    """Return what was read as plain values."""
    small = found.x.nbytes <= SMALL
    return {
        "ids": list(found.ids[:500]), "n": len(found), "shape": list(found.x.shape), "classes": list(found.classes),
        "y": None if found.y is None or not small else found.y.tolist(), "name": found.name,
        "x": found.x.tobytes() if small else None, "skipped": {item.id: item.reason for item in found.skipped},
        "columns": {name: values[:50].tolist() for name, values in found.columns.items()},
    }  # fmt: skip


def made_up(ids: tuple[str, ...] | list[str] = ("a.png", "b.png", "c.png")) -> ImageSet:
    """Return images that files speak of."""
    x = np.arange(len(ids) * 64, dtype=np.uint8).reshape(len(ids), 8, 8)
    return image_set(x, np.arange(len(ids)) % 2, ("no", "yes"), ids=list(ids))


def images(path: str, labels: str | None = None, size: int | None = None) -> dict[str, Any]:
    """Read images through the store, twice."""
    store = Store(Path(os.environ["EMBEDDING_EXPLORER_STORE"]))
    source = parse_source(path, labels, size)
    first = stages.images(store, source)
    again = stages.images(store, source)
    assert again.found and again.value.fingerprint == first.value.fingerprint
    assert again.value.ids == first.value.ids and again.value.skipped == first.value.skipped
    return told(again.value)


def _picture(path: str) -> dict[str, Any]:
    x = read_picture_bytes(Path(path).read_bytes(), (8, 12, 1))
    return {"x": x.tobytes(), "shape": list(x.shape)}


def _classifier_pixels(path: str) -> dict[str, Any]:
    from core.images import load
    from core.readers.pixels import Pixels

    source = parse_source(path)
    found = load(source)
    x = Pixels(source, found, 16, 12)(0, len(found))
    return {"x": x.tobytes(), "shape": list(x.shape), "ids": list(found.ids)}


def _metadata(path: str) -> dict[str, Any]:
    joined = metadata.describe(made_up(), path)
    return {**told(joined.images), "by": joined.by, "without": list(joined.without_image[:20])}


def _known(text: str) -> dict[str, Any]:
    found = known.parse(text, made_up().ids, made_up().y, made_up().classes)
    return {"y": found.y.tolist(), "classes": list(found.classes), "how": found.how}


def _corrections(path: str) -> list[Any]:
    made = corrections_csv.choices(Path(path).read_bytes(), made_up().ids, corrections.fold([]), Path(path).name)
    return [[choice.id, choice.kind, choice.new, choice.score] for choice in made]


def _class_names(path: str) -> list[Any]:
    return [[item.id, item.name] for item in classnames.read_class_names(Path(path))]


def _recipe(path: str) -> dict[str, Any]:
    recipe = recipes.find(path)
    source = parse_source("digits")
    fitted, mapped = recipes.with_parts(recipe, source)
    plan = recipes.plan_of(fitted, mapped, made_up())
    return recipes.to_json(recipes.of_plan(plan, fitted.name, fitted.summary))


def _view(path: str) -> dict[str, Any]:
    from dashboard import saved

    view, selections = saved.read(Path(path).read_bytes())
    return {"view": {name: str(value) for name, value in view.items()}, "selections": list(selections)}


def _address(text: str) -> dict[str, Any]:
    from dashboard import sessions

    return {name: str(value) for name, value in sessions.from_text(text).items()}


def _run(path: str) -> dict[str, Any]:
    runs = [compare.read_run(Path(path))]
    return {"table": compare.table(runs).to_csv(), "html": compare.html(compare.table(runs))}


def _review(path: str) -> dict[str, Any]:
    review = corrections.load(Path(path))
    return {"rows": sorted(review.current), "csv": corrections_csv.csv(corrections_csv.corrections(review)).decode()}


def _model(path: str) -> dict[str, Any]:
    from core import checkpoints
    from core.autoencoders import from_model

    model = checkpoints.read_checkpoint(Path(path))
    from_model(model)
    return {"shape": list(model.image_shape), "fingerprint": model.fingerprint, "parameters": model.n_parameters}


def _weights(path: str) -> dict[str, Any]:
    from core.config import ClassifierConfig
    from core.networks import load

    found = load(ClassifierConfig("squeezenet1_1", None, 64, 64), Path(path), device="cpu")
    return {"classes": found.n_classes}


def _misdeed(deed: str, path: str) -> str:
    import pickle
    import socket
    import subprocess

    outside = Path(path).parent / "outside"
    if deed == "read outside":
        (outside / "secret").read_text()
    elif deed == "list outside":
        list(outside.iterdir())
    elif deed == "write into the data":
        (Path(path) / "more").write_text("x")
    elif deed == "run a program":
        subprocess.run(["true"], check=True)
    elif deed == "connect":
        socket.socket().connect_ex(("127.0.0.1", 9))
    elif deed == "unpickle":
        pickle.loads(pickle.dumps(Path))
    elif deed.startswith("take"):
        np.ones(int(deed.split()[1]) << (20 if deed.endswith("MB") else 30), np.uint8)
    elif deed == "die":
        os._exit(3)
    return "done"


TASKS: Mapping[str, Callable[..., Any]] = {
    "images": images, "picture": _picture, "classifier pixels": _classifier_pixels, "metadata": _metadata, "known": _known,
    "corrections": _corrections, "class names": _class_names, "recipe": _recipe, "view": _view, "address": _address,
    "run": _run, "review": _review, "model": _model, "weights": _weights, "misdeed": _misdeed,
}  # fmt: skip

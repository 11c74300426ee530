"""JSON: nested without end, with NaN and numbers of a mile, keys twice, other types: in all that the program reads as JSON."""

import base64
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.case import MB, Case
from tests.hostile.pictures import flipped
from tests.hostile.tables import as_file

DEEP = b"[" * 10_000 + b"]" * 10_000
DEEP_OBJECT = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
NOT_JSON = {
    "nested 10,000 deep": DEEP,
    "objects nested 10,000 deep": DEEP_OBJECT,
    "nested without end": b"[" * MB,
    "a number of 5,000 digits": b"9" * 5000,
    "in UTF-16": json.dumps({"0": "a"}).encode("utf-16"),
    "bytes": bytes(range(256)),
    "nothing": b"",
    "zeros": bytes(1000),
}  # fmt: skip
OTHER = {
    "a list": b"[]",
    "a text": b'"a"',
    "a number": b"1",
    "null": b"null",
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "an object": b'{"a": 1}',
    "a key twice": b'{"type": "a", "type": "b"}',
}  # fmt: skip
HOSTILE = [
    None, True, -1, 0, 2**70, 1e308, float("nan"), float("inf"), "", "a" * 100_000, "<img src=x onerror=alert(1)>", "\ud800",
    [], {}, [[]], {"type": "Recipe"}, {"type": []}, {"type": "FolderSource"}, {"type": "FolderSource", "path": "a\0b"},
]  # fmt: skip
FEW = [None, True, 2**70, float("nan"), "a" * 2000, "\ud800", [[]], {"type": "Plan"}]
RECIPE = {
    "type": "Recipe", "name": "default", "summary": "", "model": {"type": "KeptModel", "name": "digits"},
    "reduction": {"type": "ReductionConfig"}, "projection": {"type": "TSNEConfig"}, "cluster": {"type": "ClusterConfig"},
    "n_clusters": 3, "known": "", "metadata": "", "parts": None, "others": [], "source": None,
}  # fmt: skip
TRAINED = {"type": "TrainSpec", "autoencoder": {"type": "AutoencoderConfig"}, "training": {"type": "TrainingConfig"}}
RUN = {"recipe": "default", "data": "digits", "model": "x", "seconds": {"images": 1.0}, "accuracy": 0.5}
DECISION = {
    "event": "decision", "row": 0, "id": "a.png", "kind": "relabel", "old": "1", "new": "2", "score": 0.5, "clustering": "",
    "by": "person", "reviewer": "me", "time": "2026-01-01T00:00:00Z", "group": "0123456789abcdef", "owner": "me",
}  # fmt: skip


def _run(content: bytes | Callable[[], bytes]) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        (root / "metrics.json").write_bytes(content() if callable(content) else content)
        return {"path": str(root)}

    return build


def _pipe(name: str, folder: bool = False) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        os.mkfifo(root / name)
        return {"path": str(root if folder else root / name)}

    return build


def _large(name: str, folder: bool = False) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        with (root / name).open("wb") as file:
            file.write(b"[")
            file.truncate(100 << 20)
        return {"path": str(root if folder else root / name)}

    return build


def _packed(data: bytes) -> Callable[[Path], dict[str, Any]]:
    text = base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")
    return lambda root: {"text": text}


def _changed(values: dict[str, Any], **other: Any) -> bytes:
    return json.dumps(values | other).encode()


def anything(value: Any) -> None:
    """Accept whatever was read."""


def _nothing(value: Any) -> None:
    assert value == {}, value


def _no_rows(value: Any) -> None:
    assert value["rows"] == []


def _lines(*records: Any) -> Callable[[Path], dict[str, Any]]:
    content = b"".join((item if isinstance(item, bytes) else json.dumps(item).encode()) + b"\n" for item in records)
    return as_file(content, "0123456789abcdef.jsonl")


def _escaped(value: Any) -> None:
    assert "<img" not in value["html"] and "<script" not in value["html"]


CLASS_NAMES = [
    *(Case(f"class names, {what}", "class names", as_file(content, "names.json"), refused=".") for what,
         content in NOT_JSON.items()),
    *(Case(f"class names, {what}", "class names", as_file(content, "names.json"), refused=".") for what,
         content in OTHER.items()),
    Case("class names, markup", "class names", as_file(b'["<b>", "\\u202e"]', "names.json"), holds=anything),
    Case("class names, of other types", "class names", as_file(b'["a", 1]', "names.json"), refused="must have a name"),
    Case("class names, one missing", "class names", as_file(b'{"0": "a", "2": "b"}', "names.json"),
         refused="class 1 is missing"),
    Case("class names, a key of 5,000 digits", "class names", as_file(b'{"' + b"9" * 5000 + b'": "a"}', "names.json"),
         refused="class 0 is missing"),
    Case("class names, 100 MB", "class names", _large("names.json"), refused="limit"),
    Case("class names, a pipe", "class names", _pipe("names.json"), refused="cannot be read"),
    Case("class names, a device", "class names", lambda root: {"path": "/dev/zero"}, refused="cannot be read"),
]  # fmt: skip
RECIPES = [
    Case("recipe, right", "recipe", as_file(_changed(RECIPE), "recipe.json"), holds=anything),
    *(Case(f"recipe, {what}", "recipe", as_file(content, "recipe.json"), refused=".") for what, content in NOT_JSON.items()),
    *(Case(f"recipe, {what}", "recipe", as_file(content, "recipe.json"), refused=".") for what, content in OTHER.items()),
    *(Case(f"recipe, {field} is {value!r:.40}", "recipe", as_file(_changed(RECIPE, **{field: value}), "recipe.json"),
         refused=".",
           holds=anything)
      for field in ("name", "model", "reduction", "cluster", "n_clusters", "known", "metadata", "parts", "others",
        "source", "start")
      for value in FEW),
    *(Case(f"recipe, a training whose {field} is {value!r:.40}", "recipe", as_file(
        _changed(RECIPE, model=TRAINED | {field: value}), "recipe.json"), refused=".", holds=anything)
      for field in ("autoencoder", "training", "data", "checkpoint_every") for value in (None, -1, "a", [], {"type": "Plan"})),
    *(Case(f"recipe, {kind} of {value!r:.40}", "recipe", as_file(_changed(RECIPE, model={"type": kind, name: value}),
         "recipe.json"),
           refused=".", holds=anything)
      for kind, name in (("KeptModel", "name"), ("CheckpointFile", "path"), ("StoredModel", "key")) for value in (None, 1,
        [], "../x")),
    Case("recipe, epochs without end", "recipe", as_file(_changed(RECIPE, model=TRAINED | {"training": {
        "type": "TrainingConfig", "epochs": 10**400}}), "recipe.json"), refused="epochs"),
    Case("recipe, epochs of 1 MB", "recipe", as_file(_changed(RECIPE, model=TRAINED | {"training": {
        "type": "TrainingConfig", "epochs": "9" * MB}}), "recipe.json"), refused="epochs"),
    Case("recipe, layers of 1 MB", "recipe", as_file(_changed(RECIPE, model=TRAINED | {"autoencoder": {
        "type": "LayersConfig", "encoder": "conv(" * 100_000, "decoder": "x"}}), "recipe.json"), refused="."),
    Case("recipe, a setting of nobody", "recipe", as_file(_changed(RECIPE, run="ran"), "recipe.json"), refused="run"),
    Case("recipe, a setting of Python's", "recipe", as_file(_changed(RECIPE, __class__="x"), "recipe.json"),
         refused="__class__"),
    Case("recipe, 100 MB", "recipe", _large("recipe.json"), refused="MiB"),
    Case("recipe, a pipe", "recipe", _pipe("recipe.json"), refused="cannot be read"),
    Case("recipe, a long name", "recipe", lambda root: {"path": "a" * 5000 + ".json"}, refused="cannot be read"),
    Case("recipe, a zero", "recipe", lambda root: {"path": "a\0.json"}, refused="no path"),
    Case("recipe, half a surrogate", "recipe", lambda root: {"path": "\ud800.json"}, refused="no path"),
    Case("recipe, nobody's home", "recipe", lambda root: {"path": "~nobody-at-all/a.json"},
         refused="not known|cannot be read"),
    *(Case(f"recipe, bits turned over, {seed}", "recipe", as_file(lambda s=seed: flipped(_changed(RECIPE), s, 3),
         "recipe.json"),
           refused=".", holds=anything) for seed in range(6)),
]  # fmt: skip
VIEWS = [
    *(Case(f"view, {what}", "view", as_file(content, "view.json"), refused="not a view") for what,
         content in NOT_JSON.items()),
    *(Case(f"view, {what}", "view", as_file(content, "view.json"), refused="not a view") for what, content in OTHER.items()),
    *(Case(f"view, hostile values {value!r:.40}", "view",
         as_file(lambda v=value: json.dumps({"view": dict.fromkeys(("data", "path", "labels", "size", "limit.x",
           "model.x", "k.3", "camera", "opacity", "tsne.seed", "only.x", "recipe.x", "metadata.x", "gallery.side",
             "ensemble.k", "pick.radius"), v)}).encode(),
        "view.json"), refused="not a view", holds=anything) for value in HOSTILE),
    Case("view, settings of nobody", "view", as_file(b'{"view": {"__class__": 1, "jobs": [], "set.path": "/"}}', "view.json"),
         holds=lambda value: {}["x"] if value["view"] else None),
    Case("view, a selection of 2^40 images", "view", as_file(_changed({"view": {}}, selection={
        "images": "a", "n": 2**40, "bits": "AA==", "scope": ""}), "view.json"), refused="cannot be read"),
    Case("view, a selection of 100 million images in no bytes", "view", as_file(_changed({"view": {}}, selection={
        "images": "a", "n": 10**8, "bits": "AA==", "scope": ""}), "view.json"), refused="."),
    Case("view, a selection that is true", "view", as_file(_changed({"view": {}}, selection={
        "images": "a", "n": True, "bits": "AA==", "scope": ""}), "view.json"), refused=".", holds=anything),
    Case("view, a selection in another code", "view", as_file(_changed({"view": {}}, selection={
        "images": "a", "n": 8, "bits": "é!", "scope": []}), "view.json"), refused="."),
    Case("address, nested", "address", _packed(DEEP), holds=_nothing),
    Case("address, objects nested", "address", _packed(DEEP_OBJECT), holds=_nothing),
    Case("address, a bomb of 60 MB", "address", _packed(bytes(60 * MB)), holds=_nothing, memory=20 * MB),
    Case("address, a long text", "address", lambda root: {"text": "A" * MB}, holds=_nothing),
    Case("address, letters of other codes", "address", lambda root: {"text": "é🙂\ud800"}, holds=_nothing),
    Case("address, a model in a far folder", "address", _packed(
        b'{"model.x": {"type": "CheckpointFile", "path": "/etc/passwd"}, "model.y": {"type": "TrainSpec", "data": 1}}'),
        holds=anything),
]  # fmt: skip
RUNS = [
    *(Case(f"run, {what}", "run", _run(content), refused=".") for what, content in NOT_JSON.items()),
    *(Case(f"run, {what}", "run", _run(content), refused=".", holds=anything) for what, content in OTHER.items()),
    *(Case(f"run, {field} is {value!r:.40}", "run", _run(_changed(RUN, **{field: value})), refused=".", holds=_escaped)
      for field in ("recipe", "data", "accuracy", "seconds") for value in [*FEW, "<img src=x onerror=alert(1)>"]),
    Case("run, a number of 4,000 digits", "run", _run(b'{"accuracy": ' + b"9" * 4000 + b"}"), refused="too large"),
    Case("run, stages with markup", "run", _run(_changed(RUN, seconds={"<script>": 1.0})), holds=_escaped),
    Case("run, 100,000 stages", "run", _run(_changed(RUN, seconds={str(i): 1 for i in range(100_000)})), refused="."),
    Case("run, 100 MB", "run", _large("metrics.json", folder=True), refused="MiB"),
    Case("run, a pipe", "run", _pipe("metrics.json", folder=True), refused="cannot be read"),
    Case("run, nowhere", "run", lambda root: {"path": str(root / "none")}, refused="cannot be read"),
    Case("run, a zero", "run", lambda root: {"path": "a\0b"}, refused="cannot be read|not JSON"),
]  # fmt: skip
REVIEWS = [
    *(Case(f"review, {what}", "review", _lines(content), holds=_no_rows) for what, content in (NOT_JSON | OTHER).items()),
    Case("review, right", "review", _lines(DECISION), holds=lambda value: value["rows"].index(0)),
    *(Case(f"review, {field} is {value!r:.40}", "review", _lines(DECISION | {field: value}), holds=anything)
      for field in ("row", "id", "kind", "score", "clustering", "time", "owner") for value in FEW[:6]),
    Case("review, a line of 1 MB", "review", _lines(DECISION | {"id": "a" * MB}), holds=_no_rows),
    Case("review, a pipe", "review", _pipe("0123456789abcdef.jsonl"), refused="cannot be read"),
]  # fmt: skip
CASES = [*CLASS_NAMES, *RECIPES, *VIEWS, *RUNS, *REVIEWS]

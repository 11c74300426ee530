"""Models: pickles that run code, safetensors that lie, weights that are not finite, settings that do not fit."""

import functools
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.hostile.arrays import Payload
from tests.hostile.case import MB, Case
from tests.hostile.json_files import DEEP, FEW, NOT_JSON, OTHER, anything
from tests.hostile.pictures import flipped
from tests.hostile.tables import as_file

SHAPE = (8, 9, 1)


@functools.cache
def _model() -> Any:
    from core import autoencoders
    from core.config import AutoencoderConfig
    from core.models import TrainedModel

    config = AutoencoderConfig(3, 4)
    return TrainedModel(config, None, SHAPE, autoencoders.to_weights(autoencoders.build(config, SHAPE)))


def good() -> bytes:
    """Return a model as it is downloaded."""
    from core.checkpoints import checkpoint_bytes

    return checkpoint_bytes(_model())


def parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header of a safetensors file and its data."""
    length = struct.unpack_from("<Q", content)[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def headed(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a safetensors file with a header, which may lie of its length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def altered(change: Callable[[dict[str, Any]], None]) -> Callable[[], bytes]:
    """Return a good model whose header is changed."""

    def make() -> bytes:
        header, data = parts(good())
        change(header)
        return headed(header, data)

    return make


def _first(header: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = header[next(name for name in header if name != "__metadata__")]
    return found


def _setting(**other: Any) -> Callable[[], bytes]:
    def change(header: dict[str, Any]) -> None:
        settings = json.loads(header["__metadata__"]["model"]) | other
        del settings["sum"]  # as somebody would who wants to be believed
        header["__metadata__"]["model"] = json.dumps(settings)

    return altered(change)


def _weights(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[], bytes]:
    def make() -> bytes:
        from dataclasses import replace

        from core.checkpoints import checkpoint_bytes

        weights = dict(_model().weights)
        name = next(name for name in weights if name.endswith("weight"))
        return checkpoint_bytes(replace(_model(), weights=weights | {name: change(weights[name])}))

    return make


def tensors(label: str, content: bytes | Callable[[], bytes], refused: str | None = ".", **more: Any) -> Case:
    """Return a case of a safetensors file."""
    return Case(f"safetensors, {label}", "model", as_file(content, "model.safetensors"), refused=refused, **more)


def torch_file(label: str, write: Callable[[Path, Path], None], refused: str | None = ".", **more: Any) -> Case:
    """Return a case of a PyTorch file."""

    def build(root: Path) -> dict[str, Any]:
        write(root / "model.pt", root / "ran")
        return {"path": str(root / "model.pt")}

    return Case(f"torch, {label}", "model", build, refused=refused, **more)


def _saved(make: Callable[[Any, Path], Any], **options: Any) -> Callable[[Path, Path], None]:
    def write(path: Path, ran: Path) -> None:
        import torch

        torch.save(make(torch, ran), path, **options)

    return write


def _held(torch: Any, **other: Any) -> dict[str, Any]:
    from core.config import to_json

    state = {name: torch.from_numpy(np.array(array)) for name, array in _model().weights.items()}
    return {
        "config": {"autoencoder": to_json(_model().autoencoder), "image_shape": list(SHAPE)},
        "state_dict": state,
    } | other


def _with_weight(make: Callable[[Any], Any]) -> Callable[[Path, Path], None]:
    def held(torch: Any, ran: Path) -> Any:
        found = _held(torch)
        name = next(name for name in found["state_dict"] if name.endswith("weight"))
        found["state_dict"][name] = make(torch)
        return found

    return _saved(held)


def _system(path: Path, ran: Path) -> None:
    path.write_bytes(b"cposix\nsystem\n(S'touch " + str(ran).encode() + b"'\ntR.")


def _reduced(path: Path, ran: Path) -> None:
    path.write_bytes(pickle.dumps(Payload(ran)))


def _zip_of(content: Callable[[Path], bytes], **options: Any) -> Callable[[Path, Path], None]:
    def write(path: Path, ran: Path) -> None:
        with zipfile.ZipFile(path, "w", **options) as archive:
            archive.writestr("archive/data.pkl", content(ran))
            archive.writestr("archive/version", "3\n")
            archive.writestr("archive/byteorder", "little")

    return write


def _jit(path: Path, ran: Path) -> None:
    import warnings

    import torch

    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), str(path))


def _tar(path: Path, ran: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in (
            ("../ran", b"x"),
            ("storages", pickle.dumps(Payload(ran))),
            ("pickle", pickle.dumps(Payload(ran))),
        ):
            item = tarfile.TarInfo(name)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
        link = tarfile.TarInfo("tensors")
        link.type, link.linkname = tarfile.SYMTYPE, str(ran)
        archive.addfile(link)


def _lying_size(path: Path, ran: Path) -> None:
    _saved(lambda torch, ran: _held(torch), _use_new_zipfile_serialization=False)(path, ran)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"K\x04K\x01", b"J\xff\xff\xff\x7fK\x01"))


def _legacy_pickle(*values: Any) -> Callable[[Path, Path], None]:
    def write(path: Path, ran: Path) -> None:
        path.write_bytes(b"".join(pickle.dumps(Payload(ran) if value is None else value, 2) for value in values))

    return write


def _folder(
    settings: bytes | None, weights: bytes | Callable[[], bytes] | None = None
) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        (root / "model").mkdir()
        if settings is not None:
            (root / "model" / "model.json").write_bytes(settings)
        content = good() if weights is None else weights() if callable(weights) else weights
        (root / "model" / "weights.safetensors").write_bytes(content)
        return {"path": str(root / "model")}

    return build


def _pipes(root: Path) -> dict[str, Any]:
    (root / "model").mkdir()
    os.mkfifo(root / "model" / "model.json")
    os.mkfifo(root / "model" / "weights.safetensors")
    return {"path": str(root / "model")}


def _pipe_of_weights(root: Path) -> dict[str, Any]:
    (root / "model").mkdir()
    (root / "model" / "model.json").write_text("{}")
    os.mkfifo(root / "model" / "weights.safetensors")
    return {"path": str(root / "model")}


def _sparse(name: str, size: int, before: bytes) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        with (root / name).open("wb") as file:
            file.write(before)
            file.truncate(size)
        return {"path": str(root / name)}

    return build


def _state(make: Callable[[Any, Path], Any]) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        _saved(make)(root / "weights.pt", root / "ran")
        return {"path": str(root / "weights.pt")}

    return build


UNREAD = "is not a safetensors file that can be read"
SAFETENSORS = [
    tensors("right", good, None, holds=anything),
    tensors("a header of 2^63 bytes", headed({}, length=2**63), UNREAD),
    tensors("a header of 2^64 - 1 bytes", headed({}, length=2**64 - 1), UNREAD),
    tensors("a header longer than the file", headed({}, length=1000), UNREAD),
    tensors("no header", headed(b"", length=0), UNREAD),
    Case("safetensors, a header of 100 MB", "model", _sparse("model.safetensors", 120 << 20, struct.pack("<Q",
         100 << 20) + b"{"),
         refused=UNREAD, memory=50 * MB),
    Case("safetensors, 10 GB", "model", _sparse("model.safetensors", 10 << 30, b""), refused="limit"),
    tensors("a million tensors of nothing", lambda: headed(
        b"{" + b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % i for i in range(300_000)) + b"}"),
        memory=100 * MB),
    *(tensors(f"a header that is {what}", headed(content)) for what, content in (NOT_JSON | OTHER).items()),
    tensors("a name twice", headed(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                                   b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4))),
    tensors("tensors that overlap", altered(lambda h: _first(h).update(data_offsets=[4,
         _first(h)["data_offsets"][1] + 4])), UNREAD),
    tensors("a tensor beyond the end", altered(lambda h: _first(h).update(data_offsets=[0, 2**40])), UNREAD),
    tensors("a tensor that ends before it begins", altered(lambda h: _first(h).update(data_offsets=[100, 4])), UNREAD),
    tensors("a negative place", altered(lambda h: _first(h).update(data_offsets=[-4, 0])), UNREAD),
    tensors("a shape of 2^63", altered(lambda h: _first(h).update(shape=[2**63, 2**63])), UNREAD),
    tensors("a negative shape", altered(lambda h: _first(h).update(shape=[-1])), UNREAD),
    tensors("a type of nobody", altered(lambda h: _first(h).update(dtype="PICKLE")), UNREAD),
    tensors("a type that numpy has not", altered(lambda h: _first(h).update(dtype="BF16",
         shape=[2 * int(np.prod(_first(h)["shape"]))]))),
    tensors("more behind", lambda: good() + b"more"),
    tensors("settings nested", altered(lambda h: h["__metadata__"].update(model=DEEP.decode())), "not JSON"),
    tensors("settings that are no text", altered(lambda h: h["__metadata__"].update(model=1)), UNREAD),
    tensors("no settings", altered(lambda h: h.pop("__metadata__")), "does not say what it is"),
    *(tensors(f"{field} is {value!r:.40}", _setting(**{field: value}), ".", holds=anything)
      for field in ("autoencoder", "training", "image_shape", "trained_on", "stopped_early", "history") for value in FEW),
    tensors("an image shape of 2^40", _setting(image_shape=[2**40, 8, 1]), "image shape"),
    tensors("another image shape", _setting(image_shape=[64, 64, 3]), "do not fit|weight|shape"),
    tensors("more latents than weights", _setting(autoencoder={"type": "AutoencoderConfig", "latent_size": 4096,
         "width": 256}),
            "weight|shape|fit"),
    tensors("layers for 2^31 channels", _setting(autoencoder={"type": "LayersConfig", "encoder": "conv(2147483647, 3)",
                                                             "decoder": "conv(1, 3)"})),
    tensors("layers that run", _setting(autoencoder={"type": "LayersConfig",
         "encoder": "__import__('os').system('touch ran')",
                                                    "decoder": "x"})),
    tensors("a weight that is NaN", _weights(lambda a: np.full_like(a, np.nan)), "not finite"),
    tensors("a weight that is infinite", _weights(lambda a: np.full_like(a, np.inf)), "not finite"),
    tensors("a weight of another shape", _weights(lambda a: a[..., :1].copy()), "shape|fit|weight"),
    tensors("a weight of another type", _weights(lambda a: a.astype(np.float64)), "must be float32"),
    tensors("a weight of nothing", _weights(lambda a: a[:0].copy()), "shape|fit|weight"),
    *(tensors(f"cut to {share:.0%}", (lambda s: lambda: good()[: int(len(good()) * s)])(share), UNREAD)
         for share in (0.01, 0.3, 0.99)),
    *(tensors(f"bits turned over, {seed}", lambda s=seed: flipped(good()[:2000], s, 3) + good()[2000:], ".", holds=anything)
      for seed in range(8)),
    Case("safetensors, a pickle so named", "model", lambda root: ((root / "a.safetensors").write_bytes(
        pickle.dumps(Payload(root / "ran"))), {"path": str(root / "a.safetensors")})[1], refused=UNREAD),
]  # fmt: skip
FOLDERS = [
    *(Case(f"model.json, {what}", "model", _folder(content), refused=".") for what, content in (NOT_JSON | OTHER).items()),
    Case("model.json, missing", "model", _folder(None), refused="model.json cannot be read"),
    Case("model.json, 100 MB", "model", _folder(b"[" + b" " * 100 * MB), refused="limit", memory=20 * MB),
    Case("model.json, a pipe", "model", _pipes, refused="cannot be read"),
    Case("model.json, weights that are a pipe", "model", _pipe_of_weights, refused="safetensors|cannot be read"),
    Case("a model, nowhere", "model", lambda root: {"path": str(root / "none.pt")}, refused="no model file"),
    Case("a model, a device", "model", lambda root: {"path": "/dev/zero"}, refused="no model file"),
    Case("a model, a long path", "model", lambda root: {"path": "/" + "a" * 5000 + ".pt"},
         refused="cannot be read|no model file"),
    Case("a model, a zero", "model", lambda root: {"path": "a\0b.pt"}, refused="cannot be read|no model file"),
    Case("a model, half a surrogate", "model", lambda root: {"path": "\ud800.pt"}, refused="cannot be read|no model file"),
]  # fmt: skip
TORCH = [
    torch_file("right", _saved(lambda torch, ran: _held(torch)), None, holds=anything),
    torch_file("right, in the old form", _saved(lambda torch, ran: _held(torch), _use_new_zipfile_serialization=False),
         None,
               holds=anything),
    torch_file("a payload", _saved(lambda torch, ran: Payload(ran)), "needs pickle"),
    torch_file("a payload as weights", _saved(lambda torch, ran: _held(torch, state_dict=Payload(ran))), "needs pickle"),
    torch_file("a payload as settings", _saved(lambda torch, ran: _held(torch, config=Payload(ran))), "needs pickle"),
    torch_file("a payload in the old form", _saved(lambda torch, ran: Payload(ran), _use_new_zipfile_serialization=False),
               "needs pickle"),
    torch_file("a whole network", _saved(lambda torch, ran: torch.nn.Linear(2, 2)), "needs pickle"),
    torch_file("a program of one line", _system),
    torch_file("a pickle with __reduce__", _reduced),
    torch_file("a ZIP with a program", _zip_of(lambda ran: b"cposix\nsystem\n(S'touch " + str(ran).encode() + b"'\ntR."),
         "needs pickle"),
    torch_file("a ZIP with __reduce__", _zip_of(lambda ran: pickle.dumps(Payload(ran), 2)), "needs pickle"),
    torch_file("a ZIP with eval", _zip_of(lambda ran: b"cbuiltins\neval\n(S'open(\"ran\",\"w\")'\ntR."), "needs pickle"),
    torch_file("a ZIP with getattr", _zip_of(lambda ran: b"c__builtin__\ngetattr\n(ctorch\nload\nS'__globals__'\ntR."),
         "needs pickle"),
    torch_file("a ZIP with a torch function", _zip_of(lambda ran: b"ctorch.hub\nload\n(S'evil/repo'\nS'x'\ntR."),
         "needs pickle"),
    torch_file("a ZIP with a bomb of 2 GiB", _zip_of(lambda ran: bytes(64 * MB), compression=zipfile.ZIP_DEFLATED),
         memory=150 * MB),
    torch_file("a ZIP with a lie of 4 GiB", lambda path, ran: path.write_bytes(_lying_zip())),
    torch_file("a ZIP without a pickle", lambda path, ran: zipfile.ZipFile(path, "w").close()),
    torch_file("TorchScript", _jit),
    torch_file("a tar", _tar),
    torch_file("a magic number that is a payload", _legacy_pickle(None), "needs pickle|not a PyTorch"),
    torch_file("a magic number of nobody", _legacy_pickle(1, 2, 3)),
    torch_file("a storage that is larger than it is", _lying_size),
    torch_file("a tensor of 2^50 from one number", _with_weight(lambda torch: torch.zeros(1).expand(2**50)),
         "limit|weight|GiB"),
    torch_file("a tensor of 2^40 from none", _with_weight(lambda torch: torch.empty(2**40, device="meta"))),
    torch_file("a sparse tensor", _with_weight(lambda torch: torch.zeros(3, 3).to_sparse()), "float32|PyTorch|pickle"),
    torch_file("a tensor that is NaN", _with_weight(lambda torch: torch.full((4, 1, 3, 3), float("nan"))),
         "not finite|shape"),
    torch_file("bfloat16", _with_weight(lambda torch: torch.zeros(3, dtype=torch.bfloat16)), "float32"),
    torch_file("a list", _saved(lambda torch, ran: [1, 2])),
    torch_file("names that are no texts", _saved(lambda torch, ran: _held(torch, state_dict={1: torch.zeros(1)})),
         "by name"),
    torch_file("settings that are none", _saved(lambda torch, ran: _held(torch, config=5))),
    torch_file("settings in a circle", _saved(lambda torch, ran: _held(torch, config=_circle()))),
    torch_file("text", lambda path, ran: path.write_text("hello")),
    torch_file("nothing", lambda path, ran: path.write_bytes(b"")),
    torch_file("a million marks", lambda path, ran: path.write_bytes(b"\x80\x02" + b"(" * MB)),
    torch_file("nested tuples", lambda path, ran: path.write_bytes(b"\x80\x02)" + b"\x85" * MB + b".")),
    torch_file("a text of 4 GiB, it says", lambda path, ran: path.write_bytes(b"\x80\x02X\xff\xff\xff\xff.")),
    torch_file("a number of 2 GiB, it says", lambda path, ran: path.write_bytes(b"\x80\x02\x8b\xff\xff\xff\x7f.")),
    Case("torch, 10 GB", "model", _sparse("model.pt", 10 << 30, b"\x80\x02"), refused="limit"),
    *(torch_file(f"bits turned over, {seed}", (lambda s: lambda path, ran: (_saved(lambda torch, ran: _held(torch))(path,
         ran),
        path.write_bytes(flipped(path.read_bytes(), s, 6)), None)[-1])(seed), ".", holds=anything) for seed in range(6)),
    Case("weights, a payload", "weights", _state(lambda torch, ran: {"a": Payload(ran)}), refused="needs pickle"),
    Case("weights, of another network", "weights", _state(lambda torch, ran: {"a": torch.zeros(3)}), refused="."),
    Case("weights, 2^50 from one number", "weights", _state(lambda torch, ran: {"a": torch.zeros(1).expand(2**50)}),
         refused="limit|GiB"),
    Case("weights, 2^31 classes from one number", "weights", _state(lambda torch, ran: {
        "classifier.1.weight": torch.zeros(1).expand(2**31, 512, 1, 1), "classifier.1.bias": torch.zeros(1).expand(2**31)}),
        refused="limit|GiB"),
    Case("weights, NaN", "weights", _state(lambda torch, ran: {"a": torch.full((3,), float("nan"))}), refused="not finite"),
    Case("weights, a pipe", "weights", lambda root: (os.mkfifo(root / "a.pt"), {"path": str(root / "a.pt")})[1],
         refused="no file of weights"),
    Case("weights, a device", "weights", lambda root: {"path": "/dev/zero"}, refused="no file of weights"),
]  # fmt: skip
CASES = [*SAFETENSORS, *FOLDERS, *TORCH]


def _circle() -> dict[str, Any]:
    found: dict[str, Any] = {"image_shape": [8, 9, 1]}
    found["autoencoder"] = found
    return found


def _lying_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
    content = bytearray(buffer.getvalue())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 2**32 - 2)
    return bytes(content)

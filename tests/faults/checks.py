"""What must hold after a kill: entries whole and as in an undisturbed store, exports whole or absent, nothing left running.

`python -m tests.faults.checks STORE REFERENCE` looks at a store in a process of its own and prints what is wrong as JSON.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

from core.errors import ExplorerError
from core.store import Store
from tests.faults.sameness import Told, same, timeless

ROOT = Path(__file__).parents[2]
FREE = ("training", "seen", "run")  # stages whose entries are of the moment: they must be whole, not the same
END_SECONDS = 20.0  # in which workers without a server end
ENDINGS = {".pdf": b"%%EOF", ".html": b"</html>"}


def store_in_new_process(store: Path, reference: Path, strict: bool = True) -> list[str]:
    """Look at a store in a new process, as `of_store`, and return what is wrong."""
    asked = [
        sys.executable,
        "-m",
        "tests.faults.checks",
        str(store),
        str(reference),
        *(["--strict"] if strict else []),
    ]
    done = subprocess.run(asked, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    if done.returncode:
        return [f"the store cannot be looked at: {done.stderr[-500:]}"]
    found: list[str] = json.loads(done.stdout)
    return found


def of_store(store: Path, reference: Path, strict: bool) -> list[str]:
    """Return what is wrong with the entries of a store; `strict`: there may be none that the reference has not."""
    wrong, whole, right = [], Store(store), Store(reference)
    visible = {path for path in store.glob("*/*") if not path.name.startswith(".") and path.is_dir()}
    known = {store / str(item["stage"]) / str(item["key"]) for item in whole.entries()}
    wrong += [f"{path.relative_to(store)} is there and no entry" for path in sorted(visible - known)]
    for path in sorted(known):
        stage, key = path.parent.name, path.name
        with Told() as told:
            entry = whole.get(stage, key)
        if entry is None or told.messages:
            wrong.append(f"{stage}/{key} cannot be read: {told.messages}")
        elif stage not in FREE:
            expected = right.get(stage, key)
            if expected is None and strict:
                wrong.append(f"{stage}/{key} is none that an undisturbed run makes: {str(entry.info)[:200]}")
            elif expected is not None and not same(entry, expected):
                wrong.append(f"{stage}/{key} is not as in an undisturbed run")
    return wrong


def of_exports(folder: Path, reference: Path, complete: bool = False) -> list[str]:
    """Return which files of an export are there and not whole, or, when it is `complete`, missing or another."""
    wrong = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder)):
        name = path.relative_to(folder)
        if not (reference / name).exists():
            wrong.append(f"{name} is none that an undisturbed run writes")
        elif path.read_bytes() != (reference / name).read_bytes() and not _as_good(path, reference / name):
            wrong.append(f"{name} is not whole: {path.stat().st_size} of {(reference / name).stat().st_size} bytes")
    if complete:
        names = {path.relative_to(reference) for path in reference.rglob("*") if path.is_file()}
        wrong += [f"{name} is missing in the end" for name in sorted(names) if not (folder / name).exists()]
    return wrong


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _as_good(path: Path, reference: Path) -> bool:
    """Say whether a file that holds times or seconds is whole and says the same but for them."""
    data = path.read_bytes()
    if path.suffix == ".json":
        try:
            return timeless(json.loads(data)) == timeless(json.loads(reference.read_bytes()))
        except ValueError:
            return False
    if path.suffix == ".png":
        try:
            with Image.open(path) as one, Image.open(reference) as other:
                return one.tobytes() == other.tobytes()
        except (OSError, SyntaxError):
            return False
    if path.suffix == ".safetensors":
        return weights(path) == weights(reference)
    ending = ENDINGS.get(path.suffix)
    near = abs(len(data) - reference.stat().st_size) < 200
    return ending is not None and near and data.rstrip().endswith(ending)


def weights(path: Path) -> object:
    """Return the arrays of a .safetensors file as bytes, or None when it is not whole."""
    from core.readers.weights import read_safetensors

    try:
        return {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in read_safetensors(path)[0].items()}
    except ExplorerError:
        return None


def of_models(root: Path, reference: Path) -> list[str]:
    """Return which kept models are there and not whole."""
    from core import checkpoints

    wrong, right = [], checkpoints.load(reference)
    for path in sorted(path for path in root.glob("*") if path.is_dir() and not path.name.startswith(".")):
        try:
            if checkpoints.load(path).fingerprint != right.fingerprint:
                wrong.append(f"model {path.name} has other weights than that of an undisturbed run")
        except ExplorerError as error:
            wrong.append(f"model {path.name}: {error}")
    return wrong


def processes(folder: Path) -> list[int]:
    """Return the processes, other than this one, that were started with their results in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if f"={folder}/store".encode() in (entry / "environ").read_bytes() and state != "Z":
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def of_processes(folder: Path, seconds: float = END_SECONDS) -> list[str]:
    """Wait until nothing runs any more that has its results in a folder; return what does after a while."""
    end = time.monotonic() + seconds
    while left := processes(folder):
        if time.monotonic() > end:
            return [f"process {pid} is left over: {command(pid)}" for pid in left]
        time.sleep(0.05)
    return []


def command(pid: int) -> str:
    """Return the command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")[:200]
    except OSError:
        return "ended"


if __name__ == "__main__":
    print(json.dumps(of_store(Path(sys.argv[1]), Path(sys.argv[2]), "--strict" in sys.argv)))

"""Who may import whom, read from the source and from a fresh process."""

import ast
import json
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core"

# A module imports only from modules above it. A package counts as one module; its own parts may import each other.
ORDER = [
    "errors",
    "formulas",
    "layers",
    "config",
    "architectures",
    "progress",
    "locks",
    "checksums",
    "whole",
    "versions",
    "threads",
    "compiled",
    "accelerated",
    "engines",
    "store",
    "scratch",
    "roots",
    "imageset",
    "neighbours",
    "outliers",
    "duplicates",
    "spreading",
    "cluster_cards",
    "readers",
    "images",
    "parts",
    "models",
    "checkpoints",
    "autoencoders",
    "devices",
    "latents",
    "networks",
    "classifier",
    "pretrained",
    "projection",
    "clustering",
    "contrast",
    "jitter",
    "self_labels",
    "training_state",
    "training_run",
    "steps",
    "training",
    "quality",
    "matching",
    "arrangement",
    "alignment",
    "known",
    "ensemble",
    "rivals",
    "evidence",
    "suspects",
    "reasons",
    "compare",
    "timing",
    "sweep",
    "suggestion",
    "palettes",
    "selection",
    "metadata",
    "walks",
    "sheets",
    "web",
    "atlas",
    "figures",
    "export",
    "pictures",
    "picture_grids",
    "classified",
    "decisions",
    "review_log",
    "corrections",
    "plans",
    "keys",
    "entries",
    "features",
    "trainings",
    "stages",
    "moving",
    "pipeline",
    "review",
    "analyses",
    "tables",
    "suspects_table",
    "corrections_csv",
    "choosing",
    "findings",
    "report",
    "illustrations",
    "finding_pictures",
    "usual_training",
    "ways",
    "recipes",
    "runs",
    "shards",
    "notebook",
    "worker",
    "jobs",
    "bench",
    "cli",
    "__main__",
]
UNPICKLERS = ("pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")
HEAVY = (
    "torch",
    "torchvision",
    "streamlit",
    "umap",
    "numba",
    "sklearn",
    "openTSNE",
    "plotly",
    "ray",
    "duckdb",
    "faiss",
    "fsspec",
)


def _sources(folder):
    return sorted(path for path in folder.rglob("*.py") if "node_modules" not in path.parts)


def _module(path):
    """Name of the top-level module of core that a file belongs to."""
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def _imported(path):
    """Every module that a file imports, at its top or inside a function; `from core import x` is core.x."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return names


def test_every_module_of_core_has_its_place_in_the_order():
    modules = {_module(path) for path in _sources(CORE)} - {"__init__"}
    assert modules <= set(ORDER)


@pytest.mark.parametrize("path", _sources(CORE), ids=lambda path: path.relative_to(CORE).as_posix())
def test_a_module_of_core_imports_only_from_above(path):
    own = _module(path)
    allowed = set(ORDER if own == "__init__" else ORDER[: ORDER.index(own) + 1])
    used = {name.split(".")[1] for name in _imported(path) if name.startswith("core.")}
    assert used <= allowed


@pytest.mark.parametrize("path", _sources(CORE), ids=lambda path: path.relative_to(CORE).as_posix())
def test_core_knows_nothing_of_the_dashboard(path):
    assert not {name.split(".")[0] for name in _imported(path)} & {"streamlit", "dashboard"}


def test_nothing_is_unpickled_but_frames_from_the_own_worker():
    users = set()
    for path in [*_sources(CORE), *_sources(ROOT / "dashboard")]:
        called = {
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        readers = {f"{module}.{name}" for module in UNPICKLERS for name in ("load", "loads", "Unpickler", "open")}
        if (called | _imported(path)) & readers:
            users.add(path.relative_to(ROOT).as_posix())
    assert users == {"core/worker.py"}


def test_arrays_and_weights_are_never_loaded_as_pickles():
    calls = []
    for path in [*_sources(CORE), *_sources(ROOT / "dashboard")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for keyword in getattr(node, "keywords", []):
                value = getattr(keyword.value, "value", None)
                if (keyword.arg, value) in (("allow_pickle", True), ("weights_only", False)):
                    calls.append(path.name)
    assert calls == []


@pytest.mark.parametrize("modules", ["core.pipeline, core.jobs, core.report, core.models", "core.__main__"])
def test_heavy_libraries_are_loaded_only_when_they_work(modules):
    code = f"import json, sys, {modules}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(json.loads(done.stdout)) & set(HEAVY)


def test_an_installed_program_has_every_package_and_every_file_of_it():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    for name in ("core", "dashboard"):
        files = [path for path in (ROOT / name).rglob("*.*") if path.is_file() and "__pycache__" not in path.parts]
        for path in files:
            package = ".".join(path.parent.relative_to(ROOT).parts)
            assert package in tools["packages"], f"{path} is in a package that pyproject.toml does not list"
            patterns = ["*.py", *tools["package-data"].get(package, [])]
            assert any(fnmatch(path.name, pattern) for pattern in patterns), f"{path} would not be installed"

"""Which folders may be opened: whatever names a path, through links and "..", in the worker process too."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import classified, known, metadata, pipeline, recipes, roots, stages
from core.config import ClassifierConfig
from core.errors import ConfigError, DataError
from core.images import ArraySource, FolderSource, LabelledSource, TorchvisionSource, parse_source
from core.jobs import Jobs
from core.plans import CheckpointFile, Plan, TrainSpec

REFUSED = "cannot be opened here: only what lies in"


def pictures_in(folder):
    folder.mkdir(parents=True)
    for i in range(3):
        Image.fromarray(np.full((8, 8), 50 * i, np.uint8)).save(folder / f"{i}.png")


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A folder that may be opened, one that may not, each with the same files, and links between them."""
    monkeypatch.setenv("EMBEDDING_EXPLORER_STORE", str(tmp_path / "cache" / "store"))
    inside, outside = tmp_path / "open", tmp_path / "open, not"
    for folder in (inside, outside):
        pictures_in(folder / "pictures")
        x = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
        np.savez(folder / "a.npz", x=x)
        np.save(folder / "a.npy", x)
        np.save(folder / "labels.npy", np.arange(6))
        (folder / "labels.csv").write_text("id,label\n" + "".join(f"{i},x\n" for i in range(6)))
        (folder / "names.json").write_text('["a"]')
        (folder / "w.safetensors").write_bytes(b"")
    (inside / "link").symlink_to(outside / "pictures")
    (inside / "link.npz").symlink_to(outside / "a.npz")
    (inside / "trainX.npy").symlink_to(outside / "a.npy")
    (inside / "testX.npy").symlink_to(outside / "a.npy")
    (inside / "MNIST").mkdir()
    (inside / "MNIST" / "raw").symlink_to(outside)
    (outside / "back").symlink_to(inside / "pictures")
    monkeypatch.setenv(roots.VARIABLE, str(inside))
    return inside, outside


def opened_by(text):
    return stages.images(pipeline.open_store(), parse_source(str(text))).value


def test_what_lies_in_a_root_is_opened_however_it_is_named(places, monkeypatch):
    inside, outside = places
    assert len(opened_by(inside / "pictures")) == len(opened_by(inside / "pictures" / ".." / "pictures")) > 1
    assert len(opened_by(outside / "back")) == len(opened_by(inside / "pictures"))  # a link into a root
    assert len(opened_by("digits")) == 5000
    monkeypatch.chdir(inside)
    assert len(opened_by("a.npz")) == 6


def test_every_name_of_a_path_is_refused_outside(places, monkeypatch):
    inside, outside = places
    monkeypatch.setenv("HOME", str(outside))
    ids, images = [str(i) for i in range(6)], opened_by(inside / "a.npz")
    model = [ClassifierConfig("vgg16")]
    ways = [
        lambda: parse_source(str(outside / "pictures")),
        lambda: parse_source("~/pictures"),
        lambda: parse_source(str(inside / ".." / "open, not" / "pictures")),
        lambda: parse_source(str(inside / "link")),
        lambda: parse_source(str(inside / "link.npz")),
        lambda: parse_source(f"mnist:{outside}"),
        lambda: parse_source(str(inside / "a.npy"), labels=str(outside / "labels.npy")),
        lambda: parse_source(str(inside / "a.npy"), labels=str(outside / "labels.csv")),
        lambda: metadata.attached(images, str(outside / "labels.csv")),
        lambda: metadata.attached(images, "~/labels.csv"),
        lambda: known.parse(str(outside / "labels.csv"), ids, None, ()),
        lambda: known.parse("~/labels.csv", ids, None, ()),
        lambda: classified.read(*model, str(outside / "w.safetensors"), None),
        lambda: classified.read(*model, str(inside / "w.safetensors"), str(outside / "names.json")),
        lambda: stages.read_model(CheckpointFile(str(outside / "w.safetensors"))),
        lambda: stages.read_model(CheckpointFile("~/w.safetensors")),
        lambda: recipes.find(str(outside / "names.json")),
        lambda: roots.inside(str(outside), (".npz",)),
    ]
    for number, way in enumerate(ways):
        with pytest.raises(DataError, match=REFUSED):
            way()
            pytest.fail(f"way {number} was open")


@pytest.mark.parametrize(
    "name", ["folder", "file", "labels", "csv", "torchvision", "part", "trained on", "validated on"]
)
def test_a_plan_that_names_other_folders_is_refused_here_and_in_the_worker(name, places, store):
    inside, outside = places
    good = ArraySource(str(inside / "a.npz"))
    other = ArraySource(str(outside / "a.npz"))
    plan = {
        "folder": Plan(FolderSource(str(inside / "link"))),
        "file": Plan(other),
        "labels": Plan(replace(good, labels=str(outside / "labels.npy"))),
        "csv": Plan(LabelledSource(good, str(outside / "labels.csv"))),
        "torchvision": Plan(TorchvisionSource(str(inside), "mnist")),
        "part": Plan(ArraySource(str(inside / "trainX.npy"))),
        "trained on": Plan(good, TrainSpec(data=other)),
        "validated on": Plan(good, TrainSpec(validation=other)),
    }[name]
    with pytest.raises(DataError, match=REFUSED):
        pipeline.run(store, plan, "model")


def test_the_worker_holds_to_the_roots(places, store):
    _, outside = places
    jobs = Jobs(store)
    try:
        job = jobs.start(Plan(ArraySource(str(outside / "a.npz"))), "images")
        while jobs.get(job.id).active:
            pass
        assert REFUSED in jobs.get(job.id).error
    finally:
        jobs.close()


def test_a_refusal_does_not_say_whether_there_is_anything(places):
    _, outside = places
    said = []
    for name in ("a.npz", "missing.npz"):
        with pytest.raises(DataError) as error:
            parse_source(str(outside / name))
        said.append(str(error.value).replace(name, ""))
    assert said[0] == said[1] and str(outside.parent / "open") in said[0]


def test_no_folder_and_every_folder(places, monkeypatch):
    _, outside = places
    monkeypatch.setenv(roots.VARIABLE, "")
    with pytest.raises(
        DataError, match=r"only samples and uploads can, as .* no folder with --root or EXPLORER_ROOTS"
    ):
        opened_by(outside / "pictures")
    monkeypatch.delenv(roots.VARIABLE)
    assert len(opened_by(outside / "pictures")) > 1


def test_folders_are_given_as_flags_and_in_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(roots.VARIABLE, "/one")
    assert roots.flags(["--root", "/a", "x", "--root=/b", "--rooted"]) == (["/a", "/b"], ["x", "--rooted"])
    roots.add(["/two", "/one"])
    roots.add(["/two"])
    assert roots.given() == ("/one", "/two")
    with pytest.raises(ConfigError, match="use a link to it"):
        roots.add([f"/a{os.pathsep}b"])


def test_a_folder_is_listed_within_bounds_and_without_what_leads_out(places, monkeypatch):
    inside, _ = places
    found = roots.inside(str(inside), (".npz", ".npy"))
    names = [Path(path).name for path in (*found.folders, *found.files)]
    assert names == ["MNIST", "pictures", "a.npy", "a.npz", "labels.npy"] and not found.more
    many = inside / "many"
    for i in range(60):
        (many / f"{i:02d}").mkdir(parents=True)
    monkeypatch.setattr(roots, "MOST_LISTED", 50)
    assert (len(roots.inside(str(many), ()).folders), roots.inside(str(many), ()).more) == (50, True)
    monkeypatch.setattr(roots, "MOST_SEEN", 20)
    assert (len(roots.inside(str(many), ()).folders), roots.inside(str(many), ()).more) == (20, True)

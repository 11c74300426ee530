"""The undisturbed work: what is done, how long each part of it takes, and what comes of it."""

import itertools
import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core import checkpoints, pipeline, stages
from core.config import KMeansConfig
from core.images import SampleSource, SubsetSource
from core.models import TrainedModel
from core.plans import ClusterConfig, KeptModel, Plan, TrainSpec, some
from core.usual_training import usual
from tests.faults.processes import start, until

NAME = "kept"
MARKS = {"train": "Training:", "encode": "Encoding:", "map": "t-SNE:"}  # what the command line says when it begins


@dataclass(frozen=True)
class Setting:
    """How large the work is: so many images of the sample, so many epochs, with pictures or without."""

    images: int = 600
    epochs: int = 12
    pictures: bool = True

    @property
    def source(self) -> SubsetSource:
        """The images."""
        return SubsetSource(SampleSource("digits"), self.images, ())

    @property
    def spec(self) -> TrainSpec:
        """The model."""
        begun = usual((28, 28, 1), self.images, 10)
        return replace(begun, training=replace(begun.training, epochs=self.epochs))

    def plan(self, kept: bool) -> Plan:
        """Return the plan of the maps, by the kept model or the one in the store."""
        return Plan(self.source, KeptModel(NAME) if kept else self.spec, cluster=ClusterConfig(KMeansConfig(10)))

    def train(self, folder: Path) -> list[str]:
        """Return the command that trains the model."""
        out = ["--out", f"{folder}/model.safetensors", "--overwrite"]
        return [*self._data("train"), "--epochs", str(self.epochs), *out]

    def run(self, folder: Path) -> list[str]:
        """Return the command that makes both maps and writes everything."""
        return [
            *self._data("run"),
            "--model",
            NAME,
            "--out",
            f"{folder}/out",
            *([] if self.pictures else ["--no-pictures"]),
        ]

    def _data(self, command: str) -> list[str]:
        return ["-m", "core", command, "--data", "digits", "--limit", str(self.images)]


@dataclass
class Round:
    """A kill: in which phase, of what, how; `wrong` is what did not hold after it, `hit` whether it fell into the work."""

    phase: str
    target: str
    how: str
    hit: bool = False
    delay: float = 0.0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Bench:
    """An undisturbed run to compare with, a folder for the rounds, and the seconds that each kind of work takes."""

    folder: Path
    setting: Setting
    seconds: dict[str, float] = field(default_factory=dict)
    places: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def reference(self) -> Path:
        """Folder of the undisturbed run."""
        return self.folder / "reference"

    def prepare(self, commands: Sequence[str] = ("train", "run")) -> None:
        """Make the undisturbed run: models after each epoch, maps, and what these commands write."""
        store, setting = pipeline.open_store(self.reference / "store"), self.setting
        self.reference.mkdir(parents=True, exist_ok=True)
        images = pipeline.run(store, setting.plan(False), "images").images.value
        found = stages.model(store, replace(setting.spec, checkpoint_every=1), images).value
        assert isinstance(found, TrainedModel)
        checkpoints.keep(found, NAME, self.reference / "models")
        started = time.monotonic()
        pipeline.run(store, setting.plan(False))
        shown = pipeline.run(
            store, Plan(setting.source, KeptModel("digits"), cluster=ClusterConfig(KMeansConfig(10)))
        )
        made = {"images": shown.images, "encode": some(shown.latents), "map": some(shown.projection)}
        stage = {"images": "images", "encode": "latents", "map": "projection"}
        self.places = {phase: (stage[phase], staged.key) for phase, staged in made.items()}
        self.places["train"] = ("model", stages.model(store, setting.spec, images).key)
        self.seconds = {"train": sum(epoch.seconds for epoch in found.history), "map": time.monotonic() - started}
        self.seconds["encode"] = 0.2
        for name in commands:
            self._undisturbed(name)

    def _undisturbed(self, name: str) -> None:
        """Run a command undisturbed, keep what it made, and note how long each part of its work took."""
        folder = self.fresh(name)
        started = start(getattr(self.setting, name)(folder), folder)
        at: dict[str, float] = {}

        def look() -> bool:
            for phase, words in MARKS.items():
                if phase not in at and words.encode() in started.text:
                    at[phase] = time.monotonic()
            if "export" not in at and written(folder):
                at["export"] = time.monotonic()
            return started.process.poll() is not None

        until(look)
        at["end"] = time.monotonic()
        if code := started.wait():
            raise AssertionError(f"the undisturbed {name} ended with {code}: {started.text.decode()[-600:]}")
        for (phase, first), (_, last) in itertools.pairwise(sorted(at.items(), key=lambda item: item[1])):
            self.seconds[phase] = last - first
        for part in ("out", "store", "model.safetensors"):
            if (folder / part).is_dir():
                shutil.copytree(folder / part, self.reference / part, dirs_exist_ok=True)
            elif (folder / part).exists():
                shutil.copy(folder / part, self.reference / part)
        shutil.rmtree(folder)

    def place(self, phase: str, folder: Path) -> Path:
        """Return where the entry will be that a phase on a server makes, or the images that they are of."""
        stage, key = self.places[phase]
        return folder / "store" / stage / key / "entry.json"

    def fresh(self, name: str = "round") -> Path:
        """Return a new folder with the kept model and nothing else."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.reference / "models", folder / "models")
        return folder


def attempt(bench: Bench, one: Round, kill: "Kill", chance: random.Random, tries: int = 3) -> None:
    """Kill; again, and earlier, where that came after the work had ended."""
    for _ in range(tries):
        kill(bench, one, chance)
        if one.hit or one.wrong:
            return
        for name in (one.phase, f"server, {one.phase}"):
            bench.seconds[name] = 0.5 * bench.seconds.get(name, 1.0)  # the work is quicker than it was


def written(folder: Path) -> bool:
    """Say whether an export has begun."""
    return (folder / "out").is_dir() and any((folder / "out").iterdir())


Kill = Callable[[Bench, Round, random.Random], None]

"""Bits flipped and files cut, in every kind of file that is kept: is it noticed, and is the result what it was?"""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core import checkpoints, corrections, pipeline
from core.corrections import Review
from core.errors import ExplorerError
from core.store import Entry
from dashboard import saved
from tests.faults.material import Material
from tests.faults.sameness import Told, same

Place = tuple[str, str]
# Stages that are looked at only while another one is made: these are dropped, so that it is.
_FOLLOW: Mapping[str, tuple[str, ...]] = defaultdict(
    tuple,
    {
        "training": ("model",),
        "classified": ("latents",),
        "components": ("reduced",),
        "graph": ("suspects", "duplicates", "spread"),
        "neighbours": ("projection", "graph", "suspects", "duplicates", "spread"),
        "projection": ("projection",),
        "clustering": ("clustering",),
    },
)
OUTCOMES = ("noticed", "made again", "no effect", "earlier state", "wrong")


@dataclass
class Tally:
    """What became of the damage to one kind of file."""

    kind: str
    tries: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    wrong: list[str] = field(default_factory=list)

    def count(self, *outcomes: str, how: str = "") -> None:
        """Note a try."""
        self.tries += 1
        for outcome in outcomes:
            self.outcomes[outcome] += 1
        if "wrong" in outcomes:
            self.wrong.append(f"{self.kind}: {how}")


def damages(data: bytes, flips: int, cuts: int, chance: random.Random) -> list[tuple[str, bytes]]:
    """Return damaged copies of a file and what was done: bits flipped at random, cut at random lengths and to nothing."""
    made = []
    for _ in range(flips if data else 0):
        at, bit = chance.randrange(len(data)), chance.randrange(8)
        changed = bytearray(data)
        changed[at] ^= 1 << bit
        made.append((f"bit {bit} of byte {at} flipped", bytes(changed)))
    lengths = [0, *(chance.randrange(len(data)) for _ in range(cuts - 1))] if cuts and data else []
    return [*made, *((f"cut to {length} of {len(data)} bytes", data[:length]) for length in lengths)]


def everything(material: Material, flips: int, cuts: int, seed: int = 0, files: int | None = None) -> list[Tally]:
    """Damage every kind of file in turn and return a tally a kind; `files` of each kind, chosen at random, or all."""
    chance = random.Random(seed)
    found = of_store(material, flips, cuts, chance, files)
    for kind, path, read in (
        ("kept model, weights.safetensors", material.model / "weights.safetensors", lambda: _model(material.model)),
        ("kept model, model.json", material.model / "model.json", lambda: _model(material.model)),
        ("kept view", material.view, lambda: _view(material.view)),
    ):
        found.append(_of_file(kind, path, read, damages(path.read_bytes(), flips, cuts, chance)))
    found.append(of_review(material.review, damages(material.review.read_bytes(), flips, cuts, chance)))
    return found


def of_store(material: Material, flips: int, cuts: int, chance: random.Random, files: int | None) -> list[Tally]:
    """Damage the files of the store's entries."""
    store = pipeline.open_store(material.store)
    reference: dict[Place, Entry] = {}
    kinds: dict[str, list[Path]] = {}
    for item in sorted(store.entries(), key=lambda item: (str(item["stage"]), str(item["key"]))):
        place = (str(item["stage"]), str(item["key"]))
        entry = store.get(*place)
        if entry is None:
            raise AssertionError(f"{place} cannot be read before anything was done to it")
        reference[place] = Entry({name: array.copy() for name, array in entry.arrays.items()}, entry.info, 0.0)
        for path in sorted((material.store / place[0] / place[1]).iterdir()):
            kinds.setdefault(f"{place[0]}, {path.suffix}", []).append(path)
    tallies = []
    for kind, paths in kinds.items():
        tally = Tally(kind)
        for path in paths if files is None else chance.sample(paths, min(files, len(paths))):
            for how, damaged in damages(path.read_bytes(), flips, cuts, chance):
                _try_entry(material, path, damaged, reference, tally, f"{path.name} {how}")
        tallies.append(tally)
    return tallies


def _try_entry(
    material: Material, path: Path, damaged: bytes, reference: Mapping[Place, Entry], tally: Tally, how: str
) -> None:
    """Read a damaged entry as a program does that has just started, then let it make again what is missing."""
    place = (path.parent.parent.name, path.parent.name)
    before = {
        other: _files(material.store / other[0] / other[1]) for other in reference if other[0] in _FOLLOW[place[0]]
    }
    before[place] = _files(path.parent)
    path.write_bytes(damaged)
    try:
        with Told() as told:
            entry = pipeline.open_store(material.store).get(*place)
        if entry is not None:
            tally.count("no effect" if same(entry, reference[place]) else "wrong", how=how)
        elif not told.messages:
            tally.count("wrong", how=f"{how}: not told")
        else:
            tally.count(*_made_again(material, place, reference), how=how)
    except Exception as error:  # of whatever kind: this is what is looked for
        tally.count("wrong", how=f"{how}: {type(error).__name__}: {error}")
    for files in before.values():  # what was made again took other seconds
        for each, data in files.items():
            each.parent.mkdir(parents=True, exist_ok=True)
            each.write_bytes(data)


def _made_again(material: Material, place: Place, reference: Mapping[Place, Entry]) -> list[str]:
    """Make again what was noticed to be damaged, and compare everything with what was there."""
    store = pipeline.open_store(material.store)
    for other in reference:
        if other[0] in _FOLLOW[place[0]]:  # else nobody would ask for what is missing
            store.drop(*other)
    material.make(store)
    found = {other: pipeline.open_store(material.store).get(*other) for other in reference}
    if any(entry is not None and not same(entry, reference[other]) for other, entry in found.items()):
        return ["wrong"]
    if any(entry is None and other != place for other, entry in found.items()):
        return ["wrong"]
    return ["noticed", *(["made again"] if found[place] is not None else [])]


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.iterdir()}


def _of_file(kind: str, path: Path, read: Callable[[], Any], made: list[tuple[str, bytes]]) -> Tally:
    """Damage a file that is read whole or refused with a sentence."""
    tally, data, reference = Tally(kind), path.read_bytes(), read()
    _each(tally, path, made, lambda damaged: ["no effect" if read() == reference else "wrong"])
    path.write_bytes(data)
    return tally


def _each(tally: Tally, path: Path, made: list[tuple[str, bytes]], look: Callable[[bytes], list[str]]) -> None:
    """Put each damaged content into a file and count what `look` says of it; a sentence for the user is damage noticed."""
    for how, damaged in made:
        path.write_bytes(damaged)
        try:
            tally.count(*look(damaged), how=how)
        except ExplorerError:
            tally.count("noticed")
        except Exception as error:  # of whatever kind: this is what is looked for
            tally.count("wrong", how=f"{how}: {type(error).__name__}: {error}")


def _model(folder: Path) -> tuple[object, ...]:
    model = checkpoints.load(folder)
    arrays = {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in model.weights.items()}
    return arrays, model.autoencoder, model.training, model.image_shape, model.history, model.trained_on


def _view(path: Path) -> object:
    return saved.read(path.read_bytes())


def of_review(path: Path, made: list[tuple[str, bytes]]) -> Tally:
    """Damage a review's file: what is still read must be what was decided, and what is not must be told of."""
    tally, data, reference = Tally("review, .jsonl"), path.read_bytes(), corrections.load(path)

    def look(damaged: bytes) -> list[str]:
        with Told() as told:
            found = corrections.load(path)
        return _reviewed(found, reference, bool(told.messages), data, damaged)

    _each(tally, path, made, look)
    path.write_bytes(data)
    return tally


def _reviewed(found: Review, reference: Review, told: bool, data: bytes, damaged: bytes) -> list[str]:
    known = {replace(event, number=0) for event in reference.events}  # a line's end that is hit makes one line of two
    if any(replace(event, number=0) not in known for event in found.events):
        return ["wrong"]  # a decision that nobody made
    if found.events == reference.events and not told:
        return ["no effect"]
    if told or found.refused > reference.refused:
        # Only the line that was hit may be missing, and what cannot count without it.
        return ["noticed"]
    at_line = len(damaged) < len(data) and (not damaged or damaged.endswith(b"\n"))
    return ["earlier state"] if at_line else ["wrong"]  # a whole number of lines is what there was before


def table(tallies: list[Tally]) -> str:
    """Return the tallies as Markdown."""
    lines = [
        "| File | Tries | Noticed | Made again | No effect | Earlier state | Wrong |",
        "|---|---|---|---|---|---|---|",
    ]
    for tally in sorted(tallies, key=lambda tally: tally.kind):
        lines.append(f"| {tally.kind} | {tally.tries} | {' | '.join(str(tally.outcomes[o]) for o in OUTCOMES)} |")
    totals = [str(sum(tally.outcomes[outcome] for tally in tallies)) for outcome in OUTCOMES]
    return "\n".join([*lines, f"| all | {sum(tally.tries for tally in tallies)} | {' | '.join(totals)} |"])

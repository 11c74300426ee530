"""What a visitor does, and what must be on the page after each move: what this visitor asked for, and nobody else's."""

import base64
import hashlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.load.client import Gone, Session

Asked = tuple[int, str, int, str]  # images, map, k, colour
Shown = tuple[str, ...]  # names of the files of the map's arrays: hashes of their content
CLASSES = 10
STEP = 10  # images that a visitor's own set has fewer than that of the visitor before


@dataclass(frozen=True)
class Ground:
    """What all visitors find: a file of images, how many, and the perplexities whose maps are there."""

    path: Path
    points: int
    perplexities: tuple[int, ...]

    def own(self, number: int) -> int:
        """Return how many images a visitor's own set has; nobody else's has as many."""
        return self.points - STEP * (number + 1)


def ks(number: int, sessions: int) -> tuple[int, ...]:
    """Return the numbers of clusters that a visitor asks for; nobody else asks for them."""
    return tuple(2 + sessions * turn + number for turn in range(3))


@dataclass
class Visitor:
    """A session, what it has asked for, what it was shown, the seconds of each move, and what was wrong."""

    ground: Ground
    url: str
    times: list[tuple[str, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    shown: dict[Asked, Shown] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.session = Session(self.url)
        self.n = self.ground.points
        self.drawn, self.color, self.size = "PCA", "Cluster", 5
        self.k: dict[int, int] = {}
        self.row: dict[int, int] = {}
        self.fetched: set[str] = set()

    def arrive(self) -> None:
        """Open the page and choose the images; PCA and KMeans first, as other maps and clusters of many images take long."""
        self.session.open()
        self.session.set("selectbox", "Method", "PCA")
        self.session.set("selectbox", "Way to clusters", "KMeans of the latents")
        self.session.set("selectbox", "Data set", "Folder, file or data set…")
        self.session.set("text_input", "Path", str(self.ground.path))
        self.session.poll(lambda session: session.has_map() and session.map()["header"]["n"] == self.n)
        self._check("arrive")

    def leave(self) -> None:
        """Close the tab."""
        self.session.close()

    def moves(self, number: int, numbers: tuple[int, ...]) -> list[Callable[[], None]]:
        """Return one round of moves: through the visitor's own images and all of them, with these numbers of clusters."""
        own, ground = self.ground.own(number), self.ground
        moves: list[Callable[[], None]] = [
            lambda: self.choose_images(own),
            lambda: self.choose_k(numbers[0]),
            lambda: self.choose_k(numbers[1]),
            lambda: self.choose_color("Label"),
            lambda: self.pick(number + 1),
            lambda: self.choose_color("Cluster"),
            lambda: self.choose_size(1 + number % 15),
            lambda: self.choose_k(numbers[2]),
            lambda: self.choose_images(ground.points),
            lambda: self.pick(number + 1),
            lambda: self.choose_k(numbers[0]),
        ]
        if ground.perplexities:
            moves.append(lambda: self.choose_map("t-SNE"))
            moves += [lambda p=p: self.choose_perplexity(p) for p in ground.perplexities]  # type: ignore[misc]
        return [*moves, lambda: self.choose_k(numbers[1]), lambda: self.choose_map("PCA")]

    def choose_images(self, n: int) -> None:
        """Take at most so many images."""
        self.n = n
        self._move("image set", "number_input", "At most so many", n)

    def choose_k(self, k: int) -> None:
        """Move the slider of k."""
        self.k[self.n] = k
        self._move("k", "slider", "k (number of clusters)", k)

    def choose_color(self, color: str) -> None:
        """Colour by another column."""
        self.color = color
        self._move("colour", "selectbox", "Colour by", color)

    def choose_size(self, size: int) -> None:
        """Move the slider of the points' size."""
        self.size = size
        self._move("point size", "slider", "Point size", size)

    def choose_map(self, method: str) -> None:
        """Choose a map's method."""
        self.drawn = method if method == "PCA" else f"t-SNE {self.perplexity()}"
        self._move("map", "selectbox", "Method", method)

    def perplexity(self) -> int:
        """Return the perplexity that the page begins with or this visitor chose last."""
        return getattr(self, "_perplexity", 30)

    def choose_perplexity(self, perplexity: int) -> None:
        """Move the slider of the perplexity to one whose map is there."""
        self._perplexity = perplexity
        self.drawn = f"t-SNE {perplexity}"
        self._move("perplexity", "slider", "perplexity", perplexity)

    def pick(self, row: int) -> None:
        """Click at a dot."""
        self.row[self.n] = row
        seconds = self.session.pick({"kind": "point", "row": row})
        self.times.append(("selection", seconds))
        self._check("selection")

    def _move(self, name: str, kind: str, label: str, value: object) -> None:
        self.times.append((name, self.session.set(kind, label, value)))
        self._check(name)

    def _check(self, move: str) -> None:
        """Compare what the page shows with what this visitor asked for."""
        said = self.session.problems()
        if said:
            self.wrong.append(f"{move}: the page says {said[0][:300]}")
            return
        try:
            found = self.session.map()
        except LookupError as error:
            self.wrong.append(f"{move}: {str(error)[:300]}")
            return
        header, k = found["header"], self.k.get(self.n, CLASSES)
        groups = k if self.color == "Cluster" else CLASSES
        row = self.row.get(self.n)
        told = {
            "images": (header["n"], self.n),
            "groups": (len(header["color"]["names"]), groups),
            "colour": (header["color"]["title"], self.color),
            "map": (header["axes"][0].split()[0], "Component" if self.drawn == "PCA" else self.drawn.split()[0]),
            "point size": (header["point_size"], self.size),
            "selected": (_rows(found["selected"]), [] if row is None else [row]),
        }
        for what, (is_there, asked) in told.items():
            if is_there != asked:
                self.wrong.append(f"{move}: {what} {is_there!r:.80} instead of {asked!r:.80}")
        files = {name: item["file"] for name, item in header["arrays"].items()}
        self._fetch(found["arrays"], files["group"], groups, header["n"])
        asked_for = (self.n, self.drawn, k, self.color)
        before = self.shown.setdefault(asked_for, (files["x"], files["y"], files["group"]))
        if before != (files["x"], files["y"], files["group"]):
            self.wrong.append(f"{move}: {asked_for} was another map before")

    def _fetch(self, folder: str, name: str, groups: int, n: int) -> None:
        """Fetch the groups of the dots as a browser does, once, and look at what is in them."""
        if name in self.fetched:
            return
        self.fetched.add(name)
        data = self.session.fetch(folder + name)
        if hashlib.blake2b(data, digest_size=12).hexdigest() != name.partition(".")[0]:
            self.wrong.append(f"{name} does not hold what its name says")
        codes = np.frombuffer(data, np.uint8)
        if len(codes) != n or codes.max() >= groups:
            self.wrong.append(f"{name} holds {len(codes)} dots in {int(codes.max()) + 1} groups, not {n} in {groups}")


def _rows(text: str) -> list[int]:
    """Return the rows that the page marks as selected."""
    bits = np.frombuffer(base64.b64decode(text), np.uint8)
    return [int(row) for row in np.flatnonzero(np.unpackbits(bits, bitorder="little"))]


@dataclass
class Crowd:
    """Visitors that come at the same time, each in a thread of its own, until `seconds` have passed; then one burst."""

    ground: Ground
    url: str
    sessions: int
    seconds: float
    pause: float = 1.0  # seconds between two moves of a visitor, on the average
    seed: int = 0

    def run(self, look: Callable[[], None] = lambda: None) -> "Outcome":
        """Let them visit; `look` is called about once a second meanwhile."""
        self.visitors = [Visitor(self.ground, self.url) for _ in range(self.sessions)]
        self.burst: list[float] = []
        self.together = threading.Barrier(self.sessions)
        threads = [threading.Thread(target=self._visit, args=(number,)) for number in range(self.sessions)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            look()
            time.sleep(min(1.0, self.seconds))
        shown: dict[Asked, Shown] = {}
        wrong = [f"visitor {i}: {text}" for i, each in enumerate(self.visitors) for text in each.wrong]
        for i, visitor in enumerate(self.visitors):
            for asked, files in visitor.shown.items():
                if shown.setdefault(asked, files) != files:
                    wrong.append(f"visitor {i}: {asked} is another map than others were shown")
        return Outcome([time for each in self.visitors for time in each.times], self.burst, shown, wrong)

    def _visit(self, number: int) -> None:
        visitor, random_pause = self.visitors[number], random.Random(f"{self.seed} {number}")
        own = ks(number, self.sessions)
        try:
            visitor.arrive()
            end = time.monotonic() + self.seconds
            while time.monotonic() < end:
                for move in visitor.moves(number, own):
                    move()
                    time.sleep(random_pause.uniform(0, 2 * self.pause))
            before = len(visitor.times)
            self.together.wait()
            visitor.choose_k(own[2])
            self.burst += [seconds for _, seconds in visitor.times[before:]]
            del visitor.times[before:]
        except (Gone, OSError, LookupError, threading.BrokenBarrierError) as error:
            visitor.wrong.append(f"{type(error).__name__}: {error}")
            self.together.abort()
        finally:
            visitor.leave()


@dataclass(frozen=True)
class Outcome:
    """Seconds of moves by kind, those of the burst, what was shown, and what was wrong."""

    times: list[tuple[str, float]]
    burst: list[float]
    shown: dict[Asked, Shown]
    wrong: list[str]


def alone(ground: Ground, url: str, sessions: int, numbers: Callable[[int], tuple[int, ...]]) -> Outcome:
    """Let one visitor make the moves of all, one after the other."""
    visitor = Visitor(ground, url)
    visitor.arrive()
    for number in range(sessions):
        for move in visitor.moves(number, numbers(number)):
            move()
    visitor.leave()
    return Outcome(visitor.times, [], visitor.shown, visitor.wrong)

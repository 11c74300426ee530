"""A review: what was decided of each image, folded from the events in its file; and how decisions are made and undone.

A decision stands until its reviewer undoes it or a later one takes its place, whoever makes that; a "skip" takes no
other decision's place. Names of clusters work likewise. Undo and redo are events, too: they name the action they mean,
so that the same undo from two tabs counts once, and each reviewer takes back only what they did last.
"""

import secrets
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from core import review_log
from core.decisions import (
    KINDS,
    Choice,
    Decision,
    Event,
    Kind,
    Naming,
    Reversal,
    decision_record,
    event_of,
    naming_record,
    now,
    reversal_record,
    reviewer_name,
)
from core.errors import ConfigError
from core.review_log import Cursor

Subject = int | tuple[str, int]  # an image's row, or a clustering's key and a cluster's number
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, eq=False)
class Review:
    """The state of a review; made by `load`, never changed.

    Parameters
    ----------
    events : all that counted, in their order.
    current : the decision that stands, by row. names : the name that stands, by clustering's key and cluster's number.
    undone : groups that are taken back.
    done, taken_back : groups that a reviewer can undo and redo, by reviewer, the next one last.
    history : every decision or naming, also undone ones, by what it is about. members : what each group is about.
    owners : whose each group is.
    refused : events that do not count: unknown ones, and an undo of what is not its reviewer's last action.
    cursor : how far the file has been read.
    damaged : lines of the file that cannot be read, which are among the refused.
    """

    events: tuple[Event, ...] = ()
    current: Mapping[int, Decision] = field(default_factory=dict)
    names: Mapping[tuple[str, int], Naming] = field(default_factory=dict)
    undone: frozenset[str] = frozenset()
    done: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    taken_back: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    history: Mapping[Subject, tuple[Decision | Naming, ...]] = field(default_factory=dict)
    members: Mapping[str, tuple[Subject, ...]] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    refused: int = 0
    cursor: Cursor = field(default_factory=Cursor)
    damaged: int = 0

    @property
    def warning(self) -> str | None:
        """One sentence on lines of the file that cannot be read, or None."""
        if not self.damaged:
            return None
        lines = "1 line" if self.damaged == 1 else f"{self.damaged:,} lines"
        return (
            f"Damaged or never finished, and so not counted: {lines} of this review's file. "
            "Look through your decisions, and make those again that are missing."
        )

    def counts(self) -> dict[Kind, int]:
        """Return how many images have each kind of decision."""
        found = Counter(decision.kind for decision in self.current.values())
        return {kind: found[kind] for kind in KINDS}

    def of(self, row: int) -> tuple[Decision, ...]:
        """Return every decision on an image that is not undone, of all reviewers, in their order."""
        return tuple(e for e in self.history.get(row, ()) if isinstance(e, Decision) and e.group not in self.undone)


def load(path: Path, before: Review | None = None) -> Review:
    """Read a review, or what is new since `before`, which is returned itself when nothing is.

    Raises
    ------
    ReviewError : the file cannot be read.
    """
    before = before or Review()
    lines = review_log.read(path, before.cursor)
    if lines.restarted:
        before = Review()
    elif lines.cursor == before.cursor:
        return before
    events = [event_of(record, number) for number, record in lines.records]
    return fold(events, before, lines.cursor, lines.skipped)


def fold(
    events: Iterable[Event | None], before: Review | None = None, cursor: Cursor | None = None, skipped: int = 0
) -> Review:
    """Return the state after further events; None stands for one that is not known."""
    work = _Folding(before or Review(), skipped)
    for event in events:
        work.take(event)
    return work.review(cursor)


def decide(path: Path, before: Review, choices: Sequence[Choice], reviewer: str) -> Review:
    """Keep decisions as one action, which is undone in one step, and return the review with all that is new in it.

    Raises
    ------
    ConfigError : there is none, or one that cannot be made. ReviewError : they cannot be kept.
    """
    owner, group, time = reviewer_name(reviewer), secrets.token_hex(8), now()
    if not choices:
        raise ConfigError("There is no image to decide on; select some first.")
    review_log.append(path, [decision_record(choice, group, owner, time) for choice in choices])
    return load(path, before)


def name_cluster(
    path: Path, before: Review, clustering: str, cluster: int, name: str, color: str, reviewer: str
) -> Review:
    """Name and colour a cluster of the clustering with a store key; "" takes the name or the colour away.

    Raises
    ------
    ConfigError : the name or the colour cannot be used. ReviewError : they cannot be kept.
    """
    owner = reviewer_name(reviewer)
    review_log.append(path, [naming_record(clustering, cluster, name, color, secrets.token_hex(8), owner)])
    return load(path, before)


def undo(path: Path, before: Review, reviewer: str) -> Review:
    """Take back a reviewer's last action.

    Raises
    ------
    ConfigError : there is none. ReviewError : it cannot be kept.
    """
    return _reverse(path, before, reviewer, "undo")


def redo(path: Path, before: Review, reviewer: str) -> Review:
    """Bring back the action that a reviewer took back last.

    Raises
    ------
    ConfigError : there is none, or a new action came after it. ReviewError : it cannot be kept.
    """
    return _reverse(path, before, reviewer, "redo")


def current_in(review: Review, clustering: str) -> dict[int, Decision]:
    """Return the decision that stands on each image, by row, leaving out those that speak of another clustering."""
    found = {}
    for row, decision in review.current.items():
        if decision.clustering in ("", clustering):
            found[row] = decision
        elif fitting := [item for item in review.of(row) if item.clustering in ("", clustering)]:
            found[row] = _standing(fitting)
    return found


def disputed(review: Review) -> list[int]:
    """Return the rows, in order, on which reviewers' own last decisions differ; skips do not count."""
    found = []
    for row, decision in review.current.items():
        if len(review.history[row]) > 1 and decision.kind != "skip":
            last = {
                item.reviewer: (item.kind, item.new, item.clustering)
                for item in review.of(row)
                if item.kind != "skip"
            }
            if len(set(last.values())) > 1:
                found.append(row)
    return sorted(found)


def names_of(review: Review, clustering: str, k: int) -> tuple[str, ...]:
    """Return the name of each of k clusters, "" where none is given."""
    named = (review.names.get((clustering, i)) for i in range(k))
    return tuple("" if item is None else item.name for item in named)


def colors_of(review: Review, clustering: str, colors: Sequence[str]) -> tuple[str, ...]:
    """Return each cluster's colour: the one given by hand, else the one in `colors`."""
    chosen = (review.names.get((clustering, i)) for i in range(len(colors)))
    return tuple(item.color if item and item.color else color for item, color in zip(chosen, colors, strict=True))


def _reverse(path: Path, before: Review, reviewer: str, kind: Literal["undo", "redo"]) -> Review:
    owner = reviewer_name(reviewer)
    review = load(path, before)
    groups = (review.done if kind == "undo" else review.taken_back).get(owner, ())
    if not groups:
        raise ConfigError(f"{owner} has nothing to {kind}.")
    review_log.append(path, [reversal_record(kind, groups[-1], owner)])
    return load(path, review)


def _standing(items: Sequence[V]) -> V:
    """Return which of some events on one subject stands: the last that is no skip, else the last."""
    said = [item for item in items if not _skips(item)]
    return (said or items)[-1]


def _skips(event: object) -> bool:
    return isinstance(event, Decision) and event.kind == "skip"


class _Lists(Generic[K, V]):
    """Tuples by key that grow as lists; only those that are touched are copied."""

    def __init__(self, before: Mapping[K, tuple[V, ...]]) -> None:
        self.before, self.grown = before, dict[K, list[V]]()

    def __getitem__(self, key: K) -> list[V]:
        if key not in self.grown:
            self.grown[key] = list(self.before.get(key, ()))
        return self.grown[key]

    def frozen(self) -> dict[K, tuple[V, ...]]:
        return {**self.before, **{key: tuple(values) for key, values in self.grown.items()}}


class _Folding:
    """A review while further events are taken into it."""

    def __init__(self, before: Review, skipped: int) -> None:
        self.before, self.refused, self.damaged = before, before.refused + skipped, before.damaged + skipped
        self.events: list[Event] = []
        self.standing: dict[Subject, Decision | Naming] = {}
        for row, decision in before.current.items():
            self.standing[row] = decision
        for cluster, naming in before.names.items():
            self.standing[cluster] = naming
        self.undone, self.owners = set(before.undone), dict(before.owners)
        self.done = _Lists[str, str](before.done)
        self.taken_back = _Lists[str, str](before.taken_back)
        self.history = _Lists[Subject, Decision | Naming](before.history)
        self.members = _Lists[str, Subject](before.members)

    def take(self, event: Event | None) -> None:
        counts = event is not None and (self._reverse(event) if isinstance(event, Reversal) else self._add(event))
        if event is not None and counts:
            self.events.append(event)
        else:
            self.refused += 1

    def _add(self, event: Decision | Naming) -> bool:
        if event.group not in self.owners:
            self.owners[event.group] = event.owner
            self.done[event.owner].append(event.group)
            self.taken_back[event.owner].clear()
        elif self.owners[event.group] != event.owner or event.group in self.undone:
            return False
        subject: Subject = event.row if isinstance(event, Decision) else (event.clustering, event.cluster)
        self.members[event.group].append(subject)
        self.history[subject].append(event)
        there = self.standing.get(subject)
        if there is None or not _skips(event) or _skips(there):
            self.standing[subject] = event
        return True

    def _reverse(self, event: Reversal) -> bool:
        lists = (self.done, self.taken_back) if event.kind == "undo" else (self.taken_back, self.done)
        source, target = lists[0][event.owner], lists[1][event.owner]
        if not source or source[-1] != event.group:
            return False
        target.append(source.pop())
        (self.undone.add if event.kind == "undo" else self.undone.discard)(event.group)
        for subject in set(self.members[event.group]):
            active = [item for item in self.history[subject] if item.group not in self.undone]
            if active:
                self.standing[subject] = _standing(active)
            else:
                self.standing.pop(subject, None)
        return True

    def review(self, cursor: Cursor | None) -> Review:
        current = {row: event for row, event in self.standing.items() if isinstance(event, Decision)}
        names = {key: event for key, event in self.standing.items() if isinstance(event, Naming)}
        return Review(
            (*self.before.events, *self.events), current, names, frozenset(self.undone), self.done.frozen(),  # type: ignore[arg-type]
            self.taken_back.frozen(), self.history.frozen(), self.members.frozen(), self.owners, self.refused,
            cursor or self.before.cursor, self.damaged,
        )  # fmt: skip

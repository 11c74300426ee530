"""The events of a review: decisions on images, names of clusters, and what takes them back; to and from JSON."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from core.errors import ConfigError

Kind = Literal["confirm", "relabel", "move", "junk", "skip"]
By = Literal["person", "rule"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_TEXT = 10_000  # letters of an id or a label
MOST_NAME = 80  # letters of a reviewer or of a cluster's name
MOST_ROWS = 1 << 31
_KEY = re.compile(r"[0-9a-f]{8,64}")
_GROUP = re.compile(r"[0-9a-f]{8,32}")
_CLUSTER = re.compile(r"[0-9]{1,9}")
_COLOR = re.compile(r"#[0-9a-f]{6}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is decided of one image.

    Parameters
    ----------
    row, id : the image. kind : what is decided.
    old, new : label before and after; numbers of clusters where `clustering` says of which one they are.
    score : how suspect the image was, or None.
    clustering : store key of the clustering that a move is made in; "" where old and new are labels.
    by : whether a person or a rule decided. reviewer, time : of a decision that was made elsewhere; "" for here and now.
    """

    row: int
    id: str
    kind: Kind
    old: str = ""
    new: str = ""
    score: float | None = None
    clustering: str = ""
    by: By = "person"
    reviewer: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A choice that was kept: `number` in the file, `group` of one action, `owner`, who can undo it."""

    number: int
    row: int
    id: str
    kind: Kind
    old: str
    new: str
    score: float | None
    clustering: str
    by: By
    reviewer: str
    time: str
    group: str
    owner: str


@dataclass(frozen=True, slots=True)
class Naming:
    """A name and a colour ("#rrggbb") for a cluster of the clustering with a store key; "" takes either away."""

    number: int
    clustering: str
    cluster: int
    name: str
    color: str
    time: str
    group: str
    owner: str


@dataclass(frozen=True, slots=True)
class Reversal:
    """An undo or a redo of a group of events, by its owner."""

    number: int
    kind: Literal["undo", "redo"]
    time: str
    group: str
    owner: str


Event = Decision | Naming | Reversal


def now() -> str:
    """Return the time in UTC, as "2024-05-01T12:00:00.000Z"."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def reviewer_name(text: str) -> str:
    """Return a reviewer's name without blanks around it.

    Raises
    ------
    ConfigError : it is empty, longer than 80 letters, or cannot be printed.
    """
    name = text.strip()
    if not _named(name):
        raise ConfigError(f"A reviewer cannot be named {name[:80]!r}: use 1 to {MOST_NAME} letters on one line.")
    return name


def decision_record(choice: Choice, group: str, owner: str, time: str) -> dict[str, Any]:
    """Return a choice as JSON.

    Raises
    ------
    ConfigError : it is not one that can be made.
    """
    record = {
        "event": "decision",
        "row": int(choice.row),
        "id": choice.id,
        "kind": choice.kind,
        "old": choice.old,
        "new": choice.new,
        "score": None if choice.score is None else float(choice.score),
        "clustering": choice.clustering,
        "by": choice.by,
        "reviewer": choice.reviewer or owner,
        "time": choice.time or time,
        "group": group,
        "owner": owner,
    }
    return _checked(record, _decision_problem(record))


def naming_record(clustering: str, cluster: int, name: str, color: str, group: str, owner: str) -> dict[str, Any]:
    """Return a cluster's name and colour as JSON.

    Raises
    ------
    ConfigError : the name is too long or not of one line, or the colour is none.
    """
    record = {
        "event": "name",
        "clustering": clustering,
        "cluster": int(cluster),
        "name": name.strip(),
        "color": color.lower(),
        "time": now(),
        "group": group,
        "owner": owner,
    }
    return _checked(record, _naming_problem(record))


def reversal_record(kind: Literal["undo", "redo"], group: str, owner: str) -> dict[str, Any]:
    """Return an undo or a redo as JSON."""
    return {"event": kind, "time": now(), "group": group, "owner": owner}


def event_of(record: Any, number: int) -> Event | None:
    """Understand what a file holds; None when it is no event that this version knows. Other fields are ignored."""
    if not isinstance(record, Mapping) or _common_problem(record):
        return None
    common = {"number": number, **{name: record[name] for name in ("time", "group", "owner")}}
    kind = record.get("event")
    if kind == "decision" and not _decision_problem(record):
        score = record.get("score")
        return Decision(
            row=record["row"], id=record["id"], kind=record["kind"], old=record["old"], new=record["new"],
            score=None if score is None else float(score), clustering=record["clustering"], by=record["by"],
            reviewer=record["reviewer"], **common,
        )  # fmt: skip
    if kind == "name" and not _naming_problem(record):
        named = {name: record[name] for name in ("clustering", "cluster", "name", "color")}
        return Naming(**named, **common)
    return Reversal(kind=kind, **common) if kind in ("undo", "redo") else None


def _checked(record: dict[str, Any], problem: str) -> dict[str, Any]:
    if problem or (problem := _common_problem(record)):
        raise ConfigError(problem)
    return record


def _common_problem(record: Mapping[str, Any]) -> str:
    time, group = record.get("time"), record.get("group")
    if not isinstance(time, str) or not _TIME.fullmatch(time):
        return f"{str(time)[:40]!r} is no time; write it like 2024-05-01T12:00:00Z."
    if not isinstance(group, str) or not _GROUP.fullmatch(group):
        return f"{str(group)[:40]!r} is no group of decisions."
    return "" if _named(record.get("owner")) else f"{str(record.get('owner'))[:80]!r} is no reviewer's name."


def _decision_problem(record: Mapping[str, Any]) -> str:
    """Say in a sentence what is wrong with a decision; "" when nothing is."""
    row, kind, key, score = (record.get(name) for name in ("row", "kind", "clustering", "score"))
    if not _whole(row, MOST_ROWS):
        return f"{str(row)[:40]} is no image's row."
    for name in ("id", "old", "new"):
        text = record.get(name)
        if not isinstance(text, str) or len(text) > MOST_TEXT:
            return f"The {name} of image {row} must be a text of at most {MOST_TEXT:,} letters."
    if kind not in KINDS:
        return f"{str(kind)[:40]!r} is no decision; there are {', '.join(KINDS)}."
    if not isinstance(key, str) or (key and not _KEY.fullmatch(key)):
        return f"{str(key)[:80]!r} is no clustering's key."
    if kind == "move" and not (key and _CLUSTER.fullmatch(record["new"])):
        return f"A move needs its clustering and the number of a cluster; {record['new'][:80]!r} is given."
    if kind == "relabel" and (key or not record["new"]):
        return f"The new label of image {row} is missing."
    if score is not None and (isinstance(score, bool) or not isinstance(score, int | float) or not _finite(score)):
        return f"The score of image {row} must be a number; it is {str(score)[:40]}."
    if record.get("by") not in get_args(By):
        return f"{str(record.get('by'))[:40]!r} does not decide; a person or a rule does."
    reviewer = record.get("reviewer")
    return "" if _named(reviewer) else f"{str(reviewer)[:80]!r} is no reviewer's name."


def _naming_problem(record: Mapping[str, Any]) -> str:
    key, name, color = record.get("clustering"), record.get("name"), record.get("color")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        return f"{str(key)[:80]!r} is no clustering's key."
    if not _whole(record.get("cluster"), 10**9):
        return f"{str(record.get('cluster'))[:40]} is no cluster's number."
    if name != "" and not _named(name):
        return f"A cluster cannot be named {str(name)[:80]!r}: use at most {MOST_NAME} letters on one line."
    if not isinstance(color, str) or (color and not _COLOR.fullmatch(color)):
        return f"{str(color)[:40]!r} is no colour; write it like #0072b2."
    return ""


def _named(text: Any) -> bool:
    return isinstance(text, str) and 0 < len(text) <= MOST_NAME and text.isprintable() and text == text.strip()


def _whole(value: Any, limit: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < limit


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False

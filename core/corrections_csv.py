"""A review as tables: corrections.csv and back, corrected predictions, and decisions that a rule makes."""

import csv as csv_format
import io
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from core.corrections import Review, current_in, names_of
from core.decisions import KINDS, Choice, Decision
from core.errors import ConfigError, DataError
from core.formulas import plain, shielded_table
from core.metadata import shortened
from core.plans import Results, some
from core.readers.csv_files import check_csv
from core.review import mapped

LIMIT_BYTES = 200 << 20
COLUMNS = ("id", "old", "new", "kind", "decided by", "reviewer", "score", "time", "clustering")


def corrections(review: Review) -> pd.DataFrame:
    """Return a row for each image that has a decision, by the image's row: the one that stands.

    Old and new are labels; where a decision speaks of clusters, `clustering` holds the clustering's key, and they are
    names given by hand, or numbers.
    """
    return _frame([review.current[row] for row in sorted(review.current)], review)


def history(review: Review) -> pd.DataFrame:
    """Return a row for each decision ever made, in order, with its number and whether it was undone."""
    made = [event for event in review.events if isinstance(event, Decision)]
    frame = _frame(made, review)
    frame.insert(0, "number", [decision.number for decision in made])
    return frame.assign(undone=[decision.group in review.undone for decision in made])


def csv(frame: pd.DataFrame) -> bytes:
    """Write corrections as CSV in UTF-8 that `choices` reads back to the letter.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, and so does one that begins with
    apostrophes and then a formula. Texts are quoted, so that a line's end in an id is none of the table.
    """
    text = shielded_table(frame).to_csv(index=False, lineterminator="\n", quoting=csv_format.QUOTE_NONNUMERIC)
    return text.encode("utf-8", "backslashreplace")


def choices(data: bytes, ids: Sequence[str], review: Review, name: str = "corrections.csv") -> list[Choice]:
    """Read corrections.csv, or any CSV with columns `id` and `new`; without a column `kind`, labels are meant.

    Parameters
    ----------
    ids : of the images, by row. review : knows the names of clusters that moves may speak of.

    Raises
    ------
    DataError : it cannot be read, names an image or a cluster that is not there, or an image twice.
    """
    frame = _read(data, name)
    row_of, twice = _rows(ids)
    found = [_known_id(text, row_of) for text in frame["id"]]
    missing = [text for text, known in zip(frame["id"], found, strict=True) if known is None]
    if missing:
        raise DataError(f"{name} names {len(missing):,} image(s) that are not in this set: {shortened(missing)}.")
    there = [text for text in found if text is not None]
    for text in [text for text in there if text in twice][:1]:
        raise DataError(f"{name} cannot say which image is meant: more than one has the id {text[:80]!r}.")
    for text in [text for text, count in Counter(there).items() if count > 1][:1]:
        raise DataError(f"{name} has more than one row for image {text[:80]!r}; keep one of them.")
    titles = list(frame.columns)
    records = (dict(zip(titles, values, strict=True)) for values in frame.itertuples(index=False, name=None))
    return [_choice(record, row_of[id_], id_, review, name) for record, id_ in zip(records, there, strict=True)]


def corrected_predictions(
    results: Results, review: Review, *, named: bool = False, junk: bool = False
) -> pd.DataFrame:
    """Return `id` and `label` of each image as `tables.predictions` does, after the review.

    A relabelled image gets its new label, a confirmed one keeps the label it was confirmed with, a moved one gets what its
    new cluster stands for. Clusters that stand for no class go by the name given by hand.

    Parameters
    ----------
    named : names given by hand come before the classes that clusters stand for. junk : keep images marked as junk.

    Raises
    ------
    ConfigError : an image was moved to a cluster that this clustering does not have.
    """
    clustering = some(results.clustering)
    k = len(clustering.value.centers)
    classes = mapped(results)
    titles = list(map(str, range(k))) if classes is None else list(classes.names())
    for i, name in enumerate(names_of(review, clustering.key, k)):
        if name and (named or classes is None or classes.of_cluster[i] < 0):
            titles[i] = name
    labels = [titles[i] for i in clustering.value.labels]
    ids = results.images.value.ids
    return corrected(ids, labels, titles, current_in(review, clustering.key), junk=junk)


def corrected(
    ids: Sequence[str],
    labels: Sequence[str],
    titles: Sequence[str],
    current: Mapping[int, Decision],
    *,
    junk: bool = False,
) -> pd.DataFrame:
    """Return `id` and `label` of n images after decisions.

    Parameters
    ----------
    labels : predicted of each image. titles : what each cluster stands for. current : decisions by row.

    Raises
    ------
    ConfigError : an image was moved to a cluster that there is not.
    """
    answers = list(labels)
    kept = np.ones(len(answers), bool)
    for row, decision in current.items():
        if row >= len(answers):
            continue
        if decision.kind == "move":
            answers[row] = _title(titles, int(decision.new), row)
        elif decision.kind == "relabel":
            answers[row] = decision.new
        elif decision.kind == "confirm" and not decision.clustering:
            answers[row] = decision.new or decision.old or answers[row]
        elif decision.kind == "junk":
            kept[row] = junk
    return pd.DataFrame({"id": list(ids), "label": answers})[kept].reset_index(drop=True)


def by_rule(
    rows: np.ndarray,
    suggested: Sequence[str],
    scores: np.ndarray,
    threshold: float,
    ids: Sequence[str],
    old: Sequence[str],
    decided: Collection[int] = (),
) -> list[Choice]:
    """Relabel every suspect whose score is at least a threshold, as a rule.

    Images that are decided on already, or whose suggested label is "" or the one they have, are left alone.

    Parameters
    ----------
    rows : int (m,), images. suggested : m labels. scores : float (m,).
    ids, old : id and label of each of all n images.

    Raises
    ------
    ConfigError : the arrays do not fit each other, a row is not there, or the threshold is no number.
    """
    if not len(rows) == len(suggested) == len(scores) or len(ids) != len(old):
        raise ConfigError(
            f"A rule needs a suggestion and a score for each of {len(rows)} suspects, not {len(suggested)} and {len(scores)}, "
            f"and a label for each of {len(ids)} images, not {len(old)}."
        )
    if not np.isfinite(threshold):
        raise ConfigError(f"The threshold of a rule must be a number; it is {threshold}.")
    if len(rows) and not (int(np.min(rows)) >= 0 and int(np.max(rows)) < len(ids)):
        raise ConfigError(f"A rule speaks of image {int(np.max(rows))}; there are {len(ids)} images.")
    return [
        Choice(int(row), ids[row], "relabel", old[row], new, float(score), by="rule")
        for row, new, score in zip(rows, suggested, scores, strict=True)
        if score >= threshold and new and new != old[row] and int(row) not in decided
    ]


def _frame(made: Sequence[Decision], review: Review) -> pd.DataFrame:
    values = [
        (
            decision.id,
            _shown(decision.old, decision, review),
            _shown(decision.new, decision, review),
            decision.kind,
            decision.by,
            decision.reviewer,
            np.nan if decision.score is None else decision.score,
            decision.time,
            decision.clustering,
        )
        for decision in made
    ]
    # pandas' own texts take no half pair of surrogates, which an id or label of a kept review may have
    return pd.DataFrame(values, columns=list(COLUMNS), dtype=object).astype({"score": float})


def _shown(text: str, decision: Decision, review: Review) -> str:
    if not decision.clustering or not text.isdecimal():
        return text
    naming = review.names.get((decision.clustering, int(text)))
    return naming.name if naming is not None and naming.name else text


def _title(titles: Sequence[str], cluster: int, row: int) -> str:
    if cluster >= len(titles):
        raise ConfigError(f"Image {row} was moved to cluster {cluster}; there are {len(titles)} clusters, from 0.")
    return titles[cluster]


def _read(data: bytes, name: str) -> pd.DataFrame:
    if len(data) > LIMIT_BYTES:
        raise DataError(f"{name} has more than {LIMIT_BYTES >> 20} MiB, the limit of a file of corrections.")
    try:
        check_csv(io.BytesIO(data), name)
        frame = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, TypeError, csv_format.Error) as error:  # pandas' parse errors, and what is no UTF-8
        raise DataError(f"{name} cannot be read as CSV: {' '.join(str(error).split())[:150]}") from error
    missing = [column for column in ("id", "new") if column not in frame]
    if missing:
        raise DataError(f"{name} needs the columns id and new; it has no {missing[0]}.")
    if not len(frame):
        raise DataError(f"{name} has no rows.")
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"{name} has rows with more values than columns.")
    return frame


def _rows(ids: Sequence[str]) -> tuple[dict[str, int], set[str]]:
    """Return the row of each id, and the ids that more than one image has."""
    row_of: dict[str, int] = {}
    twice = set()
    for row, text in enumerate(ids):
        if text in row_of:
            twice.add(text)
        row_of.setdefault(text, row)
    return row_of, twice


def _known_id(text: str, row_of: Mapping[str, int]) -> str | None:
    """Return the id that a text stands for: without the apostrophe of a formula, else as it is."""
    return next((found for found in (plain(text), text) if found in row_of), None)


def _choice(record: Mapping[str, str], row: int, id_: str, review: Review, name: str) -> Choice:
    kind, by = record.get("kind", "relabel"), record.get("decided by", "person")
    key, score = record.get("clustering", ""), record.get("score", "")
    if kind not in KINDS:
        raise DataError(f"{name} has the kind {kind[:40]!r} for image {id_[:80]!r}; there are {', '.join(KINDS)}.")
    old, new = (plain(record.get(column, "")) for column in ("old", "new"))
    if key:
        old, new = (_number(text, key, review, name) for text in (old, new))
    try:
        value = float(score) if score else None
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise DataError(f"{name} has the score {score[:40]!r} for image {id_[:80]!r}; it must be a number.")
    return Choice(
        row, id_, kind, old, new, value, key, "rule" if by == "rule" else "person", plain(record.get("reviewer", "")),
        record.get("time", ""),
    )  # fmt: skip


def _number(text: str, key: str, review: Review, name: str) -> str:
    """Return the number of a cluster that is given by number or by the name it has in a clustering."""
    numbers = [str(i) for (clustering, i), item in review.names.items() if clustering == key and item.name == text]
    if text and len(numbers) == 1:
        return numbers[0]
    if numbers or not (text == "" or text.isdecimal()):
        why = "more than one has" if numbers else "none has"
        raise DataError(f"{name} speaks of a cluster {text[:80]!r}; {why} that name in its clustering.")
    return text

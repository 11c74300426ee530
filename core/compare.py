"""One table of several runs: what each was, how good it is, how long its stages took."""

import html as markup
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.errors import DataError
from core.quality import EXPLANATIONS
from core.readers.json_text import parsed
from core.readers.opening import open_file, size_of

LIMIT_BYTES = 10 << 20
MOST_STAGES = 100
COLUMNS = {  # title by the name in metrics.json
    "recipe": "recipe",
    "parameters": "parameters",
    "training_loss": "training loss",
    "validation_loss": "validation loss",
    "n": "n",
    "k": "k",
    "ari": "ARI",
    "nmi": "NMI",
    "accuracy": "accuracy",
    "silhouette": "silhouette",
    "trustworthiness": "trustworthiness",
    "reconstruction_error": "error (MSE)",
}
HIGHER = ("ARI", "NMI", "accuracy", "silhouette", "trustworthiness")
LOWER = ("error (MSE)",)  # losses are of different kinds, and cannot be compared
STAGES = ("images", "model", "latents", "reduced", "manifold", "projection", "clustering", "projection-3d")
COUNTS = ("parameters", "n", "k")
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"  # no scripts, no requests
)
STYLE = """
:root { color-scheme: light dark; } body { font: 14px system-ui, sans-serif; margin: 2em; }
table { border-collapse: collapse; } th, td { padding: 4px 10px; text-align: right; border-bottom: 1px solid #8886; }
th:first-child, td:first-child { text-align: left; } th[title] { cursor: help; } b { color: light-dark(#0550ae, #79c0ff); }
"""


@dataclass(frozen=True)
class Run:
    """A finished run: its name, and what its metrics.json says."""

    name: str
    values: Mapping[str, Any]


def read_run(folder: Path) -> Run:
    """Read the metrics that a run wrote.

    Raises
    ------
    DataError : the folder holds none, or they cannot be read.
    """
    path = folder / "metrics.json"
    try:
        with open_file(path) as file:
            if size_of(file) > LIMIT_BYTES:
                raise DataError(f"{path} has more than {LIMIT_BYTES >> 20} MiB; it is not what a run wrote.")
            values = parsed(file.read())
    except OSError as error:
        raise DataError(f"{folder} holds no finished run: metrics.json cannot be read.") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON.") from error
    return Run(folder.name or str(folder), checked(values, str(path)))


def checked(values: Any, what: str) -> Mapping[str, Any]:
    """Check that metrics are numbers and texts by name.

    Raises
    ------
    DataError : they are not.
    """
    seconds = values.get("seconds") if isinstance(values, dict) else None
    if not isinstance(values, dict) or not isinstance(seconds or {}, dict):
        raise DataError(f"{what} must hold an object of numbers and texts, with `seconds` by stage.")
    if len(seconds or {}) > MOST_STAGES:
        raise DataError(f"{what} has the seconds of {len(seconds or {}):,} stages; {MOST_STAGES} is the limit.")
    for name, value in [*((n, values.get(n)) for n in COLUMNS), *(seconds or {}).items()]:
        kinds = (str, type(None)) if name == "recipe" else (int, float, type(None))
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise DataError(f"{what}: {str(name)[:40]!r} is {str(value)[:40]!r}; it must be a number.")
        if not isinstance(value, str | None) and abs(value) > sys.float_info.max:
            raise DataError(f"{what}: {str(name)[:40]!r} is too large a number.")
    return values


def table(runs: Sequence[Run]) -> pd.DataFrame:
    """Return a row a run; NaN or None where one does not say."""
    rows = []
    for name, run in zip(_distinct([_written(run.name) for run in runs]), runs, strict=True):
        row: dict[str, Any] = {"run": name} | {title: run.values.get(key) for key, title in COLUMNS.items()}
        row["recipe"] = None if row["recipe"] is None else _written(row["recipe"])
        seconds = {_written(stage): value for stage, value in (run.values.get("seconds") or {}).items()}
        rows.append(
            row | {f"{stage} s": seconds.get(stage) for stage in (*STAGES, *sorted(set(seconds) - set(STAGES)))}
        )
    frame = pd.DataFrame(rows)
    timed = [name for name in frame if str(name).endswith(" s") and frame[name].isna().all()]
    return frame.drop(columns=timed)


def differences(runs: Sequence[Run]) -> list[str]:
    """Return what runs were made with in different versions, as "numpy 2.1.0, 2.4.6"; runs that do not say are left out."""
    made = [versions for run in runs if isinstance(versions := run.values.get("versions"), Mapping)]
    found = []
    for name in sorted({str(name) for versions in made for name in versions}):
        texts = sorted({_plain(str(versions.get(name, "none"))) for versions in made})
        if len(texts) > 1:
            found.append(f"{_plain(name)} {', '.join(texts)}")
    return found


def best(frame: pd.DataFrame) -> Mapping[str, set[int]]:
    """Return the rows with the best value of each score, where several runs have one."""
    found = {}
    for title in (*HIGHER, *LOWER):
        values = pd.to_numeric(frame[title], errors="coerce").to_numpy(np.float64)
        if np.isfinite(values).sum() > 1:
            target = np.nanmax(values) if title in HIGHER else np.nanmin(values)
            found[title] = set(np.flatnonzero(values == target).tolist())
    return found


def explained() -> dict[str, str]:
    """Return what each column of scores means, by its title."""
    return {title: EXPLANATIONS[name] for name, title in COLUMNS.items() if name in EXPLANATIONS}


def text(frame: pd.DataFrame) -> str:
    """Write the table for a terminal, a column a run; the best value of each score has a star."""
    cells = _cells(frame, "*", "")
    runs = [_plain(str(name)) for name in frame["run"]]
    titles = [title for title in frame.columns if title != "run"]
    left = max(len(_plain(title)) for title in titles)
    wide = [max(len(runs[i]), *(len(cells[title][i]) for title in titles)) for i in range(len(frame))]
    lines = ["  ".join([" " * left, *(name.rjust(w) for name, w in zip(runs, wide, strict=True))])]
    for title in titles:
        lines.append(
            "  ".join(
                [_plain(title).ljust(left), *(_plain(c).rjust(w) for c, w in zip(cells[title], wide, strict=True))]
            )
        )
    return "\n".join(lines)


def html(frame: pd.DataFrame) -> str:
    """Write the table as one page that needs nothing else; the best value of each score is bold."""
    cells = _cells(frame, "</b>", "<b>")
    told = explained()
    head = "".join(f'<th title="{markup.escape(told.get(t, ""))}">{markup.escape(t)}</th>' for t in frame.columns)
    rows = []
    for i, name in enumerate(frame["run"]):
        others = "".join(f"<td>{cells[title][i]}</td>" for title in frame.columns if title != "run")
        rows.append(f"<tr><td>{markup.escape(str(name))}</td>{others}</tr>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>Runs compared</title>'
        f"<style>{STYLE}</style><h1>Runs compared</h1><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table><p>Bold: the best of these runs. Hold the mouse over a column's title "
        "for what it means; s: seconds of a stage.</p></html>\n"
    )


def _cells(frame: pd.DataFrame, after: str, before: str) -> dict[str, list[str]]:
    """Write every value; in HTML (where `before` is a tag) escaped."""
    winners = best(frame)
    found: dict[str, list[str]] = {}
    for title in frame.columns:
        column = []
        for i, value in enumerate(frame[title]):
            shown = _value(title, value)
            shown = markup.escape(shown) if before else shown
            column.append(f"{before}{shown}{after}" if i in winners.get(title, ()) else shown)
        found[title] = column
    return found


def _value(title: str, value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    if isinstance(value, str):
        return value
    if title in COUNTS:
        return f"{int(value):,}"
    return f"{value:.1f}" if title.endswith(" s") else f"{value:.4g}"


def _distinct(names: Sequence[str]) -> list[str]:
    """Number the names that are there already: "a", "a (2)"."""
    found: list[str] = []
    for name in names:
        number, free = 1, name
        while free in found:
            number += 1
            free = f"{name} ({number})"
        found.append(free)
    return found


def _written(value: str) -> str:
    """Replace what UTF-8 cannot write: a half of a pair in JSON, a folder's name in another encoding."""
    return value.encode("utf-8", "replace").decode("utf-8")


def _plain(value: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in value)[:60]

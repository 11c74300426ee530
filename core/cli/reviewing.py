"""`review`: what is in the wrong place, found and written without a browser."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from core import corrections, corrections_csv, findings, review_log, roots
from core.cli import inputs, review_outputs, sharded
from core.cli.bars import Bars
from core.config import clusters_of
from core.corrections import Review
from core.decisions import decision_record, event_of
from core.errors import ConfigError, DataError, ExportError
from core.findings import Findings
from core.images import ImageSet
from core.plans import Plan, some
from core.readers.opening import open_file, size_of
from core.suspects import SuspectWeights
from core.sweep import SweepConfig

MOST_SHOWN = 400
GROUP = "0" * 8  # of all decisions of a file
IMPORTED = "imported"  # reviewer of a decision that does not say whose it is


def review(args: argparse.Namespace, bars: Bars) -> int:
    """Find suspects, outliers and duplicates, and write them to a folder."""
    if args.out.exists() and not args.out.is_dir():
        raise ExportError(f"{args.out} is a file; --out must be a folder.")
    if not 1 <= args.top <= MOST_SHOWN:
        raise ConfigError(f"--top {args.top} must be between 1 and {MOST_SHOWN}.")
    review_outputs.check_not_read(args)
    if args.engine is not None:
        return sharded.review_over(args, bars)
    weights = _weights(args.suspect_weights)
    asked = inputs.asked(args, bars)
    asked = replace(asked, images=replace(asked.images, value=_without_empty_labels(asked.images.value)))
    _check(asked.images.value, asked.plan)
    sweep = None if args.sweep is None else _sweep(args.sweep, asked.plan)
    kept = _kept(args.corrections, asked.images.value)
    results = replace(inputs.results(asked, bars), review=kept)
    if (k := some(results.clustering).value.k) < 2:
        raise ConfigError(
            f"All images fall into {k} cluster; a review needs at least 2. Change the settings of clusters."
        )
    found = findings.find(asked.store, results, weights, sweep, bars)
    bars.check()
    bars.close()
    review_outputs.write(args, asked.recipe, asked.plan, found)
    _summary(found, args.out)
    return 0


def _weights(given: Sequence[str] | None) -> SuspectWeights:
    """Return the weights with those that were given as name=value."""
    parts = [item.name for item in fields(SuspectWeights)]
    values = {}
    for text in given or ():
        name, equals, number = text.partition("=")
        if name not in parts or not equals:
            raise ConfigError(f"--weights {text[:80]!r} must be name=value; the names are {', '.join(parts)}.")
        try:
            values[name] = float(number)
        except ValueError as error:
            raise ConfigError(f"--weights {text[:80]!r} must be a name and a number, such as {name}=1.5.") from error
    return SuspectWeights(**values)


def _without_empty_labels(images: ImageSet) -> ImageSet:
    """Return images as without labels when none of them has one."""
    if images.y is None or (images.y >= 0).any():
        return images
    return replace(images, y=None, classes=())


def _check(images: ImageSet, plan: Plan) -> None:
    """Say what nothing can be found in, before anything long is begun."""
    if (images.x == images.x[0]).all():
        raise DataError(f"All {len(images):,} images of {images.name} are the same; there is nothing to tell apart.")
    if images.y is not None:
        there = np.unique(images.y[images.y >= 0])
        if len(there) == 1:
            raise DataError(
                f"All labels of {images.name} are {images.classes[there[0]][:80]!r}; labels need at least 2 classes to be "
                "compared. Without labels images are compared by their clusters."
            )
    if clusters_of(plan.cluster.method) == 1:
        raise ConfigError("A review needs at least 2 clusters; here is k = 1. Give more with --clusters.")


def _sweep(given: Sequence[int], plan: Plan) -> SweepConfig:
    first, last = given
    if first > last:
        raise ConfigError(f"--sweep {first} {last} must go from the smaller number to the larger.")
    return SweepConfig(plan.cluster.method, tuple(range(first, last + 1)))


def _kept(path: str | None, images: ImageSet) -> Review | None:
    """Return the review that is kept of these images, or one with the decisions of a file; None where there is neither.

    Names that were given to clusters are those that are kept. Nothing is written.
    """
    kept = corrections.load(review_log.log_path(images.fingerprint))
    if kept.warning:
        print(kept.warning, file=sys.stderr)
    if path is None:
        return kept if kept.events else None
    file = Path(path)
    roots.check(file)
    try:
        with open_file(file) as opened:
            if size_of(opened) > corrections_csv.LIMIT_BYTES:
                raise DataError(
                    f"{file.name} has more than {corrections_csv.LIMIT_BYTES >> 20} MiB, the limit of corrections."
                )
            data, changed = opened.read(), file.stat().st_mtime
    except (OSError, ValueError) as error:
        raise DataError(f"The corrections {path[:200]!r} cannot be read.") from error
    time = datetime.fromtimestamp(changed, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    choices = corrections_csv.choices(data, images.ids, kept, file.name)
    records = [decision_record(choice, GROUP, IMPORTED, time) for choice in choices]
    return corrections.fold([*kept.names.values(), *(event_of(record, i) for i, record in enumerate(records))])


def _summary(found: Findings, folder: Path) -> None:
    images, k = found.results.images.value, some(found.results.clustering).value.k
    print(f"{images.name}: {inputs.about(images)}, {k} clusters")
    if found.agreement is None:
        print(
            "No image has a label: matrix.csv is not written, and suspects are those that another cluster fits better."
        )
    else:
        made = {"one-to-one": found.agreement.one_to_one, "majority": found.agreement.majority}
        print(", ".join(f"{name} accuracy {matching.accuracy:.4g}" for name, matching in made.items()))
    numbers = findings.numbers(found)
    of = found.ranked.evidence.of
    print(f"{numbers['suspects']:,} suspects, which another {of} fits better; {numbers['outliers']:,} outliers")
    print(f"duplicates: {numbers['duplicate_images']:,} images in {numbers['duplicate_groups']:,} groups")
    print(f"written to {folder}")

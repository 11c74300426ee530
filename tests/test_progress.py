"""Progress reports and the clock that estimates what is left."""

import pytest

from core import progress
from core.progress import Progress, ignore, stopwatch


def test_fraction_is_the_share_done_and_never_above_one():
    assert Progress("t-SNE", 25, 100).fraction == 0.25
    assert Progress("t-SNE", 101, 100).fraction == 1.0


def test_fraction_is_zero_while_the_total_is_unknown():
    assert Progress("Reading", 7, 0).fraction == 0.0


def test_seconds_left_grow_with_time_and_shrink_with_work(monkeypatch):
    now = [10.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    left = stopwatch(100)
    assert left(0) is None  # nothing to estimate from
    now[0] = 14.0
    assert left(20) == 16.0  # 0.2 s a piece, 80 pieces left
    assert left(100) == 0.0
    assert left(150) == 0.0


def test_a_report_cannot_be_changed_and_reports_share_no_metrics():
    report = Progress("Training", 1, 2)
    with pytest.raises(AttributeError):
        report.done = 2
    with pytest.raises(TypeError):
        report.metrics["loss"] = 1.0


def test_ignore_takes_any_report():
    assert ignore(Progress("Training", 1, 2)) is None

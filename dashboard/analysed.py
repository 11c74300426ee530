"""Analyses in a page: one that is there is returned, a quick one is made, of any other its job is shown.

A view calls `value_of` and draws what it gets. While that is None, the job's progress, its error or the button that
starts it has been drawn, and the page runs again by itself when the job ends.
"""

from dataclasses import dataclass
from typing import Any

from core import analyses
from core.config import AnalysisConfig
from core.jobs import Job
from core.plans import Plan, Results
from core.progress import Cancelled
from dashboard import components, results, server
from dashboard.caches import cached


@dataclass(frozen=True)
class Analysed:
    """An analysis as it is now: its `value`, or None and the `seconds` that it would take."""

    value: Any | None
    seconds: float = 0.0


def look(shown: Results, config: AnalysisConfig) -> Analysed:
    """Find an analysis of what is shown; nothing is made."""
    stage, key = analyses.analysis_of(config).stage, analyses.key(shown, config)
    if server.store().has(stage, key):
        try:
            return Analysed(_kept(stage, key, shown, config))
        except Cancelled:  # damaged; the store has dropped it
            pass
    return Analysed(None, analyses.predict_seconds(shown, config))


@cached(max_entries=32, show_spinner=False)
def _kept(stage: str, key: str, _shown: Results, _config: AnalysisConfig) -> Any:
    found = analyses.found(server.store(), _shown, _config)
    if found is None:
        raise Cancelled
    return found.value


def job_of(shown: Results, config: AnalysisConfig) -> Job | None:
    """Return the job that makes an analysis, as it is now, or None."""
    return server.job_for(_plan(shown), config)


def value_of(shown: Results, config: AnalysisConfig, button: str | None = None) -> Any | None:
    """Return an analysis of what is shown; while there is none, draw how it comes about.

    Parameters
    ----------
    button : text of a button that starts it, beside the time it takes; None starts it at once.
    """
    there = look(shown, config)
    if there.value is not None:
        return there.value
    if button is None and there.seconds <= results.LIVE_SECONDS:
        return analyses.of_results(server.store(), shown, config).value
    job = job_of(shown, config)
    if job is not None and job.active:
        components.watch(job)
    elif job is not None and job.state != "done":
        components.job_ended(job)
    elif job is None and button is None:
        components.watch(server.start(_plan(shown), config))
    else:  # not asked for yet; or made, but of a map that was still forming, or dropped from the store since
        _offer(shown, config, button or "Make it again", there.seconds)
    return None


def _offer(shown: Results, config: AnalysisConfig, button: str, seconds: float) -> None:
    """Draw the button that starts an analysis."""
    line = components.control_line()
    line.button(
        button,
        key=f"analyse.{type(config).__name__}",
        icon=":material/play_arrow:",
        on_click=_start,
        args=(shown, config),
    )
    line.caption(f"Takes about {components.duration(seconds)} here.")


def _start(shown: Results, config: AnalysisConfig) -> None:
    server.start(_plan(shown), config)


def _plan(shown: Results) -> Plan:
    if shown.plan is None:
        raise TypeError("these results came of no plan")
    return shown.plan

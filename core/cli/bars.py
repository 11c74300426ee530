"""Progress on stderr, and Ctrl-C or SIGTERM as a request that the running stage answers."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tqdm import tqdm

from core.models import Epoch
from core.progress import Cancelled, Progress


class Bars:
    """A progress callback that draws one bar a stage; raises `Cancelled` once `stop` is set."""

    def __init__(self, quiet: bool = False) -> None:
        self.stop = False
        self._quiet = quiet
        self._stage = ""
        self._bar: tqdm | None = None

    def __call__(self, progress: Progress) -> None:
        """Show a report."""
        self.check()
        if self._quiet:
            return
        if self._bar is None or progress.stage != self._stage or progress.done < self._bar.n:
            self.close()
            self._stage = progress.stage
            self._bar = tqdm(desc=progress.stage, unit=progress.unit, file=sys.stderr, leave=True, dynamic_ncols=True)
        self._bar.total = progress.total or None
        if progress.metrics:
            numbers = {name: f"{value:.4g}" for name, value in progress.metrics.items() if value is not None}
            self._bar.set_postfix(numbers, refresh=False)
        self._bar.update(progress.done - self._bar.n)
        line = _line(progress.preview or {})
        if line:
            self._bar.write(line, file=sys.stderr)
        if progress.fraction == 1.0:
            self._bar.refresh()

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop."""
        if self.stop:
            raise Cancelled

    def close(self) -> None:
        """End the bar that is shown."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _line(preview: Mapping[str, Any]) -> str:
    """Write in a line that a training went on, or the losses of its last epoch; "" where there are none."""
    if "went_on" in preview and "reconstructions" not in preview:
        return f"Goes on after {preview['went_on']}."
    if not preview.get("history"):
        return ""
    last: Epoch = preview["history"][-1]
    validation = "" if last.validation_loss is None else f", validation loss {last.validation_loss:.6f}"
    return f"epoch {last.epoch}: training loss {last.train_loss:.6f}{validation}, {last.seconds:.1f} s"


@contextmanager
def interruptible(bars: Bars) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM ask the running stage to stop, and a second one end the program at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        if bars.stop:
            raise KeyboardInterrupt
        bars.stop = True
        print("\nStopping; press Ctrl-C again to stop at once.", file=sys.stderr)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        bars.close()

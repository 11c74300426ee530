"""One real browser beside the sessions: it moves k, and waits until its map has other colours."""

import threading
import time
from dataclasses import dataclass, field

from tests.browser.helpers import DRAWN, browser_page, wait_drawn

_GROUPS = "(n) => document.querySelector('.ee-map')?.eeMap?.gd?._fullData?.length === n"


@dataclass
class Beside:
    """A browser on the sample; `seconds` of its moves, and its `problems`."""

    url: str
    seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Move k to and fro until told to stop; in a thread of its own."""
        try:
            with browser_page() as page:
                page.goto(self.url)
                page.wait_for_selector(DRAWN)
                slider = page.locator('[data-testid="stSlider"]', has_text="k (number of clusters)")
                k = 10
                while not self.stop.is_set():
                    step = -1 if k >= 14 else 1
                    key, k, started = wait_drawn(page), k + step, time.perf_counter()
                    slider.locator("input[type=range]").focus()
                    page.keyboard.press("ArrowRight" if step > 0 else "ArrowLeft")
                    wait_drawn(page, key)
                    page.wait_for_function(_GROUPS, arg=k)
                    self.seconds.append(time.perf_counter() - started)
                    page.wait_for_timeout(1000)
                self.problems += [f"the browser: {text}" for text in page.problems]
                if page.locator('[data-testid="stException"]').count():
                    self.problems.append("the browser: an exception is on its page")
        except Exception as error:  # of whatever kind: the thread has nobody else to tell it to
            self.problems.append(f"the browser: {type(error).__name__}: {error}")

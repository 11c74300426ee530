"""Looking at something now and then, in a thread of its own, while a block runs."""

import threading
from typing import Self


class Watching:
    """Calls `look` every `seconds` until the block ends."""

    seconds = 0.1

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Look once."""
        raise NotImplementedError

    def _go_on(self) -> None:
        while not self._stop.wait(self.seconds):
            self.look()

"""Whether the loops of the process still turn."""

import threading
from collections.abc import Callable
from datetime import timedelta

SILENCE = timedelta(minutes=2)
"""A loop that did not turn for so long has stopped.

Each turns every few seconds; the rest is for a machine that is short of everything.
"""


class Heartbeats:
    """When each loop turned last, by ``monotonic``: seconds that no clock sets back."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def of(self, loop: str) -> Callable[[], None]:
        """Return what the loop calls at each turn; it is watched from now on."""

        def beat() -> None:
            now = self._monotonic()
            with self._lock:
                self._last[loop] = now

        beat()
        return beat

    def ages(self) -> dict[str, timedelta]:
        """Return how long ago each loop turned."""
        now = self._monotonic()
        with self._lock:
            return {
                loop: timedelta(seconds=max(now - last, 0.0))
                for loop, last in self._last.items()
            }

    def stopped(self) -> tuple[str, ...]:
        """Return the loops that have been silent for too long."""
        return tuple(loop for loop, age in self.ages().items() if age > SILENCE)

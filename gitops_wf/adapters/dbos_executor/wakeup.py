"""Wakes the queues' workers when there is something to do, and lets them sleep else.

DBOS's workers poll. A short interval costs a tenth of a core for nothing, a long one
delays every step. So they poll slowly, and are woken by what happens here: a commit
that enqueued work, a delay that ended, a place that became free.
"""

import heapq
import threading
import time
from collections.abc import Callable

POLL = 0.02
FREED_WINDOW = 0.5
START_WINDOW = 2.0
"""How often, and how long, a worker looks again for what comes in a moment.

A place is free once DBOS has recorded the end, which is after we know of it.
"""


class Doorbell:
    """Stands in for the stop event that a DBOS queue worker waits on.

    `wait` returns when it is set, as `threading.Event.wait` does, and also when
    somebody rings; the worker then finds `is_set` false, and polls.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_set = False
        self._rang = False
        self._awake_until = 0.0

    def is_set(self) -> bool:
        """Whether the worker is to end."""
        return self._is_set

    def set(self) -> None:
        """Make the worker end."""
        with self._changed:
            self._is_set = True
            self._changed.notify_all()

    def ring(self) -> None:
        """Make the worker look at once."""
        with self._changed:
            self._rang = True
            self._changed.notify_all()

    def ring_for(self, seconds: float) -> None:
        """Make the worker look again and again for so long."""
        with self._changed:
            self._awake_until = max(self._awake_until, time.monotonic() + seconds)
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a reason to look, at most so many seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._is_set and not self._rang:
                now = time.monotonic()
                if now < self._awake_until:
                    self._changed.wait(POLL)
                    break
                if end is not None and now >= end:
                    break
                self._changed.wait(None if end is None else end - now)
            self._rang = False
            return self._is_set


class Alarm:
    """Calls back soon after each of the times that it is given."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._times: list[float] = []
        self._changed = threading.Condition()
        self._is_stopped = False
        self._thread = threading.Thread(
            target=self._run, name="executor-alarm", daemon=True
        )

    def start(self) -> None:
        """Begin to call back."""
        self._thread.start()

    def stop(self) -> None:
        """Call back no more."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(1)

    def at(self, when: float) -> None:
        """Call back at a time of the monotonic clock."""
        with self._changed:
            is_first = not self._times or when < self._times[0]
            heapq.heappush(self._times, when)
            if is_first:
                self._changed.notify_all()

    def _run(self) -> None:
        while self._wait():
            self._callback()

    def _wait(self) -> bool:
        with self._changed:
            while not self._is_stopped:
                now = time.monotonic()
                if self._times and self._times[0] <= now:
                    while self._times and self._times[0] <= now:
                        heapq.heappop(self._times)
                    return True
                self._changed.wait(self._times[0] - now if self._times else None)
            return False

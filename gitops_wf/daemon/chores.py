"""The clock of what nobody waits for: soon after the start, then on an interval."""

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

log = structlog.get_logger()

FIRST_AFTER = timedelta(minutes=1)
"""For the start of the process, which has enough to do."""

SHORTEST_REST = timedelta(milliseconds=5)
LONGEST_REST = timedelta(seconds=5)


class Pacer:
    """Lets time pass between rounds, and between the pieces of a round."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self._stopped = threading.Event()

    def first(self) -> bool:
        """Wait for the first round; say whether to stop instead."""
        return self._wait(min(FIRST_AFTER, self._interval))

    def next(self) -> bool:
        """Wait for the next round; say whether to stop instead."""
        return self._wait(self._interval)

    def rest(self, took: timedelta) -> bool:
        """Wait for as long as a piece of work took; say whether to stop instead."""
        return self._wait(min(max(took, SHORTEST_REST), LONGEST_REST))

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._stopped.set()

    def _wait(self, span: timedelta) -> bool:
        return self._stopped.wait(span.total_seconds())


class Chores:
    """Does a round of chores again and again, in a thread of its own.

    ``interrupt`` ends what may take long in them.
    """

    def __init__(
        self, pacer: Pacer, act: Callable[[], bool], interrupt: Callable[[], None]
    ) -> None:
        self._pacer = pacer
        self._act = act
        self._interrupt = interrupt
        self._thread = threading.Thread(target=self._loop, name="chores", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the piece of work that is being done."""
        self._pacer.stop()
        self._interrupt()
        self._thread.join()

    def _loop(self) -> None:
        is_over = self._pacer.first()
        while not is_over:
            try:
                self._act()
            except Exception:
                # Nothing that is only tidied up may end the daemon, or itself.
                log.exception("chores.crashed")
            is_over = self._pacer.next()

"""A lane of work: a few pieces at once, and none is held up by those that hang."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

PLACES = 8
"""How many may begin at once: a poll is a git process and a transaction."""

MOST = 32
"""How many of a lane may run in all, those that hang included."""

SLOW_AFTER = timedelta(seconds=2)
"""What takes longer gives up its place: it waits for somebody else."""


class Lane:
    """Places for what has just begun; what takes long keeps none.

    So what hangs holds others up for `SLOW_AFTER` at most, and a burst still begins a
    few at a time.
    """

    def __init__(
        self, *, places: int = PLACES, slow_after: timedelta = SLOW_AFTER
    ) -> None:
        self._places = places
        self._slow_after = slow_after.total_seconds()
        self._begun: dict[object, float] = {}
        self._changed = threading.Condition()
        self._is_stopped = False

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Wait for a place; False where the lane was stopped instead."""
        key = object()
        with self._changed:
            while not self._is_stopped and (wait := self._wait()) > 0:
                self._changed.wait(wait)
            is_given = not self._is_stopped
            if is_given:
                self._begun[key] = time.monotonic()
        try:
            yield is_given
        finally:
            with self._changed:
                self._begun.pop(key, None)
                self._changed.notify()

    def stop(self) -> None:
        """Send everybody home who waits for a place, or will."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def _wait(self) -> float:
        """Return the seconds until a place is free at the latest; none: now."""
        late = time.monotonic() - self._slow_after
        fresh = sorted(begun for begun in self._begun.values() if begun > late)
        if len(fresh) < self._places:
            return 0.0
        return fresh[-self._places] - late

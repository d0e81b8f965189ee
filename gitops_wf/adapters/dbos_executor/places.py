"""Which work is being carried out in this process, and whether others wait for it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from gitops_wf.adapters.dbos_executor.work import Queued

Outcome = SimpleQueue[BaseException | None]
"""Receives once: None when the work was carried out, else why it was not."""


class Abandoned(BaseException):
    """The process ends and does not wait for this work any longer."""


class Places:
    """The work in progress."""

    def __init__(self, *, at_once: int, per_target: int) -> None:
        self._at_once = at_once
        self._per_target = per_target
        self._running: dict[Outcome, Queued] = {}
        self._changed = threading.Condition()
        self._is_closed = False

    @contextmanager
    def taken(self, queued: Queued) -> Iterator[Outcome]:
        """Count the work as being carried out."""
        outcome: Outcome = SimpleQueue()
        with self._changed:
            self._running[outcome] = queued
            if self._is_closed:
                outcome.put(Abandoned())
        try:
            yield outcome
        finally:
            with self._changed:
                del self._running[outcome]
                self._changed.notify_all()

    def is_scarce(self, queued: Queued) -> bool:
        """Whether others may be waiting for the place of this one."""
        with self._changed:
            running = [o for o in self._running.values() if o.queue == queued.queue]
        if len(running) >= self._at_once:
            return True
        same = sum(other.target == queued.target for other in running)
        return queued.target is not None and same >= self._per_target

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait for the work in progress to end; False where it did not."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, seconds)

    def abandon(self) -> None:
        """Wait no longer for whatever is still being carried out."""
        with self._changed:
            self._is_closed = True
            for outcome in self._running:
                outcome.put(Abandoned())

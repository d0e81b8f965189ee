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
        self._pressed: set[tuple[str, str | None]] = set()
        self._changed = threading.Condition()
        self._is_closed = False

    @contextmanager
    def taken(self, queued: Queued) -> Iterator[Outcome]:
        """Count the work as being carried out."""
        outcome: Outcome = SimpleQueue()
        with self._changed:
            self._running[outcome] = queued
            self._note_pressure(queued)
            if self._is_closed:
                outcome.put(Abandoned())
        try:
            yield outcome
        finally:
            with self._changed:
                del self._running[outcome]
                self._changed.notify_all()

    def is_wanted(self, queued: Queued) -> bool:
        """Whether others may be waiting for the place of this one, which ends.

        They may from the moment that all places were taken until the last of them is
        free: whoever was left over then has to be looked for at each end.
        """
        with self._changed:
            kinds = [(queued.queue, None), (queued.queue, queued.target)]
            wanted = [kind for kind in kinds if kind in self._pressed]
            for kind in wanted:
                if self._count(*kind) <= 1:
                    self._pressed.discard(kind)
            return bool(wanted)

    def _note_pressure(self, queued: Queued) -> None:
        if self._count(queued.queue, None) >= self._at_once:
            self._pressed.add((queued.queue, None))
        if queued.target is not None:
            kind = (queued.queue, queued.target)
            if self._count(*kind) >= self._per_target:
                self._pressed.add(kind)

    def _count(self, queue: str, target: str | None) -> int:
        return sum(
            other.queue == queue and (target is None or other.target == target)
            for other in self._running.values()
        )

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

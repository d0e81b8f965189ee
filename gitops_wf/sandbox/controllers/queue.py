"""The keyed work queue of the loop: ready keys in order, and later ones in a heap."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from datetime import datetime
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)


class WorkQueue(Generic[_K]):
    """Keys to work on; a key waits at most once, at the earlier of two times."""

    def __init__(self) -> None:
        self._ready: dict[_K, None] = {}
        self._due: dict[_K, datetime] = {}
        self._heap: list[tuple[datetime, int, _K]] = []
        self._serial = 0

    def add(self, key: _K) -> None:
        """Work on this key as soon as its turn comes."""
        self._ready[key] = None

    def add_at(self, key: _K, due: datetime) -> None:
        """Work on this key at a time, unless it is earlier in the queue anyway."""
        before = self._due.get(key)
        if before is not None and before <= due:
            return
        self._due[key] = due
        self._serial += 1
        heapq.heappush(self._heap, (due, self._serial, key))

    def forget(self, key: _K) -> None:
        """Drop the later time of a key: it is looked at now."""
        self._due.pop(key, None)

    def pop(self, now: datetime) -> _K | None:
        """The next key that is ready at this time; None where there is none."""
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self._ready[key] = None
        if not self._ready:
            return None
        key = next(iter(self._ready))
        del self._ready[key]
        return key

    def next_due(self) -> datetime | None:
        """When the next key becomes ready by itself."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

"""Threads that carry out what is put to them, none of which the end waits for."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from gitops_wf.daemon.lane import Lane

Item = TypeVar("Item")

GRACE = 3.0
"""Seconds that an end waits for what is being done; a request may hang for longer."""


class Workers(Generic[Item]):
    """Carries out the items of a queue as they come, several at once; None ends one.

    ``carry_out`` must not raise. Of ``count`` threads those work that have a place in
    the ``lane``: the others are for what hangs and has given up its own. All are
    daemons: what hangs in one does not keep the process from ending.
    """

    def __init__(
        self,
        items: SimpleQueue[Item | None],
        carry_out: Callable[[Item], None],
        *,
        lane: Lane,
        count: int,
        name: str,
        grace: float = GRACE,
    ) -> None:
        self._items = items
        self._carry_out = carry_out
        self._lane = lane
        self._grace = grace
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._loop, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more, and give what is being done a moment."""
        self._stopped.set()
        self._lane.stop()
        for _ in self._threads:
            self._items.put(None)
        for thread in self._threads:
            thread.join(self._grace / len(self._threads))

    def _loop(self) -> None:
        while (item := self._items.get()) is not None and not self._stopped.is_set():
            with self._lane.place() as is_given:
                if is_given:
                    self._carry_out(item)

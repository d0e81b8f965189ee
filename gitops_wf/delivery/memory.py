"""What was found out about objects and holds until they change."""

import threading
from collections.abc import Hashable

_MOST = 50_000
"""Objects; some 200 bytes each."""


class Memory:
    """The state in which each object was seen to need nothing; for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Hashable, bytes] = {}

    def knows(self, subject: Hashable, state: bytes) -> bool:
        """Whether the object was in this state when it needed nothing."""
        return self._known.get(subject) == state

    def learn(self, subject: Hashable, state: bytes) -> None:
        """Remember that the object needs nothing while it is in this state."""
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[subject] = state

"""Which API servers answer, and whose turn it is to ask one that does not.

Of this process, and for all its threads. What hangs is asked by one piece of work at a
time: whatever else is to be done there waits without a thread, and other servers have
theirs.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.reach import Reach
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.cluster import Asked

LOOKS_PER_SERVER = 4
"""Comparisons at once: a server that begins to hang has so many threads at most."""

PUT_OFF = timedelta(seconds=30)
"""What waits for a server that hangs comes back so often: it costs the queue, too."""

PUT_OFF_IN_DOUBT = timedelta(seconds=2)
"""Where it may only be slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNow:
    """That a target is not to be asked before a time; ``error`` where it has failed."""

    until: datetime
    error: str = ""


@dataclass(slots=True)
class _Server:
    reach: Reach = field(default_factory=Reach)
    looks: int = 0
    is_probed: bool = False


@dataclass(slots=True, kw_only=True)
class Reaching:
    """What is known by server; ``server_of`` says which one a target is on."""

    clock: Clock
    server_of: Callable[[TargetName], str] = str
    _known: dict[str, _Server] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begun(self, server: str) -> Asked:
        """Note a request; what is returned is to be told what came of it."""
        now = self.clock.now()
        self._note(server, lambda reach: reach.begun(now))
        return _Request(self, server, now)

    @contextmanager
    def release(self, target: TargetName | None) -> Iterator[NotNow | None]:
        """Give work of a release its turn, or say why it has to wait.

        Only for what hangs: what fails at once takes nobody's place.
        """
        if target is None:
            yield None
            return
        with self._turn(target, Reach.hangs) as refusal:
            yield refusal

    @contextmanager
    def look(self, target: TargetName) -> Iterator[NotNow | None]:
        """Give a look at what was released its turn, or say why it has to wait."""
        with self._lock:
            server = self._server(self.server_of(target))
            is_full = server.looks >= LOOKS_PER_SERVER
            server.looks += 1
        try:
            if is_full:
                yield NotNow(until=self.clock.now() + PUT_OFF_IN_DOUBT)
                return
            with self._turn(target, Reach.is_failing) as refusal:
                yield refusal
        finally:
            with self._lock:
                server.looks -= 1

    def reach(self, target: TargetName) -> Reach:
        """Return what is known of a target's server now."""
        with self._lock:
            return self._server(self.server_of(target)).reach

    def reaches(self) -> Mapping[str, Reach]:
        """Return what is known of each server."""
        with self._lock:
            return {name: server.reach for name, server in self._known.items()}

    @contextmanager
    def _turn(
        self, target: TargetName, is_doubtful: Callable[[Reach, datetime], bool]
    ) -> Iterator[NotNow | None]:
        with self._lock:
            now = self.clock.now()
            server = self._server(self.server_of(target))
            is_probe = is_doubtful(server.reach, now)
            refusal = _refusal(server, now) if is_probe else None
            is_probe = is_probe and refusal is None
            server.is_probed = server.is_probed or is_probe
        try:
            yield refusal
        finally:
            if is_probe:
                with self._lock:
                    server.is_probed = False

    def _note(self, server: str, what: Callable[[Reach], Reach]) -> None:
        with self._lock:
            known = self._server(server)
            known.reach = what(known.reach)

    def _server(self, name: str) -> _Server:
        return self._known.setdefault(name, _Server())


@dataclass(frozen=True, slots=True)
class _Request:
    """One request to a server, and what became of it."""

    reaching: Reaching
    server: str
    begun: datetime

    def answered(self) -> None:
        """Note that it was answered, whatever that said."""
        now = self.reaching.clock.now()
        self.reaching._note(self.server, lambda reach: reach.well(now))  # noqa: SLF001

    def lost(self, error: str, *, hung: bool) -> None:
        """Note that it was not."""
        now = self.reaching.clock.now()
        self.reaching._note(  # noqa: SLF001
            self.server,
            lambda reach: reach.lost(error, begun=self.begun, hung=hung, now=now),
        )


def _refusal(server: _Server, now: datetime) -> NotNow | None:
    """Return why nobody else is to ask a server that fails: one is enough."""
    reach = server.reach
    if not server.is_probed and (reach.next is None or now >= reach.next):
        return None
    if reach.next is None:
        return NotNow(until=now + PUT_OFF_IN_DOUBT)
    return NotNow(until=max(reach.next, now + PUT_OFF), error=reach.error)

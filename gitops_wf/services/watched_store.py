"""The daemon's store, watched: a fault of it is said once, and once that it is over.

Everything in the daemon meets a store that is away, each loop again and again. So none
of them logs it, and all go through here.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import structlog

from gitops_wf.core.backoff import backoff
from gitops_wf.core.durations import format_duration
from gitops_wf.ports.store import (
    Reader,
    Store,
    StoreCorruptError,
    StoreUnavailableError,
    Transaction,
)

log = structlog.get_logger()

R = TypeVar("R")

LONGEST_PAUSE = timedelta(seconds=5)
"""Between two tries to record what was done, however long the store is away."""


@dataclass(slots=True)
class _Fault:
    """What is wrong with reading, or with writing: a full disk can still be read."""

    error: StoreUnavailableError
    since: float


@dataclass(slots=True, kw_only=True)
class WatchedStore:
    """The Store role over another; ``monotonic`` counts seconds.

    ``give_up`` is called with the error of a store that nothing can mend any more.
    """

    store: Store
    monotonic: Callable[[], float]
    give_up: Callable[[StoreCorruptError], None]
    _faults: dict[str, _Fault] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def fault(self) -> str:
        """What is wrong with the store now, or nothing."""
        with self._lock:
            return "; ".join(
                dict.fromkeys(str(fault.error) for fault in self._faults.values())
            )

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """One consistent look."""
        with self._noted("read"), self.store.read() as reader:
            yield reader

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A unit of work."""
        with self._noted("write"), self.store.transaction() as transaction:
            yield transaction

    def give_back(self) -> bool:
        """Give a little space back to the disk."""
        with self._noted("write"):
            return self.store.give_back()

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        try:
            yield
        except StoreUnavailableError as error:
            self._failed(what, error)
            raise
        except StoreCorruptError as error:
            self.give_up(error)
            raise
        self._went_well(what)

    def _failed(self, what: str, error: StoreUnavailableError) -> None:
        with self._lock:
            known = {fault.error.reason for fault in self._faults.values()}
            before = self._faults.get(what)
            since = before.since if before else self.monotonic()
            self._faults[what] = _Fault(error, since)
        if error.reason not in known:
            log.warning("store.failed", reason=error.reason, cause=str(error))

    def _went_well(self, what: str) -> None:
        if not self._faults:
            return
        over = {"read", "write"} if what == "write" else {what}
        with self._lock:
            ended = [self._faults.pop(kind) for kind in over if kind in self._faults]
            is_well = not self._faults
        if ended and is_well:
            away = self.monotonic() - min(fault.since for fault in ended)
            span = format_duration(timedelta(seconds=round(away)))
            log.warning("store.recovered", after=span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Records what was done, however long the store is away: else it is done again.

    ``wait`` waits so many seconds. It is called from a thread that the process leaves
    behind when it ends; what is not recorded by then is begun anew by the next one.
    """

    wait: Callable[[float], object]

    def insist(self, write: Callable[[], R]) -> R:
        """Call ``write`` until the store takes it.

        ``write`` must know its own work: a commit may have come through although its
        answer did not.
        """
        tries = 0
        while True:
            try:
                return write()
            except StoreUnavailableError:
                tries += 1
            self.wait(backoff(tries, longest=LONGEST_PAUSE).total_seconds())

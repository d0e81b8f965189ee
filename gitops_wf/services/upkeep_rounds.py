"""Whose turn it is to be looked after: environments, spread over their intervals."""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog

from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import GitOpsError
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.upkeep.timing import next_look
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.store import Store, StoreUnavailableError

log = structlog.get_logger()

READ_EVERY = timedelta(seconds=15)
"""How soon a new environment, or a new interval, is seen."""

FIRST_AFTER = timedelta(minutes=1)
"""For the start of the process, which has enough to do."""


class UpkeepRounds:
    """Begins looks as they are due; nothing of it is stored, for it comes round again.

    ``prepare`` is called once, before the first round. ``interval`` is of an
    environment, ``look`` looks at one and says when to look
    again if that is sooner, ``begin`` has `carry_out` called in a worker.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        interval: Callable[[Environment | None], timedelta],
        prepare: Callable[[], None],
        look: Callable[[EnvironmentId], datetime | None],
        begin: Callable[[EnvironmentId], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._interval = interval
        self._prepare = prepare
        self._look = look
        self._begin = begin
        self._lock = threading.Lock()
        self._intervals: dict[EnvironmentId, timedelta] = {}
        self._due: dict[EnvironmentId, datetime] = {}
        self._running: set[EnvironmentId] = set()
        self._read: datetime | None = None

    def act(self) -> datetime | None:
        """Begin the looks that are due; return when the next one is."""
        now = self._clock.now()
        if self._read is None or not (timedelta() <= now - self._read < READ_EVERY):
            self._read_anew(now)
        with self._lock:
            due = [
                environment
                for environment, at in self._due.items()
                if at <= now and environment not in self._running
            ]
            self._running.update(due)
            waiting = [at for e, at in self._due.items() if e not in self._running]
        for environment in sorted(due, key=self._due.__getitem__):
            self._begin(environment)
        return min(waiting, default=None)

    def carry_out(self, environment: EnvironmentId) -> None:
        """Look at an environment; whatever happens, its next turn comes."""
        again: datetime | None = None
        try:
            again = self._look(environment)
        except StoreUnavailableError:
            pass  # it says so itself, once
        except GitOpsError as error:
            log.warning("upkeep.failed", environment=environment, cause=str(error))
        except Exception:
            # A bug in one environment's turn must not end those of all others.
            log.exception("upkeep.crashed", environment=environment)
        finally:
            self._end(environment, again)

    def _end(self, environment: EnvironmentId, again: datetime | None) -> None:
        now = self._clock.now()
        with self._lock:
            self._running.discard(environment)
            interval = self._intervals.get(environment)
            if interval is None:
                self._due.pop(environment, None)
                return
            following = next_look(environment, interval, now)
            self._due[environment] = min(following, again or following)

    def _read_anew(self, now: datetime) -> None:
        if self._read is None:
            self._prepare()
        with self._store.read() as reader:
            records = [r for r in reader.environments() if not r.is_removed]
            known = reader.upkeeps()
        found = {
            record.id: interval
            for record in records
            if (interval := self._interval(record.definition)) > timedelta()
        }
        is_first = self._read is None
        is_set_back = self._read is not None and now < self._read
        with self._lock:
            for environment, interval in found.items():
                if self._intervals.get(environment) == interval and not is_set_back:
                    continue
                after = now + min(FIRST_AFTER, interval) if is_first else now
                self._due[environment] = next_look(environment, interval, after)
            for environment in self._due.keys() - found.keys():
                del self._due[environment]
            self._intervals = found
            self._read = now
        for environment in known.keys() - found.keys():
            self._forget(environment, known[environment])

    def _forget(
        self, environment: EnvironmentId, targets: Iterable[TargetName]
    ) -> None:
        """Forget how an environment stands that nobody looks at any more."""
        with self._store.transaction() as transaction:
            for target in targets:
                transaction.forget_upkeep(environment, target)

"""The clock of the polls: each repository on its interval, backed off, or woken.

A repository is polled by one thread at a time; a wake-up that comes meanwhile is
remembered, so that no push is seen later than the poll after it.

Repositories whose last poll failed are polled in a lane of their own: however many
remotes hang, they do not hold up those that answer.
"""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_RUNNING

from gitops_wf.core.backoff import backoff, jittered
from gitops_wf.core.errors import GitOpsError
from gitops_wf.core.identifiers import RepositoryName
from gitops_wf.daemon.lane import MOST, SLOW_AFTER, Lane
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.observer import Observer
from gitops_wf.ports.store import StoreUnavailableError

log = structlog.get_logger()

WELL, AILING = "well", "ailing"
"""The lanes: of repositories that answered when last asked, and of the others."""

FIRST_BACKOFF = timedelta(seconds=5)
BEAT_EVERY = timedelta(seconds=5)


class Pollable(Protocol):
    """One repository that can be polled."""

    @property
    def name(self) -> RepositoryName:
        """The repository's name."""

    def poll(self, *, is_told: bool) -> bool:
        """Take in what is new; say whether anything was.

        ``is_told``: somebody said that there is something, so do not ask first.
        """

    def failures(self) -> int:
        """Return how many polls in a row have failed."""

    def stop(self) -> None:
        """End what waits for the remote, and begin nothing more; from any thread."""


@dataclass(slots=True)
class _Turn:
    """Whether a poll runs, and whether somebody has asked for one since it began."""

    is_running: bool = False
    is_woken: bool = False


class Scheduler(BackgroundScheduler):  # type: ignore[misc] # it is untyped
    """APScheduler's, with an end that its own thread never trips over.

    Its `shutdown` says that it is stopped before it takes its locks. Its thread, if it
    is in the midst of the jobs that are due, then cannot find them any more and dies of
    JobLookupError. Their lock is private, but nothing else says whether it is.
    """

    def end(self) -> None:
        """Begin nothing more, and wait for what runs."""
        with self._jobstores_lock:
            self.pause()
        self.shutdown(wait=True)

    def _process_jobs(self) -> float | None:
        with self._jobstores_lock:  # again: it may have waited for it since it looked
            if self.state != STATE_RUNNING:
                return None
            seconds: float | None = super()._process_jobs()
            return seconds


class Polls:
    """Polls repositories until it is stopped.

    ``beat`` is called every `BEAT_EVERY`, whatever the intervals of the polls.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        repositories: Sequence[tuple[Pollable, timedelta]],
        observer: Observer,
        beat: Callable[[], None],
        slow_after: timedelta = SLOW_AFTER,
    ) -> None:
        self._clock = clock
        self._observer = observer
        self._beat = beat
        self._by_name = {pollable.name: pollable for pollable, _ in repositories}
        self._intervals = {pollable.name: every for pollable, every in repositories}
        self._turns = {name: _Turn() for name in self._by_name}
        self._ailing: set[RepositoryName] = set()
        self._lanes = {name: Lane(slow_after=slow_after) for name in (WELL, AILING)}
        self._lock = threading.Lock()
        self._is_stopped = False
        self._scheduler = Scheduler(
            executors={
                **{name: ThreadPoolExecutor(MOST) for name in self._lanes},
                # Of its own: polls that wait for slow remotes must not stop it.
                "beat": ThreadPoolExecutor(1),
            },
            job_defaults={
                "misfire_grace_time": None,
                "coalesce": True,
                # The scheduler drops what begins before it has noted that the one
                # before has ended. `_Turn` sees to it that only one runs.
                "max_instances": 1_000,
            },
            timezone="UTC",
        )

    def start(self) -> None:
        """Poll every repository now, and from then on by its interval."""
        self._scheduler.start()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Poll every repository now, as the times of the next polls cannot be trusted.

        They are times of the clock: where it was set back, they are hours away.
        """
        self._scheduler.add_job(
            self._beat,
            "interval",
            seconds=BEAT_EVERY.total_seconds(),
            id="beat",
            executor="beat",
            replace_existing=True,
        )
        for name, pollable in self._by_name.items():
            if pollable.failures():
                self._ailing.add(name)
            self.wake(name)

    def stop(self) -> None:
        """Begin no further poll, end what waits for a remote, wait for the rest."""
        with self._lock:
            self._is_stopped = True
        for lane in self._lanes.values():
            lane.stop()
        for pollable in self._by_name.values():
            pollable.stop()
        self._scheduler.end()

    def wake(self, name: RepositoryName) -> None:
        """Poll a repository at once, or again after the poll that runs."""
        with self._lock:
            turn = self._turns[name]
            turn.is_woken = True
            if not turn.is_running and not self._is_stopped:
                self._schedule(name, self._clock.now())

    def _schedule(self, name: RepositoryName, at: datetime) -> None:
        lane = AILING if name in self._ailing else WELL
        self._scheduler.add_job(
            self._poll_in,
            "date",
            run_date=at,
            args=[lane, name],
            id=f"poll/{name}",
            executor=lane,
            replace_existing=True,
        )

    def _poll_in(self, lane: str, name: RepositoryName) -> None:
        with self._lanes[lane].place() as is_given:
            if is_given:
                self._poll(name)

    def _poll(self, name: RepositoryName) -> None:
        with self._lock:
            turn = self._turns[name]
            if turn.is_running:
                turn.is_woken = True
                return
            turn.is_running = True
            is_told, turn.is_woken = turn.is_woken, False
        wait = self._intervals[name]
        try:
            wait = self._polled(name, is_told=is_told)
        finally:
            with self._lock:
                turn.is_running = False
                if not self._is_stopped:
                    pause = timedelta() if turn.is_woken else wait
                    self._schedule(name, self._clock.now() + pause)

    def _polled(self, name: RepositoryName, *, is_told: bool) -> timedelta:
        """Poll once and return the wait until the next."""
        pollable = self._by_name[name]
        interval = self._intervals[name]
        try:
            pollable.poll(is_told=is_told)
            failures = pollable.failures()
        except StoreUnavailableError:
            failures = 1  # it says so itself, once
        except GitOpsError as error:
            log.warning("poll.failed", repository=name, cause=str(error))
            failures = 1
        except Exception:
            # A bug must not end the polling of this repository, nor of any other.
            log.exception("poll.crashed", repository=name)
            failures = 1
        self._observer.polled(name, succeeded=not failures)
        with self._lock:
            (self._ailing.add if failures else self._ailing.discard)(name)
        chance = random.random()  # noqa: S311 - spreads load, guards nothing
        if failures:
            return jittered(
                max(backoff(failures, first=FIRST_BACKOFF), FIRST_BACKOFF),
                chance=chance,
            )
        return jittered(interval, chance=chance)

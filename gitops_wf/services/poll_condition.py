"""How the last poll of a repository went: kept, shown, and told when it changes."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from gitops_wf.core.errors import cut
from gitops_wf.core.event import Event, EventType
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.store import RepositoryRecord, Store
from gitops_wf.services.announce import Announcer
from gitops_wf.services.watched import Watched

log = structlog.get_logger()

KEEP_POLLED = timedelta(minutes=5)
"""How old the stored time of the last good poll may get: idle polls do not write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollCondition:
    """The condition of one repository."""

    watched: Watched
    store: Store
    clock: Clock
    announcer: Announcer

    def record(self) -> RepositoryRecord:
        """Return the repository's record, made if it is new; a new URL keeps it."""
        config = self.watched.config
        place = (config.url, config.branch)
        with self.store.read() as reader:
            found = reader.repository(config.name)
        if found is not None and (found.url, found.branch) == place:
            return found
        with self.store.transaction() as transaction:
            record = transaction.repository(config.name)
            if record is None:
                record = RepositoryRecord(
                    name=config.name, url=config.url, branch=config.branch
                )
            record = replace(record, url=config.url, branch=config.branch)
            transaction.save_repository(record)
            return record

    def succeeded(self, problems: str = "") -> None:
        """Note a good poll; ``problems`` are those of what it brought."""
        record = self.record()
        now = self.clock.now()
        is_fresh = record.polled is not None and now - record.polled < KEEP_POLLED
        if record.condition == problems and not record.failures and is_fresh:
            return
        self._save(problems, 0, reason="InvalidRepository")

    def failed(self, message: str, reason: str) -> None:
        """Note a poll that failed, and why."""
        record = self.record()
        if _plain(record.condition) != _plain(message):
            log.warning(
                "repository.failed",
                repository=self.watched.name,
                reason=reason,
                cause=message,
            )
        self._save(message, record.failures + 1, reason=reason)

    def renewed(self) -> None:
        """Tell that the clone was damaged or gone, and was made anew."""
        name = self.watched.name
        text = f"{name}: our clone was damaged or gone, and was cloned anew"
        log.warning("clone.renewed", repository=name)
        event = Event(
            at=self.clock.now(),
            kind="clonedAnew",
            reason="ClonedAnew",
            message=text,
            type=EventType.WARNING,
            repository=name,
        )
        with self.store.transaction() as transaction:
            self.announcer.announce(transaction, event)

    def failures(self) -> int:
        """Return how many polls in a row have failed."""
        with self.store.read() as reader:
            record = reader.repository(self.watched.name)
        return record.failures if record else 0

    def _save(self, message: str, failures: int, *, reason: str) -> None:
        with self.store.transaction() as transaction:
            record = transaction.repository(self.watched.name)
            assert record is not None
            now = self.clock.now()
            transaction.save_repository(
                replace(record, condition=message, failures=failures, polled=now)
            )
            if _plain(record.condition) == _plain(message):
                return
            if message:
                text, kind = message, "repositoryFailed"
            else:
                text, kind, reason = "well again", "repositoryRecovered", "Recovered"
                log.info("repository.recovered", repository=record.name)
            self.announcer.announce(
                transaction,
                Event(
                    at=now,
                    kind=kind,
                    reason=reason,
                    message=cut(f"{record.name}: {text}", 1000),
                    type=EventType.WARNING if message else EventType.NORMAL,
                    repository=record.name,
                ),
            )


def _plain(message: str) -> str:
    """Return a message without numbers: a count in it must not tell it anew."""
    return re.sub(r"\d+", "", message)

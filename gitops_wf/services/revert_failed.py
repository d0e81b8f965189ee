"""Going back by itself: where environment.yaml says ``onFailure: revert``.

What is to be done follows from the store and the branch alone: the newest revision has
Failed, and nothing newer stands on the branch. So nothing has to be remembered, and a
daemon that died after the push finds its commit there.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from gitops_wf.core.environment import OnFailure
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import EnvironmentId, RepositoryName, Sha
from gitops_wf.core.phases import Phase
from gitops_wf.core.revision import Revision
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.git_writer import DaemonWriters
from gitops_wf.ports.store import EnvironmentRecord, Reader, Store
from gitops_wf.services.announce import Announcer
from gitops_wf.services.revisions import title
from gitops_wf.services.roll_back import OVERTAKEN, RollBack, failed_line

log = structlog.get_logger()

LOOK_EVERY = timedelta(seconds=5)
TRY_AGAIN = timedelta(seconds=30)
EARLIER = timedelta(hours=1)
"""How much older than the failure its revert may look: clocks differ."""

FAILED = "failed"
REVERTED = "reverted"
NOT_REVERTED = "notReverted"
_TOLD_EVENTS = 200
_EVENTS_AT_ONCE = 1000


@dataclass(slots=True, kw_only=True)
class RevertFailed:
    """Reverts what has failed, once, in environments that ask for it."""

    store: Store
    clock: Clock
    announcer: Announcer
    writers: DaemonWriters
    _next: datetime | None = None
    _later: dict[EnvironmentId, datetime] = field(default_factory=dict)
    _failed: set[EnvironmentId] = field(default_factory=set)
    _seen: int | None = None

    def act(self) -> datetime | None:
        """Revert what has failed since; return when to look again."""
        now = self.clock.now()
        if self._next is not None and now < self._next:
            return self._next
        self._hear()
        for environment in sorted(self._failed):
            if self._later.get(environment, now) > now:
                continue
            try:
                self._revert(environment)
            except TransientError as error:
                log.warning(
                    "revert.postponed", environment=environment, cause=str(error)
                )
                self._later[environment] = now + TRY_AGAIN
        self._next = now + LOOK_EVERY
        return self._next

    def _hear(self) -> None:
        """Learn which environments have failed: of all at first, then by events."""
        with self.store.read() as reader:
            if self._seen is None:
                newest = reader.events(limit=1)
                self._seen = newest[0].id if newest else 0
                found = [
                    standing.environment
                    for standing in reader.standings()
                    if standing.phase is Phase.FAILED
                ]
                self._failed.update(found)
                return
            events = reader.events(after=self._seen, limit=_EVENTS_AT_ONCE, first=True)
        for event in events:
            self._seen = event.id
            if event.kind == FAILED and event.environment is not None:
                self._failed.add(event.environment)

    def _forget(self, environment: EnvironmentId) -> None:
        self._failed.discard(environment)
        self._later.pop(environment, None)

    def _revert(self, environment: EnvironmentId) -> None:
        with self.store.read() as reader:
            record = reader.environment(environment)
            failed = _to_revert(reader, environment)
            is_held = bool(reader.pauses(environment))
        if record is None or failed is None or record.is_removed:
            self._forget(environment)
            return
        if is_held:
            return  # until somebody lets go of the brake
        try:
            sha, number = self._written(record, failed)
        except TerminalError as error:
            if error.reason == OVERTAKEN:
                # The poll brings what is newer; until then there is nothing to do.
                self._later[environment] = self.clock.now() + TRY_AGAIN
                return
            self._tell(failed, NOT_REVERTED, error.reason, f"not reverted: {error}")
            return
        back = f" to #{number}" if number is not None else ""
        text = f"reverted by commit {sha[:8]}{back}: it ended {failed.phase}"
        self._tell(failed, REVERTED, "OnFailure", text)
        self._later[environment] = self.clock.now() + TRY_AGAIN

    def _written(
        self, record: EnvironmentRecord, failed: Revision
    ) -> tuple[Sha, int | None]:
        """Push the revert, or find it; return it, and what it goes back to."""
        assert failed.ended is not None
        repository = RepositoryName(record.repository)
        # Dated by the failure: a repetition is the same commit.
        with self.writers.open(repository, record.id, at=failed.ended) as writer:
            writer.refresh()
            there = writer.find(failed_line(failed), since=failed.ended - EARLIER)
            if there is not None:
                return there, None
            done = RollBack(store=self.store, writer=writer, failed=failed).write(
                record, None, push=True
            )
        return done.sha, done.revision.number

    def _tell(self, failed: Revision, kind: str, reason: str, text: str) -> None:
        """Tell once what became of it; whoever told it first has done so."""
        with self.store.transaction() as transaction:
            transaction.lock_environment(failed.environment)
            if _is_told(transaction, failed):
                return
            self.announcer.announce(
                transaction,
                Event(
                    at=self.clock.now(),
                    kind=kind,
                    reason=reason,
                    message=f"{title(failed)} {text}",
                    type=EventType.WARNING,
                    environment=failed.environment,
                    revision=failed.number,
                ),
                failed,
            )
        about = log.bind(environment=failed.environment, revision=failed.number)
        if kind == REVERTED:
            about.warning("revert.pushed", message=text)
        else:
            about.warning("revert.refused", reason=reason, message=text)


def _to_revert(reader: Reader, environment: EnvironmentId) -> Revision | None:
    """Return the newest revision, if it is to be reverted.

    Never one that goes back itself, whoever wrote it.
    """
    newest = next(iter(reader.revisions(environment, limit=1)), None)
    if newest is None or newest.phase is not Phase.FAILED or newest.ended is None:
        return None
    definition = newest.environment_definition
    wants = definition is not None and definition.on_failure is OnFailure.REVERT
    if not wants or newest.is_rollback or newest.is_removal:
        return None
    return None if _is_told(reader, newest) else newest


def _is_told(reader: Reader, failed: Revision) -> bool:
    return any(
        event.kind in {REVERTED, NOT_REVERTED} and event.revision == failed.number
        for event in reader.events(failed.environment, limit=_TOLD_EVENTS)
    )

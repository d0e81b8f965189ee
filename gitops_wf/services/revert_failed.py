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

REVERTED = "reverted"
NOT_REVERTED = "notReverted"
_TOLD_EVENTS = 200


@dataclass(slots=True, kw_only=True)
class RevertFailed:
    """Reverts what has failed, once, in environments that ask for it."""

    store: Store
    clock: Clock
    announcer: Announcer
    writers: DaemonWriters
    _next: datetime | None = None
    _later: dict[EnvironmentId, datetime] = field(default_factory=dict)

    def act(self) -> datetime | None:
        """Revert what has failed since; return when to look again."""
        now = self.clock.now()
        if self._next is not None and now < self._next:
            return self._next
        for environment in self._failed(now):
            try:
                self._revert(environment)
            except TransientError as error:
                log.warning(
                    "revert.postponed", environment=environment, cause=str(error)
                )
                self._later[environment] = now + TRY_AGAIN
        self._next = now + LOOK_EVERY
        return self._next

    def _failed(self, now: datetime) -> list[EnvironmentId]:
        """Return the environments whose newest revision has failed."""
        with self.store.read() as reader:
            standings = reader.standings()
        failed = [s.environment for s in standings if s.phase is Phase.FAILED]
        self._later = {e: at for e, at in self._later.items() if e in set(failed)}
        return [e for e in failed if self._later.get(e, now) <= now]

    def _revert(self, environment: EnvironmentId) -> None:
        with self.store.read() as reader:
            record = reader.environment(environment)
            failed = _to_revert(reader, environment)
        if record is None or failed is None or record.is_removed:
            return
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

    Never one that goes back itself, whoever wrote it; and nothing while somebody
    holds the brake.
    """
    newest = next(iter(reader.revisions(environment, limit=1)), None)
    if newest is None or newest.phase is not Phase.FAILED or newest.ended is None:
        return None
    definition = newest.environment_definition
    wants = definition is not None and definition.on_failure is OnFailure.REVERT
    if not wants or newest.is_rollback or newest.is_removal:
        return None
    if reader.pauses(environment) or _is_told(reader, newest):
        return None
    return newest


def _is_told(reader: Reader, failed: Revision) -> bool:
    return any(
        event.kind in {REVERTED, NOT_REVERTED} and event.revision == failed.number
        for event in reader.events(failed.environment, limit=_TOLD_EVENTS)
    )

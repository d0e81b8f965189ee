"""Environments whose folder is new, moved or gone: told, and ended where gone."""

from dataclasses import dataclass, replace
from datetime import datetime

from gitops_wf.core.commit import CommitInfo
from gitops_wf.core.environment import OnRemove
from gitops_wf.core.errors import cut
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.revision import Revision
from gitops_wf.ports.store import EnvironmentRecord, Transaction
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.folders import Touched
from gitops_wf.services.progress import Progress
from gitops_wf.services.removal import removal
from gitops_wf.services.revisions import created_event, end_without_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Takes in what a commit says of where environments are."""

    branch: str
    advance: Advance
    announcer: Announcer

    def place(
        self,
        transaction: Transaction,
        touched: Touched,
        progress: Progress,
        now: datetime,
        *,
        by: CommitInfo | None,
        position: int,
    ) -> None:
        """Store each record that changed place, and do what follows from it.

        ``by`` is the commit that did it; None where history was rewritten or the
        daemon config changed: then nothing is deleted, for nobody has asked for that.
        """
        for record in touched.records:
            old = progress.records.get(record.id)
            why = touched.removed.get(record.id)
            progress.put(
                transaction, replace(record, removed=None if why is None else now)
            )
            transaction.lock_environment(record.id)
            if why is not None:
                self._end(transaction, record, why, now)
                made = self._removal(
                    transaction, record, by, why, position=position, now=now
                )
                if made is not None:
                    gone = progress.records[record.id]
                    progress.keep(transaction, replace(gone, last_number=made.number))
            elif old is None or old.is_removed or old.folder != record.folder:
                self._placed(transaction, record, old, now)
            progress.moved.add(record.id)

    def _placed(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        old: EnvironmentRecord | None,
        now: datetime,
    ) -> None:
        if old is not None and not old.is_removed:
            text = f"moved from {cut(old.folder)} to {cut(record.folder)}"
            kind = "moved"
        else:
            text = f"found in {cut(record.folder) or 'the root folder'}"
            kind = "added"
        self.announcer.announce(
            transaction,
            Event(
                at=now,
                kind=kind,
                reason=kind.capitalize(),
                message=f"{record.name}: {text}",
                environment=record.id,
            ),
        )

    def _end(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        why: str,
        now: datetime,
    ) -> None:
        """End what has not ended."""
        end_unfinished(
            transaction,
            record.id,
            self.advance,
            self.announcer,
            reason=Reason.REMOVED,
            message=why,
            now=now,
        )

    def _removal(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        by: CommitInfo | None,
        why: str,
        *,
        position: int,
        now: datetime,
    ) -> Revision | None:
        """Tell what becomes of its objects; return the revision that deletes them.

        They stay, unless its last readable definition says otherwise (design 3.5).
        """
        definition, revision = record.definition, None
        says_delete = definition is not None and definition.on_remove is OnRemove.DELETE
        follows = "its objects stay on their targets"
        if says_delete and by is None:
            follows += ": no commit on the way removed it, so `onRemove: delete` waits"
        elif says_delete and definition is not None and by is not None:
            follows = "its objects are deleted (onRemove: delete)"
            revision = removal(
                transaction,
                record,
                definition,
                by,
                branch=self.branch,
                position=position,
                now=now,
            )
        self.announcer.announce(
            transaction,
            Event(
                at=now,
                kind="removed",
                reason=Reason.REMOVED,
                message=f"{record.name}: {why}; {follows}",
                type=EventType.WARNING,
                environment=record.id,
            ),
        )
        if revision is not None:
            transaction.save_revision(revision)
            self.announcer.announce(transaction, created_event(revision, now), revision)
        return revision


def end_unfinished(
    transaction: Transaction,
    environment: EnvironmentId,
    advance: Advance,
    announcer: Announcer,
    *,
    reason: str,
    message: str,
    now: datetime,
) -> None:
    """End every revision that has not ended, by its run where it has one."""
    for revision in transaction.unfinished_revisions(environment):
        end_revision(
            transaction,
            revision,
            advance,
            announcer,
            reason=reason,
            message=message,
            now=now,
        )


def end_revision(
    transaction: Transaction,
    revision: Revision,
    advance: Advance,
    announcer: Announcer,
    *,
    reason: str,
    message: str,
    now: datetime,
) -> None:
    """Abort a revision that has not ended."""
    active = transaction.active_run(revision.environment)
    if active is not None and active.subject.number == revision.number:
        advance.end(transaction, active, reason=reason, message=message, now=now)
        return
    event = end_without_run(
        transaction,
        revision,
        phase=Phase.ABORTED,
        reason=reason,
        message=message,
        now=now,
    )
    announcer.announce(transaction, event, revision)

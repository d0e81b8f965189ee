"""Storing and telling of the revision that a commit makes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gitops_wf.core.commit import CommitInfo, PathChange
from gitops_wf.core.identifiers import EnvironmentName
from gitops_wf.core.revision import Revision
from gitops_wf.ports.store import EnvironmentRecord, Transaction
from gitops_wf.services.announce import Announcer
from gitops_wf.services.neighbours import Neighbours
from gitops_wf.services.read_revision import ReadRevision
from gitops_wf.services.revisions import created_event, ended_event


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeRevision(ReadRevision):
    """Makes revisions of one repository."""

    announcer: Announcer

    def make(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        commit: CommitInfo,
        *,
        position: int,
        changes: Sequence[PathChange],
        environments: frozenset[EnvironmentName],
        around: Neighbours,
        now: datetime,
    ) -> EnvironmentRecord:
        """Make a revision if the inputs differ; return the environment's record."""
        shot = self.snapshot(record, commit.sha, environments)
        updated = replace(record, paths=shot.paths, definition=shot.known)
        if shot.inputs == record.inputs:
            return updated
        number = record.last_number + 1
        revision = self.revision(
            transaction,
            record,
            commit,
            shot,
            number=number,
            position=position,
            changes=changes,
            around=around,
            now=now,
        )
        transaction.save_revision(revision)
        self.tell(transaction, revision, now)
        return replace(updated, inputs=shot.inputs, last_number=number)

    def tell(self, transaction: Transaction, revision: Revision, now: datetime) -> None:
        """Tell of a new revision, and of its end where it has none to wait for."""
        self.announcer.announce(transaction, created_event(revision, now), revision)
        if revision.phase.is_final:
            self.announcer.announce(transaction, ended_event(revision, now), revision)

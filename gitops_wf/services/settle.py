"""Bringing every environment to the branch's head at once.

On a first start, after history was rewritten, and when the daemon begins: a glob of
the config, or what counts as an environment, may be new. Each environment gets at
most one revision, at the head (design 3.1).
"""

from dataclasses import dataclass, replace
from datetime import datetime

from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import Sha
from gitops_wf.core.phases import Reason
from gitops_wf.core.revision import Revision
from gitops_wf.ports.store import (
    EnvironmentRecord,
    RepositoryRecord,
    Transaction,
)
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.commit_decisions import CommitDecisions, side_commits
from gitops_wf.services.folders import Folders
from gitops_wf.services.make_revision import MakeRevision
from gitops_wf.services.placing import Placing, end_revision
from gitops_wf.services.progress import Progress
from gitops_wf.services.watched import Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Settles one repository at its head."""

    watched: Watched
    folders: Folders
    placing: Placing
    decisions: CommitDecisions
    make: MakeRevision
    advance: Advance
    announcer: Announcer

    def settle(
        self,
        transaction: Transaction,
        record: RepositoryRecord,
        head: Sha,
        *,
        is_rewritten: bool,
        since: Sha | None,
        now: datetime,
    ) -> RepositoryRecord:
        """Do so in the caller's transaction; return the repository's record.

        ``since`` is what rewritten history still shares with what was walked: the
        decisions after it are read.
        """
        commit = self.watched.git.commit(head)
        progress = Progress.of(transaction, record.name)
        if is_rewritten:
            self._tell_rewritten(transaction, record, head, now)
        if record.cursor is None:
            position = len(self.watched.git.history(head).chain)
        else:
            position = record.position + (0 if record.cursor == head else 1)
        known = set(progress.records)
        touched = self.folders.all(commit, progress.records)
        self.placing.place(
            transaction, touched, progress, now, by=None, position=position
        )
        if since is not None:
            self._decide(
                transaction,
                progress,
                since=since,
                head=head,
                position=position,
                now=now,
            )
        if is_rewritten:
            self.decisions.reread(
                transaction, commit, progress, position=position, now=now
            )
        around = self.make.neighbours(head, progress.records)
        for environment in sorted(progress.records):
            place = progress.records[environment]
            if environment not in known:
                progress.keep(transaction, replace(place, is_returning=True))
                continue
            is_wanted = is_rewritten or not place.inputs
            if place.is_removed or place.is_returning or not is_wanted:
                continue
            transaction.lock_environment(environment)
            if is_rewritten:
                self._vanish(transaction, place, head, progress, now)
            made = self.make.make(
                transaction,
                place,
                commit,
                position=position,
                changes=(),
                environments=progress.names,
                around=around,
                now=now,
            )
            progress.keep(transaction, made)
        progress.finish(transaction, self.watched.git, self.advance, now)
        return replace(record, cursor=head, position=position)

    def _decide(
        self,
        transaction: Transaction,
        progress: Progress,
        *,
        since: Sha,
        head: Sha,
        position: int,
        now: datetime,
    ) -> None:
        """Take the decisions that came with the new history."""
        git, before = self.watched.git, since
        for commit in git.walk(since, head).commits:
            changes = git.changes(before, commit.sha)
            self.decisions.take(
                transaction,
                commit,
                progress,
                touched=self.folders.with_decisions(changes, progress.records),
                side=side_commits(git, before, commit),
                position=position,
                now=now,
            )
            before = commit.sha

    def _vanish(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        head: Sha,
        progress: Progress,
        now: datetime,
    ) -> None:
        """End runs of commits that vanished, unless the head has the same inputs."""
        git = self.watched.git
        inputs = self.make.snapshot(record, head, progress.names).inputs
        for revision in transaction.unfinished_revisions(record.id):
            is_there = git.has_commit(revision.commit)
            if is_there and git.is_ancestor(revision.commit, head):
                continue
            if revision.inputs == inputs and revision.number == record.last_number:
                self._go_on_at(transaction, revision, head)
            else:
                self._end(transaction, revision, now)

    def _go_on_at(
        self, transaction: Transaction, revision: Revision, head: Sha
    ) -> None:
        transaction.save_revision(replace(revision, commit=head))
        active = transaction.active_run(revision.environment)
        if active is not None and active.subject.number == revision.number:
            subject = replace(active.subject, commit=head)
            transaction.save_run(replace(active, subject=subject, seq=active.seq + 1))

    def _end(self, transaction: Transaction, revision: Revision, now: datetime) -> None:
        message = f"its commit {revision.commit[:8]} is no longer on the branch"
        end_revision(
            transaction,
            revision,
            self.advance,
            self.announcer,
            reason=Reason.HISTORY_REWRITTEN,
            message=message,
            now=now,
        )

    def _tell_rewritten(
        self,
        transaction: Transaction,
        record: RepositoryRecord,
        head: Sha,
        now: datetime,
    ) -> None:
        self.announcer.announce(
            transaction,
            Event(
                at=now,
                kind="historyRewritten",
                reason=Reason.HISTORY_REWRITTEN,
                message=(
                    f"{record.name}: {record.branch} was rewritten from"
                    f" {str(record.cursor)[:8]} to {head[:8]}; each environment gets at"
                    " most one revision, at the new head"
                ),
                type=EventType.WARNING,
                repository=record.name,
                metadata={"old": record.cursor, "new": head},
            ),
        )

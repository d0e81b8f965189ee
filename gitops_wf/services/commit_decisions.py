"""The decisions that a commit of the branch brings, for every environment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_wf.core.commit import CommitInfo
from gitops_wf.core.identifiers import EnvironmentId, Sha
from gitops_wf.ports.git import GitRepository
from gitops_wf.ports.store import Transaction
from gitops_wf.services.arrivals import Arrival, Arrivals
from gitops_wf.services.folders import Folders
from gitops_wf.services.progress import Progress
from gitops_wf.services.watched import Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitDecisions:
    """Finds which environments' approvals a commit touches, and takes them."""

    watched: Watched
    folders: Folders
    arrivals: Arrivals

    def take(
        self,
        transaction: Transaction,
        commit: CommitInfo,
        progress: Progress,
        *,
        touched: frozenset[EnvironmentId],
        side: Sequence[CommitInfo],
        position: int,
        now: datetime,
    ) -> None:
        """Take the decisions of a commit and of the side commits that it brought.

        ``touched`` are the environments whose approvals it changes against the commit
        that the branch was at before.
        """
        marked = self._marked(commit, side, progress)
        by_side = frozenset(e for _, environments in marked for e in environments)
        arrival = Arrival(commit=commit, position=position, side=marked, now=now)
        for environment in sorted(touched | by_side):
            record = progress.records[environment]
            if record.is_returning:
                continue  # they are in its history by then
            transaction.lock_environment(environment)
            folders = progress.folders_of(record)
            kept = self.arrivals.arrive(transaction, record, arrival, folders)
            progress.keep(transaction, kept)

    def reread(
        self,
        transaction: Transaction,
        commit: CommitInfo,
        progress: Progress,
        *,
        position: int,
        now: datetime,
    ) -> None:
        """See what stands at the head of rewritten history, for every environment."""
        arrival = Arrival(commit=commit, position=position, now=now)
        for environment in sorted(progress.records):
            record = progress.records[environment]
            transaction.lock_environment(environment)
            folders = progress.folders_of(record)
            kept = self.arrivals.reread(transaction, record, arrival, folders)
            progress.keep(transaction, kept)

    def _marked(
        self, commit: CommitInfo, side: Sequence[CommitInfo], progress: Progress
    ) -> list[tuple[CommitInfo, frozenset[EnvironmentId]]]:
        others = [c for c in side if c.sha != commit.sha]
        if not others:
            return []
        diffs = self.watched.git.changes_of([(c.first_parent, c.sha) for c in others])
        return [
            (c, self.folders.with_decisions(diff, progress.records))
            for c, diff in zip(others, diffs, strict=True)
        ]


def side_commits(
    git: GitRepository, before: Sha, commit: CommitInfo
) -> tuple[CommitInfo, ...]:
    """Return all that became reachable with a commit of the branch, if it merged.

    ``before`` is where the branch was. After "pull, then push" that is not the first
    parent: what is new came by that one.
    """
    return git.commits_between(before, commit.sha) if commit.is_merge else ()

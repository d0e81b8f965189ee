"""The decisions that a commit of the branch brings, for every environment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_wf.core.commit import CommitInfo
from gitops_wf.core.identifiers import EnvironmentId
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
        """Take the decisions of a commit and of the side commits that it merged.

        ``touched`` are the environments whose approvals the commit itself changes
        against its first parent.
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

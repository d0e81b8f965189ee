"""Polling one repository: no commit is lost, and what comes of each is in order.

Commits are walked along the first parents, oldest first, from the cursor to the
branch's head. In one commit decisions act first, then the commit makes its
revisions. The cursor is stored with what came of its commits, in batches, so that a
crash repeats a batch or does not, but never half of one (design 3.1).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from gitops_wf.core.commit import CommitInfo, PathChange
from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.identifiers import RepositoryName, Sha
from gitops_wf.core.phases import HELD
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.definitions import Definitions
from gitops_wf.ports.store import (
    RepositoryRecord,
    Store,
    StoreUnavailableError,
    Transaction,
)
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.arrivals import Arrivals
from gitops_wf.services.bring_back import BringBack
from gitops_wf.services.catch_up import CatchUp
from gitops_wf.services.commit_decisions import CommitDecisions, side_commits
from gitops_wf.services.decide import Decide
from gitops_wf.services.folders import Folders, Records, Touched, prefixes
from gitops_wf.services.make_revision import MakeRevision
from gitops_wf.services.placing import Placing
from gitops_wf.services.poll_condition import PollCondition
from gitops_wf.services.progress import Progress
from gitops_wf.services.recall import Recall
from gitops_wf.services.settle import Settle
from gitops_wf.services.watched import Watched

log = structlog.get_logger()

BATCH = 50
"""Commits whose outcome is stored in one transaction."""


class Discover:
    """Polls one watched repository."""

    def __init__(
        self,
        *,
        watched: Watched,
        store: Store,
        clock: Clock,
        definitions: Definitions,
        decide: Decide,
        advance: Advance,
        announcer: Announcer,
        recall: Recall,
    ) -> None:
        self._watched = watched
        self._store = store
        self._clock = clock
        self._advance = advance
        self._folders = Folders(watched, definitions)
        self._condition = PollCondition(
            watched=watched, store=store, clock=clock, announcer=announcer
        )
        self._placing = Placing(
            branch=watched.config.branch, advance=advance, announcer=announcer
        )
        arrivals = Arrivals(
            watched=watched,
            definitions=definitions,
            decide=decide,
            announcer=announcer,
        )
        self._decisions = CommitDecisions(
            watched=watched, folders=self._folders, arrivals=arrivals
        )
        self._make = MakeRevision(
            watched=watched, definitions=definitions, announcer=announcer
        )
        self._settle = Settle(
            watched=watched,
            folders=self._folders,
            placing=self._placing,
            decisions=self._decisions,
            make=self._make,
            advance=advance,
            announcer=announcer,
        )
        self._catch_up = CatchUp(
            watched=watched,
            store=store,
            clock=clock,
            recall=recall,
            advance=advance,
            announcer=announcer,
        )
        self._bring_back = BringBack(
            watched=watched,
            store=store,
            clock=clock,
            recall=recall,
            make=self._make,
            arrivals=arrivals,
            decisions=self._decisions,
            decide=decide,
            advance=advance,
            announcer=announcer,
        )
        self._has_looked = False
        self._is_behind = False
        self._may_return = True
        self._is_stopped = False

    @property
    def name(self) -> RepositoryName:
        """The repository's name."""
        return self._watched.name

    def failures(self) -> int:
        """Return how many polls in a row have failed."""
        return self._condition.failures()

    def stop(self) -> None:
        """End what waits for the remote, and take in no further batch.

        What was being polled is not noted as failed. May be called from any thread.
        """
        self._is_stopped = True
        self._watched.git.stop_asking()

    def poll(self, *, is_told: bool = False) -> bool:
        """Ask the remote and take in what is new; say whether anything was.

        ``is_told``: somebody said that there is something. Then it is fetched at
        once; else the head is asked first, which costs less where nothing is new.

        Errors: none for the caller to handle but those of the store; what is wrong
        with the remote becomes the repository's condition, and is tried again.
        """
        record = self._condition.record()
        try:
            return self._poll(record, is_told=is_told)
        except StoreUnavailableError:
            raise  # no fault of the remote
        except (TransientError, TerminalError) as error:
            if self._is_stopped:
                return False
            reason = getattr(error, "reason", "RemoteUnavailable")
            self._condition.failed(str(error), reason)
            return False
        except OSError as error:
            # No bug, but a machine that is short of something: handles, disk, memory.
            why = f"this machine cannot poll it: {cut(str(error))}"
            self._condition.failed(why, "MachineFault")
            return False

    def _poll(self, record: RepositoryRecord, *, is_told: bool) -> bool:
        git = self._watched.git
        is_asked = not (is_told or git.is_damaged) and self._has_looked
        head = git.remote_head().sha if is_asked else self._fetched()
        if is_asked and head not in {None, record.cursor}:
            head = self._fetched()
        if head is None:
            self._condition.failed(self._why_no_head(record), "BranchNotFound")
            return False
        moved = False
        is_first = not self._has_looked
        if head != record.cursor or is_first:
            moved = self._take_in(record, head)
            self._has_looked = True
        if self._may_return:
            self._is_behind = False
            self._may_return = self._bring_back.act() > 0
        self._condition.succeeded(self._folders.problems)
        return moved

    def _fetched(self) -> Sha | None:
        """Fetch; return the head, and tell where the clone had to be made anew."""
        found = self._watched.git.fetch()
        if found.is_renewed:
            self._condition.renewed()
        return found.new

    def _why_no_head(self, record: RepositoryRecord) -> str:
        if record.cursor is not None:
            what = "the branch is gone; its environments stay as they are"
        elif self._watched.git.remote_head().is_empty:
            what = "the repository holds no commit yet; the first is seen when it comes"
        else:
            what = (
                "the repository has no such branch; push it, or write another as"
                " `branch` in the daemon config"
            )
        return f"refs/heads/{self._watched.config.branch}: {what}"

    def _take_in(self, record: RepositoryRecord, head: Sha) -> bool:
        git = self._watched.git
        if record.cursor is None:
            self._settle_at(head)
            return True
        if not self._has_looked:
            self._leave_out(there=head)  # before anything more of it runs
            self._is_behind = self._catch_up.act()
        if not git.has_commit(record.cursor):
            self._settle_at(head, is_rewritten=True)
            return True
        walk = git.walk(record.cursor, head)
        if walk.is_rewritten:
            self._settle_at(head, is_rewritten=True, since=walk.merge_base)
            return True
        before = record.cursor
        for start in range(0, len(walk.commits), BATCH):
            if self._is_stopped:
                return True
            batch = walk.commits[start : start + BATCH]
            self._batch(before, batch)
            before = batch[-1].sha
        if not self._has_looked:
            # A glob of the config, or what counts as an environment, may be new.
            self._leave_out()
            self._settle_at(head)
            self._wake_held()
        return bool(walk.commits)

    def _settle_at(
        self, head: Sha, *, is_rewritten: bool = False, since: Sha | None = None
    ) -> None:
        with self._store.transaction() as transaction:
            record = transaction.repository(self.name)
            assert record is not None
            settled = self._settle.settle(
                transaction,
                record,
                head,
                is_rewritten=is_rewritten,
                since=since,
                now=self._clock.now(),
            )
            transaction.save_repository(settled)
        self._may_return = True  # environments that rewritten history brings, too

    def _leave_out(self, *, there: Sha | None = None) -> None:
        """Take out what the daemon config no longer names; `there` as in Folders."""
        with self._store.transaction() as transaction:
            record = transaction.repository(self.name)
            assert record is not None
            progress, now = Progress.of(transaction, self.name), self._clock.now()
            left = self._folders.left_out(progress.records, there=there)
            self._placing.place(
                transaction, left, progress, now, by=None, position=record.position
            )
            progress.finish(transaction, self._watched.git, self._advance, now)

    def _wake_held(self) -> None:
        """Let runs go on whose gate or freeze the daemon config no longer has."""
        with self._store.read() as reader:
            held = [
                run.subject.environment
                for run in reader.active_runs(self.name)
                if any(s.reason in HELD and not s.phase.is_final for s in run.steps)
            ]
        for environment in held:
            with self._store.transaction() as transaction:
                transaction.lock_environment(environment)
                self._advance.environment(transaction, environment, self._clock.now())

    def _batch(self, before: Sha, commits: Sequence[CommitInfo]) -> None:
        git = self._watched.git
        # Against what was walked before, which is not the first parent of a merge by
        # "pull, then push": there the first parent is what is new.
        befores = [before, *(commit.sha for commit in commits[:-1])]
        pairs = list(zip(befores, commits, strict=True))
        changes = git.changes_of([(b, c.sha) for b, c in pairs])
        side = {c.sha: side_commits(git, b, c) for b, c in pairs}
        self._prefetch(changes)
        with self._store.transaction() as transaction:
            now = self._clock.now()
            record = transaction.repository(self.name)
            assert record is not None
            progress = Progress.of(transaction, self.name)
            position = record.position
            for commit, changed in zip(commits, changes, strict=True):
                position += 1
                self._commit(
                    transaction,
                    commit,
                    changed,
                    progress,
                    position=position,
                    side=side[commit.sha],
                    now=now,
                )
            transaction.save_repository(
                replace(record, cursor=commits[-1].sha, position=position)
            )
            progress.finish(transaction, git, self._advance, now)
        log.info("repository.walked", repository=self.name, commits=len(commits))

    def _commit(
        self,
        transaction: Transaction,
        commit: CommitInfo,
        changes: Sequence[PathChange],
        progress: Progress,
        *,
        position: int,
        side: Sequence[CommitInfo],
        now: datetime,
    ) -> None:
        touched = self._folders.touched(commit, changes, progress.records)
        if self._is_behind:
            touched = _returning(touched, progress.records)
        self._placing.place(
            transaction, touched, progress, now, by=commit, position=position
        )
        self._decisions.take(
            transaction,
            commit,
            progress,
            touched=touched.decisions,
            side=side,
            position=position,
            now=now,
        )
        around = self._make.neighbours(
            commit.sha, progress.records, touched=touched.inputs
        )
        for environment in sorted(touched.inputs):
            record = progress.records[environment]
            if record.is_removed or record.is_returning:
                continue
            transaction.lock_environment(environment)
            made = self._make.make(
                transaction,
                record,
                commit,
                position=position,
                changes=changes,
                environments=progress.names,
                around=around,
                now=now,
            )
            progress.keep(transaction, made)

    def _prefetch(self, changes: Sequence[Sequence[PathChange]]) -> None:
        """Fetch all blobs that this batch's environments may need, in one request."""
        with self._store.read() as reader:
            records = reader.environments(self.name)
        folders = {p for r in records for p in (r.folder, *r.paths)}
        wanted = [
            change.new_oid
            for changed in changes
            for change in changed
            if change.new_oid is not None
            and any(prefix in folders for prefix in prefixes(change.path))
        ]
        if wanted:
            self._watched.prefetch(wanted)


def _returning(touched: Touched, known: Records) -> Touched:
    """Let environments that an old store has never seen come back, not begin anew."""
    return replace(
        touched,
        records=tuple(
            record if record.id in known else replace(record, is_returning=True)
            for record in touched.records
        ),
    )

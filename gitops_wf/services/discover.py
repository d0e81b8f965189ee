"""Polling one repository: no commit is lost, and what comes of each is in order.

Commits are walked along the first parents, oldest first, from the cursor to the
branch's head. In one commit decisions act first, then the commit makes its
revisions. The cursor is stored with what came of its commits, in batches, so that a
crash repeats a batch or does not, but never half of one (design 3.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from gitops_wf.core.commit import CommitInfo, PathChange
from gitops_wf.core.environment import OnRemove
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RepositoryName,
    Sha,
)
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.definitions import Definitions
from gitops_wf.ports.store import (
    EnvironmentRecord,
    RepositoryRecord,
    Store,
    Transaction,
)
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.arrivals import Arrival, Arrivals
from gitops_wf.services.decide import Decide
from gitops_wf.services.folders import Folders, Touched, shown
from gitops_wf.services.make_revision import MakeRevision
from gitops_wf.services.revisions import end_without_run
from gitops_wf.services.watched import Watched

log = structlog.get_logger()

_NO_BRANCH = "the repository has no such branch"

BATCH = 50
"""Commits whose outcome is stored in one transaction."""


@dataclass(slots=True)
class _Progress:
    """What one batch has changed so far."""

    records: dict[EnvironmentId, EnvironmentRecord]
    moved: set[EnvironmentId] = field(default_factory=set)
    problems: tuple[str, ...] = ()
    holds: dict[str, Sha] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[EnvironmentName]:
        """The environments that there are."""
        live = (r for r in self.records.values() if not r.is_removed)
        return frozenset(record.name for record in live)


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
    ) -> None:
        self._watched = watched
        self._store = store
        self._clock = clock
        self._advance = advance
        self._announcer = announcer
        self._folders = Folders(watched, definitions)
        self._arrivals = Arrivals(
            watched=watched,
            definitions=definitions,
            decide=decide,
            announcer=announcer,
        )
        self._make = MakeRevision(
            watched=watched, definitions=definitions, announcer=announcer
        )
        self._has_looked = False

    @property
    def name(self) -> RepositoryName:
        """The repository's name."""
        return self._watched.name

    def poll(self) -> bool:
        """Ask the remote and take in what is new; say whether anything was.

        Errors: none for the caller to handle but those of the store; what is wrong
        with the remote becomes the repository's condition, and is tried again.
        """
        record = self._record()
        try:
            return self._poll(record)
        except (TransientError, TerminalError) as error:
            self._failed(str(error), getattr(error, "reason", "RemoteUnavailable"))
            return False

    def _poll(self, record: RepositoryRecord) -> bool:
        git = self._watched.git
        remote = git.remote_head()
        branch = self._watched.config.branch
        if remote.sha is None:
            if record.cursor is not None:
                what = "the branch is gone; its environments stay as they are"
            else:
                what = "the repository is empty" if remote.is_empty else _NO_BRANCH
            self._failed(f"refs/heads/{branch}: {what}", "BranchNotFound")
            return False
        if remote.sha == record.cursor and self._has_looked:
            self._succeeded()
            return False
        fetched = git.fetch()
        head = fetched.new
        if head is None:
            self._failed(f"refs/heads/{branch}: {_NO_BRANCH}", "BranchNotFound")
            return False
        moved = self._take_in(record, head)
        self._has_looked = True
        self._succeeded()
        return moved

    def _take_in(self, record: RepositoryRecord, head: Sha) -> bool:
        git = self._watched.git
        if record.cursor is None:
            self._settle(head, rewritten=False)
            return True
        if not git.has_commit(record.cursor):
            self._settle(head, rewritten=True)
            return True
        walk = git.walk(record.cursor, head)
        if walk.is_rewritten:
            self._settle(head, rewritten=True)
            return True
        for start in range(0, len(walk.commits), BATCH):
            self._batch(walk.commits[start : start + BATCH])
        if not self._has_looked:
            # A glob of the config, or what counts as an environment, may be new.
            self._settle(head, rewritten=False)
        return bool(walk.commits)

    def _batch(self, commits: Sequence[CommitInfo]) -> None:
        git = self._watched.git
        changes = git.changes_of([(_first_parent(c), c.sha) for c in commits])
        side = {
            c.sha: git.commits_between(c.parents[0], c.sha)
            for c in commits
            if c.is_merge
        }
        self._prefetch(changes)
        with self._store.transaction() as transaction:
            now = self._clock.now()
            record = transaction.repository(self.name)
            assert record is not None
            progress = _Progress(
                records={r.id: r for r in transaction.environments(self.name)}
            )
            for commit, changed in zip(commits, changes, strict=True):
                record = replace(
                    record, cursor=commit.sha, position=record.position + 1
                )
                self._commit(
                    transaction,
                    commit,
                    changed,
                    progress,
                    position=record.position,
                    side=side.get(commit.sha, ()),
                    now=now,
                )
            transaction.save_repository(record)
            self._finish(transaction, progress, now)
        log.info("repository.walked", repository=self.name, commits=len(commits))

    def _commit(
        self,
        transaction: Transaction,
        commit: CommitInfo,
        changes: Sequence[PathChange],
        progress: _Progress,
        *,
        position: int,
        side: Sequence[CommitInfo],
        now: datetime,
    ) -> None:
        touched = self._folders.touched(commit, changes, progress.records)
        self._place(transaction, touched, progress, now)
        arrival = self._arrival(
            commit,
            position=position,
            side=side,
            progress=progress,
            touched=touched,
            now=now,
        )
        for environment in sorted(arrival.touched):
            record = progress.records[environment]
            if record.is_removed:
                continue
            transaction.lock_environment(environment)
            updated = self._arrivals.arrive(transaction, record, arrival)
            self._keep(transaction, progress, record, updated)
        for environment in sorted(touched.inputs):
            record = progress.records[environment]
            if record.is_removed:
                continue
            transaction.lock_environment(environment)
            updated = self._make.make(
                transaction,
                record,
                commit,
                position=position,
                changes=changes,
                environments=progress.names,
                now=now,
            )
            self._keep(transaction, progress, record, updated)

    def _arrival(
        self,
        commit: CommitInfo,
        *,
        position: int,
        side: Sequence[CommitInfo],
        progress: _Progress,
        touched: Touched,
        now: datetime,
    ) -> Arrival:
        """Find which environments' approvals a commit and its side commits touch."""
        others = [c for c in side if c.sha != commit.sha]
        diffs = self._watched.git.changes_of(
            [(_first_parent(c), c.sha) for c in others]
        )
        marked = [
            (c, self._folders.with_decisions(diff, progress.records))
            for c, diff in zip(others, diffs, strict=True)
        ]
        by_side = frozenset(e for _, environments in marked for e in environments)
        return Arrival(
            commit=commit,
            position=position,
            side=marked,
            now=now,
            touched=touched.decisions | by_side,
        )

    def _place(
        self,
        transaction: Transaction,
        touched: Touched,
        progress: _Progress,
        now: datetime,
    ) -> None:
        for record in touched.records:
            old = progress.records.get(record.id)
            progress.records = {**progress.records, record.id: record}
            transaction.save_environment(record)
            transaction.lock_environment(record.id)
            if record.id in touched.removed:
                self._removed(transaction, record, now)
            elif old is None or old.is_removed or old.folder != record.folder:
                self._placed(transaction, record, old, now)
            progress.moved.add(record.id)
        if touched.problems:
            progress.problems = touched.problems

    def _placed(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        old: EnvironmentRecord | None,
        now: datetime,
    ) -> None:
        if old is not None and not old.is_removed:
            kind, text = "moved", f"moved from {old.folder} to {record.folder}"
        else:
            kind, text = "added", f"found in {record.folder or 'the root folder'}"
        self._announcer.announce(
            transaction,
            Event(
                at=now,
                kind=kind,
                reason=kind.capitalize(),
                message=f"{record.name}: {text}",
                environment=record.id,
            ),
        )

    def _removed(
        self, transaction: Transaction, record: EnvironmentRecord, now: datetime
    ) -> None:
        """End what has not ended; the objects stay (design 3.5)."""
        message = f"the folder {record.folder} is gone"
        for revision in transaction.unfinished_revisions(record.id):
            active = transaction.active_run(record.id)
            if active is not None and active.subject.number == revision.number:
                self._advance.end(
                    transaction, active, reason="Removed", message=message, now=now
                )
            else:
                end_without_run(
                    transaction,
                    revision,
                    phase=Phase.ABORTED,
                    reason="Removed",
                    message=message,
                    now=now,
                )
        delete = (
            record.definition is not None
            and record.definition.on_remove is OnRemove.DELETE
        )
        stays = "its objects stay on their targets"
        self._announcer.announce(
            transaction,
            Event(
                at=now,
                kind="removed",
                reason="Removed",
                message=f"{record.name}: {message}; {stays}"
                + (" (onRemove: delete is not supported yet)" if delete else ""),
                type=EventType.WARNING,
                environment=record.id,
            ),
        )

    def _settle(self, head: Sha, *, rewritten: bool) -> None:
        """Bring every environment to the head at once: first start, rewritten history.

        Each gets at most one revision, at the head.
        """
        git = self._watched.git
        commit = git.commit(head)
        with self._store.transaction() as transaction:
            now = self._clock.now()
            record = transaction.repository(self.name)
            assert record is not None
            progress = _Progress(
                records={r.id: r for r in transaction.environments(self.name)}
            )
            if rewritten:
                self._tell_rewritten(transaction, record, head, now)
            position = record.position + (0 if record.cursor == head else 1)
            record = replace(record, cursor=head, position=position)
            moved, removed, problems = self._folders.all(commit, progress.records)
            known = {r.id for r in progress.records.values()}
            touched = Touched(
                records=tuple(moved), removed=tuple(removed), problems=tuple(problems)
            )
            self._place(transaction, touched, progress, now)
            for environment in sorted(progress.records):
                place = progress.records[environment]
                is_new = environment not in known
                if place.is_removed or not (rewritten or is_new or not place.inputs):
                    continue
                transaction.lock_environment(environment)
                if rewritten:
                    self._vanish(transaction, place, head, progress, now)
                updated = self._make.make(
                    transaction,
                    place,
                    commit,
                    position=position,
                    changes=(),
                    environments=progress.names,
                    now=now,
                )
                self._keep(transaction, progress, place, updated)
            transaction.save_repository(record)
            self._finish(transaction, progress, now)

    def _vanish(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        head: Sha,
        progress: _Progress,
        now: datetime,
    ) -> None:
        """End runs of commits that vanished, unless the head has the same inputs."""
        git = self._watched.git
        inputs = self._make.snapshot(record, head, progress.names).inputs
        for revision in transaction.unfinished_revisions(record.id):
            is_there = git.has_commit(revision.commit)
            if is_there and git.is_ancestor(revision.commit, head):
                continue
            active = transaction.active_run(record.id)
            is_active = active is not None and active.subject.number == revision.number
            if revision.inputs == inputs and revision.number == record.last_number:
                transaction.save_revision(replace(revision, commit=head))
                if active is not None and is_active:
                    subject = replace(active.subject, commit=head)
                    moved = replace(active, subject=subject, seq=active.seq + 1)
                    transaction.save_run(moved)
                continue
            message = f"its commit {revision.commit[:8]} is no longer on the branch"
            if active is not None and is_active:
                self._advance.end(
                    transaction,
                    active,
                    reason=Reason.HISTORY_REWRITTEN,
                    message=message,
                    now=now,
                )
            else:
                event = end_without_run(
                    transaction,
                    revision,
                    phase=Phase.ABORTED,
                    reason=Reason.HISTORY_REWRITTEN,
                    message=message,
                    now=now,
                )
                self._announcer.announce(transaction, event, revision)

    def _tell_rewritten(
        self,
        transaction: Transaction,
        record: RepositoryRecord,
        head: Sha,
        now: datetime,
    ) -> None:
        self._announcer.announce(
            transaction,
            Event(
                at=now,
                kind="historyRewritten",
                reason=Reason.HISTORY_REWRITTEN,
                message=(
                    f"{self.name}: {record.branch} was rewritten from"
                    f" {str(record.cursor)[:8]} to {head[:8]}; each environment gets at"
                    " most one revision, at the new head"
                ),
                type=EventType.WARNING,
                repository=self.name,
                metadata={"old": record.cursor, "new": head},
            ),
        )

    def _keep(
        self,
        transaction: Transaction,
        progress: _Progress,
        old: EnvironmentRecord,
        new: EnvironmentRecord,
    ) -> None:
        progress.moved.add(new.id)
        if new == old:
            return
        # A new map, since the index of folders is kept by the map's identity.
        progress.records = {**progress.records, new.id: new}
        transaction.save_environment(new)
        if new.last_number != old.last_number:
            revision = transaction.revision(new.id, new.last_number)
            assert revision is not None
            name = f"revisions/{new.id}/{revision.number}"
            progress.holds[name] = revision.commit

    def _finish(
        self, transaction: Transaction, progress: _Progress, now: datetime
    ) -> None:
        """Hold the revisions' commits, then let every touched environment go on."""
        if progress.holds:
            self._watched.git.hold(progress.holds)
        for environment in sorted(progress.moved):
            transaction.lock_environment(environment)
            self._advance.environment(transaction, environment, now)
        record = transaction.repository(self.name)
        if record is not None and progress.problems:
            problems = shown(progress.problems)
            transaction.save_repository(replace(record, condition=problems))

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
            and any(
                not folder or change.path.startswith(f"{folder}/") for folder in folders
            )
        ]
        if wanted:
            self._watched.prefetch(wanted)

    def _record(self) -> RepositoryRecord:
        """Return the repository's record, made if it is new; a new URL keeps it."""
        config = self._watched.config
        with self._store.transaction() as transaction:
            record = transaction.repository(self.name)
            if record is None:
                record = RepositoryRecord(
                    name=self.name, url=config.url, branch=config.branch
                )
                transaction.save_repository(record)
            elif (record.url, record.branch) != (config.url, config.branch):
                record = replace(record, url=config.url, branch=config.branch)
                transaction.save_repository(record)
            return record

    def _succeeded(self) -> None:
        with self._store.read() as reader:
            record = reader.repository(self.name)
        if record is None or not (record.failures or record.polled is None):
            return
        self._save_condition("", 0)

    def _failed(self, message: str, reason: str) -> None:
        with self._store.read() as reader:
            record = reader.repository(self.name)
        assert record is not None
        if record.condition != message:
            log.warning(
                "repository.failed", repository=self.name, reason=reason, cause=message
            )
        self._save_condition(message, record.failures + 1)

    def _save_condition(self, message: str, failures: int) -> None:
        with self._store.transaction() as transaction:
            record = transaction.repository(self.name)
            assert record is not None
            transaction.save_repository(
                replace(
                    record,
                    condition=message,
                    failures=failures,
                    polled=self._clock.now(),
                )
            )

    def failures(self) -> int:
        """Return how many polls in a row have failed."""
        with self._store.read() as reader:
            record = reader.repository(self.name)
        return record.failures if record else 0


def _first_parent(commit: CommitInfo) -> Sha | None:
    return commit.parents[0] if commit.parents else None

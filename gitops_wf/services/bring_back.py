"""Environments of which Git and the clusters know more than the store does.

On a first start, for a new glob, after a loss of the store or the restore of an old
backup (design 3.1): each gets at most one revision, as it stands at the branch's head.
Where its targets' inventories prove that this was released, it is adopted: nothing
runs, and nobody is told. Else the decisions of its history are replayed before
anything starts, and numbering goes on from the inventories.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from gitops_wf.core.adoption import is_released
from gitops_wf.core.commit import CommitInfo
from gitops_wf.core.decision import Verb
from gitops_wf.core.engine import places
from gitops_wf.core.errors import cut
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    Oid,
    Sha,
    TargetName,
)
from gitops_wf.core.inputs import APPROVALS, APPROVALS_FOLDER
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.revision import Revision
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.git import History
from gitops_wf.ports.store import EnvironmentRecord, Store, Transaction
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.arrivals import Arrival, Arrivals
from gitops_wf.services.commit_decisions import CommitDecisions
from gitops_wf.services.decide import Decide
from gitops_wf.services.make_revision import MakeRevision
from gitops_wf.services.neighbours import Neighbours
from gitops_wf.services.origins import Origins
from gitops_wf.services.progress import Progress
from gitops_wf.services.read_revision import Snapshot
from gitops_wf.services.recall import Recall, Recalled
from gitops_wf.services.replay import Replay, adopted
from gitops_wf.services.revisions import title
from gitops_wf.services.watched import Watched

log = structlog.get_logger()

UNREAD = "InventoryUnread"
"""The condition of an environment that waits until its targets can be asked."""

_DECISIONS = (f"**/{APPROVALS}", f"**/{APPROVALS_FOLDER}*.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Brought:
    """A first-parent commit and the merged ones that touch an environment's decisions.

    ``oids`` are the files' blobs, before and after.
    """

    commit: CommitInfo
    side: tuple[CommitInfo, ...]
    oids: tuple[Oid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Come:
    """All that is known of an environment that is to be brought back.

    ``at_head`` is as the branch's head has it, and ``around`` are the others there.
    ``commit`` and ``shot`` are those of the revision. ``since`` is what its targets had
    completed before. ``brought`` are its decisions in all of history,
    ``brought_since`` those after the revision's commit.
    """

    head: Sha
    names: frozenset[EnvironmentName]
    around: Neighbours
    at_head: Snapshot
    commit: Sha
    shot: Snapshot
    recalled: Recalled
    number: int
    since: Sha | None
    brought: tuple[_Brought, ...]
    brought_since: tuple[_Brought, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BringBack:
    """Brings the environments of one repository back."""

    watched: Watched
    store: Store
    clock: Clock
    recall: Recall
    make: MakeRevision
    arrivals: Arrivals
    decisions: CommitDecisions
    decide: Decide
    advance: Advance
    announcer: Announcer

    def act(self) -> int:
        """Bring back what can be; return how many environments still wait.

        To be called outside a transaction: clusters are asked.
        """
        with self.store.read() as reader:
            repository = reader.repository(self.watched.name)
            records = {r.id: r for r in reader.environments(self.watched.name)}
        waiting = {id_: r for id_, r in records.items() if r.is_returning}
        if not waiting or repository is None or repository.cursor is None:
            return len(waiting)
        head, position = repository.cursor, repository.position
        names = frozenset(r.name for r in records.values() if not r.is_removed)
        shots = {
            id_: self.make.snapshot(record, head, names)
            for id_, record in waiting.items()
            if not record.is_removed
        }
        recalled = self.recall.read(
            {id_: self._targets(shot) for id_, shot in shots.items()}
        )
        known = {id_: shot for id_, shot in shots.items() if not recalled[id_].problems}
        come = self._come(head, names, records, known, recalled)
        commits = self.watched.git.commits([each.commit for each in come.values()])
        infos = dict(zip(come, commits, strict=True))
        now = self.clock.now()
        with self.store.transaction() as transaction:
            progress = Progress.of(transaction, self.watched.name)
            for environment, record in sorted(waiting.items()):
                transaction.lock_environment(environment)
                if record.is_removed:
                    done = replace(record, is_returning=False)
                    progress.keep(transaction, done)
                elif environment in come:
                    back = self._back(
                        transaction,
                        progress,
                        record,
                        come[environment],
                        infos[environment],
                        position=position,
                        now=now,
                    )
                    progress.keep(transaction, back)
                else:
                    problems = recalled[environment].problems
                    self._wait(transaction, progress, record, problems, now)
            progress.finish(transaction, self.watched.git, self.advance, now)
        return len(shots) - len(come)

    def _targets(self, shot: Snapshot) -> tuple[TargetName, ...]:
        """Return where inventories of an environment may be."""
        workflow = shot.definition.workflow
        written = (p.target for p in places(workflow).values()) if workflow else ()
        named = shot.known.targets if shot.known else self.watched.config.targets
        return tuple(dict.fromkeys((*named, *(t for t in written if t is not None))))

    def _come(
        self,
        head: Sha,
        names: frozenset[EnvironmentName],
        records: Mapping[EnvironmentId, EnvironmentRecord],
        known: Mapping[EnvironmentId, Snapshot],
        recalled: Mapping[EnvironmentId, Recalled],
    ) -> dict[EnvironmentId, _Come]:
        """Find the commit and the number of each revision, and its decisions."""
        if not known:
            return {}
        git = self.watched.git
        history = git.history(head, touching=_DECISIONS)
        order = {sha: place for place, sha in enumerate(history.chain)}
        origins = Origins(git=git, make=self.make).find(
            history.chain, {id_: (records[id_], shot) for id_, shot in known.items()}
        )
        brought = self._brought(history, records)
        around = self.make.neighbours(head, records)
        found = {}
        for id_, shot in known.items():
            newest = recalled[id_].newest
            since = order[origins[id_]]
            # Every commit since the origin has these inputs: if one of them was
            # delivered, that was this very revision.
            is_same = order.get(Sha(newest.commit), -1) >= since
            sha = Sha(newest.commit) if is_same else origins[id_]
            own = self.make.snapshot(records[id_], sha, names)
            if own.definition.problems and not shot.definition.problems:
                # What is no input (a shared workflow) was mended since.
                sha, own = head, shot
            before = [
                Sha(each.commit)
                for each in recalled[id_].inventories.values()
                if each.inputs and order.get(Sha(each.commit), since) < since
            ]
            found[id_] = _Come(
                at_head=shot,
                head=head,
                names=names,
                around=around,
                commit=sha,
                shot=own,
                recalled=recalled[id_],
                number=max(
                    newest.number + (0 if is_same else 1), records[id_].last_number + 1
                ),
                since=max(before, key=order.__getitem__, default=None),
                brought=tuple(brought.get(id_, ())),
                brought_since=tuple(
                    each
                    for each in brought.get(id_, ())
                    if order[each.commit.sha] > order[sha]
                ),
            )
        wanted = [
            oid
            for come in found.values()
            for oids in (
                self.make.blobs(come.shot, come.commit),
                *(each.oids for each in come.brought_since),
            )
            for oid in oids
        ]
        # In one request, and before the store is locked.
        self.watched.prefetch(wanted)
        return found

    def _brought(
        self, history: History, records: Mapping[EnvironmentId, EnvironmentRecord]
    ) -> dict[EnvironmentId, list[_Brought]]:
        """Return the commits that brought decisions of each environment, in order."""
        git, folders = self.watched.git, self.decisions.folders
        shas = dict.fromkeys(
            sha
            for bringing, brought in history.brought.items()
            for sha in (bringing, *brought)
        )
        infos = {info.sha: info for info in git.commits(list(shas))}
        diffs = git.changes_of(
            [(info.first_parent, sha) for sha, info in infos.items()]
        )
        changes = dict(zip(infos, diffs, strict=True))
        touched = {
            sha: folders.with_decisions(diff, records) for sha, diff in changes.items()
        }
        found: dict[EnvironmentId, list[_Brought]] = {}
        for bringing, brought in history.brought.items():
            for id_ in touched[bringing].union(*(touched[sha] for sha in brought)):
                side = [
                    sha for sha in brought if sha != bringing and id_ in touched[sha]
                ]
                oids = {
                    oid
                    for sha in (bringing, *side)
                    for change in changes[sha]
                    if _is_decisive(change.path)
                    for oid in (change.old_oid, change.new_oid)
                    if oid is not None
                }
                found.setdefault(id_, []).append(
                    _Brought(
                        commit=infos[bringing],
                        side=tuple(infos[sha] for sha in side),
                        oids=tuple(sorted(oids)),
                    )
                )
        return found

    def _back(
        self,
        transaction: Transaction,
        progress: Progress,
        record: EnvironmentRecord,
        come: _Come,
        commit: CommitInfo,
        *,
        position: int,
        now: datetime,
    ) -> EnvironmentRecord:
        """Make one environment's revision; return its record."""
        record = replace(
            record,
            paths=come.at_head.paths,
            definition=come.at_head.known,
            inputs=come.at_head.inputs,
            last_number=come.number,
            is_returning=False,
            conditions={k: v for k, v in record.conditions.items() if k != UNREAD},
        )
        for target, inventory in come.recalled.inventories.items():
            if inventory.number:
                transaction.save_inventory(record.id, target, inventory)
        stranger = self.recall.owner_problem(record.id, come.recalled, now)
        workflow = come.shot.definition.workflow
        is_over = (
            not stranger
            and workflow is not None
            and is_released(workflow, come.shot.inputs, come.recalled.inventories)
        )
        revision = self.make.revision(
            transaction,
            record,
            commit,
            come.shot,
            number=come.number,
            position=position,
            changes=(),
            around=None if is_over else come.around,
            now=now,
        )
        transaction.save_revision(revision)
        replay = Replay(
            revision=revision,
            approvals=self.decide.approvals,
            rulebook=self.decide.rulebook,
            is_over=is_over,
        )
        if not revision.phase.is_final:
            record = self._replay(
                transaction,
                progress,
                record,
                come,
                replay,
                position=position,
                now=now,
            )
        revision = replay.revision
        if is_over:
            at = come.recalled.newest.written or now
            self._adopt(transaction, adopted(revision, at), now)
            return record
        if stranger and not revision.phase.is_final:
            revision = replace(
                revision,
                phase=Phase.ERRORED,
                reason=Reason.OWNED_BY_ANOTHER,
                message=stranger,
                ended=now,
            )
        transaction.save_revision(revision)
        self.make.tell(transaction, revision, now)
        about = log.bind(
            environment=record.id, revision=revision.number, commit=revision.commit
        )
        if come.recalled.newest.number:
            about.info("environment.returned")
        else:
            about.info("environment.found")
        return record

    def _adopt(
        self, transaction: Transaction, revision: Revision, now: datetime
    ) -> None:
        for other in transaction.revisions(revision.environment):
            if other.released:
                transaction.save_revision(replace(other, released=False))
        transaction.save_revision(revision)
        # The event alone, without the revision: nobody is told.
        event = Event(
            at=now,
            kind="adopted",
            reason=Reason.ADOPTED,
            message=f"{title(revision)} {revision.message}: nothing runs",
            environment=revision.environment,
            revision=revision.number,
        )
        self.announcer.announce(transaction, event)
        log.info(
            "environment.adopted",
            environment=revision.environment,
            revision=revision.number,
            commit=revision.commit,
        )

    def _replay(
        self,
        transaction: Transaction,
        progress: Progress,
        record: EnvironmentRecord,
        come: _Come,
        replay: Replay,
        *,
        position: int,
        now: datetime,
    ) -> EnvironmentRecord:
        """Judge what was decided since the revision's commit, and rejections before."""
        folders = progress.folders_of(record)
        head = self.arrivals.entries(come.head, folders)
        bars = any(
            entry.decision is Verb.REJECT and not replay.is_meant(entry)
            for entry in head.values()
        )
        for brought in come.brought if bars else come.brought_since:
            arrival = Arrival(
                commit=brought.commit,
                # All of history is before what the branch will bring.
                position=position + 1,
                side=[(commit, frozenset({record.id})) for commit in brought.side],
                now=now,
                released=come.since,
            )
            record = self.arrivals.arrive(
                transaction, record, arrival, folders, court=replay
            )
        replay.withdraw(transaction, record.id, head, now)
        return replace(record, barred=self._barred(record, come, replay))

    def _barred(
        self, record: EnvironmentRecord, come: _Come, replay: Replay
    ) -> tuple[str, ...]:
        """Return the inputs that were rejected in revisions that are forgotten."""
        git = self.watched.git
        found = dict.fromkeys(record.barred)
        for decision in replay.others:
            for sha in git.resolve(decision.entry.revision.casefold()):
                if git.is_ancestor(sha, decision.brought_by):
                    then = self.make.snapshot(record, sha, come.names)
                    found[then.inputs] = None
        return tuple(found)

    def _wait(
        self,
        transaction: Transaction,
        progress: Progress,
        record: EnvironmentRecord,
        problems: Mapping[TargetName, str],
        now: datetime,
    ) -> None:
        """Say why an environment waits; once, while the cause is the same."""
        text = cut(
            f"{'; '.join(problems.values())}; nothing of it runs until it is known what"
            " is delivered there",
            1000,
        )
        if record.conditions.get(UNREAD) == text:
            return
        conditions = {**record.conditions, UNREAD: text}
        progress.keep(transaction, replace(record, conditions=conditions))
        if UNREAD not in record.conditions:
            event = Event(
                at=now,
                kind="inventoryUnread",
                reason=UNREAD,
                message=f"{record.name}: {text}",
                type=EventType.WARNING,
                environment=record.id,
            )
            self.announcer.announce(transaction, event)
            log.warning("environment.waits", environment=record.id, cause=text)


def _is_decisive(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name == APPROVALS or f"{folder}/".endswith(APPROVALS_FOLDER)

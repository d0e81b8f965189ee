"""What a commit would do: the revisions that it would make, and how they would run.

The daemon's own rules say so: the same readers of folders, inputs and definitions, the
same engine, and runners on clusters where each write is a dry run. The branch is
compared with what the commit would make of it; the store is asked where there is one.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime

from gitops_wf.core.durations import format_duration
from gitops_wf.core.engine import departed, places, removing, with_pruning, writers
from gitops_wf.core.environment import Commits, OnRemove
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import EnvironmentId, Sha, TargetName
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run
from gitops_wf.core.workflow import Workflow
from gitops_wf.ports.definitions import Definitions
from gitops_wf.ports.store import EnvironmentRecord, Reader
from gitops_wf.services.departures import latest_runs
from gitops_wf.services.folders import Folders
from gitops_wf.services.holding import hold_of
from gitops_wf.services.neighbours import Neighbours
from gitops_wf.services.plan_order import Begun, preceded, rehearsal_rounds
from gitops_wf.services.plan_range import CommitRange
from gitops_wf.services.plan_run import PlanRun
from gitops_wf.services.plan_views import (
    PlannedCommit,
    PlannedEnvironment,
    PlannedStep,
)
from gitops_wf.services.query import ReadableStore
from gitops_wf.services.read_revision import ReadRevision, Snapshot
from gitops_wf.services.recall import Recall, Recalled
from gitops_wf.services.removal import deleting
from gitops_wf.services.watched import Watched

_AT_ONCE = 8
"""Environments that are planned at once: most of a plan waits for clusters."""

Records = Mapping[EnvironmentId, EnvironmentRecord]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be planned.

    ``base`` is the branch as it is, ``commit`` as it would be; ``source`` says what
    that is made of. ``names`` are the only environments that are meant; none means
    all. ``all_`` plans those whose inputs do not change, too.
    """

    base: Sha
    commit: Sha
    source: str
    names: Collection[str] = ()
    all_: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meant:
    """An environment that is planned, and those around it.

    ``shot`` is None where its folder goes.
    """

    record: EnvironmentRecord
    around: Neighbours
    what: str
    shot: Snapshot | None
    before: Snapshot | None
    targets: tuple[TargetName, ...]

    @property
    def after(self) -> tuple[str, ...]:
        """The environments of its repository that it waits for."""
        known = self.shot.known if self.shot else None
        return tuple(
            str(each.environment)
            for each in (known.after if known else ())
            if each.repository is None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """An environment as it is planned, but for its steps.

    ``run`` is what would run, None for nothing; ``waits`` says that it does not begin
    with the commit.
    """

    meant: _Meant
    recalled: Recalled
    planned: PlannedEnvironment
    run: tuple[Revision, Workflow] | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _NoStore:
    """What is known of earlier revisions without a store: nothing."""

    def revision_for(self, environment: EnvironmentId, inputs: str) -> Revision | None:
        """Return none."""
        del environment, inputs
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Plans commits of one repository; nothing is written."""

    watched: Watched
    definitions: Definitions
    recall: Recall
    runs: PlanRun
    store: ReadableStore | None
    now: datetime
    progress: Progress = field(default=lambda _: None)

    def plan(self, wish: Wish) -> PlannedCommit:
        """Return what the daemon would do about a commit.

        Errors: those of Git and of the store. What is wrong with an environment, or
        with a cluster, stands in what is returned.
        """
        self.progress("reading environments")
        folders = Folders(self.watched, self.definitions)
        old = self._placed(folders, wish.base, {})
        problems_before = folders.problems
        new = self._placed(folders, wish.commit, old)
        _check_names(wish.names, new)
        meant, unaffected = self._meant(wish, old, new)
        recalled = self._recalled(meant)
        between = CommitRange.read(self.watched.git, wish.base, wish.commit)
        names = frozenset(str(each.record.name) for each in meant)
        reader = self.store.read() if self.store is not None else nullcontext(None)
        with reader as known:
            drafts = [
                self._draft(between, each, recalled[each.record.id], known, names)
                for each in _in_order(meant)
            ]
            planned = self._rehearsed(drafts)
        problems = folders.problems
        return PlannedCommit(
            repository=self.watched.name,
            base=wish.base,
            commit=wish.commit,
            source=wish.source,
            environments=planned,
            unaffected=tuple(sorted(unaffected)),
            problems=(problems,) if problems and problems != problems_before else (),
            notes=wish.notes,
        )

    @property
    def _read(self) -> ReadRevision:
        return ReadRevision(watched=self.watched, definitions=self.definitions)

    def _placed(self, folders: Folders, sha: Sha, known: Records) -> Records:
        """Return the environments of a commit, after those of an earlier one."""
        touched = folders.all(self.watched.git.commit(sha), known)
        return {**known, **{record.id: record for record in touched.records}}

    def _meant(
        self, wish: Wish, old: Records, new: Records
    ) -> tuple[list[_Meant], list[str]]:
        """Return the environments that get a revision, and names of the others."""
        read = self._read
        names_before = frozenset(record.name for record in old.values())
        names = frozenset(r.name for r in new.values() if not r.is_removed)
        around = read.neighbours(wish.commit, new)
        meant: list[_Meant] = []
        unaffected: list[str] = []
        for id_, record in sorted(new.items()):
            if wish.names and record.name not in wish.names:
                continue
            earlier = old.get(id_)
            before = (
                read.snapshot(earlier, wish.base, names_before) if earlier else None
            )
            if record.is_removed:
                meant.append(_Meant(
                    record=record, around=around, what="removed", shot=None,
                    before=before, targets=_targets(before),
                ))  # fmt: skip
                continue
            if before is not None and earlier is not None and not wish.all_:
                is_moved = earlier.folder != record.folder
                same = read.digest(record, wish.commit, before) == before.inputs
                if same and not is_moved:
                    unaffected.append(record.name)
                    continue
            shot = read.snapshot(
                replace(record, definition=before.known if before else None),
                wish.commit,
                names,
            )
            if before is not None and shot.inputs == before.inputs and not wish.all_:
                unaffected.append(record.name)
                continue
            what = "new" if earlier is None else _changed(earlier, record, before, shot)
            meant.append(_Meant(
                record=record, around=around, what=what, shot=shot, before=before,
                targets=tuple(dict.fromkeys((*_targets(shot), *_targets(before)))),
            ))  # fmt: skip
        return meant, unaffected

    def _recalled(self, meant: Sequence[_Meant]) -> Mapping[EnvironmentId, Recalled]:
        """Ask each target once, so that one that is away is waited for once."""
        chosen = self.runs.targets
        wanted = {
            each.record.id: tuple(t for t in each.targets if not chosen or t in chosen)
            for each in meant
        }
        self.progress("asking targets")
        return self.recall.read(wanted)

    def _rehearsed(self, drafts: Sequence[_Draft]) -> tuple[PlannedEnvironment, ...]:
        """Return the drafts with their steps, in their order."""
        by_name = {each.planned.name: each for each in drafts}

        def planned(each: _Draft) -> tuple[PlannedStep, ...]:
            if each.run is None:
                return ()
            return self.runs.steps(*each.run, each.recalled.problems, self.now)

        steps: dict[str, tuple[PlannedStep, ...]] = {}
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for names in self._rounds(by_name, threads):
                found = threads.map(planned, [by_name[name] for name in names])
                for name in names:
                    self._told("planning", name, len(steps), by_name)
                    steps[name] = next(found)
        return tuple(
            replace(each.planned, steps=steps[name]) for name, each in by_name.items()
        )

    def _rounds(
        self, drafts: Mapping[str, _Draft], threads: ThreadPoolExecutor
    ) -> Sequence[Sequence[str]]:
        """Let all that begin together claim their objects; return who goes on when."""
        if len(drafts) < 2:
            return [list(drafts)]

        def claimed(each: _Draft) -> Begun:
            if each.run is None or each.waits:
                return Begun()
            return self.runs.begun(*each.run, each.recalled.problems, self.now)

        found = threads.map(claimed, drafts.values())
        begun: dict[str, Begun] = {}
        for name in drafts:
            self._told("rendering", name, len(begun), drafts)
            begun[name] = next(found)
        owned = {
            name: {
                target: frozenset(entry.ref for entry in inventory.entries)
                for target, inventory in each.recalled.inventories.items()
            }
            for name, each in drafts.items()
        }
        after = {name: each.meant.after for name, each in drafts.items()}
        return rehearsal_rounds(list(drafts), after, begun, owned)

    def _told(self, what: str, name: str, done: int, of: Collection[str]) -> None:
        self.progress(f"{what} {name}, {done + 1} of {len(of)}")

    def _draft(
        self,
        between: CommitRange,
        meant: _Meant,
        recalled: Recalled,
        reader: Reader | None,
        names: Collection[str],
    ) -> _Draft:
        """Return what would become of one environment, but for its steps."""
        known = reader.environment(meant.record.id) if reader is not None else None
        last = max(recalled.newest.number, known.last_number if known else 0)
        shot = meant.shot
        if shot is None:
            revision = self._removal(between, meant, recalled, last)
        else:
            record = replace(meant.record, barred=known.barred if known else ())
            meant = replace(meant, record=record)
            revision = self._revision(between, meant, shot, reader, last + 1)
        notes = tuple(self._notes(between, meant, recalled))
        planned = PlannedEnvironment(
            id=meant.record.id,
            folder=meant.record.folder,
            what=meant.what,
            number=last + 1 if known is not None else None,
            notes=notes,
        )
        if revision is None:
            planned = replace(planned, number=None)
            return _Draft(meant=meant, recalled=recalled, planned=planned)
        planned = replace(planned, rollback_of=revision.rollback_of)
        if revision.workflow is None:
            problems = tuple(revision.message.splitlines())
            planned = replace(planned, problems=problems)
            return _Draft(meant=meant, recalled=recalled, planned=planned)
        workflow = self._workflow(revision, recalled, reader)
        holds = tuple(self._holds(revision, names, reader))
        running, is_waited_for = self._running(revision, reader)
        return _Draft(
            meant=meant,
            recalled=recalled,
            planned=replace(planned, holds=(*holds, *running)),
            run=(revision, workflow),
            waits=bool(holds) or is_waited_for,
        )

    def _revision(
        self,
        between: CommitRange,
        meant: _Meant,
        shot: Snapshot,
        reader: Reader | None,
        number: int,
    ) -> Revision:
        """Return the revision that would be made."""
        git = self.watched.git
        walked = reader.repository(self.watched.name) if reader else None
        return self._read.revision(
            reader or _NoStore(),
            meant.record,
            git.commit(between.commit),
            shot,
            number=number,
            position=walked.position + 1 if walked else number,
            changes=between.changes,
            around=meant.around,
            now=self.now,
        )

    def _removal(
        self, between: CommitRange, meant: _Meant, recalled: Recalled, last: int
    ) -> Revision | None:
        """Return what deletes a removed environment's objects, where it says so."""
        definition = meant.before.known if meant.before else None
        if definition is None or definition.on_remove is not OnRemove.DELETE:
            return None
        owning = [t for t, each in recalled.inventories.items() if each.entries]
        workflow = removing([*owning, *recalled.problems], earlier=())
        if not workflow.steps:
            return None
        return deleting(
            replace(meant.record, last_number=last),
            definition,
            self.watched.git.commit(between.commit),
            workflow,
            branch=self.watched.config.branch,
            position=last + 1,
            now=self.now,
        )

    def _workflow(
        self, revision: Revision, recalled: Recalled, reader: Reader | None
    ) -> Workflow:
        """Return the workflow with what deletes the objects of steps that left."""
        workflow, environment = revision.workflow, revision.environment_definition
        assert workflow is not None
        prunes = environment is None or environment.prune
        if revision.is_removal or not prunes:
            return workflow
        earlier: Sequence[Run] = ()
        if reader is not None:
            earlier = latest_runs(reader, revision.environment)
        inventories = {
            target: each
            for target, each in recalled.inventories.items()
            if target in writers(workflow)
        }
        found = departed(workflow, inventories=inventories, earlier=earlier)
        return with_pruning(workflow, found.keep)

    def _holds(
        self, revision: Revision, planned: Collection[str], reader: Reader | None
    ) -> Iterator[str]:
        """Yield what would keep the revision from beginning at once.

        ``planned`` are the environments of which the same commit makes a revision.
        """
        definition = revision.environment_definition
        hold = hold_of(reader, revision, revision, self.now) if reader else None
        if hold is not None:
            yield hold.message
        elif definition is not None and definition.suspend and reader is None:
            yield "environment.yaml says suspend: true"
        if definition is None or revision.is_rollback:
            return
        for after in definition.after:
            is_planned = after.repository is None and after.environment in planned
            is_open = reader is None or is_planned
            if is_open and hold is None:
                soak = f", {format_duration(after.soak)} ago" if after.soak else ""
                yield f"waits until {after.title} has succeeded{soak}"

    def _running(
        self, revision: Revision, reader: Reader | None
    ) -> tuple[tuple[str, ...], bool]:
        """Return what becomes of a run that has not ended, and if it is waited for."""
        active = reader.active_run(revision.environment) if reader else None
        if active is None:
            return (), False
        definition = revision.environment_definition
        commits = definition.commits if definition else Commits.EVERY
        number = active.subject.number
        if revision.is_rollback or commits is Commits.LATEST:
            return (f"#{number} ends Superseded at its next safe point",), False
        if active.is_waiting_for_approval and commits is Commits.EVERY:
            return (f"#{number}, which waits for approval, ends Superseded",), False
        text = f"waits until #{number} has ended; live objects may change by then"
        return (text,), True

    def _notes(
        self, between: CommitRange, meant: _Meant, recalled: Recalled
    ) -> Iterator[str]:
        """Yield what a person should know beside the steps."""
        if meant.shot is None:
            definition = meant.before.known if meant.before else None
            deletes = definition is not None and definition.on_remove is OnRemove.DELETE
            if not deletes:
                yield "its objects stay on their targets"
            elif not any(_owned(recalled)) and not recalled.problems:
                yield "it has no objects on any target"
            return
        for target in _targets(meant.before):
            inventory = recalled.inventories.get(target)
            if target not in _targets(meant.shot) and inventory is not None:
                count = len(inventory.entries)
                yield f"no longer delivers to {target}: its {count} objects stay there"
        commits = _commits(between, meant.shot)
        if commits > 1:
            yield (
                f"{commits} commits change it, and unless they are merged as one, each"
                " makes a revision: shown is what they come to together"
            )


def _commits(between: CommitRange, shot: Snapshot) -> int:
    """Return how many commits the branch gets that change an environment."""
    if shot.known is not None and shot.known.commits is Commits.LATEST:
        return 1
    return between.count(shot.paths)


def _check_names(names: Collection[str], records: Records) -> None:
    """Refuse a name that no environment has."""
    known = sorted(str(record.name) for record in records.values())
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none"
            raise TerminalError(
                f"no environment {cut(name, 64)} in the repository; there: {there}",
                reason="NotFound",
            )


def _targets(shot: Snapshot | None) -> tuple[TargetName, ...]:
    """Return the targets that a definition names and that its workflow writes to."""
    if shot is None:
        return ()
    workflow = shot.definition.workflow
    written = (p.target for p in places(workflow).values()) if workflow else ()
    named = shot.known.targets if shot.known else ()
    return tuple(dict.fromkeys((*named, *(t for t in written if t is not None))))


def _changed(
    earlier: EnvironmentRecord,
    record: EnvironmentRecord,
    before: Snapshot | None,
    shot: Snapshot,
) -> str:
    if earlier.folder != record.folder:
        return "moved"
    is_same = before is not None and before.inputs == shot.inputs
    return "unchanged" if is_same else "changed"


def _owned(recalled: Recalled) -> Iterator[Inventory]:
    return (each for each in recalled.inventories.values() if each.entries)


def _in_order(meant: Sequence[_Meant]) -> list[_Meant]:
    """Return environments by name, each after those that it waits for."""
    by_name = {str(each.record.name): each for each in meant}
    names = preceded(sorted(by_name), lambda name: by_name[name].after)
    return [by_name[name] for name in names]

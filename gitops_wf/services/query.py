"""Questions to the store, each answered from one consistent look."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.decision import Decision, Verb
from gitops_wf.core.environment import Drift
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.policy import Policy
from gitops_wf.core.revision import Revision
from gitops_wf.ports.store import EnvironmentRecord, Reader, TargetRecord
from gitops_wf.services.approvals import Approvals, Waiting, is_frozen
from gitops_wf.services.description import Description
from gitops_wf.services.views import (
    DecisionView,
    EnvironmentView,
    EventView,
    HistoryView,
    InventoryView,
    RepositoryView,
    RevisionView,
    RunView,
    TargetView,
    UpkeepView,
)

_SHOWN = 10
"""Revisions, decisions and events that a description has."""


class ReadableStore(Protocol):
    """A store as far as it can be read."""

    def read(self) -> AbstractContextManager[Reader]:
        """One consistent look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Answers from the store of the daemon with this config; changes nothing."""

    store: ReadableStore
    config: DaemonConfig

    def resolve(self, name: str) -> EnvironmentId:
        """Return the environment that a person names: its name, or repository/name.

        Errors: TerminalError (NotFound, Ambiguous) that lists what could be meant.
        """
        with self.store.read() as reader:
            records = reader.environments()
        ids = [record.id for record in records]
        if name in ids:
            return EnvironmentId(name)
        found = [record.id for record in records if record.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise TerminalError(
                f"environment {name} is in several repositories: write one of"
                f" {', '.join(found)}",
                reason="Ambiguous",
            )
        raise TerminalError(_unknown(name, records), reason="NotFound")

    def repositories(self) -> tuple[RepositoryView, ...]:
        """Return the watched repositories, by name."""
        with self.store.read() as reader:
            counted: dict[str, int] = {}
            for record in reader.environments():
                if not record.is_removed:
                    counted[record.repository] = counted.get(record.repository, 0) + 1
            return tuple(
                RepositoryView(record=r, environments=counted.get(r.name, 0))
                for r in reader.repositories()
            )

    def environments(self, *, removed: bool = False) -> tuple[EnvironmentView, ...]:
        """Return the environments by id, with ``removed`` those that are gone too."""
        with self.store.read() as reader:
            targets = reader.targets()
            return tuple(
                self._environment(reader, record, targets)
                for record in reader.environments()
                if removed or not record.is_removed
            )

    def environment(self, environment: EnvironmentId) -> EnvironmentView:
        """Return one environment, which must be there."""
        with self.store.read() as reader:
            record = reader.environment(environment)
            assert record is not None
            return self._environment(reader, record, reader.targets())

    def revisions(
        self, environment: EnvironmentId | None = None, *, limit: int | None = None
    ) -> tuple[RevisionView, ...]:
        """Return revisions, newest first."""
        with self.store.read() as reader:
            return self._revisions(reader, reader.revisions(environment, limit=limit))

    def history(
        self, environment: EnvironmentId, *, limit: int | None = None
    ) -> tuple[HistoryView, ...]:
        """Return an environment's revisions and who approved them, newest first."""
        with self.store.read() as reader:
            approved: dict[int, list[str]] = {}
            for decision in reversed(reader.decisions(environment)):
                is_approval = decision.entry.decision is Verb.APPROVE
                if is_approval and decision.acted and decision.revision is not None:
                    approved.setdefault(decision.revision, []).append(decision.person)
            return tuple(
                HistoryView(
                    revision=revision,
                    approved_by=tuple(dict.fromkeys(approved.get(revision.number, ()))),
                )
                for revision in reader.revisions(environment, limit=limit)
            )

    def revision(self, environment: EnvironmentId, number: int) -> RevisionView | None:
        """Return one revision."""
        with self.store.read() as reader:
            found = reader.revision(environment, number)
            return self._revisions(reader, [found])[0] if found else None

    def runs(
        self,
        environment: EnvironmentId | None = None,
        *,
        number: int | None = None,
        limit: int | None = None,
    ) -> tuple[RunView, ...]:
        """Return runs, newest first."""
        with self.store.read() as reader:
            return tuple(
                RunView(run=run, waiting=self._approvals.waiting(reader, run))
                for run in reader.runs(environment, number=number, limit=limit)
            )

    def decisions(
        self,
        environment: EnvironmentId | None = None,
        *,
        number: int | None = None,
        limit: int | None = None,
    ) -> tuple[DecisionView, ...]:
        """Return decisions, newest first."""
        with self.store.read() as reader:
            found = reader.decisions(environment, number=number, limit=limit)
            return _decisions(reader, found)

    def targets(self) -> tuple[TargetView, ...]:
        """Return the targets of the config, by name."""
        with self.store.read() as reader:
            users = {r.id: _targets(r) for r in reader.environments()}
            records = reader.targets()
        return tuple(
            TargetView(
                target=target,
                record=records.get(name) or TargetRecord(name=name),
                gate=self.config.rulebook.gates.get(name),
                environments=tuple(e for e, used in users.items() if name in used),
            )
            for name, target in sorted(self.config.targets.items())
        )

    def inventories(
        self, environment: EnvironmentId | None = None
    ) -> tuple[InventoryView, ...]:
        """Return what environments own, by environment and target."""
        with self.store.read() as reader:
            records = reader.environments()
            return tuple(
                view
                for record in records
                if environment in {None, record.id}
                for view in self._inventories(reader, record)
            )

    def events(
        self,
        environment: EnvironmentId | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        first: bool = False,
    ) -> tuple[EventView, ...]:
        """Return events, oldest first, from past an id on.

        Of more than ``limit`` the last ones, or with ``first`` the first.
        """
        with self.store.read() as reader:
            found = reader.events(environment, after=after, limit=limit, first=first)
            return tuple(EventView(event=event) for event in found)

    def describe(
        self, environment: EnvironmentId, number: int | None = None
    ) -> Description:
        """Return everything about an environment, or about one of its revisions.

        Errors: TerminalError (NotFound) where there is no such revision.
        """
        with self.store.read() as reader:
            record = reader.environment(environment)
            if record is None:
                raise TerminalError(f"no environment {environment}", reason="NotFound")
            source = reader.repository(record.repository)
            assert source is not None
            view = self._environment(reader, record, reader.targets())
            if number is None:
                revision = view.current
            else:
                found = reader.revision(environment, number)
                if found is None:
                    raise TerminalError(
                        f"{record.name} has no revision #{number}; gitops-wf history"
                        f" {record.name} lists them",
                        reason="NotFound",
                    )
                revision = self._revisions(reader, [found])[0]
            meant = revision.revision if revision else None
            runs = (
                reader.runs(environment, number=meant.number, limit=1) if meant else ()
            )
            policy = (
                self._approvals.policy(meant)
                if meant
                else self.config.rulebook.policy_for(environment)
            )
            return Description(
                environment=view,
                repository=RepositoryView(
                    record=source,
                    environments=len(reader.environments(record.repository)),
                ),
                revision=revision,
                run=(
                    RunView(run=runs[0], waiting=revision.waiting if revision else ())
                    if runs
                    else None
                ),
                policy=policy,
                drift=_drift(record, meant).over(self.config.drift),
                gates=self.config.rulebook.gates_for(_targets(record, meant)),
                freezes=self.config.rulebook.freezes_for(
                    environment, _targets(record, meant)
                ),
                revisions=self._revisions(
                    reader, reader.revisions(environment, limit=_SHOWN)
                ),
                decisions=_decisions(
                    reader,
                    reader.decisions(environment, number=number, limit=_SHOWN),
                ),
                inventories=self._inventories(reader, record),
                events=tuple(
                    EventView(event=event)
                    for event in reader.events(environment, limit=_SHOWN * 10)
                    if number in {None, event.revision}
                )[-_SHOWN:],
            )

    def policy(self, revision: Revision) -> Policy:
        """Return the policy that a revision's approvals are judged by."""
        return self._approvals.policy(revision)

    @property
    def _approvals(self) -> Approvals:
        return Approvals(rulebook=self.config.rulebook)

    def _environment(
        self,
        reader: Reader,
        record: EnvironmentRecord,
        targets: Mapping[TargetName, TargetRecord],
    ) -> EnvironmentView:
        newest = self._revisions(reader, reader.revisions(record.id, limit=1))
        active = reader.active_run(record.id)
        running = (
            reader.revision(record.id, active.subject.number)
            if active is not None
            else None
        )
        current = self._revisions(reader, [running]) if running else newest
        used = _targets(record, current[0].revision if current else None)
        compared = reader.compared(record.id)
        return EnvironmentView(
            record=record,
            newest=newest[0] if newest else None,
            current=current[0] if current else None,
            released=reader.released(record.id),
            pauses=tuple(reader.pauses(record.id)),
            frozen="; ".join(
                f"{step.name}: {step.message}"
                for step in (active.steps if active is not None else ())
                if is_frozen(step)
            ),
            upkeep=tuple(
                UpkeepView(target=target, state=state)
                for target, state in reader.upkeep(record.id).items()
            ),
            compared={t: at for t, at in compared.items() if t in used},
            away=tuple(
                targets[name] for name in used if name in targets and targets[name].away
            ),
        )

    def _revisions(
        self, reader: Reader, revisions: Iterable[Revision]
    ) -> tuple[RevisionView, ...]:
        waiting: dict[tuple[EnvironmentId, int], tuple[Waiting, ...]] = {}
        views = []
        for revision in revisions:
            key = (revision.environment, revision.number)
            if not revision.phase.is_final and key not in waiting:
                run = reader.active_run(revision.environment)
                if run is not None and run.subject.number == revision.number:
                    waiting[key] = self._approvals.waiting(reader, run)
            views.append(RevisionView(revision=revision, waiting=waiting.get(key, ())))
        return tuple(views)

    def _inventories(
        self, reader: Reader, record: EnvironmentRecord
    ) -> tuple[InventoryView, ...]:
        found = reader.inventories(record.id)
        # In the order of its own definition, then those that left it.
        names = dict.fromkeys((*_targets(record), *sorted(found)))
        return tuple(
            InventoryView(environment=record.id, target=name, inventory=found[name])
            for name in names
            if name in found and found[name].entries
        )


def _decisions(
    reader: Reader, decisions: Sequence[Decision]
) -> tuple[DecisionView, ...]:
    commits: dict[tuple[EnvironmentId, int], str] = {}
    views = []
    for decision in decisions:
        written = decision.entry.revision
        if decision.revision is not None:
            key = (decision.environment, decision.revision)
            if key not in commits:
                revision = reader.revision(*key)
                commits[key] = revision.commit if revision else written
            written = commits[key]
        views.append(DecisionView(decision=decision, revision=written))
    return tuple(views)


def _drift(record: EnvironmentRecord, revision: Revision | None) -> Drift:
    definition = revision.environment_definition if revision else record.definition
    return definition.drift if definition else Drift()


def _targets(
    record: EnvironmentRecord, revision: Revision | None = None
) -> tuple[TargetName, ...]:
    """Return the targets that a definition names and that its workflow writes to."""
    definition = record.definition
    named = definition.targets if definition else ()
    workflow = revision.workflow if revision else None
    written = (
        [target for step, _ in workflow.walk() for target in step.targets]
        if workflow
        else []
    )
    return tuple(dict.fromkeys((*named, *written)))


def _unknown(name: str, records: Sequence[EnvironmentRecord]) -> str:
    if not records:
        return (
            f"no environment {cut(name, 64)}: the daemon has found none yet;"
            " gitops-wf get repositories says how polling goes"
        )
    names = sorted({record.name for record in records})
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {_some(names)}"
    return f"no environment {cut(name, 64)}; {hint}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"

"""What the store knows, as the command line, the API and the dashboard show it.

Each view wraps the core's own values and says with `as_json` how it reads outside;
names of keys are promised there: add to them, never rename one. Times are RFC 3339.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from gitops_wf.core.config import TargetConfig
from gitops_wf.core.decision import Decision
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import (
    EnvironmentId,
    TargetName,
    environment_name,
    repository_name,
)
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.pause import Pause
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Gate, Identity, Policy
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.upkeep.state import UpkeepState, some
from gitops_wf.ports.store import EnvironmentRecord, RepositoryRecord, TargetRecord
from gitops_wf.services.approvals import Waiting

Json = dict[str, Any]


def rfc3339(at: datetime | None) -> str | None:
    """Return a time in UTC as RFC 3339 text, to the millisecond."""
    if at is None:
        return None
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def without_userinfo(url: str) -> str:
    """Return a URL without user and password, which are nobody's to read."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def _what_is_missing(waiting: Sequence[Waiting]) -> Json | None:
    """Return the first thing waited for, in the three fields that scripts rely on."""
    if not waiting:
        return None
    first = waiting_json(waiting[0])
    return {key: first[key] for key in ("step", "approvals", "needed")}


def waiting_json(waiting: Waiting) -> Json:
    """Return what a step that waits has and needs."""
    return {
        "step": waiting.step,
        "approvals": list(waiting.approvals),
        "needed": waiting.needed,
        "approvers": _listed(waiting.approvers),
        "gate": waiting.gate or None,
    }


def policy_json(policy: Policy) -> Json:
    """Return a policy, with what follows from it said plainly."""
    return {
        "approvers": _listed(policy.approvers),
        "minApprovals": policy.min_approvals,
        "allowAuthor": policy.allow_author,
        "identity": str(policy.identity),
        "bots": list(policy.bots),
        "anyAuthorMayApprove": policy.approvers is None,
        "onlyClaimed": policy.identity is Identity.AUTHOR,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryView:
    """A watched branch; ``environments`` counts those that it has now."""

    record: RepositoryRecord
    environments: int

    @property
    def is_ready(self) -> bool | None:
        """Whether the last poll went well; None before the first."""
        if self.record.condition:
            return False
        return True if self.record.cursor else None

    @property
    def url(self) -> str:
        """Where it is, without credentials."""
        return without_userinfo(self.record.url)

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        record = self.record
        return {
            "repository": record.name,
            "url": self.url,
            "branch": record.branch,
            "commit": record.cursor,
            "ready": self.is_ready,
            "message": record.condition,
            "failures": record.failures,
            "polled": rfc3339(record.polled),
            "environments": self.environments,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionView:
    """A revision and the approvals that it waits for."""

    revision: Revision
    waiting: tuple[Waiting, ...] = ()

    def as_json(self) -> Json:
        """Return it as plain JSON; ``waiting`` is the first thing it waits for."""
        revision = self.revision
        return {
            **named(revision.environment),
            "number": revision.number,
            "commit": revision.commit,
            "branch": revision.branch,
            "phase": str(revision.phase),
            "reason": revision.reason,
            "message": revision.message,
            "released": revision.released,
            "barred": revision.barred,
            "rollback": revision.is_rollback,
            "rollbackOf": revision.rollback_of,
            "reverts": list(revision.reverts),
            "author": revision.author,
            "subject": revision.subject,
            "source": revision.source,
            "changed": list(revision.changed),
            "created": rfc3339(revision.created),
            "ended": rfc3339(revision.ended),
            "waiting": _what_is_missing(self.waiting),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryView:
    """A revision and the people whose approvals let it pass."""

    revision: Revision
    approved_by: tuple[str, ...]

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        view = RevisionView(revision=self.revision).as_json()
        del view["waiting"]
        return {**view, "approvedBy": list(self.approved_by)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run with its steps, in declared order, and the approvals it waits for."""

    run: Run
    waiting: tuple[Waiting, ...] = ()

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        run = self.run
        return {
            **named(run.subject.environment),
            "number": run.subject.number,
            "run": run.ordinal,
            "id": run.id,
            "commit": run.subject.commit,
            "phase": str(run.phase),
            "reason": run.reason,
            "message": run.message,
            "created": rfc3339(run.created),
            "started": rfc3339(run.started),
            "ended": rfc3339(run.ended),
            "waiting": [waiting_json(waiting) for waiting in self.waiting],
            "steps": [step_json(step) for step in run.steps],
        }


def step_json(step: StepRun) -> Json:
    """Return a step's run as plain JSON."""
    return {
        "name": step.name,
        "type": step.type,
        "parent": step.parent,
        "target": step.target,
        "phase": str(step.phase),
        "reason": step.reason,
        "message": step.message,
        "attempts": step.attempt,
        "started": rfc3339(step.started),
        "ended": rfc3339(step.ended),
        "deadline": rfc3339(step.deadline),
        "outputs": dict(step.outputs),
        "objects": [asdict(each) for each in step.objects],
        "digest": step.digest,
        "releasedBy": list(step.released),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """A decision, and the commit of the revision that it is about.

    ``revision`` is the full SHA where the revision is known, else what was written.
    """

    decision: Decision
    revision: str

    def as_json(self) -> Json:
        """Return it as plain JSON; ``commit`` is the one that introduced it."""
        decision = self.decision
        entry = decision.entry
        return {
            **named(decision.environment),
            "revision": self.revision,
            "number": decision.revision,
            "step": decision.step or entry.step,
            "decision": str(entry.decision),
            "run": entry.run,
            "by": decision.person,
            "evidence": str(decision.evidence),
            "commit": decision.commit,
            "effect": str(decision.effect),
            "acted": decision.acted,
            "reason": decision.reason,
            "comment": entry.comment,
            "path": entry.path,
            "line": entry.line,
            "at": rfc3339(decision.at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """A target of the daemon config: how it stands, its gate, who delivers there."""

    target: TargetConfig
    record: TargetRecord
    gate: Gate | None
    environments: tuple[EnvironmentId, ...]

    @property
    def is_ready(self) -> bool | None:
        """Whether it answers; None where it was never asked."""
        if self.record.away is not None:
            return False
        known = self.record.answered or self.record.compared
        return None if known is None else True

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        target = self.target
        gate = None
        if self.gate is not None:
            gate = policy_json(self.gate.policy)
            gate["rollback"] = str(self.gate.rollback)
        return {
            "target": target.name,
            "kind": str(target.kind),
            "path": target.path,
            "context": target.context,
            "namespace": target.namespace,
            "namespaces": _listed(target.namespaces),
            "kinds": _listed(target.kinds),
            "gate": gate,
            "environments": [environment_name(e) for e in self.environments],
            "ready": self.is_ready,
            "answered": rfc3339(self.record.answered),
            "compared": rfc3339(self.record.compared),
            "unreachableSince": rfc3339(self.record.away),
            "error": self.record.error or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryView:
    """What an environment owns on a target, as the store last saw it."""

    environment: EnvironmentId
    target: TargetName
    inventory: Inventory

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        inventory = self.inventory
        return {
            **named(self.environment),
            "target": self.target,
            "instance": inventory.instance,
            "number": inventory.number,
            "commit": inventory.commit,
            "written": rfc3339(inventory.written),
            "objects": [
                {
                    "group": entry.ref.group,
                    "version": entry.version,
                    "kind": entry.ref.kind,
                    "namespace": entry.ref.namespace,
                    "name": entry.ref.name,
                    "step": entry.step,
                }
                for entry in sorted(inventory.entries, key=lambda e: e.ref)
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepView:
    """What is remarkable of a released revision on a target, as it was last seen."""

    target: TargetName
    state: UpkeepState

    @property
    def texts(self) -> tuple[str, ...]:
        """What there is to say, the worst first."""
        state = self.state
        found = []
        if state.degraded:
            found.append(f"degraded on {self.target}: {some(state.ailing)}")
        if state.drifted:
            held = f"; not healed: {state.held}" if state.held else ""
            found.append(
                f"differs from Git on {self.target}: {some(state.drifted)}{held}"
            )
        if state.problem:
            found.append(f"{self.target}: {state.problem}")
        return tuple(found)

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        state = self.state
        heals = {each.ref: each for each in state.heals}
        return {
            "target": self.target,
            "number": state.number,
            "degraded": rfc3339(state.degraded),
            "unhealthy": [
                {
                    "object": str(each.ref),
                    "health": str(each.status.health),
                    "message": each.status.message,
                    "since": rfc3339(each.since),
                }
                for each in state.ailing
            ],
            "drifted": [
                {
                    "object": str(each.ref),
                    "group": each.ref.group,
                    "drift": str(each.kind),
                    "fields": [
                        {
                            "path": field.path,
                            "desired": field.desired,
                            "live": field.live,
                        }
                        for field in each.fields
                    ],
                    "managers": list(each.managers),
                    "message": each.note,
                    "since": rfc3339(each.since),
                    "heals": heals[each.ref].count if each.ref in heals else 0,
                }
                for each in state.drifted
            ],
            "held": state.held or None,
            "problem": state.problem or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One line of an environment's or a repository's history."""

    event: Event

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        event = self.event
        place = event.environment
        return {
            "id": event.id,
            "at": rfc3339(event.at),
            "type": str(event.type),
            "kind": event.kind,
            "reason": event.reason,
            "environment": environment_name(place) if place else None,
            "repository": repository_name(place) if place else event.repository,
            "number": event.revision,
            "run": event.run or None,
            "step": event.step or None,
            "target": event.metadata.get("target"),
            "message": event.message,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentView:
    """An environment, its revisions that matter, and who must act.

    ``current`` is the one that runs, which under ``strict`` need not be the newest;
    where none does, it is the newest. ``compared`` is when what was released was last
    compared with each target, ``away`` those of its targets that do not answer.
    """

    record: EnvironmentRecord
    newest: RevisionView | None
    current: RevisionView | None
    released: Revision | None
    pauses: tuple[Pause, ...] = ()
    frozen: str = ""
    upkeep: tuple[UpkeepView, ...] = ()
    compared: Mapping[TargetName, datetime] = field(default_factory=dict)
    away: tuple[TargetRecord, ...] = ()

    @property
    def is_drifted(self) -> bool:
        """Whether anything that was released differs from Git."""
        return any(view.state.drifted for view in self.upkeep)

    @property
    def is_degraded(self) -> bool:
        """Whether anything that was released is not well, and was told to be so."""
        return any(view.state.degraded for view in self.upkeep)

    @property
    def paused(self) -> str:
        """Why nothing new begins in it, or nothing."""
        texts = [pause.text for pause in self.pauses]
        definition = self.record.definition
        if definition is not None and definition.suspend:
            texts.append("environment.yaml says suspend: true")
        return "; ".join(texts)

    @property
    def is_ready(self) -> bool | None:
        """Whether the newest revision is the released one, and nothing is wrong.

        None while it cannot be said yet. What drifted is not wrong by that alone.
        """
        if self.record.conditions or self.is_degraded:
            return False
        if self.newest is None:
            return None
        phase = self.newest.revision.phase
        if phase is Phase.SUCCEEDED:
            return True
        return False if phase.is_bad else None

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        record, newest, released = self.record, self.newest, self.released
        current = self.current
        definition = record.definition
        return {
            **named(record.id),
            "application": definition.application if definition else "",
            "folder": record.folder,
            "targets": list(definition.targets) if definition else [],
            "removed": record.is_removed,
            "ready": self.is_ready,
            "phase": str(newest.revision.phase) if newest else None,
            "reason": newest.revision.reason if newest else "",
            "message": newest.revision.message if newest else "",
            "number": newest.revision.number if newest else None,
            "commit": newest.revision.commit if newest else None,
            "released": (
                {"number": released.number, "commit": released.commit}
                if released
                else None
            ),
            "waiting": current.as_json()["waiting"] if current else None,
            "conditions": dict(record.conditions),
            "paused": self.paused or None,
            "frozen": self.frozen or None,
            "drifted": self.is_drifted,
            "degraded": self.is_degraded,
            "upkeep": [view.as_json() for view in self.upkeep],
            "compared": {target: rfc3339(at) for target, at in self.compared.items()},
            "unreachable": [
                {
                    "target": each.name,
                    "since": rfc3339(each.away),
                    "answered": rfc3339(each.answered),
                    "error": each.error,
                }
                for each in self.away
            ],
        }


def named(environment: EnvironmentId) -> Json:
    """Return the keys that say which environment is meant."""
    return {
        "environment": environment_name(environment),
        "repository": repository_name(environment),
    }


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)

"""Which approvals let a waiting step pass, and what one that waits still needs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gitops_wf.core.decision import Decision, Effect, Verb
from gitops_wf.core.engine import Released, predecessors
from gitops_wf.core.freeze import Frozen, frozen
from gitops_wf.core.identifiers import EnvironmentId, StepName, TargetName
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.policy import Freeze, Gate, Policy, Rulebook, tighten
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.verdict import (
    SUSPEND,
    freeze_approvals,
    gate_approvals,
    holds,
    in_force,
    is_enough,
    pin_problem,
    step_approvals,
)
from gitops_wf.ports.store import Reader

_NOBODY = Policy(approvers=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A step that waits: whose approvals count so far, and how many it takes.

    ``approvers`` are those who may; None means any author.
    """

    step: StepName
    approvals: tuple[str, ...]
    needed: int
    approvers: tuple[str, ...] | None
    gate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Weighs the decisions of the store by the daemon's policies and gates."""

    rulebook: Rulebook

    def policy(self, revision: Revision) -> Policy:
        """Return the environment's policy: the daemon's, tightened by its own."""
        outer = self.rulebook.policy_for(revision.environment)
        definition = revision.environment_definition
        return tighten(outer, definition.policy) if definition else outer

    def may_use(self, environment: EnvironmentId, target: TargetName) -> bool:
        """Whether the daemon config lets an environment use a target."""
        return self.rulebook.may_use(environment, target)

    def gates(self, run: Run, step: StepRun) -> tuple[Gate, ...]:
        """Return the gates that hold a step's writes in this run."""
        if step.target is None:
            return ()
        return tuple(
            gate
            for gate in self.rulebook.gates_for([step.target])
            if holds(gate, is_rollback=run.subject.rollback)
        )

    def frozen(
        self, reader: Reader, run: Run, step: StepRun, now: datetime
    ) -> Frozen | None:
        """Say what freezes a step's writes now, unless enough people let it pass."""
        held = None
        for freeze, found in self.freezes(run, step, now):
            if not is_enough(*_override(reader, run, step, freeze, now)):
                longer = held is None or _after(found, held)
                held = found if longer else held
        return held

    def thaw(
        self, reader: Reader, run: Run, now: datetime
    ) -> tuple[Released, tuple[Decision, ...]] | None:
        """Return the release of a first step that no freeze holds any more."""
        for step in run.steps:
            if not is_frozen(step) or self.frozen(reader, run, step, now) is not None:
                continue
            counted = {
                decision.id: decision
                for freeze, _ in self.freezes(run, step, now)
                for decision in _override(reader, run, step, freeze, now)[1]
            }
            people = dict.fromkeys(d.person for d in counted.values())
            text = "the freeze is over"
            if people:
                text = f"{', '.join(people)} let it pass the freeze"
            # Not in its name that the gate was opened: that asks for its own.
            event = Released(step=step.name, at=now, message=text)
            return event, tuple(counted.values())
        return None

    def freezes(
        self, run: Run, step: StepRun, now: datetime
    ) -> list[tuple[Freeze, Frozen]]:
        """Return the freezes that bar a step's writes now, approvals aside."""
        if step.target is None:
            return []
        subject = run.subject
        return [
            (freeze, found)
            for freeze in self.rulebook.freezes_for(subject.environment, [step.target])
            if freeze.holds_rollbacks or not subject.rollback
            if (found := frozen(freeze.windows, now)) is not None
        ]

    def release(
        self, reader: Reader, run: Run, now: datetime
    ) -> tuple[Released, tuple[Decision, ...]] | None:
        """Return the first waiting step's release and its approvals, if enough."""
        waiting = run.waiting
        if not waiting:
            return None
        decisions = in_force(_approvals_of(reader, run), now)
        if not decisions and not any(_is_gate(step) for step in waiting):
            return None
        revision = reader.revision(run.subject.environment, run.subject.number)
        assert revision is not None
        for step in waiting:
            parts = self._parts(revision, run, step, decisions)
            if all(is_enough(policy, found) for policy, _, found in parts):
                counted = {d.id: d for _, _, found in parts for d in found}
                people = tuple(dict.fromkeys(d.person for d in counted.values()))
                text = f"approved by {', '.join(people)}" if people else "no gate holds"
                event = Released(step=step.name, at=now, by=people, message=text)
                return event, tuple(counted.values())
        return None

    def mispinned(self, reader: Reader, run: Run) -> tuple[Decision, ...]:
        """Return the approvals of waiting steps that pin other content, refused."""
        waiting = {step.name for step in run.waiting if not _is_gate(step)}
        if not waiting:
            return ()
        subject = run.subject
        decisions = reader.decisions(subject.environment, number=subject.number)
        return tuple(
            replace(d, effect=Effect.REFUSED, reason=problem)
            for d in decisions
            if d.effect is Effect.ACCEPTED and not d.acted and d.step in waiting
            if d.entry.run in {None, run.ordinal}
            if (problem := pin_problem(d, run))
        )

    def waiting(self, reader: Reader, run: Run) -> tuple[Waiting, ...]:
        """Return what each waiting step of a run has and needs."""
        if not run.waiting:
            return ()
        revision = reader.revision(run.subject.environment, run.subject.number)
        assert revision is not None
        decisions = _approvals_of(reader, run)
        return tuple(
            Waiting(
                step=step.name,
                approvals=tuple(dict.fromkeys(d.person for d in found)),
                needed=policy.min_approvals,
                approvers=policy.approvers,
                gate=gate,
            )
            for step in run.waiting
            for policy, gate, found in self._parts(revision, run, step, decisions)
        )

    def _parts(
        self,
        revision: Revision,
        run: Run,
        step: StepRun,
        decisions: Sequence[Decision],
    ) -> list[tuple[Policy, str, tuple[Decision, ...]]]:
        """Return each requirement: its policy, its gate if any, what counts for it."""
        if not _is_gate(step):
            # An approval acts once: a redeployment asks again. At a gate it is the
            # revision that was approved, whichever of its runs writes.
            unspent = [d for d in decisions if not d.acted]
            policy = self.policy(revision)
            return [(policy, "", step_approvals(step.name, unspent))]
        before = predecessors(run.workflow, step.name)
        guards = [s.name for s in run.steps if s.type == SUSPEND and s.name in before]
        return [
            (
                gate.policy,
                gate.target,
                gate_approvals(step.name, gate, decisions, guards),
            )
            for gate in self.gates(run, step)
        ]


def is_frozen(step: StepRun) -> bool:
    """Whether a freeze holds a step."""
    is_held = step.phase is Phase.SUSPENDED and not step.is_container
    return is_held and step.reason == Reason.FREEZE_WINDOW


def _override(
    reader: Reader, run: Run, step: StepRun, freeze: Freeze, now: datetime
) -> tuple[Policy, tuple[Decision, ...]]:
    """Return who may let a step pass a freeze, and those who did."""
    if freeze.override is None:
        return _NOBODY, ()
    decisions = in_force(_approvals_of(reader, run), now)
    return freeze.override, freeze_approvals(step.name, freeze, decisions)


def _after(one: Frozen, other: Frozen) -> bool:
    """Whether one freeze lasts longer than another."""
    if one.until is None or other.until is None:
        return one.until is None
    return one.until > other.until


def _is_gate(step: StepRun) -> bool:
    return step.reason == Reason.APPROVAL_REQUIRED


def _approvals_of(reader: Reader, run: Run) -> list[Decision]:
    """Return the accepted approvals of a revision for this run, oldest first.

    Without those that pin what this run has not delivered.
    """
    subject = run.subject
    decisions = reader.decisions(subject.environment, number=subject.number)
    return [
        d
        for d in reversed(decisions)
        if d.entry.decision is Verb.APPROVE
        and d.effect is Effect.ACCEPTED
        and d.entry.run in {None, run.ordinal}
        and not pin_problem(d, run)
    ]

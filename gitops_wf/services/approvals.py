"""Which approvals let a waiting step pass, and what one that waits still needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_wf.core.decision import Decision, Effect, Verb
from gitops_wf.core.engine import Released, predecessors
from gitops_wf.core.identifiers import EnvironmentId, StepName, TargetName
from gitops_wf.core.phases import Reason
from gitops_wf.core.policy import Gate, Policy, Rulebook, tighten
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.verdict import (
    SUSPEND,
    gate_approvals,
    holds,
    in_force,
    is_enough,
    step_approvals,
)
from gitops_wf.ports.store import Reader


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


def _is_gate(step: StepRun) -> bool:
    return step.reason == Reason.APPROVAL_REQUIRED


def _approvals_of(reader: Reader, run: Run) -> list[Decision]:
    """Return the accepted approvals of a revision for this run, oldest first."""
    subject = run.subject
    decisions = reader.decisions(subject.environment, number=subject.number)
    return [
        d
        for d in reversed(decisions)
        if d.entry.decision is Verb.APPROVE
        and d.effect is Effect.ACCEPTED
        and d.entry.run in {None, run.ordinal}
    ]

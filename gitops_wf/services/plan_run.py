"""A revision's run as it would go: which steps, on which targets, with what effect."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from gitops_wf.core.engine import (
    advance,
    foretell,
    needs_outputs,
    new_run,
    places,
    undecided,
)
from gitops_wf.core.errors import GitOpsError, TerminalError
from gitops_wf.core.freeze import Frozen
from gitops_wf.core.identifiers import (
    EnvironmentId,
    RunId,
    StepName,
    TargetName,
    environment_name,
)
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.planned import Planned
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.verdict import SUSPEND
from gitops_wf.core.workflow import Step, Workflow
from gitops_wf.delivery import failed
from gitops_wf.ports.runner import StepClaimer, StepPlanner
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.plan_order import Begun
from gitops_wf.services.plan_views import Asked, PlannedStep
from gitops_wf.services.revisions import subject_of
from gitops_wf.services.step_runners import StepRunners

_FROM_OUTPUTS = "its properties come from outputs of earlier steps: only a run can tell"
_UNTOLD = "what it does is not known: its step type does not say it beforehand"
_CANNOT_TELL = frozenset({Reason.TARGET_NOT_CONFIGURED, Reason.OWNED_BY_ANOTHER})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRun:
    """Plans runs; the clusters of ``runners`` are rehearsed.

    ``targets`` are the only ones that are looked at; none means all.
    """

    runners: StepRunners
    approvals: Approvals
    targets: Collection[TargetName] = ()

    def steps(
        self,
        revision: Revision,
        workflow: Workflow,
        unreachable: Mapping[TargetName, str],
        now: datetime,
    ) -> tuple[PlannedStep, ...]:
        """Return the steps of a first run, those in groups too, in declared order.

        ``unreachable`` are the targets that did not answer, and how.
        """
        run, conditions = _first_run(revision, workflow, now)
        planned: dict[StepName, Planned] = {}

        def ending(so_far: Run, step: StepRun) -> tuple[Phase, str]:
            found, message = self._planned(revision, so_far, step, unreachable, now)
            if found is None:
                return Phase.SUCCEEDED, message
            planned[step.name] = found
            if not found.failure:
                return Phase.SUCCEEDED, str(found)
            is_unknown = found.is_unknown or found.reason in _CANNOT_TELL
            return Phase.ERRORED if is_unknown else Phase.FAILED, found.failure

        run = foretell(run, now, ending)
        table = places(run.workflow)
        return tuple(
            PlannedStep(
                name=step.name,
                type=step.type,
                target=step.target,
                phase=step.phase,
                message=step.message,
                condition=conditions.get(table[step.name].step.name, ""),
                approvals=self._asked(revision, run, step, table[step.name].step),
                frozen=self._frozen(run, step, now),
                planned=planned.get(step.name),
            )
            for step in run.steps
            if not step.is_container and self._is_meant(step.target)
        )

    def begun(
        self,
        revision: Revision,
        workflow: Workflow,
        unreachable: Collection[TargetName],
        now: datetime,
    ) -> Begun:
        """Let a first run's first steps claim their objects; say what it came to.

        What fails, fails when the steps are planned.
        """
        run, _ = _first_run(revision, workflow, now)
        first = {each.step for each in advance(run, now)[1]}
        claims: dict[TargetName, frozenset[ObjectRef]] = {}
        reached: set[TargetName] = set()

        def ending(so_far: Run, step: StepRun) -> tuple[Phase, str]:
            definition = places(so_far.workflow)[step.name].step
            target = step.target
            if self._waits(revision, so_far, step, definition, now):
                return Phase.FAILED, ""
            if (
                target is None
                or target in unreachable
                or not self._is_meant(target)
                or needs_outputs(definition)
            ):
                return Phase.SUCCEEDED, ""
            try:
                self._check_target(revision.environment, target)
                runner = self.runners.runner(step)
                if not isinstance(runner, StepClaimer):
                    return Phase.SUCCEEDED, ""
                if step.name in first:
                    context = self.runners.context(
                        so_far, step, revision, started=now, now=now
                    )
                    found = runner.plan_claim(context)
                    claims[target] = claims.get(target, frozenset()) | found
            except GitOpsError:
                return Phase.FAILED, ""
            reached.add(target)
            return Phase.SUCCEEDED, ""

        foretell(run, now, ending)
        return Begun(claims=claims, reached=frozenset(reached))

    def _planned(
        self,
        revision: Revision,
        run: Run,
        step: StepRun,
        unreachable: Mapping[TargetName, str],
        now: datetime,
    ) -> tuple[Planned | None, str]:
        """Return what a step would change, or what is said of it instead."""
        if needs_outputs(places(run.workflow)[step.name].step):
            return None, _FROM_OUTPUTS
        if not self._is_meant(step.target):
            return None, ""
        try:
            if step.target is not None:
                self._check_target(revision.environment, step.target)
                if step.target in unreachable:
                    text = unreachable[step.target]
                    return Planned(
                        failure=text, reason=Reason.EXECUTION_ERROR, is_unknown=True
                    ), ""
            context = self.runners.context(run, step, revision, started=now, now=now)
            runner = self.runners.runner(step)
            if not isinstance(runner, StepPlanner):
                return None, _UNTOLD
            return runner.plan(context), ""
        except GitOpsError as error:
            return failed(error), ""

    def _is_meant(self, target: TargetName | None) -> bool:
        return not self.targets or target is None or target in self.targets

    def _check_target(self, environment: EnvironmentId, target: TargetName) -> None:
        if not self.approvals.may_use(environment, target):
            raise TerminalError(
                f"{environment_name(environment)} may not use target {target}: no"
                " policy of the daemon config that is for it lists the target",
                reason=Reason.TARGET_NOT_ALLOWED,
            )

    def _waits(
        self,
        revision: Revision,
        run: Run,
        step: StepRun,
        definition: Step,
        now: datetime,
    ) -> bool:
        """Whether a step waits for people, or for a time, before its work."""
        if step.type == SUSPEND or self._asked(revision, run, step, definition):
            return True
        return self._frozen(run, step, now) is not None

    def _asked(
        self, revision: Revision, run: Run, step: StepRun, definition: Step
    ) -> tuple[Asked, ...]:
        """Return the approvals that a step would wait for."""
        if step.phase is Phase.SKIPPED:
            return ()
        if step.type == SUSPEND:
            if "duration" in definition.properties:
                return ()
            return (Asked(policy=self.approvals.policy(revision)),)
        return tuple(
            Asked(policy=gate.policy, gate=gate.target)
            for gate in self.approvals.gates(run, step)
        )

    def _frozen(self, run: Run, step: StepRun, now: datetime) -> Frozen | None:
        """Return what freezes the step's writes now."""
        found = [frozen for _, frozen in self.approvals.freezes(run, step, now)]
        return found[0] if found and step.phase is not Phase.SKIPPED else None


def _first_run(
    revision: Revision, workflow: Workflow, now: datetime
) -> tuple[Run, Mapping[StepName, str]]:
    """Return a revision's first run, and the conditions that only it can decide."""
    decided, conditions = undecided(workflow)
    run = new_run(
        run=RunId(f"{revision.environment}#{revision.number}.1"),
        ordinal=1,
        subject=subject_of(revision),
        workflow=decided,
        now=now,
    )
    return run, conditions

"""Whether a step that has not begun may begin, must wait, or is left out.

KubeVela's rules (workflow v0.6, `pkg/executor`), without its silent skips: an
expression that cannot be evaluated fails its step.
"""

from dataclasses import dataclass
from enum import Enum, auto

from gitops_wf.core.engine.plan import (
    dependencies,
    places,
    transitive_dependencies,
)
from gitops_wf.core.engine.variables import variables_for
from gitops_wf.core.expressions import ExpressionError, Scope, parse_condition
from gitops_wf.core.identifiers import StepName
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.workflow import Mode


class Answer(Enum):
    """What follows for a step that has not begun."""

    GO = auto()
    WAIT = auto()
    SKIP = auto()
    FAIL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer, and why."""

    answer: Answer
    reason: str = ""
    message: str = ""


GO = Verdict(answer=Answer.GO)
WAIT = Verdict(answer=Answer.WAIT)


def verdict(run: Run, step: StepRun) -> Verdict:
    """Say what follows for a pending step, its container being open or none."""
    place = places(run.workflow)[step.name]
    if any(not run.step(name).phase.is_final for name in _waits_for(run, step.name)):
        return WAIT
    condition = parse_condition(place.step.condition)
    failed = None if condition.decides_alone else _failed_before(run, step.name)
    if failed is not None:
        return Verdict(
            answer=Answer.SKIP,
            reason=Reason.DEPENDENCY_FAILED,
            message=f"{failed.name} ended {failed.phase}",
        )
    try:
        holds = condition.holds(variables_for(run, place.step), nothing_failed=True)
    except ExpressionError as error:
        return Verdict(
            answer=Answer.FAIL,
            reason=Reason.INVALID_EXPRESSION,
            message=f"if: {place.step.condition}: {error}",
        )
    if holds:
        return GO
    return Verdict(
        answer=Answer.SKIP,
        reason=Reason.CONDITION_FALSE,
        message=f"if: {place.step.condition} is false",
    )


def _waits_for(run: Run, name: StepName) -> frozenset[StepName]:
    """Return the steps that must have ended: also those whose status is read."""
    place = places(run.workflow)[name]
    named = set(dependencies(run.workflow, name))
    if place.mode is Mode.STEP_BY_STEP:
        named.update(place.elders)
    # With the names in scope, what is read is told by the names as declared.
    scope = Scope(steps=frozenset(step.name for step in run.steps))
    expression = parse_condition(place.step.condition, scope=scope).expression
    if expression is not None:
        around = {name, *_containers(run, name)}
        named.update(StepName(s) for s in expression.steps if s not in around)
    return frozenset(named)


def _containers(run: Run, name: StepName) -> frozenset[StepName]:
    table = places(run.workflow)
    found: set[StepName] = set()
    parent = table[name].parent
    while parent is not None:
        found.add(parent)
        parent = table[parent].parent
    return frozenset(found)


def _failed_before(run: Run, name: StepName) -> StepRun | None:
    """Return what did not succeed before a step, if anything.

    Judged by what the step names, else by what stands before it.
    """
    place = places(run.workflow)[name]
    named = dependencies(run.workflow, name)
    if named or place.mode is Mode.DAG:
        before = [
            run.step(other) for other in transitive_dependencies(run.workflow, named)
        ]
        good = {Phase.SUCCEEDED}
    else:
        before = [run.step(elder) for elder in place.elders]
        good = {Phase.SUCCEEDED, Phase.SKIPPED}
    return next((step for step in before if step.phase not in good), None)

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
    waits_for,
)
from gitops_wf.core.engine.variables import variables_for
from gitops_wf.core.expressions import ExpressionError, parse_condition
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
    waits = waits_for(run.workflow, step.name)
    if any(not run.step(name).phase.is_final for name in waits):
        return WAIT
    definition = places(run.workflow)[step.name].step
    try:
        condition = parse_condition(definition.condition)
        failed = None if condition.decides_alone else _failed_before(run, step.name)
        if failed is not None:
            return Verdict(
                answer=Answer.SKIP,
                reason=Reason.DEPENDENCY_FAILED,
                message=f"{failed.name} ended {failed.phase}",
            )
        holds = condition.holds(variables_for(run, definition), nothing_failed=True)
    except ExpressionError as error:
        return Verdict(
            answer=Answer.FAIL,
            reason=Reason.INVALID_EXPRESSION,
            message=f"if: {definition.condition}: {error}",
        )
    if holds:
        return GO
    return Verdict(
        answer=Answer.SKIP,
        reason=Reason.CONDITION_FALSE,
        message=f"if: {definition.condition} is false",
    )


def _failed_before(run: Run, name: StepName) -> StepRun | None:
    """Return what did not succeed before a step, if anything.

    What it names, transitively, must have succeeded. Step by step, its elders must
    not have failed either, unless ``dependsOn`` says what it depends on instead.
    """
    place = places(run.workflow)[name]
    named = dependencies(run.workflow, name)
    for other in transitive_dependencies(run.workflow, named):
        if run.step(other).phase is not Phase.SUCCEEDED:
            return run.step(other)
    if place.mode is Mode.DAG or place.step.depends_on:
        return None
    elders = (run.step(elder) for elder in place.elders)
    good = {Phase.SUCCEEDED, Phase.SKIPPED}
    return next((elder for elder in elders if elder.phase not in good), None)

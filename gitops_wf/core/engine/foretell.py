"""How a run would go, by the engine itself, if its steps ended as somebody says."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from gitops_wf.core.engine.decide import advance
from gitops_wf.core.engine.events import Began, Reported
from gitops_wf.core.engine.record import record
from gitops_wf.core.expressions import ExpressionError, parse_condition, parse_template
from gitops_wf.core.identifiers import StepName
from gitops_wf.core.phases import Phase
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.workflow import Step, Workflow

_LATER = frozenset({"outputs", "inputs"})
"""What only a step that has run can give."""

_NOTHING = "''"

Ending = Callable[[Run, StepRun], tuple[Phase, str]]
"""How a step that may begin now would end, and why."""


def foretell(run: Run, now: datetime, ending: Ending) -> Run:
    """Return a run as it would end; nobody waits, is asked or tries again."""
    while True:
        run, asked = advance(run, now)
        if not asked:
            return run
        for each in asked:
            step, token = each.step, "foretold"
            begun = Began(
                step=step, attempt=each.attempt, look=each.look, token=token, at=now
            )
            run = record(run, begun)
            phase, message = ending(run, run.step(step))
            run = record(
                run,
                Reported(
                    step=step,
                    token=token,
                    phase=phase,
                    message=message,
                    at=now,
                    is_final=True,
                ),
            )


def undecided(workflow: Workflow) -> tuple[Workflow, Mapping[StepName, str]]:
    """Return a workflow without the conditions that read outputs, and these.

    Its steps still put out what they name, so that others wait for them; but nothing.
    """
    found: dict[StepName, str] = {}

    def decidable(step: Step) -> Step:
        if step.condition is not None and _condition_reads_later(step.condition):
            found[step.name] = step.condition
            step = replace(step, condition=None)
        return replace(
            step,
            outputs=tuple(replace(each, value_from=_NOTHING) for each in step.outputs),
            sub_steps=tuple(map(decidable, step.sub_steps)),
        )

    steps = tuple(map(decidable, workflow.steps))
    return replace(workflow, steps=steps), found


def needs_outputs(step: Step) -> bool:
    """Whether a step's properties come from what earlier steps put out."""
    return bool(step.inputs) or any(map(_text_reads_later, _texts(step.properties)))


def _condition_reads_later(text: str) -> bool:
    try:
        expression = parse_condition(text).expression
    except ExpressionError:
        return False  # the engine fails the step for it
    return expression is not None and not _LATER.isdisjoint(expression.reads.roots)


def _text_reads_later(text: str) -> bool:
    try:
        expressions = parse_template(text).expressions
    except ExpressionError:
        return False
    return any(not _LATER.isdisjoint(each.reads.roots) for each in expressions)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)

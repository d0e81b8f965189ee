"""From a declared workflow to the step runs of a new run, and back to its steps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from gitops_wf.core.expressions import ExpressionError, parse_condition
from gitops_wf.core.expressions.condition import ALWAYS
from gitops_wf.core.expressions.names import declared_name
from gitops_wf.core.identifiers import RunId, StepName, TargetName
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import Run, StepRun, Subject
from gitops_wf.core.workflow import Mode, Step, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a step run stands: its step, its container, its elder siblings.

    ``is_copy`` marks the sub-step run of a step with several targets: it has the
    properties, inputs and outputs of its step, but no conditions of its own (the
    last target's outputs are those that others see).
    """

    step: Step
    parent: StepName | None
    target: TargetName | None
    elders: tuple[StepName, ...]
    mode: Mode
    is_container: bool
    is_copy: bool = False


def copy_name(step: Step, target: TargetName) -> StepName:
    """Return the name of the sub-step run for one of several targets."""
    return StepName(f"{step.name}/{target}")


@lru_cache(maxsize=256)
def _places(key: "_Key") -> dict[StepName, Place]:
    workflow = key.workflow
    return dict(_spread(workflow.steps, None, workflow.mode, workflow.sub_mode))


class _Key:
    """A workflow by identity: its properties are plain dicts, so it has no hash."""

    __slots__ = ("workflow",)

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow

    def __hash__(self) -> int:
        return id(self.workflow)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.workflow is self.workflow


def places(workflow: Workflow) -> dict[StepName, Place]:
    """Return where each step run of a workflow stands, in declared order."""
    return _places(_Key(workflow))


def _spread(
    steps: tuple[Step, ...], parent: StepName | None, mode: Mode, sub_mode: Mode
) -> Iterator[tuple[StepName, Place]]:
    elders: tuple[StepName, ...] = ()
    for step in steps:
        several = len(step.targets) > 1
        yield (
            step.name,
            Place(
                step=step,
                parent=parent,
                target=step.targets[0] if len(step.targets) == 1 else None,
                elders=elders,
                mode=Mode.STEP_BY_STEP if step.is_added else mode,
                is_container=step.is_group or several,
            ),
        )
        if step.is_group:
            yield from _spread(
                step.sub_steps, step.name, step.mode or sub_mode, sub_mode
            )
        elif several:
            yield from _copies(step)
        elders = (*elders, step.name)


def _copies(step: Step) -> Iterator[tuple[StepName, Place]]:
    bare = replace(step, condition=None, depends_on=())
    elders: tuple[StepName, ...] = ()
    for target in step.targets:
        name = copy_name(step, target)
        yield (
            name,
            Place(
                step=bare,
                parent=step.name,
                target=target,
                elders=elders,
                mode=Mode.DAG if step.at_once else Mode.STEP_BY_STEP,
                is_container=False,
                is_copy=True,
            ),
        )
        elders = (*elders, name)


def dependencies(workflow: Workflow, name: StepName) -> tuple[StepName, ...]:
    """Return the steps that one names, by ``dependsOn`` and by its inputs.

    One of several targets names none: its step waited for them already.
    """
    table = places(workflow)
    place = table[name]
    if place.is_copy:
        return ()
    made_by = {
        output.name: other.step.name
        for other in table.values()
        for output in other.step.outputs
    }
    by_input = (
        made_by[root]
        for item in place.step.inputs
        for root in (item.source.split(".", maxsplit=1)[0], item.source)
        if root in made_by
    )
    return tuple(dict.fromkeys((*place.step.depends_on, *by_input)))


def waits_for(workflow: Workflow, name: StepName) -> frozenset[StepName]:
    """Return the steps that must have ended before one may begin.

    Those that it names, in order also its elders, and those whose status its ``if``
    reads: KubeVela skips a step that reads what has not run yet.
    """
    return _waits_for(_Key(workflow), name)


@lru_cache(maxsize=4096)
def _waits_for(key: "_Key", name: StepName) -> frozenset[StepName]:
    workflow = key.workflow
    table = places(workflow)
    place = table[name]
    found = set(dependencies(workflow, name))
    if place.mode is Mode.STEP_BY_STEP:
        found.update(place.elders)
    around = {name}
    parent = place.parent
    while parent is not None:
        around.add(parent)
        parent = table[parent].parent
    try:
        expression = parse_condition(place.step.condition).expression
    except ExpressionError:
        return frozenset(found)  # the step fails for it when its turn comes
    for written in expression.steps if expression is not None else ():
        read = declared_name(written, table)
        if read is not None and read not in around:
            found.add(StepName(read))
    return frozenset(found)


def is_always(
    workflow: Workflow, name: StepName, *, within: StepName | None = None
) -> bool:
    """Whether a step runs in any case: it, or a group around it, is ``if: always``.

    ``within`` names a group that itself, and what is around it, does not count.
    """
    table = places(workflow)
    current: StepName | None = name
    while current is not None and current != within:
        condition = table[current].step.condition
        if condition is not None and condition.strip() == ALWAYS:
            return True
        current = table[current].parent
    return False


def transitive_dependencies(
    workflow: Workflow, names: tuple[StepName, ...]
) -> tuple[StepName, ...]:
    """Return these steps and all that they depend on."""
    found: dict[StepName, None] = {}
    open_names = list(names)
    while open_names:
        name = open_names.pop()
        if name not in found:
            found[name] = None
            open_names.extend(dependencies(workflow, name))
    return tuple(found)


def predecessors(workflow: Workflow, name: StepName) -> frozenset[StepName]:
    """Return every step that has always ended before this one may begin."""
    table = places(workflow)
    found: set[StepName] = set()
    seen: set[StepName] = set()
    open_names = [name]
    while open_names:
        current = open_names.pop()
        if current in seen:
            continue
        seen.add(current)
        parent = table[current].parent
        if parent is not None:
            open_names.append(parent)
        for other in waits_for(workflow, current):
            ended = {other, *_inside(table, other)}
            found |= ended
            open_names.extend(ended)
    return frozenset(found)


def _inside(table: dict[StepName, Place], name: StepName) -> set[StepName]:
    inner = {other for other, place in table.items() if place.parent == name}
    return inner.union(*(_inside(table, other) for other in inner))


def new_run(
    *,
    run: RunId,
    ordinal: int,
    subject: Subject,
    workflow: Workflow,
    now: datetime,
    kept: Run | None = None,
) -> Run:
    """Return a run that has not begun.

    With ``kept`` it is a retry: what succeeded there stands as succeeded here,
    with its outputs, and is not carried out again; except what came after the
    failure (``if: always``, say), which belongs to how that run ended.
    """
    steps = tuple(
        StepRun(
            name=name,
            type=place.step.type,
            parent=place.parent,
            target=place.target,
            is_container=place.is_container,
        )
        for name, place in places(workflow).items()
    )
    if kept is not None:
        steps = tuple(_keep(step, kept, workflow) for step in steps)
    return Run(
        id=run,
        ordinal=ordinal,
        subject=subject,
        workflow=workflow,
        steps=steps,
        created=now,
    )


_OUT_OF_CHOICE = frozenset({Reason.CONDITION_FALSE, Reason.GROUP_SKIPPED})
"""Why a step is skipped in a run that goes well."""


def _keep(step: StepRun, kept: Run, workflow: Workflow) -> StepRun:
    old = {other.name: other for other in kept.steps}.get(step.name)
    if old is None or old.phase is not Phase.SUCCEEDED:
        return step
    if any(child.phase is not Phase.SUCCEEDED for child in kept.children(step.name)):
        return step
    before = predecessors(workflow, step.name)
    if any(_went_wrong(other) for other in kept.steps if other.name in before):
        return step
    return replace(old, reason=Reason.KEPT)


def _went_wrong(step: StepRun) -> bool:
    is_skipped = step.phase is Phase.SKIPPED
    return step.phase.is_bad or (is_skipped and step.reason not in _OUT_OF_CHOICE)

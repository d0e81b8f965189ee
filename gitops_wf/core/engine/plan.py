"""From a declared workflow to the step runs of a new run, and back to its steps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from gitops_wf.core.identifiers import RunId, StepName, TargetName
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import Run, StepRun, Subject
from gitops_wf.core.workflow import Mode, Step, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a step run stands: its step, its container, its elder siblings.

    ``is_copy`` marks the sub-step run of a step with several targets: it has the
    properties of its step, but no conditions or outputs of its own.
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
                mode=mode,
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
    bare = replace(step, condition=None, depends_on=(), inputs=(), outputs=())
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
                mode=Mode.STEP_BY_STEP,
                is_container=False,
                is_copy=True,
            ),
        )
        elders = (*elders, name)


def dependencies(workflow: Workflow, name: StepName) -> tuple[StepName, ...]:
    """Return the steps that one names, by ``dependsOn`` and by its inputs."""
    table = places(workflow)
    step = table[name].step
    made_by = {
        output.name: place.step.name
        for place in table.values()
        for output in place.step.outputs
    }
    by_input = (
        made_by[root]
        for item in step.inputs
        for root in (item.source.split(".", maxsplit=1)[0], item.source)
        if root in made_by
    )
    return tuple(dict.fromkeys((*step.depends_on, *by_input)))


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
    open_names = [name]
    while open_names:
        current = open_names.pop()
        place = table[current]
        before = set(dependencies(workflow, current))
        if place.mode is Mode.STEP_BY_STEP:
            before.update(place.elders)
        if place.parent is not None:
            open_names.append(place.parent)
        for elder in before - found:
            found.add(elder)
            inner = [n for n, p in table.items() if p.parent == elder]
            open_names.append(elder)
            found.update(inner)
    return frozenset(found)


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
    with its outputs, and is not carried out again.
    """
    steps = tuple(
        StepRun(
            name=name,
            type=place.step.type,
            parent=place.parent,
            target=place.target,
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


def _keep(step: StepRun, kept: Run, workflow: Workflow) -> StepRun:
    old = {other.name: other for other in kept.steps}.get(step.name)
    if old is None or old.phase is not Phase.SUCCEEDED:
        return step
    if places(workflow)[step.name].is_container and any(
        child.phase is not Phase.SUCCEEDED for child in kept.children(step.name)
    ):
        return step
    return replace(old, reason=Reason.KEPT, due=None, deadline=None)

"""What left a workflow: whose objects go at the end of a run, and whose stay."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from gitops_wf.core.engine.plan import places
from gitops_wf.core.identifiers import StepName, TargetName
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.phases import Phase
from gitops_wf.core.run import Run
from gitops_wf.core.workflow import PRUNE_DEPARTED, Retry, Step, Workflow

_TIMEOUT = timedelta(minutes=10)
_PATIENT = Retry(limit=5)
"""Whoever would write a `retry` has no folder any more to write it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """What a new workflow lacks of what earlier ones delivered.

    ``keep`` has each target on which steps that are gone may have left objects,
    with the names of the steps that write there now. ``left`` are the targets
    that no step writes to any more.
    """

    keep: Mapping[TargetName, tuple[StepName, ...]]
    left: tuple[TargetName, ...]


def departed(
    workflow: Workflow,
    *,
    inventories: Mapping[TargetName, Inventory],
    earlier: Sequence[Run],
) -> Departed:
    """Compare a workflow with what was delivered before it.

    ``inventories`` are those known of the workflow's own targets. ``earlier`` are
    the runs back to the last that Succeeded, newest first: an attempt is stored
    before its effect, so they also know of what no inventory told yet.
    """
    present = writers(workflow)
    owners = {
        (target, StepName(entry.step))
        for target, inventory in inventories.items()
        for entry in inventory.entries
    }
    for run in earlier:
        owners |= _delivered(run)
    return Departed(
        keep={
            target: names
            for target, names in present.items()
            if any(on == target and owner not in names for on, owner in owners)
        },
        left=tuple(
            target
            for target in (_owning_targets(earlier[0].workflow) if earlier else ())
            if target not in present
        ),
    )


def writers(workflow: Workflow) -> dict[TargetName, tuple[StepName, ...]]:
    """Return the steps that write to each target; one of several by its own name."""
    found: dict[TargetName, tuple[StepName, ...]] = {}
    for name, place in places(workflow).items():
        if place.target is not None:
            found[place.target] = (*found.get(place.target, ()), name)
    return found


def with_pruning(
    workflow: Workflow, keep: Mapping[TargetName, Iterable[StepName]]
) -> Workflow:
    """Return the workflow with a last step that deletes what others left there."""
    if not keep:
        return workflow
    step = _pruning(_free_name(workflow), keep)
    return replace(workflow, steps=(*workflow.steps, step))


def removing(owning: Iterable[TargetName], *, earlier: Sequence[Run]) -> Workflow:
    """Return the workflow that deletes all objects of an environment that is gone.

    ``owning`` are the targets whose inventories name some; ``earlier`` as in
    `departed`. It has no step where there is nothing to delete.
    """
    targets = {*owning, *(target for run in earlier for target, _ in _delivered(run))}
    if not targets:
        return Workflow(steps=())
    step = _pruning(StepName(PRUNE_DEPARTED), dict.fromkeys(sorted(targets), ()))
    return Workflow(steps=(replace(step, retry=_PATIENT),))


def _pruning(name: StepName, keep: Mapping[TargetName, Iterable[StepName]]) -> Step:
    return Step(
        name=name,
        type=PRUNE_DEPARTED,
        properties={
            "keep": {str(target): list(map(str, keep[target])) for target in keep}
        },
        timeout=_TIMEOUT,
        targets=tuple(keep),
    )


def _delivered(run: Run) -> set[tuple[TargetName, StepName]]:
    """Return what a run may have delivered: all of it, or what it has tried."""
    tried = {step.name for step in run.steps if step.attempt}
    return {
        (place.target, name)
        for name, place in places(run.workflow).items()
        if place.target is not None
        and place.step.owns_objects
        and (run.phase is Phase.SUCCEEDED or name in tried)
    }


def _owning_targets(workflow: Workflow) -> tuple[TargetName, ...]:
    found = (
        place.target
        for place in places(workflow).values()
        if place.target is not None and place.step.owns_objects
    )
    return tuple(dict.fromkeys(found))


def _free_name(workflow: Workflow) -> StepName:
    taken = set(places(workflow))
    name, number = PRUNE_DEPARTED, 2
    while name in taken:
        name, number = f"{PRUNE_DEPARTED}-{number}", number + 1
    return StepName(name)

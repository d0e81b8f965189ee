"""What left a workflow: whose objects go at the end of a run, and whose stay."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from gitops_wf.core.engine.plan import places
from gitops_wf.core.identifiers import StepName, TargetName
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.phases import Phase
from gitops_wf.core.run import Run
from gitops_wf.core.workflow import PRUNE_DEPARTED, Step, Workflow

_TIMEOUT = timedelta(minutes=10)


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
    step = Step(
        name=_free_name(workflow),
        type=PRUNE_DEPARTED,
        properties={
            "keep": {str(target): list(map(str, keep[target])) for target in keep}
        },
        timeout=_TIMEOUT,
        targets=tuple(keep),
    )
    return replace(workflow, steps=(*workflow.steps, step))


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

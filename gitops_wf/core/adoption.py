"""Whether inventories prove that a revision was released: then nothing needs to run.

An inventory says, for each step that owns objects there, which inputs it completed
last. That proves the delivery, and what has always ended well before it: earlier
steps, and approvals. It says nothing of what comes after; a webhook at the end of a
workflow may never have been called, so such a workflow is carried out (its deliveries
then find nothing to write).
"""

from collections.abc import Iterator, Mapping

from gitops_wf.core.engine.plan import Place, places, predecessors
from gitops_wf.core.expressions import ExpressionError, parse_condition
from gitops_wf.core.identifiers import StepName, TargetName
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.workflow import Workflow


def is_released(
    workflow: Workflow, inputs: str, inventories: Mapping[TargetName, Inventory]
) -> bool:
    """Whether all of a workflow was done for these inputs, as far as it matters.

    False where that cannot be told: a target without inventory, a delivery that was
    left out by its ``if``, objects of steps that have left the workflow.
    """
    leaves = {name: p for name, p in places(workflow).items() if not p.is_container}
    owning = {name: p for name, p in leaves.items() if p.step.owns_objects}
    if not owning:
        return False
    for name, place in owning.items():
        inventory = inventories.get(place.target) if place.target else None
        if inventory is None or inventory.completed.get(name) != inputs:
            return False
    for target, inventory in inventories.items():
        present = {name for name, place in owning.items() if place.target == target}
        if any(entry.step not in present for entry in inventory.entries):
            return False
    done = set(_done_before(workflow, owning))
    return all(
        name in done or place.step.only_tells
        for name, place in leaves.items()
        if name not in owning
    )


def _done_before(
    workflow: Workflow, completed: Mapping[StepName, Place]
) -> Iterator[StepName]:
    """Yield the steps that ended well, or some completed one would not have begun."""
    for name in completed:
        if not _decides_alone(workflow, name):
            yield from predecessors(workflow, name)


def _decides_alone(workflow: Workflow, name: StepName) -> bool:
    """Whether a step, or a group around it, begins although something failed."""
    table = places(workflow)
    current: StepName | None = name
    while current is not None:
        try:
            if parse_condition(table[current].step.condition).decides_alone:
                return True
        except ExpressionError:
            return True
        current = table[current].parent
    return False

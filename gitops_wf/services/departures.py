"""What a new run does about steps and targets that its workflow no longer has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_wf.core.engine import departed, with_pruning, writers
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.phases import Phase
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run
from gitops_wf.core.workflow import Workflow
from gitops_wf.ports.store import Reader
from gitops_wf.services.revisions import title

_MOST_RUNS = 50
"""How far back the last run that Succeeded is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The workflow that a run carries out, and what is to be told beside it."""

    workflow: Workflow
    events: tuple[Event, ...] = ()


def plan(reader: Reader, revision: Revision, now: datetime) -> Planned:
    """Add what deletes the objects of steps that left; tell of targets that left."""
    workflow, environment = revision.workflow, revision.environment_definition
    assert workflow is not None
    if revision.is_removal:
        return Planned(workflow=workflow)
    inventories = _inventories(reader, revision, tuple(writers(workflow)))
    earlier = latest_runs(reader, revision.environment)
    found = departed(workflow, inventories=inventories, earlier=earlier)
    prunes = environment is None or environment.prune
    left = _inventories(reader, revision, found.left)
    return Planned(
        workflow=with_pruning(workflow, found.keep) if prunes else workflow,
        events=tuple(
            _left_event(revision, target, left.get(target), now)
            for target in found.left
        ),
    )


def _inventories(
    reader: Reader, revision: Revision, targets: Sequence[TargetName]
) -> dict[TargetName, Inventory]:
    found = reader.inventories(revision.environment)
    return {target: found[target] for target in targets if target in found}


def latest_runs(reader: Reader, environment: EnvironmentId) -> tuple[Run, ...]:
    """Return the runs back to the last that Succeeded, newest first."""
    runs = reader.runs(environment, limit=1)
    if runs and runs[0].phase is not Phase.SUCCEEDED:
        runs = reader.runs(environment, limit=_MOST_RUNS)
    good = next(
        (n for n, run in enumerate(runs, 1) if run.phase is Phase.SUCCEEDED), len(runs)
    )
    return tuple(runs[:good])


def _left_event(
    revision: Revision, target: TargetName, inventory: Inventory | None, now: datetime
) -> Event:
    count = "its" if inventory is None else f"its {len(inventory.entries)}"
    return Event(
        at=now,
        kind="removed",
        reason="TargetRemoved",
        message=f"{title(revision)} no longer delivers to target {target}: "
        f"{count} objects stay there",
        type=EventType.WARNING,
        environment=revision.environment,
        revision=revision.number,
        metadata={"target": target},
    )

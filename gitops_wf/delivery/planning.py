"""A delivery to a rehearsed cluster, told object by object."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gitops_wf.core.changeset import ChangeEntry, ChangeSet
from gitops_wf.core.errors import (
    DefinitionError,
    GitOpsError,
    TerminalError,
    TransientError,
)
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.core.planned import Planned, PlannedObject
from gitops_wf.delivery.claims import ObjectClaimedError
from gitops_wf.delivery.names import CLAIMED
from gitops_wf.delivery.rehearsing import RehearsedCluster
from gitops_wf.delivery.showing import shown

Outcome = ChangeEntry | GitOpsError
"""What became of one object of an apply."""


def unheard(ref: ObjectRef, outcome: Outcome) -> None:
    """Tell nobody what became of an object."""


@dataclass(slots=True)
class Told:
    """What became of each object, where a delivery ends before it could say."""

    outcomes: dict[ObjectRef, Outcome] = field(default_factory=dict)

    def __call__(self, ref: ObjectRef, outcome: Outcome) -> None:
        """Take in what became of one."""
        self.outcomes[ref] = outcome


def plan(
    cluster: RehearsedCluster,
    wanted: Iterable[ObjectRef],
    act: Callable[[Told], ChangeSet],
) -> Planned:
    """Return what a delivery would do; ``wanted`` are the objects that it is for.

    Whatever it fails with is what the step would fail with.
    """
    told = Told()
    failure: GitOpsError | None = None
    try:
        changes = act(told)
    except (TerminalError, TransientError, DefinitionError) as exc:
        failure, changes = exc, ChangeSet()
    entries = {entry.ref: entry for entry in changes.entries}
    objects = [
        _planned(cluster, ref, entries.pop(ref, told.outcomes.get(ref)))
        for ref in wanted
    ]
    # What it deletes, or keeps although it is no longer wanted.
    objects += [_planned(cluster, ref, entry) for ref, entry in entries.items()]
    if failure is None:
        return Planned(objects=tuple(objects))
    return failed(failure, objects)


def failed(error: GitOpsError, objects: Iterable[PlannedObject] = ()) -> Planned:
    """Return what a step would do that ends with an error."""
    match error:
        case TerminalError():
            reason: str = error.reason
        case ObjectClaimedError():
            reason = CLAIMED
        case TransientError():
            reason = Reason.EXECUTION_ERROR
        case _:
            reason = Reason.INVALID_DEFINITION
    return Planned(
        objects=tuple(objects),
        failure=str(error),
        reason=reason,
        is_unknown=reason == Reason.EXECUTION_ERROR,
    )


def _planned(
    cluster: RehearsedCluster, ref: ObjectRef, outcome: Outcome | None
) -> PlannedObject:
    match outcome:
        case None:
            before, after = shown(cluster.seen(ref), None)
            text = "not reached: the step fails before"
            return PlannedObject(ref=ref, change=None, message=text, before=before)
        case ChangeEntry():
            left = cluster.left(ref)
            live = cluster.seen(ref)
            before, after = (
                shown(live, live) if left is None else shown(left.before, left.after)
            )
            notes = (outcome.message, left.note if left is not None else "")
            return PlannedObject(
                ref=ref,
                change=outcome.change,
                message="; ".join(filter(None, notes)),
                before=before,
                after=after,
            )
        case _:
            before, _ = shown(cluster.seen(ref), None)
            return PlannedObject(
                ref=ref, change=None, refusal=str(outcome), before=before
            )

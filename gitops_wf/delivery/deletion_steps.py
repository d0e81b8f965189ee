"""Runs a step type that deletes objects, and waits until they are gone."""

from collections.abc import Callable, Sequence

from gitops_wf.core.backoff import next_look
from gitops_wf.core.changeset import Change, ChangeEntry, ChangeSet
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned
from gitops_wf.core.run import StepObject
from gitops_wf.delivery.deleting import Deletions, Meant
from gitops_wf.delivery.targeting import target_of
from gitops_wf.ports.runner import StepContext, StepResult

SHOWN = 5
TOLD_OBJECTS = 50

Means = Callable[[StepContext, Deletions], Meant]
"""What a step's properties mean to delete on its target."""


class DeletionRunner:
    """Asks once for the deletions of an attempt; looks until all of it is gone."""

    def __init__(self, deletions: Deletions, means: Means) -> None:
        self._deletions = deletions
        self._means = means

    def attempt(self, context: StepContext) -> StepResult:
        """Delete what is there; what is gone already is as it should be."""
        environment, target = context.subject.environment, target_of(context)
        meant = self._means(context, self._deletions)
        changes = self._deletions.delete(environment, target, meant)
        return self._judged(
            context,
            meant,
            StepResult(
                phase=Phase.SUCCEEDED,
                message=_text(changes.entries),
                outputs={"changes": str(changes), "deleted": _count(changes)},
                objects=tuple(
                    StepObject(
                        object=str(each.ref),
                        change=str(each.change),
                        message=each.message,
                    )
                    for each in changes.entries[:TOLD_OBJECTS]
                ),
            ),
        )

    def look(self, context: StepContext) -> StepResult:
        """See what is still there."""
        memo = context.memo
        return self._judged(
            context,
            self._means(context, self._deletions),
            StepResult(
                phase=Phase.SUCCEEDED,
                message=str(memo["message"]),
                outputs=dict(memo["outputs"]),
            ),
        )

    def plan(self, context: StepContext) -> Planned:
        """Return what an attempt would delete."""
        meant = self._means(context, self._deletions)
        target = target_of(context)
        return self._deletions.plan(context.subject.environment, target, meant)

    def _judged(
        self, context: StepContext, meant: Meant, done: StepResult
    ) -> StepResult:
        left = self._deletions.leaving(
            context.subject.environment, target_of(context), meant
        )
        if not left:
            return done
        return StepResult(
            phase=Phase.RUNNING,
            message=f"{done.message}; not gone yet: {_some([str(e) for e in left])}",
            outputs=done.outputs,
            objects=done.objects,
            retry_after=next_look(context.look),
            memo={"message": done.message, "outputs": dict(done.outputs)},
        )


def _count(changes: ChangeSet) -> int:
    return sum(entry.change is Change.DELETED for entry in changes.entries)


def _text(entries: Sequence[ChangeEntry]) -> str:
    deleted = [str(e.ref) for e in entries if e.change is Change.DELETED]
    others = [f"{e.ref} {e.message}" for e in entries if e.change is not Change.DELETED]
    parts = [f"deleted {_some(deleted)}"] if deleted else []
    parts += [_some(others)] if others else []
    return "; ".join(parts) or "there was nothing to delete"


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - SHOWN
    text = ", ".join(texts[:SHOWN])
    return f"{text} and {more} more" if more > 0 else text

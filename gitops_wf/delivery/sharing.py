"""Copying Secrets of cloud resources as a step does it: tried until they are there."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gitops_wf.core.backoff import next_look
from gitops_wf.core.changeset import Change, ChangeSet
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import StepObject
from gitops_wf.delivery.deploying import guarded
from gitops_wf.delivery.hub import Work
from gitops_wf.delivery.secret_copies import SECRET_MISSING, SecretCopies, Wish
from gitops_wf.ports.runner import StepContext, StepResult

_SHOWN = 3


def shared(
    copies: SecretCopies, context: StepContext, work: Work, wishes: Sequence[Wish]
) -> StepResult:
    """Copy what is there, and wait for what is not; the same in every look."""
    return guarded(context, lambda: _shared(copies, context, work, wishes))


def _shared(
    copies: SecretCopies, context: StepContext, work: Work, wishes: Sequence[Wish]
) -> StepResult:
    gathered = copies.gather(work, wishes)
    if gathered.failed:
        return StepResult(
            phase=Phase.FAILED,
            reason=Reason.HEALTH_CHECK_FAILED,
            message=some(gathered.failed),
        )
    if gathered.waiting:
        # Nothing is written before all is there: what is missing must not be pruned.
        return StepResult(
            phase=Phase.RUNNING,
            reason=SECRET_MISSING if gathered.coming else "",
            message=f"waiting for {some(gathered.waiting)}",
            retry_after=next_look(context.look),
        )
    changes = copies.deliver(work, gathered)
    return StepResult(
        phase=Phase.SUCCEEDED,
        message=_told(gathered.sources, work, changes),
        inventory=copies.complete(work),
        outputs={
            "changes": str(changes),
            "secrets": [
                _secret(item.ref.namespace, item.ref.name) for item in gathered.objects
            ],
        },
        objects=tuple(
            StepObject(
                object=str(entry.ref), change=str(entry.change), message=entry.message
            )
            for entry in changes.entries
            if entry.change is not Change.UNCHANGED
        ),
    )


def joined(first: StepResult, then: StepResult) -> StepResult:
    """Return what both parts of a step came to, of which the second went on."""
    return replace(
        then,
        message=f"{first.message}; {then.message}" if then.message else first.message,
        outputs={**first.outputs, **then.outputs},
        objects=(*first.objects, *then.objects),
        memo=first.memo,
        digest=first.digest,
    )


def some(texts: Sequence[str]) -> str:
    """Return a few of several texts, and how many more there are."""
    more = len(texts) - _SHOWN
    text = "; ".join(texts[:_SHOWN])
    return f"{text}; and {more} more" if more > 0 else text


def _told(sources: Sequence[str], work: Work, changes: ChangeSet) -> str:
    if not sources:
        return f"no Secret to copy to {work.target}"
    return f"copied {some(sources)} from hub {work.hub}: {changes}"


def _secret(namespace: str, name: str) -> dict[str, Any]:
    return {"namespace": namespace, "name": name}

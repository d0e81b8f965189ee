"""prune-departed: deletes what steps that left the workflow own; the daemon adds it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

from pydantic import Field

from gitops_wf.core.changeset import Change, ChangeEntry, ChangeSet
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.planned import Planned
from gitops_wf.core.revision import REMOVED
from gitops_wf.core.workflow import PRUNE_DEPARTED
from gitops_wf.delivery import Delivery, JobRuns, delivery_for
from gitops_wf.ports.properties import Properties
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType

SHOWN = 5
OUTPUT_OBJECTS = 200


class PruneDepartedProperties(Properties):
    """What the step takes."""

    keep: dict[str, tuple[str, ...]] = Field(
        description="For each target the steps whose objects stay."
    )


class PruneDepartedRunner:
    """Deletes at once; what is gone already counts as deleted."""

    def __init__(self, delivery: Delivery, jobs: JobRuns) -> None:
        self._delivery = delivery
        self._jobs = jobs

    def attempt(self, context: StepContext) -> StepResult:
        """Delete what other steps than those to keep own on the target."""
        environment, target, keep = _asked(context)
        changes = self._delivery.prune_departed(
            environment,
            target,
            keep=keep,
            allow_empty=context.environment.allow_empty,
            now=context.now,
        )
        if context.subject.inputs == REMOVED:
            forgotten = self._jobs.forget_once(environment, target)
            changes = ChangeSet(entries=(*changes.entries, *forgotten.entries))
        return StepResult(
            phase=Phase.SUCCEEDED,
            message=_told(changes.entries),
            outputs={
                "changes": str(changes),
                "objects": [
                    {
                        "object": str(entry.ref),
                        "change": str(entry.change),
                        "message": entry.message,
                    }
                    for entry in changes.entries[:OUTPUT_OBJECTS]
                ],
            },
            inventory=self._delivery.inventory(environment, target),
        )

    def plan(self, context: StepContext) -> Planned:
        """Return what an attempt would delete."""
        environment, target, keep = _asked(context)
        planned = self._delivery.plan_departed(
            environment,
            target,
            keep=keep,
            allow_empty=context.environment.allow_empty,
            now=context.now,
        )
        if context.subject.inputs != REMOVED or planned.failure:
            return planned
        forgotten = self._jobs.plan_forgotten(environment, target)
        return replace(forgotten, objects=(*planned.objects, *forgotten.objects))

    def look(self, context: StepContext) -> StepResult:
        """Do it again: it never asks for a look."""
        return self.attempt(context)


def _asked(context: StepContext) -> tuple[EnvironmentId, TargetName, Sequence[str]]:
    """Return whose objects are to go, from where, and the steps that keep theirs."""
    properties = cast("PruneDepartedProperties", context.properties)
    if context.target is None:
        raise TerminalError(
            f"{context.step} has no target", reason=Reason.INVALID_DEFINITION
        )
    keep = properties.keep[context.target]
    return context.subject.environment, context.target, keep


def _told(entries: Sequence[ChangeEntry]) -> str:
    deleted = [str(entry.ref) for entry in entries if entry.change is Change.DELETED]
    others = [
        f"{entry.ref} {entry.message}"
        for entry in entries
        if entry.change is not Change.DELETED
    ]
    parts = [f"deleted {_some(deleted, ', ')}"] if deleted else []
    parts += [_some(others, "; ")] if others else []
    return "; ".join(parts) or "nothing was left of steps that left the workflow"


def _some(texts: Sequence[str], between: str) -> str:
    more = len(texts) - SHOWN
    text = between.join(texts[:SHOWN])
    return f"{text} and {more} more" if more > 0 else text


def _make(capabilities: Capabilities) -> PruneDepartedRunner:
    return PruneDepartedRunner(
        capabilities.shared(delivery_for),
        JobRuns(
            clusters=capabilities.clusters,
            content=capabilities.content,
            read=capabilities.manifests,
        ),
    )


STEP_TYPE = StepType(
    name=PRUNE_DEPARTED,
    properties=PruneDepartedProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    is_added=True,
    summary="delete the objects of steps that left the workflow",
)

"""prune-departed: deletes what steps that left the workflow own; the daemon adds it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from pydantic import Field

from gitops_wf.core.backoff import next_look
from gitops_wf.core.changeset import Change, summary
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.planned import Planned
from gitops_wf.core.revision import REMOVED
from gitops_wf.core.workflow import PRUNE_DEPARTED
from gitops_wf.delivery import (
    Delivery,
    JobRuns,
    awaiting,
    delivery_for,
    patience_left,
    waiting_since,
)
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
    """Deletes wave by wave; what is gone already counts as deleted."""

    def __init__(self, delivery: Delivery, jobs: JobRuns) -> None:
        self._delivery = delivery
        self._jobs = jobs

    def attempt(self, context: StepContext) -> StepResult:
        """Delete what other steps than those to keep own on the target."""
        return self._gone_on(context, {})

    def look(self, context: StepContext) -> StepResult:
        """Go on with the next wave, once what is on its way out is gone."""
        return self._gone_on(context, context.memo)

    def _gone_on(self, context: StepContext, memo: Mapping[str, Any]) -> StepResult:
        environment, target, keep = _asked(context)
        memo = waiting_since(memo, context.now)
        changes = self._delivery.prune_departed(
            environment,
            target,
            keep=keep,
            allow_empty=context.environment.allow_empty,
            now=context.now,
            yields=not memo or patience_left(memo, context.now) > timedelta(),
        )
        entries = changes.entries
        is_done = not changes.holding and not changes.awaited
        if context.subject.inputs == REMOVED and is_done:
            entries += self._jobs.forget_once(environment, target).entries
        # What was on its way out at the look before is told once.
        told = {
            str(each.ref): [str(each.change), each.message] for each in entries
        } | memo.get("told", {})
        result = StepResult(
            phase=Phase.SUCCEEDED,
            message=_told(told),
            outputs={
                "changes": summary(Counter(Change(each) for each, _ in told.values())),
                "objects": [
                    {"object": ref, "change": change, "message": message}
                    for ref, (change, message) in told.items()
                ][:OUTPUT_OBJECTS],
            },
            inventory=self._delivery.inventory(environment, target),
        )
        if is_done:
            return result
        memo = {**memo, "told": told, "awaited": list(changes.awaited)}
        again = next_look(context.look)
        if changes.awaited:
            then = awaiting(changes.awaited, len(changes.pending))
            again = min(again, patience_left(memo, context.now))
        else:
            names = _some([str(each) for each in changes.holding], ", ")
            then = f"waiting for {names} to be gone: the waves before are deleted then"
        return replace(
            result,
            phase=Phase.RUNNING,
            message=f"{_told(told)}; {then}" if told else then,
            retry_after=again,
            memo=memo,
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

    def plan_claim(self, context: StepContext) -> frozenset[ObjectRef]:
        """Claim nothing: it only lets go."""
        del context
        return frozenset()


def _asked(context: StepContext) -> tuple[EnvironmentId, TargetName, Sequence[str]]:
    """Return whose objects are to go, from where, and the steps that keep theirs."""
    properties = cast("PruneDepartedProperties", context.properties)
    if context.target is None:
        raise TerminalError(
            f"{context.step} has no target", reason=Reason.INVALID_DEFINITION
        )
    keep = properties.keep[context.target]
    return context.subject.environment, context.target, keep


def _told(changes: Mapping[str, Sequence[str]]) -> str:
    deleted = [ref for ref, (change, _) in changes.items() if change == Change.DELETED]
    others = [
        f"{ref} {message}"
        for ref, (change, message) in changes.items()
        if change != Change.DELETED
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

"""Waiting for one object: how a step names it, and what each look comes to."""

from datetime import timedelta

from pydantic import BaseModel, Field

from gitops_wf.core.backoff import next_look
from gitops_wf.core.environment import Environment
from gitops_wf.core.health import Health
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.delivery.observing import DONE
from gitops_wf.delivery.reading import ObjectProperties, Read, read_targets
from gitops_wf.ports.properties import Properties
from gitops_wf.ports.runner import StepContext, StepResult

_LAST_LOOK = timedelta(seconds=15)


class AwaitedProperties(Properties):
    """Of a step that may wait for an object."""

    object: ObjectProperties | None = Field(
        default=None, description="The object to wait for."
    )


def reads_awaited(
    properties: BaseModel, environment: Environment
) -> tuple[TargetName, ...]:
    """Return the target that the object is read from (StepType.reads)."""
    assert isinstance(properties, AwaitedProperties)
    if properties.object is None:
        return ()
    return read_targets(properties.object, environment)


def look_again(context: StepContext, message: str) -> StepResult:
    """Return that the step waits, and looks again after a while."""
    return StepResult(
        phase=Phase.RUNNING,
        message=message,
        retry_after=next_look(context.look, last=_LAST_LOOK),
    )


def until_healthy(context: StepContext, found: Read, *, reason: str) -> StepResult:
    """Return what an object's health comes to; ``reason`` is why the step fails."""
    if found.manifest is None:
        return look_again(context, found.missing)
    text = f"{found.ref}: {found.status.message or found.status.health}"
    if found.status.health is Health.FAILED:
        return StepResult(phase=Phase.FAILED, reason=reason, message=text)
    if found.status.health in DONE:
        message = f"{found.ref} is {found.status.health}"
        return StepResult(phase=Phase.SUCCEEDED, message=message)
    return look_again(context, f"waiting for {text}")

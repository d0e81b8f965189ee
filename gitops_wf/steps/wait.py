"""wait: lets some time pass, or waits until something holds of an object."""

from datetime import timedelta
from typing import Self, cast

from pydantic import BaseModel, Field, field_validator, model_validator

from gitops_wf.core.durations import format_duration
from gitops_wf.core.errors import cut
from gitops_wf.core.expressions import ExpressionError
from gitops_wf.core.object_condition import holds, parse_object_condition
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.planned import Planned
from gitops_wf.delivery import (
    AwaitedProperties,
    ObjectReader,
    Read,
    look_again,
    reader_for,
    reads_awaited,
    until_healthy,
)
from gitops_wf.ports.properties import Duration
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType


class WaitProperties(AwaitedProperties):
    """What the step takes: a time, or an object and what must hold of it."""

    duration: Duration | None = Field(
        default=None, description="How long to wait, from the step's begin."
    )
    until: str | None = Field(
        default=None,
        description="CEL over the object's spec, status, metadata, conditions and "
        "data; default: until it is healthy.",
    )

    @field_validator("until")
    @classmethod
    def _is_condition(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_object_condition(value)
            except ExpressionError as exc:
                raise ValueError(exc.message) from exc
        return value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.duration is None) == (self.object is None):
            raise ValueError("write either duration or object")
        if self.until is not None and self.object is None:
            raise ValueError("until is about an object: name it")
        return self


class WaitRunner:
    """Looks, and says when to look again; nothing runs in between."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def attempt(self, context: StepContext) -> StepResult:
        """Look for the first time."""
        return self.look(context)

    def plan(self, context: StepContext) -> Planned:
        """Return what it waits for."""
        properties = cast("WaitProperties", context.properties)
        if properties.duration is not None:
            return Planned(effects=(f"waits {format_duration(properties.duration)}",))
        assert properties.object is not None
        until = cut(properties.until or "it is healthy")
        return Planned(effects=(f"waits for {properties.object} until {until}",))

    def look(self, context: StepContext) -> StepResult:
        """Say whether the time is over, or how the object is."""
        properties = cast("WaitProperties", context.properties)
        if properties.duration is not None:
            return _timed(context, properties.duration)
        assert properties.object is not None
        found = self._reader.read(context, properties.object)
        if found.manifest is None or properties.until is None:
            return until_healthy(context, found, reason=Reason.HEALTH_CHECK_FAILED)
        return _held(context, found, properties.until)


def _timed(context: StepContext, duration: timedelta) -> StepResult:
    left = context.started + duration - context.now
    if left <= timedelta(0):
        return StepResult(
            phase=Phase.SUCCEEDED, message=f"waited {format_duration(duration)}"
        )
    return StepResult(
        phase=Phase.RUNNING,
        message=f"waits for {format_duration(duration)}",
        retry_after=left,
    )


def _held(context: StepContext, found: Read, until: str) -> StepResult:
    assert found.manifest is not None
    try:
        is_so = holds(parse_object_condition(until), found.manifest)
    except ExpressionError as exc:
        return StepResult(
            phase=Phase.FAILED,
            reason=Reason.INVALID_EXPRESSION,
            message=f"until: {exc.message}",
            is_final=True,
        )
    if is_so:
        message = f"{found.ref}: {until}"
        return StepResult(phase=Phase.SUCCEEDED, message=message)
    return look_again(
        context,
        f"waiting for {found.ref} until {until}; it is {found.status.health}"
        + (f": {found.status.message}" if found.status.message else ""),
    )


def _takes(properties: BaseModel) -> timedelta:
    assert isinstance(properties, WaitProperties)
    return properties.duration or timedelta()


def _make(capabilities: Capabilities) -> WaitRunner:
    return WaitRunner(reader_for(capabilities))


STEP_TYPE = StepType(
    name="wait",
    properties=WaitProperties,
    make=_make,
    default_timeout=timedelta(minutes=30),
    reads=reads_awaited,
    takes=_takes,
    only_tells=True,
    summary="let some time pass, or wait until something holds of an object",
)

"""suspend: waits for a decision, or for a duration."""

from datetime import timedelta
from typing import Annotated, Any, Self, cast

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gitops_wf.core.durations import format_duration
from gitops_wf.core.errors import cut
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned
from gitops_wf.core.run import Remind
from gitops_wf.ports.properties import Duration, Properties
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType

SOONEST = timedelta(minutes=1)
"""Nobody is told again sooner: a workflow's author is not who is woken by it."""

NEVER = "never"


class RemindProperties(Properties):
    """When those who may approve are told again that the step waits."""

    after: Duration | None = Field(
        default=None, description="How long after its begin; default: `interval`."
    )
    interval: Duration | None = Field(
        default=None,
        description="How often from then on; default: the daemon config's, or `after` "
        "where that is never.",
    )
    most: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="How often at most; default: the daemon config's.",
    )

    @field_validator("after", "interval")
    @classmethod
    def _not_too_soon(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value < SOONEST:
            soonest = format_duration(SOONEST)
            raise ValueError(f"write at least {soonest}, or `remind: {NEVER}`")
        return value

    def to_core(self) -> Remind:
        """Return the core's value."""
        return Remind(after=self.after, interval=self.interval, most=self.most)


def _or_never(value: Any) -> Any:
    if value == NEVER:
        return RemindProperties.model_construct(most=0)
    if not isinstance(value, dict | RemindProperties):
        raise ValueError(  # noqa: TRY004  pydantic reports ValueError as the user's
            f"write {NEVER}, or a map such as {{after: 4h, interval: 12h}}"
        )
    return value


class _NeverInSchema:
    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"const": NEVER}, handler(core_schema)]}


class SuspendProperties(Properties):
    """What a suspend step takes; who may approve is policy, not the step's."""

    message: str = Field(default="", description="Shown to those who are to approve.")
    duration: Duration | None = Field(
        default=None, description="Goes on by itself after this, as in KubeVela."
    )
    remind: (
        Annotated[RemindProperties, BeforeValidator(_or_never), _NeverInSchema()] | None
    ) = Field(
        default=None,
        description="When those who may approve are told again, by the event "
        "`reminder`; default: as the daemon config has it.",
    )

    @model_validator(mode="after")
    def _of_people(self) -> Self:
        if self.duration is not None and self.remind is not None:
            raise ValueError(
                "remind is about an approval; with duration nobody is waited for"
            )
        return self


class SuspendRunner:
    """Says that the run waits; the engine ends the wait.

    An approval, a rejection, the step's timeout and the end of a duration are the
    engine's to judge, from stored times; nothing here runs while a run waits.
    """

    def attempt(self, context: StepContext) -> StepResult:
        """Suspend, until a decision or for what is left of the duration."""
        return self.look(context)

    def plan(self, context: StepContext) -> Planned:
        """Return what it waits for."""
        properties = cast("SuspendProperties", context.properties)
        waits = "waits for a decision"
        if properties.duration is not None:
            waits = f"waits {format_duration(properties.duration)}"
        message = cut(properties.message)
        return Planned(effects=(f"{waits}: {message}" if message else waits,))

    def look(self, context: StepContext) -> StepResult:
        """Say the same again, or that the duration is over."""
        properties = cast("SuspendProperties", context.properties)
        if properties.duration is None:
            remind = properties.remind
            return StepResult(
                phase=Phase.SUSPENDED,
                message=properties.message or "waits for approval",
                remind=None if remind is None else remind.to_core(),
            )
        left = context.started + properties.duration - context.now
        if left <= timedelta(0):
            waited = format_duration(properties.duration)
            return StepResult(phase=Phase.SUCCEEDED, message=f"waited {waited}")
        return StepResult(
            phase=Phase.SUSPENDED,
            message=properties.message
            or f"waits for {format_duration(properties.duration)}",
            retry_after=left,
        )


def _make(_capabilities: Capabilities) -> SuspendRunner:
    return SuspendRunner()


STEP_TYPE = StepType(
    name="suspend",
    properties=SuspendProperties,
    make=_make,
    default_timeout=timedelta(days=30),
    summary="wait for approval, or for a duration",
)

"""suspend: waits for a decision, or for a duration."""

from datetime import timedelta
from typing import cast

from pydantic import Field

from gitops_wf.core.durations import format_duration
from gitops_wf.core.errors import cut
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned
from gitops_wf.ports.properties import Duration, Properties
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType


class SuspendProperties(Properties):
    """What a suspend step takes; who may approve is policy, not the step's."""

    message: str = Field(default="", description="Shown to those who are to approve.")
    duration: Duration | None = Field(
        default=None, description="Goes on by itself after this, as in KubeVela."
    )


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
            return StepResult(
                phase=Phase.SUSPENDED,
                message=properties.message or "waits for approval",
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

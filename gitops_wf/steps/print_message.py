"""print-message-in-status: shows a text in the step's status, as KubeVela's."""

from datetime import timedelta
from typing import cast

from pydantic import Field

from gitops_wf.core.errors import cut
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned
from gitops_wf.ports.properties import Properties
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType


class PrintMessageProperties(Properties):
    """What the step takes."""

    message: str = Field(description="The text; `${{ … }}` is filled in.")


class PrintMessageRunner:
    """Succeeds at once with the text."""

    def attempt(self, context: StepContext) -> StepResult:
        """Succeed with the text."""
        properties = cast("PrintMessageProperties", context.properties)
        return StepResult(phase=Phase.SUCCEEDED, message=properties.message)

    def plan(self, context: StepContext) -> Planned:
        """Return the text."""
        properties = cast("PrintMessageProperties", context.properties)
        return Planned(effects=(f"shows {cut(properties.message)}",))

    def look(self, context: StepContext) -> StepResult:
        """Say the same again."""
        return self.attempt(context)


def _make(_capabilities: Capabilities) -> PrintMessageRunner:
    return PrintMessageRunner()


STEP_TYPE = StepType(
    name="print-message-in-status",
    properties=PrintMessageProperties,
    make=_make,
    default_timeout=timedelta(minutes=1),
    only_tells=True,
    summary="show a text in the step's status",
)

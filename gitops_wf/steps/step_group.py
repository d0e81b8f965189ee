"""step-group: holds sub-steps, which the engine runs; no work of its own."""

from datetime import timedelta

from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.ports.properties import Properties
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType


class StepGroupProperties(Properties):
    """A group takes none; its sub-steps stand in ``subSteps``."""


class StepGroupRunner:
    """Refuses to be called: a group's phase follows from its sub-steps'."""

    def attempt(self, context: StepContext) -> StepResult:
        """Refuse."""
        raise InvalidTransitionError(f"step {context.step} is a group and has no work")

    def look(self, context: StepContext) -> StepResult:
        """Refuse."""
        return self.attempt(context)


def _make(_capabilities: Capabilities) -> StepGroupRunner:
    return StepGroupRunner()


STEP_TYPE = StepType(
    name="step-group",
    properties=StepGroupProperties,
    make=_make,
    default_timeout=timedelta(days=30),
    summary="sub-steps, at once or in order",
)

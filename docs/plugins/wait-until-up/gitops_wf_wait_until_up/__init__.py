"""wait-until-up: waits until a URL answers as it should."""

from datetime import timedelta
from typing import cast

from pydantic import Field

from gitops_wf.core.errors import InvalidTransitionError, TransientError
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned
from gitops_wf.delivery.granted import GrantedSecrets, told_url
from gitops_wf.ports.outbound import HttpRequest, Outbound
from gitops_wf.ports.properties import Duration, Properties, UrlSource
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType
from gitops_wf.ports.secrets import Secrets


class WaitUntilUpProperties(Properties):
    """What the step takes; users read the descriptions in their editors."""

    url: UrlSource = Field(description="What is asked, by GET.")
    status: int = Field(default=200, description="The status that says that it is up.")
    interval: Duration = Field(
        default=timedelta(seconds=5), description="Time between two questions."
    )


class WaitUntilUpRunner:
    """Asks once a call, and says when to ask again: the engine does the waiting."""

    def __init__(self, outbound: Outbound, secrets: Secrets) -> None:
        self._outbound = outbound
        self._secrets = secrets

    def attempt(self, context: StepContext) -> StepResult:
        """Ask for the first time."""
        return self._asked(context)

    def plan(self, context: StepContext) -> Planned:
        """Say to `gitops-wf plan` what it would do, and do nothing."""
        properties = cast("WaitUntilUpProperties", context.properties)
        return Planned(effects=(f"waits until {told_url(properties.url)} answers",))

    def look(self, context: StepContext) -> StepResult:
        """Ask again; ``memo`` is what the call before has left."""
        if "asked" not in context.memo:
            raise InvalidTransitionError(f"step {context.step} was never begun")
        return self._asked(context)

    def _asked(self, context: StepContext) -> StepResult:
        properties = cast("WaitUntilUpProperties", context.properties)
        asked = int(context.memo.get("asked", 0)) + 1
        # A URL by secretRef goes only where the daemon config's grant says.
        granted = GrantedSecrets(
            secrets=self._secrets, environment=context.subject.environment
        )
        where = granted.destination(
            properties.url.model_dump(by_alias=True, exclude_none=True)
        )
        try:
            answer = self._outbound.send(HttpRequest(method="GET", url=where.url))
        except TransientError as error:
            said = error.message
        else:
            said = f"HTTP {answer.status}"
            if answer.status == properties.status:
                return StepResult(
                    phase=Phase.SUCCEEDED,
                    message=f"{where.host} is up: {said}",
                    outputs={"asked": asked},
                )
        return StepResult(
            phase=Phase.RUNNING,
            message=f"{where.host} is not up yet: {said}",
            retry_after=properties.interval,
            memo={"asked": asked},
        )


def _make(capabilities: Capabilities) -> WaitUntilUpRunner:
    return WaitUntilUpRunner(capabilities.outbound, capabilities.secrets)


STEP_TYPE = StepType(
    name="wait-until-up",
    properties=WaitUntilUpProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    output_roots=("asked",),
    summary="wait until a URL answers",
)

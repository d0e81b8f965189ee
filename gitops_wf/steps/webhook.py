"""webhook: posts the run, or given data, to a URL, and believes only its status."""

from datetime import timedelta
from typing import Literal, cast

from pydantic import Field, JsonValue

from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.notifications.run_payload import run_payload
from gitops_wf.core.planned import Planned
from gitops_wf.delivery.http_call import Body, HttpCallProperties, HttpCalls
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType

_BODYLESS = frozenset({"GET", "DELETE"})


class WebhookProperties(HttpCallProperties):
    """What a webhook step takes."""

    method: Literal["POST", "PUT", "PATCH", "GET", "DELETE"] = Field(
        default="POST", description="The HTTP method."
    )
    data: JsonValue = Field(
        default=None,
        description="The JSON body, in which {secretRef: {name, key}} stands for a "
        "secret; without it, the run and its revision "
        "(docs/reference/webhook-payload.schema.json).",
    )


class WebhookRunner:
    """Sends one request an attempt; the receiver can tell repetitions by the key."""

    def __init__(self, calls: HttpCalls) -> None:
        self._calls = calls

    def attempt(self, context: StepContext) -> StepResult:
        """Send it; 408, 425, 429 and 5xx are raised as TransientError."""
        properties = cast("WebhookProperties", context.properties)
        return self._calls.send(
            context,
            properties,
            method=properties.method,
            headers=properties.headers,
            body=Body(data=_data(properties, context)),
        )

    def plan(self, context: StepContext) -> Planned:
        """Return what would be sent."""
        properties = cast("WebhookProperties", context.properties)
        return self._calls.plan(
            context,
            properties,
            method=properties.method,
            headers=properties.headers,
            body=Body(data=properties.data),
        )

    def look(self, context: StepContext) -> StepResult:
        """Refuse: an attempt has an answer or raises, so there is nothing to see."""
        raise InvalidTransitionError(f"step {context.step} has nothing to look at")


def _data(properties: WebhookProperties, context: StepContext) -> JsonValue:
    if properties.data is not None or properties.method in _BODYLESS:
        return properties.data
    return run_payload(
        subject=context.subject,
        run=context.run,
        ordinal=context.run_ordinal,
        step=context.step,
        started=context.started,
        variables=context.variables,
    )


def _make(capabilities: Capabilities) -> WebhookRunner:
    return WebhookRunner(
        HttpCalls(outbound=capabilities.outbound, secrets=capabilities.secrets)
    )


STEP_TYPE = StepType(
    name="webhook",
    properties=WebhookProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    output_roots=("response",),
    summary="post the run, or given data, to a URL",
)

"""request: any HTTP call, whose answer other steps can use."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Self, cast

from pydantic import Field, JsonValue, model_validator

from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.planned import Planned
from gitops_wf.delivery.http_call import (
    Body,
    HttpCallProperties,
    HttpCalls,
    TextSource,
    checked_headers,
)
from gitops_wf.ports.properties import Properties, SecretKey, SecretSource
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType


class HeaderFromSecret(Properties):
    """A header whose value is a secret, as KubeVela writes it."""

    header: str = Field(description="Name of the header.")
    secret: str = Field(description="Name of a secret of the daemon config.")
    key: str = Field(default="", description="Key in it, where it has several.")


class RequestProperties(HttpCallProperties):
    """What a request step takes."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = Field(
        default="GET", description="The HTTP method."
    )
    body: JsonValue = Field(
        default=None,
        description="JSON to send, in which {secretRef: {name, key}} stands for a "
        "secret.",
    )
    text: TextSource | None = Field(
        default=None, description="Text to send instead, or {secretRef: {name, key}}."
    )
    form: Mapping[str, TextSource] | None = Field(
        default=None,
        description="Fields of a form to send instead: text, or "
        "{secretRef: {name, key}}.",
    )
    header: Mapping[str, str] = Field(
        default_factory=dict, description="As headers, by KubeVela's name."
    )
    headers_from_secret: tuple[HeaderFromSecret, ...] = Field(
        default=(), description="As headers with a secretRef, by KubeVela's name."
    )

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        bodies = (self.body, self.text, self.form)
        if sum(body is not None for body in bodies) > 1:
            raise ValueError("write one of body, text and form")
        return self

    @model_validator(mode="after")
    def _each_header_once(self) -> Self:
        names = [
            *self.headers,
            *self.header,
            *(entry.header for entry in self.headers_from_secret),
        ]
        for number, name in enumerate(names):
            if name.lower() in (other.lower() for other in names[:number]):
                raise ValueError(f"header {name} is there twice")
        checked_headers(self.all_headers)
        return self

    @property
    def all_headers(self) -> Mapping[str, TextSource]:
        """All headers, by whatever name they were given."""
        by_reference = {
            entry.header: SecretSource(
                secret_ref=SecretKey(name=entry.secret, key=entry.key)
            )
            for entry in self.headers_from_secret
        }
        return {**self.headers, **self.header, **by_reference}


class RequestRunner:
    """Sends one request an attempt; the receiver can tell repetitions by the key."""

    def __init__(self, calls: HttpCalls) -> None:
        self._calls = calls

    def attempt(self, context: StepContext) -> StepResult:
        """Send it; 408, 425, 429 and 5xx are raised as TransientError."""
        properties = cast("RequestProperties", context.properties)
        return self._calls.send(
            context,
            properties,
            method=properties.method,
            headers=properties.all_headers,
            body=_body(properties),
        )

    def plan(self, context: StepContext) -> Planned:
        """Return what would be sent."""
        properties = cast("RequestProperties", context.properties)
        return self._calls.plan(
            context,
            properties,
            method=properties.method,
            headers=properties.all_headers,
            body=_body(properties),
        )

    def look(self, context: StepContext) -> StepResult:
        """Refuse: an attempt has an answer or raises, so there is nothing to see."""
        raise InvalidTransitionError(f"step {context.step} has nothing to look at")


def _body(properties: RequestProperties) -> Body:
    return Body(data=properties.body, text=properties.text, form=properties.form)


def _make(capabilities: Capabilities) -> RequestRunner:
    return RequestRunner(
        HttpCalls(outbound=capabilities.outbound, secrets=capabilities.secrets)
    )


STEP_TYPE = StepType(
    name="request",
    properties=RequestProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    output_roots=("response",),
    summary="call a URL and use its answer",
)

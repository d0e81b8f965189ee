"""webhook: posts the run, or given data, to a URL, and believes only its status."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, cast

from pydantic import Field, JsonValue

from gitops_wf.core.errors import InvalidTransitionError, TransientError
from gitops_wf.core.notifications.run_payload import run_payload
from gitops_wf.core.notifications.verdict import (
    Answer,
    Refused,
    RetryIn,
    describe,
    judge_http,
)
from gitops_wf.core.phases import Phase
from gitops_wf.core.redaction import redact
from gitops_wf.core.secret import Secret
from gitops_wf.delivery.granted import GrantedSecrets
from gitops_wf.ports.outbound import HttpRequest, HttpResponse, Outbound
from gitops_wf.ports.properties import Duration, Properties, SecretSource, UrlSource
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType
from gitops_wf.ports.secrets import Secrets

_HIDDEN_HEADERS = frozenset({"set-cookie", "www-authenticate", "authorization"})
_BODYLESS = frozenset({"GET", "DELETE"})


class WebhookProperties(Properties):
    """What a webhook step takes."""

    url: UrlSource = Field(description="Where to send to.")
    method: Literal["POST", "PUT", "PATCH", "GET", "DELETE"] = Field(
        default="POST", description="The HTTP method."
    )
    data: JsonValue = Field(
        default=None,
        description="The JSON body; without it, the run and its revision "
        "(docs/reference/webhook-payload.schema.json).",
    )
    headers: Mapping[str, str | SecretSource] = Field(
        default_factory=dict,
        description="Headers by name: text, or {secretRef: {name, key}}.",
    )
    timeout: Duration = Field(
        default=timedelta(seconds=10), description="How long one request may take."
    )
    expected_statuses: tuple[int, ...] = Field(
        default=(), description="HTTP statuses that are right; without it, any 2xx."
    )


class WebhookRunner:
    """Sends one request an attempt; the receiver can tell repetitions by the key."""

    def __init__(self, outbound: Outbound, secrets: Secrets) -> None:
        self._outbound = outbound
        self._secrets = secrets

    def attempt(self, context: StepContext) -> StepResult:
        """Send it; 408, 429 and 5xx are raised as TransientError."""
        properties = cast("WebhookProperties", context.properties)
        granted = GrantedSecrets(
            secrets=self._secrets, environment=context.subject.environment
        )
        source = properties.url.model_dump(by_alias=True, exclude_none=True)
        where = granted.destination(source)
        headers: dict[str, str | Secret] = {}
        for name, value in properties.headers.items():
            headers[name] = (
                granted.value(value.model_dump(by_alias=True), host=where.host)
                if isinstance(value, SecretSource)
                else value
            )
        headers["Idempotency-Key"] = context.key
        body = b""
        if properties.data is not None or properties.method not in _BODYLESS:
            body = _body(properties, context)
            if "content-type" not in {name.lower() for name in headers}:
                headers["Content-Type"] = "application/json"
        response = self._outbound.send(
            HttpRequest(
                method=properties.method,
                url=where.url,
                headers=headers,
                body=body,
                timeout=properties.timeout,
            )
        )
        secrets = [value for value in headers.values() if isinstance(value, Secret)]
        return _judged(properties, response, (*where.secrets, *secrets), context)

    def look(self, context: StepContext) -> StepResult:
        """Refuse: an attempt has an answer or raises, so there is nothing to see."""
        raise InvalidTransitionError(f"step {context.step} has nothing to look at")


def _body(properties: WebhookProperties, context: StepContext) -> bytes:
    data: object = properties.data
    if data is None:
        data = run_payload(
            subject=context.subject,
            run=context.run,
            ordinal=context.run_ordinal,
            step=context.step,
            started=context.started,
            variables=context.variables,
        )
    return json.dumps(data, ensure_ascii=False).encode()


def _judged(
    properties: WebhookProperties,
    response: HttpResponse,
    secrets: tuple[Secret, ...],
    context: StepContext,
) -> StepResult:
    text = redact(response.body.decode("utf-8", "replace"), secrets)
    answer = Answer(status=response.status, headers=response.headers, text=text)
    verdict = judge_http(answer, context.now, expected=properties.expected_statuses)
    if isinstance(verdict, RetryIn):
        raise TransientError(verdict.detail, retry_after=verdict.after)
    outputs = {
        "response": {
            "status": response.status,
            "body": _json_or_text(text),
            "headers": {
                name: redact(value, secrets)
                for name, value in response.headers.items()
                if name not in _HIDDEN_HEADERS
            },
        }
    }
    if isinstance(verdict, Refused):
        return StepResult(
            phase=Phase.FAILED,
            reason="RequestRefused",
            message=verdict.detail,
            outputs=outputs,
            is_final=True,
        )
    message = describe(answer) + (" (body cut)" if response.is_cut else "")
    return StepResult(phase=Phase.SUCCEEDED, message=message, outputs=outputs)


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _make(capabilities: Capabilities) -> WebhookRunner:
    return WebhookRunner(capabilities.outbound, capabilities.secrets)


STEP_TYPE = StepType(
    name="webhook",
    properties=WebhookProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    output_roots=("response",),
    summary="post the run, or given data, to a URL",
)

"""One HTTP call of a step: sent with granted secrets, believed only by its status."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from pydantic import Field, JsonValue, field_validator

from gitops_wf.core.errors import TransientError, cut
from gitops_wf.core.notifications.verdict import (
    Answer,
    Refused,
    RetryIn,
    describe,
    judge_http,
)
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned
from gitops_wf.core.redaction import redact
from gitops_wf.core.secret import Secret
from gitops_wf.delivery.granted import GrantedSecrets, Unread, told_url
from gitops_wf.ports.outbound import HttpRequest, HttpResponse, Outbound
from gitops_wf.ports.properties import Duration, Properties, SecretSource, UrlSource
from gitops_wf.ports.runner import StepContext, StepResult
from gitops_wf.ports.secrets import Secrets

_HIDDEN_HEADERS = frozenset({"set-cookie", "www-authenticate", "authorization"})
_OURS = frozenset(
    {"connection", "content-length", "host", "te", "transfer-encoding", "upgrade"}
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, section 5.6.2)."""

TextSource = str | SecretSource


class HttpCallProperties(Properties):
    """Where to, with what headers, for how long, and which answer is right."""

    url: UrlSource = Field(description="Where to send to.")
    headers: Mapping[str, TextSource] = Field(
        default_factory=dict,
        description="Headers by name: text, or {secretRef: {name, key}}.",
    )
    timeout: Duration = Field(
        default=timedelta(seconds=10), description="How long one request may take."
    )
    expected_statuses: tuple[int, ...] = Field(
        default=(), description="HTTP statuses that are right; without it, any 2xx."
    )

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: Mapping[str, TextSource]) -> Mapping[str, TextSource]:
        return checked_headers(headers)

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, timeout: timedelta) -> timedelta:
        if timeout <= timedelta(0):
            raise ValueError("write a time that is longer than nothing, such as 10s")
        return timeout

    @field_validator("expected_statuses")
    @classmethod
    def _real_statuses(cls, statuses: tuple[int, ...]) -> tuple[int, ...]:
        for status in statuses:
            if not 200 <= status <= 599:
                raise ValueError(f"{status} is the status of no answer: 200 to 599 are")
        return statuses


def checked_headers(headers: Mapping[str, TextSource]) -> Mapping[str, TextSource]:
    """Return them if each can be sent and none is ours to set; else ValueError."""
    seen: set[str] = set()
    for name in headers:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{cut(name, 64)!r} cannot be a header's name")
        if name.lower() in _OURS:
            raise ValueError(f"{name} is set by the connection itself; leave it out")
        if name.lower() in seen:
            raise ValueError(f"{name} is there twice: case makes no difference")
        seen.add(name.lower())
    return headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request's body as properties have it; exactly one of three, or none.

    Inside ``data`` a mapping ``{secretRef: {name, key}}`` stands for the secret.
    """

    data: JsonValue = None
    text: TextSource | None = None
    form: Mapping[str, TextSource] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCalls:
    """Makes the calls of steps; keeps nothing between them."""

    outbound: Outbound
    secrets: Secrets

    def send(
        self,
        context: StepContext,
        properties: HttpCallProperties,
        *,
        method: str,
        headers: Mapping[str, TextSource],
        body: Body,
    ) -> StepResult:
        """Send it once, with the step's idempotency key, and judge the answer.

        Errors: TransientError for 408, 425, 429, 5xx and no answer; TerminalError
        where a secret is not granted, or the request may not be sent at all.
        """
        granted = GrantedSecrets(
            secrets=self.secrets, environment=context.subject.environment
        )
        where = granted.destination(
            properties.url.model_dump(by_alias=True, exclude_none=True)
        )
        values = _Values(granted, where.host)
        content, content_type = values.body(body)
        request = HttpRequest(
            method=method,
            url=where.url,
            headers=_with_defaults(
                {name: values.one(value) for name, value in headers.items()},
                {"Idempotency-Key": context.key, "Content-Type": content_type},
            ),
            body=content,
            timeout=properties.timeout,
        )
        response = self.outbound.send(request)
        return _judged(properties, response, (*where.secrets, *values.secrets), context)

    def plan(
        self,
        context: StepContext,
        properties: HttpCallProperties,
        *,
        method: str,
        headers: Mapping[str, TextSource],
        body: Body,
    ) -> Planned:
        """Return what `send` would send, and with which secrets; no value is read.

        Errors: TerminalError where a secret may not go there, or the URL is none.
        """
        unread = Unread(secrets=self.secrets)
        granted = GrantedSecrets(
            secrets=unread, environment=context.subject.environment
        )
        text = f"sends {method} to {told_url(properties.url)}"
        if properties.url.secret_ref is not None:
            return Planned(effects=(text,))
        where = granted.destination({"value": properties.url.value})
        values = _Values(granted, where.host)
        for value in headers.values():
            values.one(value)
        values.body(body)
        if unread.seen:
            names = dict.fromkeys(map(str, unread.seen))
            text += f", with {', '.join(names)} of the daemon's secrets"
        return Planned(effects=(text,))


class _Values:
    """Puts secrets in their places, and remembers which: the answer may hold them."""

    def __init__(self, granted: GrantedSecrets, host: str) -> None:
        self._granted = granted
        self._host = host
        self.secrets: list[Secret] = []

    def one(self, value: TextSource) -> str | Secret:
        if isinstance(value, str):
            return value
        return self._secret(value.model_dump(by_alias=True))

    def body(self, body: Body) -> tuple[bytes | Secret, str]:
        """Return the body, a secret where it holds one, and its Content-Type."""
        before = len(self.secrets)
        if body.data is not None:
            text = json.dumps(self._filled(body.data), ensure_ascii=False)
            content_type = "application/json"
        elif body.form is not None:
            text = urlencode({k: _plain(self.one(v)) for k, v in body.form.items()})
            content_type = "application/x-www-form-urlencoded"
        elif body.text is not None:
            text = _plain(self.one(body.text))
            content_type = "text/plain; charset=utf-8"
        else:
            return b"", ""
        is_secret = len(self.secrets) > before
        return Secret(text) if is_secret else text.encode(), content_type

    def _filled(self, data: JsonValue) -> Any:
        if isinstance(data, dict):
            if data.keys() == {"secretRef"}:
                return self._secret(data).reveal()
            return {key: self._filled(item) for key, item in data.items()}
        if isinstance(data, list):
            return [self._filled(item) for item in data]
        return data

    def _secret(self, source: Mapping[str, Any]) -> Secret:
        secret = self._granted.value(source, host=self._host)
        self.secrets.append(secret)
        return secret


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _with_defaults(
    headers: Mapping[str, str | Secret], defaults: Mapping[str, str]
) -> dict[str, str | Secret]:
    """Return the headers with what they lack; the user's own win, in any case."""
    given = {name.lower() for name in headers}
    lacking = {
        name: value
        for name, value in defaults.items()
        if value and name.lower() not in given
    }
    return {**headers, **lacking}


def _judged(
    properties: HttpCallProperties,
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
            "statusCode": response.status,
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

"""The ASGI application: authentication, routing to verbs, and the request log."""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.parse
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.authorization import Authorizer
from gitops_wf.sandbox.fields.errors import FieldError
from gitops_wf.sandbox.http import discovery, openapi
from gitops_wf.sandbox.http.answers import (
    Answer,
    encode,
    failure,
    not_found_text,
    structured,
    text,
)
from gitops_wf.sandbox.http.attributes import attributes_of
from gitops_wf.sandbox.http.authentication import Authentication
from gitops_wf.sandbox.http.bodies import LIMIT, too_large
from gitops_wf.sandbox.http.negotiation import PLAIN, negotiate
from gitops_wf.sandbox.http.paths import Target, UnknownPath, resolve
from gitops_wf.sandbox.http.request import Request
from gitops_wf.sandbox.http.requestlog import RequestLog
from gitops_wf.sandbox.http.streams import stream_watch
from gitops_wf.sandbox.http.tokens import AccountTokens
from gitops_wf.sandbox.http.verbs import Verbs
from gitops_wf.sandbox.http.watches import WatchHub
from gitops_wf.sandbox.mutation import refusal
from gitops_wf.sandbox.statuses import ApiError, internal_error

_LOG = logging.getLogger(__name__)
_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})


class _TooLarge(Exception):  # noqa: N818 - it is what the body is
    pass


class SandboxApp:
    """Serves one cluster's ObjectApi."""

    def __init__(self, api: ObjectApi, *, token: str, log: RequestLog) -> None:
        self._api, self._log = api, log
        self._authorizer = Authorizer(api.storage)
        tokens = AccountTokens(token, api.storage)
        self._authentication = Authentication(token, tokens, self._authorizer)
        self._verbs = Verbs(api, self._authorizer, tokens)
        self._hub: WatchHub | None = None

    def end_watches(self) -> None:
        """End all open watches, on the server's own loop, so that it can stop."""
        if self._hub is not None:
            self._hub.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] != "http":
            return
        if self._hub is None:
            self._hub = WatchHub(self._api)
        request = _request(scope)
        try:
            request.body = await _read(receive)
        except _TooLarge:
            await self._send(request, failure(too_large()), send)
            return
        try:
            if request.method != "GET" and self._api.may_wait:
                # Others go on being served while a webhook is asked.
                answer = await asyncio.to_thread(self._answer, request)
            else:
                answer = self._answer(request)
            if isinstance(answer, Target):
                await self._watch(request, answer, receive, send)
                return
        except ApiError as error:
            answer = failure(error)
        except FieldError as error:
            answer = failure(refusal(error))
        except Exception as exc:
            # One bad request must not look like a broken connection to the client.
            _LOG.exception("request failed: %s %s", request.method, request.path)
            message = f"{type(exc).__name__}: {exc}"[:256]
            answer = failure(internal_error(message))
        await self._send(request, answer, send)

    def _answer(self, request: Request) -> Answer | Target:
        """The answer, or the collection to watch."""
        path = request.path
        public = self._public(path)
        if public is not None and not request.header("authorization"):
            return public
        asked = attributes_of(request.method, path, request.query)
        request.user = self._authentication.user(request, asked, self._api.now())
        self._authorizer.check(request.user, asked)
        if public is not None:
            return public
        plain = self._document(request)
        if plain is not None:
            return plain
        try:
            target = resolve(path, self._api.resources)
        except UnknownPath:
            return not_found_text()
        if isinstance(target, tuple):
            return self._group_document(request, *target)
        if target.watch or self._verbs.is_watch(request, target):
            # Refusals come before the stream begins.
            self._verbs.watch_options(request, target)
            return target
        if request.future_revision(self._api.storage.revision):
            return target
        return self._verbs.answer(request, target)

    @staticmethod
    def _public(path: str) -> Answer | None:
        """What is answered to those without a token, too."""
        if path in _HEALTH or path.startswith(tuple(f"{one}/" for one in _HEALTH)):
            return text(200, "ok")
        if path == "/version":
            return Answer(200, encode(discovery.VERSION))
        return None

    def _document(self, request: Request) -> Answer | None:
        """What is neither a resource nor one group's discovery."""
        path = request.path.rstrip("/")
        if path in ("/api", "/apis"):
            return self._root(request, core=path == "/api")
        if path.startswith("/openapi/"):
            return openapi.answer(path, self._api.resources)
        if path == "":
            paths = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2"]
            return Answer(200, encode({"paths": [*paths, "/readyz", "/version"]}))
        return None

    def _root(self, request: Request, *, core: bool) -> Answer:
        if request.method != "GET":
            raise _method_not_allowed()
        table = self._api.resources
        asked = discovery.wants_aggregated(request.header("accept"))
        if asked is None:
            negotiate(request.header("accept"))
        if asked:
            return Answer(
                200,
                encode(discovery.aggregated(table, core=core)),
                discovery.AGGREGATED,
            )
        document = (
            discovery.versions(request.header("host"))
            if core
            else discovery.groups(table)
        )
        return structured(200, document, negotiate(request.header("accept")))

    def _group_document(self, request: Request, group: str, version: str) -> Answer:
        if request.method != "GET":
            raise _method_not_allowed()
        table = self._api.resources
        document = (
            discovery.resources(table, group, version)
            if version
            else discovery.group(table, group)
        )
        shape = negotiate(request.header("accept") or "*/*")
        return structured(200, document, shape if shape.yaml else PLAIN)

    async def _watch(
        self, request: Request, target: Target, receive: Receive, send: Send
    ) -> None:
        assert self._hub is not None
        revision = request.future_revision(self._api.storage.revision)
        if revision and not self._verbs.is_watch(request, target):
            # A list or get of the future waits a little for it to come.
            await self._hub.wait_for(revision, self._api, 3.0)
            try:
                answer = self._verbs.answer(request, target)
            except ApiError as error:
                answer = failure(error)
            await self._send(request, answer, send)
            return
        self._note(request, 200, "")
        options = self._verbs.watch_options(request, target)
        await stream_watch(
            self._api,
            self._hub,
            request,
            target=target,
            options=options,
            receive=receive,
            send=send,
        )

    def _note(self, request: Request, code: int, revision: str) -> None:
        self._log.write(
            at=self._api.now(),
            method=request.method,
            path=request.full_path,
            user_agent=request.header("user-agent"),
            user=request.user.name,
            code=code,
            revision=revision,
        )

    async def _send(self, request: Request, answer: Answer, send: Send) -> None:
        self._note(request, answer.code, answer.revision)
        body = b"" if request.method == "HEAD" else answer.body
        headers = [
            *_content(answer, body),
            *((key.encode(), value.encode()) for key, value in answer.headers.items()),
            *((b"warning", _warning(one)) for one in answer.warnings),
        ]
        await send(
            {"type": "http.response.start", "status": answer.code, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body})


def _method_not_allowed() -> ApiError:
    return ApiError(
        405,
        "the server does not allow this method on the requested resource",
        reason="MethodNotAllowed",
        details={},
    )


def _content(answer: Answer, body: bytes) -> list[tuple[bytes, bytes]]:
    length = (b"content-length", str(len(body)).encode())
    if not answer.content_type:
        return [] if answer.code == 204 else [length]
    return [(b"content-type", answer.content_type.encode()), length]


def _warning(message: str) -> bytes:
    return f"299 - {json.dumps(message, ensure_ascii=False)}".encode()


def _request(scope: Scope) -> Request:
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    raw_query = scope["query_string"].decode("latin-1")
    query: Mapping[str, list[str]] = urllib.parse.parse_qs(
        raw_query, keep_blank_values=True
    )
    path: str = scope["path"]
    return Request(
        method=scope["method"],
        path=path,
        full_path=f"{path}?{raw_query}" if raw_query else path,
        query=query,
        headers=headers,
    )


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message: Mapping[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            return b""
        part = message.get("body", b"")
        size += len(part)
        if size > LIMIT:
            raise _TooLarge
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)

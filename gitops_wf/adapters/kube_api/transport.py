"""One HTTP exchange with an API server: raw bytes in and out, errors translated."""

import json
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

import urllib3
from kubernetes.config import ConfigException
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from gitops_wf.adapters.kube_api.access import USER_AGENT, ApiAccess
from gitops_wf.core.errors import cut
from gitops_wf.core.impersonation import Identity
from gitops_wf.core.redaction import Redactor
from gitops_wf.core.secret import Secret
from gitops_wf.ports.cluster import Asked, ClusterUnavailableError, Unwatched

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0
"""Seconds; the API server gives up after 60 itself (its --request-timeout)."""

CREDENTIALS_HOLD = 1.0
"""Seconds before the library is asked again: asking takes a third of a millisecond."""

_NOT_SERVED = {
    401: "does not accept our credentials (401 Unauthorized)",
    429: "is overloaded (429 Too Many Requests)",
    502: "is away: what is before it says so (502 Bad Gateway)",
    503: "is away, or not ready (503 Service Unavailable)",
    504: "does not answer what is before it (504 Gateway Timeout)",
}
"""Answers that say nothing of what was asked, nor will to others."""

_REPEATABLE = frozenset({"GET", "PATCH"})
"""An apply may be sent again: the second one changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response: its status, headers and raw body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; empty where it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Transport:
    """Sends requests with the credentials and connections of one ApiAccess."""

    def __init__(
        self,
        access: ApiAccess,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        redactor: Redactor | None = None,
        begun: Callable[[], Asked] = Unwatched,
    ) -> None:
        self._begun = begun
        self._redactor = redactor or Redactor()
        for secret in access.secrets:
            self._redactor.learn(secret)
        self.server = access.server
        self._client = access.client
        self._timeout = urllib3.Timeout(connect=connect_timeout, read=read_timeout)
        self._credentials = _Credentials(access, self._redactor)
        self.identity: Identity | None = None

    def impersonating(self, identity: Identity) -> Self:
        """Return it over the same connections, for requests as somebody else."""
        twin = copy(self)
        twin.identity = identity
        return twin

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Answer:
        """Send and return what came back, whatever its status.

        Errors: ClusterUnavailableError where no answer came.
        """
        url = self.server + path + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers: MutableMapping[str, str]
        headers = {"Accept": accept, "User-Agent": USER_AGENT}
        if data is not None:
            headers["Content-Type"] = content_type
        self._credentials.add_to(headers)
        headers = _as(self.identity, headers)
        asked = self._begun()
        try:
            answer = self._answered(method, url, data, headers)
        except ClusterUnavailableError as exc:
            asked.lost(str(exc), hung=_has_hung(exc))
            raise
        if answer.status in _NOT_SERVED:
            what = _NOT_SERVED[answer.status]
            asked.lost(f"API server {self.server} {what}", hung=False)
        else:
            asked.answered()
        return answer

    def _answered(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: MutableMapping[str, str],
    ) -> Answer:
        try:
            return self._send(method, url, data, headers)
        except ProtocolError as exc:
            # The server closed an idle connection just as it was taken up again.
            if method not in _REPEATABLE:
                raise self._translated(exc) from exc
        except HTTPError as exc:
            raise self._translated(exc) from exc
        try:
            return self._send(method, url, data, headers)
        except HTTPError as exc:
            raise self._translated(exc) from exc

    def _send(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: MutableMapping[str, str],
    ) -> Answer:
        response = self._client.rest_client.pool_manager.request(
            method,
            url,
            body=data,
            headers=headers,
            timeout=self._timeout,
            retries=False,
            redirect=False,
        )
        if response.status == 401:
            self._credentials.forget()
        return Answer(
            status=response.status, headers=response.headers, body=response.data
        )

    def _translated(self, exc: HTTPError) -> ClusterUnavailableError:
        cause = cut(_last_cause(exc))
        match exc:
            case SSLError():
                what = "TLS failed"
                mend = "is the right certificate authority in the kubeconfig?"
            case NameResolutionError():
                what = "host name not found"
                mend = "is the server's name right in the kubeconfig?"
            case NewConnectionError():  # which is a ConnectTimeoutError, too
                what = "connection failed"
                mend = "is it up, and its address right in the kubeconfig?"
            case ConnectTimeoutError():
                what = "no connection in time"
                mend = "is it up, and does a firewall let us through?"
            case ReadTimeoutError():
                what = "no answer in time"
                mend = "is it overloaded, or its etcd?"
            case _:
                what = "connection broke"
                mend = "did it restart, or a proxy in between?"
        return ClusterUnavailableError(
            f"API server {self.server} unreachable: {what}: {cause}; {mend}"
        )


class _Credentials:
    """The headers that a client of the library authenticates with; for all threads."""

    def __init__(self, access: ApiAccess, redactor: Redactor) -> None:
        self._client = access.client
        self._server = access.server
        self._redactor = redactor
        # Refreshing a token may run an exec plugin: once, not once a thread.
        self._lock = threading.Lock()
        self._headers: Mapping[str, str] = {}
        self._held_until = float("-inf")

    def add_to(self, headers: MutableMapping[str, str]) -> None:
        """Add them; a token that has run out is refreshed first.

        Errors: ClusterUnavailableError where it cannot be.
        """
        with self._lock:
            if time.monotonic() >= self._held_until:
                self._headers = self._asked()
                self._held_until = time.monotonic() + CREDENTIALS_HOLD
            headers.update(self._headers)

    def forget(self) -> None:
        """Ask the library at the next request: the server does not take these."""
        self._held_until = float("-inf")

    def _asked(self) -> Mapping[str, str]:
        headers: dict[str, str] = {}
        try:
            self._client.update_params_for_auth(
                headers, [], ["BearerToken"], "", "", None
            )
        except (ConfigException, OSError, ValueError) as exc:
            raise ClusterUnavailableError(
                f"API server {self._server}: credentials cannot be refreshed: "
                f"{cut(str(exc))}"
            ) from exc
        # Each time, for tokens rotate.
        self._redactor.learn(Secret(headers.get("authorization", "")))
        return headers


def _as(
    identity: Identity | None, headers: MutableMapping[str, str]
) -> MutableMapping[str, str]:
    """Add whom a request is made as: one header for each group."""
    if identity is None:
        return headers
    more = HTTPHeaderDict(headers)
    more["Impersonate-User"] = identity.user
    for group in identity.groups:
        more.add("Impersonate-Group", group)
    return more


def _has_hung(exc: ClusterUnavailableError) -> bool:
    cause = exc.__cause__
    is_waiting = isinstance(cause, ConnectTimeoutError | ReadTimeoutError)
    return is_waiting and not isinstance(cause, NewConnectionError)


def _last_cause(exc: BaseException) -> str:
    """Return the text of the innermost cause, where the library wraps it."""
    while True:
        inner = exc.__cause__ or next(
            (arg for arg in exc.args if isinstance(arg, BaseException)), None
        )
        if inner is None:
            return str(exc) or type(exc).__name__
        exc = inner

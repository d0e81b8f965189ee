"""HTTP requests by httpcore: guarded addresses, one deadline, capped bodies.

httpcore and not an httpx client, for its public network backend, where the address
that was checked is the one connected to; and since httpx logs each URL, which may be a
secret. No proxy of the environment is used: behind one, no address could be checked.
"""

import logging
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import httpcore
import httpx

from gitops_wf.core.errors import GitOpsError, TerminalError, TransientError
from gitops_wf.core.secret import Secret
from gitops_wf.ports.outbound import HttpRequest, HttpResponse

BODY_LIMIT = 256 * 1024
REDIRECT_LIMIT = 3
CONNECT_LIMIT = 10.0
"""Seconds that one address may take to answer a connection."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


class Addresses(Protocol):
    """What resolves a host to addresses that may be connected to."""

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Return at least one address, or raise a GitOpsError."""


class HttpOutbound:
    """Outbound over httpcore, one connection a request.

    ``tls`` is the context for https; the default trusts certifi's authorities, or
    those of ``SSL_CERT_FILE``.
    """

    def __init__(
        self,
        guard: Addresses,
        *,
        tls: ssl.SSLContext | None = None,
        body_limit: int = BODY_LIMIT,
    ) -> None:
        # At DEBUG it logs every answer's headers; a Location may hold a secret.
        logging.getLogger("httpcore").setLevel(logging.INFO)
        self._guard = guard
        self._tls = tls or httpx.create_ssl_context()
        self._body_limit = body_limit

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send it once; a GET follows up to three redirects on its own host."""
        url = _url(_plain(request.url))
        headers = dict(request.headers)
        deadline = time.monotonic() + request.timeout.total_seconds()
        for _ in range(REDIRECT_LIMIT):
            response = self._send(request, url, headers, deadline)
            following = _redirect(request, url, response)
            if following is None:
                return response
            if _origin(following) != _origin(url):
                headers = _without_credentials(headers)
            url = following
        return self._send(request, url, headers, deadline)

    def _send(
        self,
        request: HttpRequest,
        url: httpx.URL,
        headers: Mapping[str, str | Secret],
        deadline: float,
    ) -> HttpResponse:
        backend = _Backend(self._guard, deadline)
        body = request.body
        content = body.reveal().encode() if isinstance(body, Secret) else body
        try:
            with (
                httpcore.ConnectionPool(
                    ssl_context=self._tls, network_backend=backend
                ) as pool,
                pool.stream(
                    request.method,
                    httpcore.URL(
                        scheme=url.raw_scheme,
                        host=url.raw_host,
                        port=url.port,
                        target=url.raw_path,
                    ),
                    headers=_raw(url, headers, content),
                    content=content,
                ) as response,
            ):
                answer, is_cut = self._read(response)
                return HttpResponse(
                    status=response.status,
                    headers={
                        name.decode("latin-1").lower(): value.decode("latin-1")
                        for name, value in response.headers
                    },
                    body=answer,
                    is_cut=is_cut,
                )
        except GitOpsError:
            raise
        except (httpcore.UnsupportedProtocol, httpcore.LocalProtocolError):
            # From None: the error's text may quote a header's value, a secret.
            raise TerminalError(
                f"{_origin(url)}: this request cannot be sent as HTTP",
                reason="InvalidRequest",
            ) from None
        except httpcore.TimeoutException as exc:
            seconds = request.timeout.total_seconds()
            raise TransientError(
                f"{_origin(url)}: no answer within {seconds:g}s"
            ) from exc
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as exc:
            raise TransientError(
                f"{_origin(url)}: {_cause(exc)}",
            ) from exc

    def _read(self, response: httpcore.Response) -> tuple[bytes, bool]:
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > self._body_limit:
                return bytes(body[: self._body_limit]), True
        return bytes(body), False


class _Backend(httpcore.NetworkBackend):
    """Connects to guarded addresses only, until a deadline."""

    def __init__(self, guard: Addresses, deadline: float) -> None:
        self._guard = guard
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        del timeout  # the request's own deadline counts
        addresses = self._guard.addresses(host, port)
        for number, address in enumerate(addresses, start=1):
            try:
                stream = httpcore.SyncBackend().connect_tcp(
                    address,
                    port,
                    timeout=min(CONNECT_LIMIT, _left(self._deadline)),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
            else:
                return _Stream(stream, self._deadline)
        raise httpcore.ConnectError(f"no address of {host}")


class _Stream(httpcore.NetworkStream):
    """A stream whose every wait ends at one deadline, however slow the other side."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        return self._stream.read(max_bytes, timeout=_left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        self._stream.write(buffer, timeout=_left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        del timeout
        left = _left(self._deadline)
        secured = self._stream.start_tls(ssl_context, server_hostname, left)
        return _Stream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline of the request has passed")
    return left


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise TerminalError(
            "this is not a URL; write http(s)://host[:port]/path", reason="InvalidUrl"
        ) from None
    if url.userinfo:
        raise TerminalError(
            "a URL with a user or password is not sent to; use a header",
            reason="InvalidUrl",
        )
    port = url.port or 80
    if url.scheme not in {"http", "https"} or not url.host or port > 65535:
        raise TerminalError(
            "only http and https URLs with a host are sent to", reason="InvalidUrl"
        )
    return url


def _origin(url: httpx.URL) -> str:
    """Return scheme, host and port: all of a URL that is ever shown."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _raw(
    url: httpx.URL, headers: Mapping[str, str | Secret], body: bytes
) -> list[tuple[bytes, bytes]]:
    """Return the headers as sent; a line end in a value would be a second header."""
    named = {name.lower(): (name, _plain(value)) for name, value in headers.items()}
    raw = [(b"Host", url.netloc), (b"Connection", b"close")]
    raw.append((b"Accept-Encoding", b"identity"))  # a packed body has no honest cap
    named.pop("host", None)
    named.setdefault("user-agent", ("User-Agent", "gitops-wf"))
    named["content-length"] = ("Content-Length", str(len(body)))
    for name, value in named.values():
        try:
            raw.append((name.encode("ascii"), value.encode("latin-1")))
        except UnicodeEncodeError:
            raise TerminalError(
                f"header {name.encode('ascii', 'replace').decode()}: a header's value "
                "is Latin-1 text",
                reason="InvalidRequest",
            ) from None
    return raw


def _redirect(
    request: HttpRequest, url: httpx.URL, response: HttpResponse
) -> httpx.URL | None:
    """Return where to follow to: a GET, on the same host, not from https to http."""
    location = response.headers.get("location", "")
    if (
        request.method.upper() not in {"GET", "HEAD"}
        or response.status not in _REDIRECTS
        or not location
    ):
        return None
    try:
        following = url.join(location)
    except httpx.InvalidURL:
        return None
    is_downgrade = url.scheme == "https" and following.scheme != "https"
    is_http = following.scheme in {"http", "https"}
    if following.host != url.host or is_downgrade or not is_http or following.userinfo:
        return None
    return following


def _without_credentials(
    headers: Mapping[str, str | Secret],
) -> dict[str, str | Secret]:
    return {
        name: value
        for name, value in headers.items()
        if not isinstance(value, Secret) and name.lower() not in _CREDENTIALS
    }


def _cause(exc: BaseException) -> str:
    text = str(exc)
    if isinstance(exc, httpcore.RemoteProtocolError):
        return text or "it hung up"
    return text or type(exc).__name__

"""Sends recorded requests over HTTP, exactly as they stand, and reads watches."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# The recordings' other user. A server that is replayed on knows no token of hers, so
# the administrator asks to be her.
_ALICE = {
    "Impersonate-User": "alice",
    "Impersonate-Uid": "alice-uid",
    "Impersonate-Group": "dev",
}


@dataclass
class Received:
    """A whole answer."""

    status: int
    headers: dict[str, Any]
    body: Any


def _headers(message: http.client.HTTPMessage) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("Content-Type", "Warning", "Retry-After"):
        values = message.get_all(name)
        if values:
            found[name] = values[0] if len(values) == 1 else values
    return found


@dataclass
class Client:
    """One server."""

    url: str
    token: str
    tls: ssl.SSLContext | None = None
    open_watches: list[WatchReader] = field(default_factory=list)

    def _connection(self) -> http.client.HTTPConnection:
        parts = urllib.parse.urlsplit(self.url)
        assert parts.hostname is not None
        if self.tls is not None:
            return http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=30, context=self.tls
            )
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)

    def _begin(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        auth: str,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = self._connection()
        connection.putrequest(method, path, skip_accept_encoding=True)
        alice = _ALICE if auth.startswith("token of user alice") else {}
        for name, value in {**headers, **alice}.items():
            connection.putheader(name, value)
        if auth.startswith("a bearer token nobody has"):
            connection.putheader("Authorization", "Bearer nobody-has-this")
        elif self.token and not auth.startswith("no Authorization"):
            connection.putheader("Authorization", f"Bearer {self.token}")
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        if body is not None:
            # Too large a body is refused before it has been read.
            with contextlib.suppress(OSError):
                connection.send(body)
        return connection, connection.getresponse()

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        auth: str = "",
    ) -> Received:
        """One request and its answer; a JSON body is decoded."""
        connection, response = self._begin(method, path, headers, body, auth)
        try:
            raw = response.read()
            return Received(response.status, _headers(response.headers), _body(raw))
        finally:
            connection.close()

    def watch(
        self, path: str, headers: Mapping[str, str], auth: str = ""
    ) -> WatchReader | Received:
        """An open watch, or the answer where it was refused."""
        connection, response = self._begin("GET", path, headers, None, auth)
        if response.status != 200:
            raw = response.read()
            connection.close()
            return Received(response.status, _headers(response.headers), _body(raw))
        reader = WatchReader(connection, response)
        self.open_watches.append(reader)
        return reader

    def close(self) -> None:
        """Close the watches that are still open."""
        for reader in self.open_watches:
            reader.close()


def _body(raw: bytes) -> Any:
    text = raw.decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


class WatchReader:
    """Collects the events of a watch in a thread."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
    ) -> None:
        self._connection, self._response = connection, response
        self._socket = connection.sock
        self.status = response.status
        self.headers = _headers(response.headers)
        self._changed = threading.Condition()
        self._events: list[Any] = []
        self.ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for line in self._response:
                event = json.loads(line)
                with self._changed:
                    self._events.append(event)
                    self._changed.notify_all()
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def take(self, seconds: float) -> Any | None:
        """The next event, or None when none comes in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self.ended, seconds)
            return self._events.pop(0) if self._events else None

    def left(self) -> list[Any]:
        """The events not taken."""
        with self._changed:
            return list(self._events)

    def wait_end(self, seconds: float) -> bool:
        """Whether the server ends the watch in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.ended, seconds)

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()

"""Receivers of what the daemon sends: HTTP and SMTP servers that keep witness."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a receiver does with a request.

    `trickle` sends the body a byte at a time, with this many seconds between;
    `is_silent` keeps the connection open and says nothing until the receiver closes.
    """

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    hangs_up: bool = False
    is_silent: bool = False
    trickle: float = 0
    raw: bytes = b""


OK = Reply()
LARK_OK = Reply(body=b'{"code":0,"msg":"success","data":{}}')
DINGTALK_OK = Reply(body=b'{"errcode":0,"errmsg":"ok"}')
HANG_UP = Reply(hangs_up=True)
SILENCE = Reply(is_silent=True)
GARBAGE = Reply(raw=b"\x00\x01 this is not HTTP\r\n\r\n")


def too_many(seconds: int) -> Reply:
    return Reply(status=429, body=b"", headers={"Retry-After": str(seconds)})


def redirect(to: str, status: int = 302) -> Reply:
    return Reply(status=status, body=b"", headers={"Location": to})


class HttpReceiver:
    """Answers each path from its queue of replies; the last one stays."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], Reply] | None = None
        self._replies: dict[str, list[Reply]] = {}
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reply(self, path: str, *replies: Reply) -> None:
        with self._lock:
            self._replies[path] = list(replies)

    def at(self, path: str) -> list[Received]:
        with self._lock:
            return [r for r in self.received if r.path.partition("?")[0] == path]

    def take(self, received: Received) -> Reply:
        with self._lock:
            self.received.append(received)
        # Without the lock: an answer may wait for something.
        if self.answer is not None:
            return self.answer(received)
        with self._lock:
            queue = self._replies.get(received.path.partition("?")[0], [OK])
            return queue.pop(0) if len(queue) > 1 else queue[0]

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _handler(receiver: HttpReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            reply = receiver.take(
                Received(
                    method=self.command,
                    path=self.path,
                    headers={k.lower(): v for k, v in self.headers.items()},
                    body=self.rfile.read(length),
                )
            )
            self.close_connection = True
            if reply.hangs_up:
                return
            if reply.is_silent:
                receiver.closing.wait(30)
                return
            try:
                self._answer(reply)
            except OSError:
                return  # the client had enough

        def _answer(self, reply: Reply) -> None:
            if reply.raw:
                self.wfile.write(reply.raw)
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            if not reply.trickle:
                self.wfile.write(reply.body)
                return
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if receiver.closing.wait(reply.trickle):
                    return

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass  # the list of requests is the log

    return Handler


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    try:
        yield receiver
    finally:
        receiver.close()


@dataclass
class Mailbox:
    """What an SMTP server took; `refusals` answers a recipient with a line."""

    port: int = 0
    mails: list[Envelope] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    data_answer: str = "250 2.0.0 queued as 7F3A"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.data_answer.startswith("250"):
            self.mails.append(envelope)
        return self.data_answer


@contextmanager
def smtp_server(
    *,
    tls: str = "none",
    certificate: Path | None = None,
    login: tuple[str, str] | None = None,
) -> Iterator[Mailbox]:
    """Runs an SMTP server; `certificate` is a PEM file with its key, for TLS."""
    mailbox = Mailbox()
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)

    def authenticate(server, session, envelope, mechanism, data) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        given = (data.login.decode(), data.password.decode())
        mailbox.logins.append(given[0])
        return AuthResult(success=given == login, handled=False)

    options: dict[str, Any] = {}
    if login is not None:
        options = {
            "authenticator": authenticate,
            "auth_required": True,
            "auth_require_tls": tls == "starttls",
        }
    if tls == "starttls":
        options |= {"tls_context": context}
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=_free_port(),
        ssl_context=context if tls == "tls" else None,
        **options,
    )
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        controller.stop()


def _free_port() -> int:
    """aiosmtpd connects to its own port at start, so it must be told one."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def self_signed(folder: Path) -> Path:
    """A certificate for localhost and its key in one PEM file, made by openssl."""
    pem = folder / "localhost.pem"
    key = folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", str(key), "-out", str(pem),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    pem.write_text(pem.read_text() + key.read_text())
    return pem

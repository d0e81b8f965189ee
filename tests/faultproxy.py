"""A proxy before a Kubernetes API server that answers late, wrongly, or not at all.

It speaks TLS with the sandbox's own certificate, so clients trust it as they do the
sandbox. The first part of a path is a lane (``https://127.0.0.1:PORT/LANE``), so that
one proxy plays many servers, each with its own fault.
"""

import http.client
import json
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import yaml

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class FaultProxy:
    """Forwards to the sandbox, or the real API server, of a folder.

    ``faults`` by lane: an int answers that status (with ``retry_after`` seconds),
    "hang" never answers, "reset" sends half of the answer and resets the connection.
    ``requests`` and ``received`` count requests and their bytes by lane, ``before`` is
    called with lane and method before each of them is served. ``waiting`` counts those
    that hang now, ``given_up`` those whose client hung up in the end.
    """

    def __init__(self, sandbox: Path, url: str) -> None:
        self.faults: dict[str, int | str] = {}
        self.retry_after = 0
        self.before: Callable[[str, str], None] = lambda _lane, _method: None
        self.requests: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.waiting = 0
        self.given_up = 0
        self.released = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.upstream = url.removeprefix("https://")
        self._kubeconfig = sandbox / "kubeconfig"
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        files = [next(sandbox.rglob(name)) for name in ("*server.crt", "*server.key")]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        # Shaken hands in the connection's own thread: one client must not stop all.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def release(self) -> None:
        """End all faults, and let go of those who wait for an answer."""
        self.faults.clear()
        self.released += 1

    def url(self, lane: str) -> str:
        """The address of a lane's server."""
        return f"https://127.0.0.1:{self._server.server_port}/{lane}"

    def kubeconfig(self, lane: str, path: Path, *, token: str = "") -> Path:
        """Write the sandbox's kubeconfig for a lane, perhaps with another token."""
        config = yaml.safe_load(self._kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = self.url(lane)
        if token:
            config["users"][0]["user"]["token"] = token
        path.write_text(yaml.safe_dump(config))
        return path


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy
    protocol_version = "HTTP/1.1"
    timeout = 60

    def _serve(self) -> None:
        _, lane, rest = self.path.split("/", 2)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.proxy.lock:
            self.proxy.requests[lane] += 1
            self.proxy.received[lane] += len(self.raw_requestline) + len(body)
            self.proxy.received[lane] += len(bytes(self.headers))
        self.proxy.before(lane, self.command)
        match self.proxy.faults.get(lane):
            case "hang":
                self._hang()
            case int(status):
                self._refuse(status)
            case fault:
                self._forward(f"/{rest}", body, is_cut=fault == "reset")

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815 - the library's names

    def log_message(self, *args: object) -> None:
        pass

    def _hang(self) -> None:
        with self.proxy.lock:
            self.proxy.waiting += 1
        released = self.proxy.released
        self.connection.settimeout(0.05)
        try:
            while released == self.proxy.released and not self.proxy.closing.is_set():
                try:
                    if not self.connection.recv(1):
                        self.proxy.given_up += 1
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
        finally:
            self.close_connection = True
            with self.proxy.lock:
                self.proxy.waiting -= 1

    def _refuse(self, status: int) -> None:
        data = json.dumps(
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
            | {"message": "etcdserver: leader changed"}
        ).encode()
        self.send_response(status)
        if self.proxy.retry_after:
            self.send_header("Retry-After", str(self.proxy.retry_after))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _forward(self, path: str, body: bytes, *, is_cut: bool) -> None:
        context = ssl._create_unverified_context()
        upstream = http.client.HTTPSConnection(
            self.proxy.upstream, timeout=60, context=context
        )
        headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        try:
            upstream.request(self.command, path, body or None, headers)
            answer = upstream.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # it is down, and so are we
            return
        finally:
            upstream.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if is_cut else data)
        if is_cut:
            self.wfile.flush()
            self.close_connection = True
            at_once = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            self.connection.shutdown(socket.SHUT_RDWR)

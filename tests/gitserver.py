"""Real Git servers for tests, over HTTP and SSH, that witness what clients ask for."""

import base64
import contextlib
import gzip
import shutil
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from tests.gitworktree import ANN, BOB, GitWorkTree, bare_repository, git_env, run_git
from tests.servers import missing, require_http_backend, require_sshd

__all__ = [
    "ANN",
    "BOB",
    "GitHttpServer",
    "GitSshServer",
    "GitWorkTree",
    "HttpRequest",
    "bare_repository",
    "git_env",
    "make_certificate",
    "make_key",
    "run_git",
]


@dataclass(frozen=True)
class HttpRequest:
    """A request as the server saw it; the witness for what the daemon really sent."""

    method: str
    path: str
    query: str
    authorization: str | None
    body: bytes
    status: int

    @property
    def wants(self) -> tuple[str, ...]:
        """Object ids that a fetch asked for."""
        lines = self.body.split(b"want ")[1:]
        return tuple(line[:40].decode("ascii", "replace") for line in lines)


class GitHttpServer:
    """`git http-backend` behind a small HTTP(S) server that can also misbehave.

    Set `credentials = ("basic", "user", "password")` or `("bearer", "token")` to ask for
    them. `misbehave` is one of: an int (answer that status), `"hang"` (until `close`),
    `"garbage"` (200 with nonsense), `"redirect:URL"` (302 to URL + the same path),
    `"drop"` (half of a pack, then the connection closes), `"truncate"` (half of a pack
    as if it were the whole), or None.
    """

    def __init__(self, root: Path, tls: Path | None = None) -> None:
        require_http_backend()
        self.root = root
        self.credentials: tuple[str, ...] | None = None
        self.misbehave: int | str | None = None
        self.retry_after: str | None = None
        self.speaks_v2 = True
        self.requests: list[HttpRequest] = []
        self.closing = threading.Event()
        handler = type("Handler", (_GitHandler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._scheme = "http"
        if tls is not None:  # a PEM file with key and certificate
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True
            )
            self._scheme = "https"
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            daemon=True,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def url(self, repository: Path | str) -> str:
        """URL of a repository below the root."""
        path = Path(repository)
        relative = path.relative_to(self.root) if path.is_absolute() else path
        return f"{self.base}/{relative}"

    def fetches(self) -> list[HttpRequest]:
        """Requests that asked for objects, in the order they came."""
        return [r for r in list(self.requests) if r.wants]

    def is_authorised(self, header: str | None) -> bool:
        match self.credentials:
            case None:
                return True
            case ("basic", user, password):
                token = base64.b64encode(f"{user}:{password}".encode()).decode()
                return header == f"Basic {token}"
            case (_, token):
                return header == f"Bearer {token}"
        raise AssertionError(f"unknown credentials {self.credentials}")


class _GitHandler(BaseHTTPRequestHandler):
    owner: GitHttpServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *args: object) -> None:
        pass

    def _serve(self) -> None:
        body = self._body()
        path, _, query = self.path.partition("?")
        status, headers, content = self._answer(path, query, body)
        plain = (
            gzip.decompress(body)
            if self.headers.get("Content-Encoding") == "gzip"
            else body
        )
        self.owner.requests.append(
            HttpRequest(
                self.command,
                path,
                query,
                self.headers.get("Authorization"),
                plain,
                status,
            )
        )
        with contextlib.suppress(OSError):  # the client may be gone, on purpose
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.owner.misbehave == "drop" and b"command=fetch" in plain:
                self.close_connection = True
                content = content[: len(content) // 2]
            self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(
        self, path: str, query: str, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        match self.owner.misbehave:
            case int(status):
                after = self.owner.retry_after
                return status, [("Retry-After", after)] if after else [], b"no\n"
            case "hang":
                self.owner.closing.wait()
                return 503, [], b""
            case "garbage":
                return 200, [("Content-Type", "text/html")], b"<html>not git</html>\n"
            case str(text) if text.startswith("redirect:"):
                there = text.removeprefix("redirect:") + self.path
                return 302, [("Location", there)], b""
        if not self.owner.is_authorised(self.headers.get("Authorization")):
            return 401, [("WWW-Authenticate", 'Basic realm="git"')], b"who are you?\n"
        status, headers, content = self._backend(path, query, body)
        if self.owner.misbehave == "truncate" and b"command=fetch" in body:
            content = content[: len(content) // 2]
        return status, headers, content

    def _backend(
        self, path: str, query: str, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        protocol = self.headers.get("Git-Protocol") or ""
        env = git_env(
            GIT_PROJECT_ROOT=str(self.owner.root),
            GIT_HTTP_EXPORT_ALL="1",
            PATH_INFO=path,
            QUERY_STRING=query,
            REQUEST_METHOD=self.command,
            CONTENT_TYPE=self.headers.get("Content-Type") or "",
            CONTENT_LENGTH=str(len(body)),
            HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding") or "",
            GIT_PROTOCOL=protocol if self.owner.speaks_v2 else "",
            REMOTE_ADDR="127.0.0.1",
            REMOTE_USER="git",
        )
        done = subprocess.run(
            ["git", "http-backend"],
            env=env,
            input=body,
            capture_output=True,
            check=False,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            elif name:
                headers.append((name, value))
        return status, headers, content


@dataclass
class GitSshServer:
    """A real sshd, one process per connection (as inetd starts it), for this user.

    `private_key` is let in; `known_hosts` is what a careful client has about it.
    """

    directory: Path
    connections: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._sshd = require_sshd()
        self.directory.mkdir(parents=True, exist_ok=True)
        make_key(self.directory / "host")
        make_key(self.directory / "user")
        (self.directory / "authorized").write_text(self._public("user") + "\n")
        (self.directory / "sshd_config").write_text(
            f"HostKey {self.directory}/host\n"
            f"AuthorizedKeysFile {self.directory}/authorized\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\n"
            "AcceptEnv GIT_PROTOCOL\nPidFile none\nLogLevel VERBOSE\n"
            "KexAlgorithms curve25519-sha256\nPrintMotd no\nPermitUserEnvironment no\nUseDNS no\n"
        )
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self.connections:
            if connection.poll() is None:
                connection.kill()
            connection.wait()

    @property
    def private_key(self) -> str:
        return (self.directory / "user").read_text()

    @property
    def known_hosts(self) -> str:
        return f"[127.0.0.1]:{self.port} {self._public('host')}\n"

    @property
    def log(self) -> str:
        """What sshd wrote about all connections."""
        file = self.directory / "log"
        return file.read_text() if file.exists() else ""

    def url(self, repository: Path) -> str:
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        return f"ssh://{user}@127.0.0.1:{self.port}{repository}"

    def _public(self, name: str) -> str:
        return " ".join((self.directory / f"{name}.pub").read_text().split()[:2])

    def _accept(self) -> None:
        command = [self._sshd, "-i", "-f", str(self.directory / "sshd_config")]
        command += ["-E", str(self.directory / "log")]
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            with accepted:
                self.connections.append(
                    subprocess.Popen(
                        command, stdin=accepted, stdout=accepted, stderr=accepted
                    )
                )


def make_certificate(path: Path) -> Path:
    """A new self-signed certificate for 127.0.0.1, and its key, in one PEM file."""
    if shutil.which("openssl") is None:
        missing("openssl", "apt-get install openssl")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    with path.open("a") as both:
        both.write(Path(f"{path}.crt").read_text())
    return path


def make_key(path: Path) -> Path:
    """A new ed25519 key without passphrase; `.pub` beside it."""
    subprocess.run(
        [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            path.name,
            "-f",
            str(path),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path

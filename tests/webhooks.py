"""An admission webhook over HTTPS, which answers as a test wants."""

import base64
import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gitserver import make_certificate


@dataclass(kw_only=True)
class Webhook:
    """A running webhook: what it is asked, and what it says."""

    url: str
    bundle: str
    answer: dict[str, Any] = field(default_factory=lambda: {"allowed": True})
    """The `response`; the uid is added."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The `request` of each review so far."""
    hold: threading.Event | None = None
    """Until it is set, no answer is given."""

    def client(self) -> dict[str, Any]:
        """The `clientConfig` that leads here."""
        return {"url": self.url, "caBundle": self.bundle}

    def denies(self, message: str, code: int = 400) -> None:
        """Say no from now on."""
        self.answer = {
            "allowed": False,
            "status": {"message": message, "code": code},
        }

    def patches(self, *operations: dict[str, Any]) -> None:
        """Change objects by a JSON patch from now on."""
        patch = base64.b64encode(json.dumps(operations).encode()).decode()
        self.answer = {"allowed": True, "patchType": "JSONPatch", "patch": patch}


@contextlib.contextmanager
def webhook(folder: Path) -> Iterator[Webhook]:
    """Run one on loopback until the block ends."""
    both = make_certificate(folder / "webhook.pem")
    certificate = Path(f"{both}.crt").read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.asked.append(review["request"])
            if hook.hold is not None:
                hook.hold.wait(30)
            response = {"uid": review["request"]["uid"], **hook.answer}
            body = json.dumps({**review, "response": response}).encode()
            with contextlib.suppress(OSError):  # who asked may be gone
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    hook = Webhook(
        url=f"https://127.0.0.1:{server.server_port}/check",
        bundle=base64.b64encode(certificate).decode(),
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield hook
    finally:
        if hook.hold is not None:
            hook.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def configuration(
    name: str,
    client: dict[str, Any],
    *,
    kind: str = "ValidatingWebhookConfiguration",
    operations: tuple[str, ...] = ("CREATE", "UPDATE"),
    **hook: Any,
) -> dict[str, Any]:
    """A configuration that sends the ConfigMaps of the namespace `name` there."""
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": list(operations),
        "resources": ["configmaps"],
    }
    one = {
        "name": "check.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 2,
        "clientConfig": client,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
        "rules": [rule],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "webhooks": [one | hook],
    }

"""A sandbox cluster as a process of its own, for tests; forked, and ended by SIGTERM."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.controllers.loop import ControllerLoop
from gitops_wf.sandbox.controllers.work import Pace
from gitops_wf.sandbox.http.server import SandboxServer
from gitops_wf.sandbox.storage import Storage
from tests.forkserver import FORKSERVER, Forked

TOKEN = "sandbox-token"

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: '{server}'}}}}]
users: [{{name: u, user: {{token: '{token}'}}}}]
contexts: [{{name: sandbox, context: {{cluster: c, user: u}}}}]
current-context: sandbox
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running sandbox, as its witnesses see it."""

    server: str
    kubeconfig: Path
    log: Path

    def requests(self) -> list[tuple[str, str]]:
        """Every request so far: method and path."""
        import json

        lines = self.log.read_text().splitlines()
        return [(line["method"], line["path"]) for line in map(json.loads, lines)]

    def writes(self) -> list[tuple[str, str]]:
        """Every request so far that was to change something."""
        return [entry for entry in self.requests() if entry[0] != "GET"]


@contextmanager
def running(folder: Path) -> Iterator[Sandbox]:
    """Run a sandbox as a child process; it ends with the block."""
    ours, theirs = FORKSERVER.Pipe()
    child = Forked(serve, folder, theirs)
    theirs.close()
    try:
        assert ours.poll(60), "the sandbox did not start"
        yield Sandbox(
            server=ours.recv(),
            kubeconfig=folder / "kubeconfig",
            log=folder / "requests.jsonl",
        )
    finally:
        child.terminate()
        child.wait(timeout=20)
        ours.close()


def serve(folder: Path, ready: Connection) -> None:
    """Write FOLDER/kubeconfig and FOLDER/requests.jsonl, tell the address, serve."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    api = ObjectApi(Storage(":memory:"))
    loop = ControllerLoop(api, pace=Pace(delay=timedelta(milliseconds=50)))
    with SandboxServer(api, token=TOKEN, request_log=folder / "requests.jsonl") as http:
        loop.start()
        text = KUBECONFIG.format(server=http.url, token=TOKEN)
        (folder / "kubeconfig").write_text(text)
        ready.send(http.url)
        stop.wait()
        loop.stop()

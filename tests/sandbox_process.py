"""A sandbox cluster as a process of its own, for tests; ends when its stdin closes.

    python tests/sandbox_process.py FOLDER

Writes FOLDER/kubeconfig and FOLDER/requests.jsonl, and prints its address.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

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
    import subprocess

    root = Path(__file__).absolute().parents[1]
    child = subprocess.Popen(
        [sys.executable, __file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
    )
    try:
        assert child.stdout is not None
        server = child.stdout.readline().strip()
        assert server, "the sandbox did not start"
        yield Sandbox(
            server=server,
            kubeconfig=folder / "kubeconfig",
            log=folder / "requests.jsonl",
        )
    finally:
        child.communicate("", timeout=20)


def main(folder: Path) -> None:
    """Serve until stdin closes."""
    from gitops_wf.sandbox.api import ObjectApi
    from gitops_wf.sandbox.controllers.loop import ControllerLoop
    from gitops_wf.sandbox.controllers.work import Pace
    from gitops_wf.sandbox.http.server import SandboxServer
    from gitops_wf.sandbox.storage import Storage

    api = ObjectApi(Storage(":memory:"))
    loop = ControllerLoop(api, pace=Pace(delay=timedelta(milliseconds=50)))
    with SandboxServer(api, token=TOKEN, request_log=folder / "requests.jsonl") as http:
        loop.start()
        text = KUBECONFIG.format(server=http.url, token=TOKEN)
        (folder / "kubeconfig").write_text(text)
        sys.stdout.write(http.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()
        loop.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The daemon as a process of its own, and witnesses outside it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from gitops_wf.adapters.sql_store import open_for_reading
from gitops_wf.bootstrap.configs import load_config
from gitops_wf.core.errors import GitOpsError
from gitops_wf.core.identifiers import environment_name
from gitops_wf.sandbox import process as sandbox_process
from tests.forkserver import Forked, forked_command
from tests.replay.kubeconfig import client_of

ROOT = Path(__file__).parents[1]
KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or "kubectl"
COMMAND = [sys.executable, "-c", "from gitops_wf.cli.main import main; main()"]
PATIENCE = 60.0
"""Seconds after which what a test waits for is not going to happen."""

T = TypeVar("T")


def eventually(look: Callable[[], T], *, what: str, patience: float = PATIENCE) -> T:
    """Look again until there is something to see; fail with the last thing seen."""
    pause = threading.Event()
    seen: Any = None
    for _ in range(int(patience / 0.1)):
        seen = look()
        if seen:
            return seen
        pause.wait(0.1)
    raise AssertionError(f"{what}: not within {patience:g} s; last seen: {seen!r}")


def environment(**more: str) -> dict[str, str]:
    """The variables of a child: this tree's code, nobody's Git configuration."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "KUBE"))}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **more,
    }


def cli(
    *arguments: str, cwd: Path | None = None, within: Sequence[str] = (), **env: str
) -> subprocess.CompletedProcess:
    """Run one command of ours to its end: forked, but inside another's mounts."""
    if not within:
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            child = forked_command(
                arguments, cwd=cwd, env=environment(**env), out=out, err=err
            )
            try:
                code = child.wait(timeout=120)
            finally:
                child.kill()
            return subprocess.CompletedProcess(
                list(arguments), code, out.read_text(), err.read_text()
            )
    return subprocess.run(
        [*within, *COMMAND, *arguments],
        cwd=cwd,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass
class DaemonProcess:
    """A daemon with its config, its sandbox and its log in one folder."""

    folder: Path
    config: Path | None
    repository: Path | None = None
    """With no config: the repository of ``run --sandbox --repo``."""
    process: subprocess.Popen | Forked | None = None
    env: dict[str, str] = field(default_factory=dict)
    _log_before: int = 0
    prefix: list[str] = field(default_factory=list)
    """What starts it, if not we ourselves: a command that becomes the daemon."""
    options: tuple[str, ...] = ()
    is_forked: bool = True
    """Of a process that has imported everything; else a Python of its own is begun,
    for tests of what a process has from its first moment: its memory, its variables."""

    @property
    def log(self) -> str:
        path = self.folder / "daemon.log"
        return path.read_text() if path.exists() else ""

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log that tell of an event."""
        lines = [line for line in self.log.splitlines() if line.startswith("{")]
        return [one for one in map(json.loads, lines) if one.get("event") == event]

    @property
    def url(self) -> str:
        """Where it serves, by its own log; waits until it does."""
        eventually(lambda: self.logged("web.started"), what="the server's address")
        return self.logged("web.started")[-1]["url"]

    def ready(self) -> dict[str, Any]:
        """What `/readyz` answers."""
        return httpx.get(f"{self.url}/readyz", timeout=30).json()

    @property
    def sandbox(self) -> Path:
        return self.folder / ".gitops-wf" / "sandbox"

    @property
    def _source(self) -> list[str]:
        if self.config is not None:
            return ["--config", str(self.config)]
        return ["--sandbox", "--repo", str(self.repository)]

    @property
    def store(self) -> str:
        if self.config is not None:
            return load_config(self.config).store
        return str(self.folder / ".gitops-wf" / "gitops-wf.db")

    @property
    def inside(self) -> list[str]:
        """What runs a command where it runs, with the mounts that only it sees."""
        if not self.prefix or self.process is None:
            return []
        return ["nsenter", "-t", str(self.process.pid), "-m"]

    def start(self) -> None:
        self._log_before = len(self.log)
        log_file = self.folder / "daemon.log"
        if self.is_forked and not self.prefix and "LD_PRELOAD" not in self.env:
            self.process = forked_command(
                ["run", *self._source, *self.options],
                cwd=self.folder,
                env=environment(**self.env),
                out=log_file,
                err=log_file,
            )
            return
        with log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *COMMAND, "run", *self._source, *self.options],
                cwd=self.folder,
                env=environment(**self.env),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def kill(self) -> None:
        """As a power cut would: SIGKILL."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self) -> int:
        """As an operator would: SIGTERM; returns the exit code.

        What it is to have done may stand in the store from the process before; so it
        waits until this one runs, for until then a signal ends it as any program.
        """
        process = self.process
        assert process is not None
        eventually(
            lambda: (
                process.poll() is not None
                or '"daemon.started"' in self.log[self._log_before :]
            ),
            what="the daemon to run",
        )
        process.terminate()
        code = process.wait(timeout=30)
        self.process = None
        return code

    def close(self) -> None:
        """End whatever still runs, the sandbox included."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        sandbox_process.stop(self.sandbox)

    def get(self, what: str, *more: str) -> list[dict[str, Any]]:
        """What ``gitops-wf get … -o json`` prints."""
        where = ["--config", str(self.config)] if self.config is not None else []
        done = cli(
            *("get", what, "-o", "json", *where, *more),
            cwd=self.folder,
            within=self.inside,
        )
        if done.returncode:
            return []  # the store is not there yet
        return json.loads(done.stdout)

    def phases(self, name: str) -> list[str]:
        """Phase (and reason) of each revision of an environment, oldest first."""
        if self.inside and not Path(self.store).exists():  # on a disk of its own
            return [
                f"{r['phase']}/{r['reason']}" if r["reason"] else r["phase"]
                for r in reversed(self.get("revisions"))
                if r["environment"] == name
            ]
        try:
            with (
                closing(open_for_reading(self.store)) as store,
                store.read() as reader,
            ):
                found = reader.revisions()
        except GitOpsError:
            return []  # it is just being made, or a test cut this look off, too
        return [
            f"{r.phase}/{r.reason}" if r.reason else r.phase.value
            for r in reversed(found)
            if environment_name(r.environment) == name
        ]

    def reaches(self, name: str, phases: list[str]) -> None:
        """Wait until an environment's revisions stand like this."""

        def look() -> bool:
            assert self.process is None or self.process.poll() is None, "it ended"
            return self.phases(name) == phases

        try:
            eventually(look, what=f"{name} to be {phases}")
        except AssertionError as error:
            raise AssertionError(
                f"{error}; now {self.phases(name)}\n{self.log[-6000:]}"
            ) from None

    def kubectl(self, *arguments: str) -> Any:
        """What the cluster has, asked by kubectl."""
        done = subprocess.run(
            [KUBECTL, *arguments, "-o", "json"],
            env=environment(
                KUBECONFIG=str(self.sandbox / "kubeconfig"), HOME=str(self.folder)
            ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return json.loads(done.stdout) if done.returncode == 0 else None

    def read(self, path: str) -> Any:
        """What the cluster has at a path, asked without the cost of a kubectl."""
        kubeconfig = self.sandbox / "kubeconfig"
        if not kubeconfig.exists():
            return None
        client = client_of(kubeconfig, self.folder)
        try:
            answer = client.send("GET", path, {"Accept": "application/json"}, None)
        except OSError:
            return None  # it is not there yet, or no more
        finally:
            client.close()
        return answer.body if answer.status == 200 else None

    def value(self, namespace: str, name: str = "web") -> str | None:
        """The value that a ConfigMap has in a namespace."""
        found = self.read(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        return found["data"]["value"] if found else None

    def writes(self, part: str) -> list[dict[str, Any]]:
        """The sandbox's own record of writes whose path has a part, as they came."""
        log = self.sandbox / "requests.log"
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return [
            line
            for line in lines
            if line["method"] in {"PATCH", "POST", "PUT", "DELETE"}
            and part in line["path"]
        ]

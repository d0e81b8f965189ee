"""The directory of a sandbox: what is kept in it, and who holds it.

| file | is |
|---|---|
| `kubeconfig` | how to reach the cluster: context `sandbox`, with its token |
| `sandbox.db` | the cluster's state |
| `sandbox.json` | port, token and pace, kept so that the kubeconfig stays valid |
| `sandbox.pid` | the process; it holds a lock on this file as long as it lives |
| `sandbox.log` | what the process printed |
| `requests.log` | one JSON line for each request that it answered |
| `tls/` | its certificates |
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from gitops_wf.sandbox.private_files import write_private

_STATE = (
    *("sandbox.db", "sandbox.db-wal", "sandbox.db-shm"),
    *("requests.log", "requests.log.1"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a sandbox keeps from one start to the next."""

    port: int
    token: str
    delay: str


class SandboxDirectory:
    """Paths and files of one sandbox."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self.kubeconfig = self.path / "kubeconfig"
        self.database = self.path / "sandbox.db"
        self.log = self.path / "sandbox.log"
        self.requests = self.path / "requests.log"
        self.pid_file = self.path / "sandbox.pid"
        self.tls = self.path / "tls"
        self._settings = self.path / "sandbox.json"

    def __str__(self) -> str:
        return f"sandbox in {self.path}"

    def create(self) -> None:
        """Make the directory, readable by its owner only."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def settings(self) -> Settings | None:
        """What was kept; None before the first start, or where it cannot be read."""
        try:
            kept = json.loads(self._settings.read_text(encoding="utf-8"))
            return Settings(port=kept["port"], token=kept["token"], delay=kept["delay"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, settings: Settings) -> None:
        """Keep the settings."""
        write_private(self._settings, json.dumps(asdict(settings)).encode())

    def write_kubeconfig(self, url: str, token: str, ca: str) -> None:
        """Write the kubeconfig of a server, complete without any other file."""
        name = "sandbox"
        ca_data = base64.b64encode(ca.encode()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {"server": url, "certificate-authority-data": ca_data},
                }
            ],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
        text = yaml.safe_dump(config, sort_keys=False)
        write_private(self.kubeconfig, text.encode())

    def url(self) -> str:
        """The server's address, as the kubeconfig has it."""
        config = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8"))
        return str(config["clusters"][0]["cluster"]["server"])

    def holder(self) -> int | None:
        """The id of the process that serves this directory; None where none does."""
        try:
            with self.pid_file.open("r", encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    text = file.read().strip()
                    # The lock is taken a moment before the number is written.
                    return int(text) if text.isdigit() else 0
        except (FileNotFoundError, NotADirectoryError):
            pass
        return None

    def erase(self) -> None:
        """Forget the cluster's state; port, token and certificates stay."""
        for name in _STATE:
            (self.path / name).unlink(missing_ok=True)


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


class AlreadyRunning(Exception):  # noqa: N818 - what is so, not an error of ours
    """Another process serves this directory."""


class Hold:
    """The lock that the serving process has on its directory while it lives."""

    def __init__(self, directory: SandboxDirectory) -> None:
        self._directory = directory
        self._descriptor = -1

    def __enter__(self) -> Self:
        directory = self._directory
        self._descriptor = os.open(directory.pid_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            pid = directory.holder() or "?"
            message = f"a sandbox is already running in {directory.path} (pid {pid})"
            raise AlreadyRunning(message) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Emptied, not removed: a file that is gone could be locked twice.
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

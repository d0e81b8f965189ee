"""Where the demo plays: its files, and the two processes that it starts."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from gitops_wf.cli.example import CONFIG, example_files
from gitops_wf.core.errors import TerminalError
from gitops_wf.sandbox import process as sandbox_process
from gitops_wf.sandbox.process import SandboxError

_PATIENCE = 15
_TAIL = 2000


class Stage:
    """A directory with repository, work tree, config, store and sandbox."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.repository = self.directory / "shop.git"
        self.work_tree = self.directory / "shop"
        self.config = self.directory / CONFIG
        self.sandbox = self.directory / "sandbox"
        self.kubeconfig = self.sandbox / "kubeconfig"
        self.log = self.directory / "daemon.log"
        self._daemon: subprocess.Popen[bytes] | None = None

    def build(self) -> None:
        """Write the config and an empty work tree; the repository comes by git."""
        if self.directory.exists() and any(self.directory.iterdir()):
            raise TerminalError(
                f"{self.directory} is not empty; name another directory",
                reason="WouldOverwrite",
            )
        self.work_tree.mkdir(parents=True)
        text = example_files()[CONFIG]
        text = text.replace("url: .  ", "url: shop.git  ", 1)
        self.config.write_text(f"directory: .\n\n{text}", encoding="utf-8")

    def write_example(self) -> None:
        """Put the example's environments into the work tree."""
        for path, text in example_files().items():
            if path != CONFIG:
                file = self.work_tree / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Start the sandbox and the daemon.

        Errors: TerminalError where one does not come up.
        """
        try:
            sandbox_process.start(self.sandbox, delay="300ms")
        except SandboxError as exc:
            raise TerminalError(str(exc), reason="SandboxFailed") from exc
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gitops_wf.cli"),
                    *("run", "--config", str(self.config)),
                ],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is ours to handle: the daemon is stopped in order.
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise TerminalError with the end of its log if the daemon has ended."""
        daemon = self._daemon
        if daemon is not None and daemon.poll() is not None:
            told = self.log.read_bytes()[-_TAIL:].decode(errors="replace")
            raise TerminalError(
                f"the daemon ended with {daemon.returncode}:\n{told}",
                reason="DaemonEnded",
            )

    def stop(self, *, keep_sandbox: bool) -> None:
        """End what was started, in any case."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None and daemon.poll() is None:
            daemon.terminate()
            try:
                daemon.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(daemon.pid, signal.SIGKILL)
                daemon.wait()
        if not keep_sandbox:
            sandbox_process.stop(self.sandbox)

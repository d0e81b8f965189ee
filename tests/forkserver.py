"""Child processes of tests, forked off one that has imported everything once.

Starting a Python with all of it takes ten times as long as most tests of a process.
There is one such server per test process, so all that any test needs stands here.
"""

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(
    [
        "tests.executor_process",
        "tests.daemon_process",
        "tests.command_process",
        "tests.stores",
        "tests.sandbox_process",
    ]
)


class Forked:
    """A child that runs a function, with what tests use of `subprocess.Popen`."""

    def __init__(self, target: Callable[..., Any], *arguments: Any) -> None:
        self._process = FORKSERVER.Process(target=target, args=arguments, daemon=True)
        self._process.start()
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(["forked"], timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def forked_command(
    arguments: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str],
    out: Path,
    err: Path,
) -> Forked:
    """Run a command of ours in a child; what it prints is appended to files."""
    from tests.command_process import carry_out

    return Forked(carry_out, list(arguments), cwd or Path.cwd(), dict(env), out, err)

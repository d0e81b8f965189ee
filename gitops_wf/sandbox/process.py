"""Sandboxes as processes of their own: start, stop, reset, status.

A sandbox outlives whoever started it. It is found by its directory alone, and
everything here may be called from any process.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitops_wf.sandbox.directory import SandboxDirectory

START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
_LOOK = 0.02
_LOG_TAIL = 2000


class SandboxError(Exception):
    """A sandbox that does not start or stop; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxInfo:
    """A running sandbox; `fresh` says that this call started it."""

    kubeconfig: Path
    url: str
    pid: int
    fresh: bool = False


def status(path: Path | str) -> SandboxInfo | None:
    """The sandbox that runs in a directory, or None."""
    directory = SandboxDirectory(path)
    pid = directory.holder()
    if not pid or not directory.kubeconfig.exists():
        return None
    return SandboxInfo(kubeconfig=directory.kubeconfig, url=directory.url(), pid=pid)


def start(
    path: Path | str,
    *,
    port: int = 0,
    delay: str = "",
    timeout: float = START_TIMEOUT,
) -> SandboxInfo:
    """Start a detached sandbox and wait until it answers.

    One that runs already is left as it is. `delay` is the node's, as in `300ms`; `port`
    0 takes the port of the last start, or a free one. Raises SandboxError with the end
    of the sandbox's log.
    """
    running = status(path)
    if running is not None:
        return running
    directory = SandboxDirectory(path)
    try:
        directory.create()
    except OSError as error:
        raise SandboxError(
            f"{directory} did not start: its directory cannot be made:"
            f" {error.strerror or error}"
        ) from error
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "gitops_wf.sandbox", "--dir", str(directory.path)]
    command += ["--port", str(port), "--ready-fd", str(writer)]
    if delay:
        command += ["--delay", delay]
    # Opened to append: the log of the run before is often what one wants to read.
    with directory.log.open("ab") as log:
        begin = log.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writer,),
            start_new_session=True,
        )
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answered, _, _ = select.select([pipe], [], [], timeout)
        url = pipe.readline().decode().strip() if answered else ""
    if not url:
        process.kill()
        process.wait()
        running = status(path)
        if running is not None:
            # Somebody else started one in this very moment.
            return running
        told = directory.log.read_bytes()[begin:][-_LOG_TAIL:].decode(errors="replace")
        why = told.strip().removeprefix(f"{directory}: ")
        why = why or f"no answer within {timeout:g}s"
        raise SandboxError(f"{directory} did not start: {why}")
    return SandboxInfo(
        kubeconfig=directory.kubeconfig, url=url, pid=process.pid, fresh=True
    )


def stop(path: Path | str, *, timeout: float = STOP_TIMEOUT) -> bool:
    """Stop the sandbox of a directory and wait for its end; whether one was running.

    Raises SandboxError when it is still there after `timeout` seconds.
    """
    directory = SandboxDirectory(path)
    pid = directory.holder()
    if not pid:
        return False
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    end = time.monotonic() + timeout
    while directory.holder() == pid:
        if time.monotonic() > end:
            raise SandboxError(f"{directory} (pid {pid}) did not stop in {timeout:g}s")
        time.sleep(_LOOK)
    _reap(pid)
    return True


def _reap(pid: int) -> None:
    """Collect the process if it is a child of ours, so that no zombie stays."""
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def reset(path: Path | str) -> SandboxInfo | None:
    """Empty the cluster of a directory; one that ran runs again, where it was."""
    ran = stop(path)
    SandboxDirectory(path).erase()
    return start(path) if ran else None

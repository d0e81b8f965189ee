"""Runs one git command: argv only, bounded time and output, killed with its children.

GitPython starts the process; it cannot remove variables or cap output, so both are
done here. The environment's own `GIT_*` never reach git.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, cast

# GitPython looks for git when it is imported and would fail there, without a word about
# the repository; we say it when git is first needed.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git.cmd import Git
from git.exc import GitCommandNotFound

from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.ports.git import GitReason

LOCAL_TIMEOUT = timedelta(minutes=2)
OUTPUT_LIMIT = 128 * 1024 * 1024
"""Bytes that one command may print; a tree made to explode ends here."""
_STDERR_LIMIT = 64 * 1024
_CHUNK = 64 * 1024
_AMBIENT = ("SSH_ASKPASS", "SSH_ASKPASS_REQUIRE")
_LOCAL = (  # `git rev-parse --local-env-vars`, less the configuration
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended; `stderr` is cut at 64 KiB."""

    code: int
    stdout: bytes
    stderr: str


class Interrupt:
    """Ends the commands that were started with it, and all that would be."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._is_set = False

    @property
    def is_set(self) -> bool:
        """Whether it was called for."""
        return self._is_set

    def set(self) -> None:
        """Kill what runs; what starts from now on is killed at once."""
        with self._lock:
            self._is_set = True
            for process in self._running:
                kill(process)

    @contextmanager
    def watching(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Kill this process if the interrupt comes meanwhile."""
        with self._lock:
            self._running.add(process)
            if self._is_set:
                kill(process)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(process)


def start(
    directory: Path,
    args: Sequence[str],
    env: Mapping[str, str],
    *,
    personal: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts `git *args` in a session of its own, all three streams piped.

    `personal` is for a person's own commands: only those of their `GIT_*` are taken
    away that name another repository, and their terminal stays within reach.
    """
    scrubbed = [name for name in _inherited(env) if not personal or name in _LOCAL]
    command = ["git", *args]
    if scrubbed:  # GitPython adds to the environment but cannot take from it
        command = ["env", *(f"--unset={name}" for name in scrubbed), *command]
    try:
        started = Git(str(directory)).execute(
            command,
            istream=subprocess.PIPE,
            as_process=True,
            env=dict(env),
            start_new_session=not personal,
        )
    except GitCommandNotFound as exc:
        message = "the git program is not installed or not on PATH"
        raise TerminalError(message, reason=GitReason.GIT_UNUSABLE) from exc
    process = started.proc
    assert process is not None
    started.proc = None  # else GitPython ends it when `started` is collected
    return cast("subprocess.Popen[bytes]", process)


def run(
    directory: Path,
    args: Sequence[str],
    env: Mapping[str, str],
    *,
    stdin: bytes = b"",
    timeout: timedelta = LOCAL_TIMEOUT,
    output_limit: int = OUTPUT_LIMIT,
    personal: bool = False,
    interrupt: Interrupt | None = None,
) -> Finished:
    """Runs `git *args` to its end.

    `TransientError` when it takes longer than `timeout` or is interrupted,
    `TerminalError` when it prints more than `output_limit` bytes; it is killed in all
    three cases.
    """
    interrupt = interrupt or Interrupt()
    process = start(directory, args, env, personal=personal)
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        kill(process)

    clock = threading.Timer(timeout.total_seconds(), expire)
    clock.daemon = True
    clock.start()
    errors: list[bytes] = []
    threads = [
        threading.Thread(target=_feed, args=(process, stdin), daemon=True),
        threading.Thread(target=_collect, args=(process, errors), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        with interrupt.watching(process):
            stdout, is_whole = _read(_pipe(process.stdout), output_limit)
            if not is_whole:
                kill(process)
            code = process.wait()
    finally:
        clock.cancel()
        if process.poll() is None:
            kill(process)
            process.wait()
        for thread in threads:
            thread.join()
        _pipe(process.stdout).close()
        _pipe(process.stderr).close()
    if interrupt.is_set:
        raise TransientError(f"git {args[0]} was interrupted: the daemon stops")
    if expired.is_set():
        seconds = timeout.total_seconds()
        raise TransientError(f"git {args[0]} did not finish within {seconds:g}s")
    if not is_whole:
        message = f"git {args[0]} printed more than {output_limit} bytes"
        raise TerminalError(message, reason=GitReason.TOO_LARGE)
    return Finished(code, stdout, b"".join(errors).decode(errors="replace"))


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a process of `start` and all that it started; no error if it is gone."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # it leads no group, or has ended
            process.kill()


def _inherited(env: Mapping[str, str]) -> tuple[str, ...]:
    ours = os.environ
    names = (n for n in ours if n.startswith("GIT_") or n in _AMBIENT)
    return tuple(name for name in names if name not in env)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    stream = _pipe(process.stdin)
    try:
        stream.write(data)
        stream.close()
    except (BrokenPipeError, ValueError):
        pass  # it ended without reading everything; its exit code tells why


def _collect(process: subprocess.Popen[bytes], into: list[bytes]) -> None:
    stream, kept = _pipe(process.stderr), 0
    while chunk := stream.read1(_CHUNK):  # type: ignore[attr-defined] # BufferedReader
        if kept < _STDERR_LIMIT:
            into.append(chunk)
            kept += len(chunk)


def _read(stream: IO[bytes], limit: int) -> tuple[bytes, bool]:
    parts, size = [], 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            return b"", False
        parts.append(chunk)
    return b"".join(parts), True

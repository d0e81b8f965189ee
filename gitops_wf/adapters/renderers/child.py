"""A child process that may cost only so much, and reaches only its own folder.

Flux and Argo CD render inside their own process or pod and have had advisories for it
(memory exhaustion by a manifest, files and networks reached from a template). The
limits are the kernel's: see `become`.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitops_wf.adapters.renderers.become import NOT_CONFINED
from gitops_wf.core.durations import format_duration
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.render_limits import RenderLimits

_BECOME = str(Path(__file__).with_name("become.py"))

_OUT_OF_MEMORY = (b"out of memory", b"cannot allocate memory", b"MemoryError")
_TOO_LARGE = b"file too large"
"""EFBIG, as Go and Python say it where SIGXFSZ is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended; ``problem`` says which limit ended it, if one did."""

    code: int
    output: bytes
    errors: str
    problem: str = ""


def run(
    command: Sequence[str],
    folder: Path,
    limits: RenderLimits,
    *,
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> Ended:
    """Run a program in a folder, to its end.

    ``environment`` is all of its environment. Errors: TransientError where it took
    longer than the wall time, for that may be the machine's load; TerminalError
    (RendererUnconfined) where the kernel cannot keep it from the network.
    """
    out, err = folder / ".stdout", folder / ".stderr"
    seconds = int(limits.cpu.total_seconds())
    arguments = [int(limits.memory), seconds, int(limits.output)]
    with out.open("wb") as output, err.open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", _BECOME, *map(str, arguments), *command],
            cwd=folder,
            env=dict(environment or {}),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            child.communicate(given, timeout=limits.timeout.total_seconds())
        except subprocess.TimeoutExpired as exc:
            raise TransientError(
                f"rendering took longer than {limits.timeout.total_seconds():g} s and "
                f"was ended: the machine is slow, or {_more('timeout')}"
            ) from exc
        finally:
            # All of its group: what it started itself must not go on either.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode == NOT_CONFINED:
        raise TerminalError(
            "nothing is rendered on this machine: its kernel gives the renderer neither"
            " a network namespace nor a seccomp filter, so a file of the repository"
            " could reach the network; run the daemon where one of them is allowed",
            reason="RendererUnconfined",
        )
    told = err.read_bytes()[-(64 << 10) :]
    return Ended(
        code=child.returncode,
        output=out.read_bytes(),
        errors=told.decode("utf-8", "replace"),
        problem=_problem(child.returncode, told, limits),
    )


def _more(setting: str) -> str:
    return f"`renderers.{setting}` of the daemon config must allow more"


def _problem(code: int, errors: bytes, limits: RenderLimits) -> str:
    """Say which limit a child ran into and where it is set, or nothing."""
    if code == 0:
        return ""
    time = f"it takes more than {format_duration(limits.cpu)} of processor time"
    memory = f"it needs more than {limits.memory} of memory"
    if code == -signal.SIGXFSZ or _TOO_LARGE in errors.lower():
        return f"it writes more than {limits.output}: {_more('output')}"
    if code == -signal.SIGXCPU:
        return f"{time}: {_more('cpu')}"
    if any(words in errors for words in _OUT_OF_MEMORY):
        return f"{memory}: {_more('memory')}"
    if code == -signal.SIGKILL:
        settings = "`renderers.cpu` or `renderers.memory`"
        return (
            f"the kernel ended it: {time}, or {memory} ({settings} of the daemon "
            "config), or the machine has none left"
        )
    return ""

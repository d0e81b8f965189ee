"""The bare interpreter that gives up what a renderer must not have, then becomes it.

    python -I -S become.py MEMORY SECONDS SIZE PROGRAM ARGUMENT…

Run so, for code between fork and exec of a process with threads may dead-lock.

kustomize fetches whatever file is written as a URL: from metadata addresses, too. A
network namespace of its own is refused in containers (Kubernetes' RuntimeDefault), so
sockets are forbidden by a filter, which needs no right. Where neither can be had,
nothing is rendered. unshare(2), seccomp(2), setrlimit(2), prctl(2)
"""

import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping

NOT_CONFINED = 78
"""The exit code (sysexits.h: EX_CONFIG) of a machine where nothing can be rendered."""

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000

# linux/audit.h; seccomp(2) says why a filter must look at it.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
"""Added to the numbers of x86-64's second table of calls."""

# asm/unistd.h. Rings can open sockets, too.
_IO_URING_SETUP = 425
_AF_UNIX = 1
"""What programs of one machine speak through: gpg with its agent."""
_SOCKET = {"x86_64": 41, "aarch64": 198}

# Places in `struct seccomp_data`.
_CALL = 0
_ARCHITECTURE = 4
_FIRST_ARGUMENT = 16

_LOAD = 0x20
_JUMP_IF_EQUAL = 0x15
_JUMP_IF_AT_LEAST = 0x35
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EACCES


class _Program(ctypes.Structure):
    """Linux's `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def forbid(calls: Mapping[int, int | None]) -> bool:
    """Have the kernel refuse these system calls for good; say whether it will.

    Each with the one first argument with which it is allowed all the same, if any.
    """
    architecture = _ARCHITECTURES.get(os.uname().machine)
    if architecture is None:
        return False
    allow = 4 + sum(1 if spared is None else 3 for spared in calls.values())
    refuse = allow + 1
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_IF_EQUAL, 0, refuse - 2, architecture),
        (_LOAD, 0, 0, _CALL),
        (_JUMP_IF_AT_LEAST, refuse - 4, 0, _X32),
    ]
    for call, spared in calls.items():
        here = len(steps) + 1  # jumps count from the step after
        if spared is None:
            steps.append((_JUMP_IF_EQUAL, refuse - here, 0, call))
            continue
        steps += [
            (_JUMP_IF_EQUAL, 0, 2, call),
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_JUMP_IF_EQUAL, allow - here - 2, refuse - here - 2, spared),
        ]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    program = _Program(len(steps), b"".join(struct.pack("HBBI", *s) for s in steps))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        and libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))
        == 0
    )


def main() -> None:
    """Leave the network, take the limits, and become the program."""
    memory, seconds, size = map(int, sys.argv[1:4])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    is_alone = any(
        libc.unshare(flags) == 0
        for flags in (_CLONE_NEWNET, _CLONE_NEWNET | _CLONE_NEWUSER)
    )
    socket = _SOCKET.get(os.uname().machine)
    is_mute = socket is not None and forbid({socket: _AF_UNIX, _IO_URING_SETUP: None})
    if not (is_alone or is_mute):
        sys.exit(NOT_CONFINED)
    # RLIMIT_DATA and not RLIMIT_AS, for Go reserves much more address space than it
    # uses.
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_FSIZE, size, size),
        (resource.RLIMIT_DATA, memory, memory),
    ):
        resource.setrlimit(kind, (soft, hard))
    os.execv(sys.argv[4], sys.argv[4:])  # noqa: S606 - it is to become just this


if __name__ == "__main__":
    main()

"""One process per SQLite file, held by a lock that the kernel gives up with us."""

import fcntl
import os
from pathlib import Path

from gitops_wf.core.errors import TerminalError


class ProcessLock:
    """A locked file beside the store; it names the process that holds it.

    flock, not lockf: a lock of the open file, which a child process does not
    inherit across exec (PEP 446) and which another `open` of ours does not drop.
    """

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + ".lock")
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise TerminalError(
                f"store {store}: its lock file cannot be opened: {exc}",
                reason="StoreUnreadable",
            ) from exc
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.pread(self._file, 20, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise TerminalError(
                f"store {store} is in use by process {holder or 'unknown'}: one daemon"
                " at a time; stop that one, or give this one a store of its own",
                reason="StoreInUse",
            ) from exc
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have the store."""
        os.close(self._file)

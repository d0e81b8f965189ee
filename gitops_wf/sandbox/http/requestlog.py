"""The witness: one JSON line per answered request, for those who check the product."""

from __future__ import annotations

import json
import threading
from datetime import datetime
from pathlib import Path
from typing import TextIO

from gitops_wf.sandbox.clocks import micro_stamp

MOST_BYTES = 32 * 1024 * 1024
"""Of one file: some 150,000 requests."""


class RequestLog:
    """An append-only file; each line is flushed before the answer goes out.

    When it is full it is renamed to ``….1``, in the place of the one before it.
    """

    def __init__(self, path: Path | None, *, most_bytes: int = MOST_BYTES) -> None:
        """None keeps no log."""
        self._lock = threading.Lock()
        self._path = path
        self._most_bytes = most_bytes
        self._file: TextIO | None = None
        if path is not None:
            self._file = path.open("a", encoding="utf-8")

    def write(
        self,
        *,
        at: datetime,
        method: str,
        path: str,
        user_agent: str,
        user: str,
        code: int,
        revision: str,
    ) -> None:
        """Note a request; `revision` is the resourceVersion it wrote, or ''."""
        if self._file is None:
            return
        line = json.dumps(
            {
                "time": micro_stamp(at),
                "method": method,
                "path": path,
                "userAgent": user_agent,
                "user": user,
                "code": code,
                "resourceVersion": revision,
            }
        )
        with self._lock:
            if self._file.tell() >= self._most_bytes:
                self._begin_anew()
            self._file.write(line + "\n")
            self._file.flush()

    def _begin_anew(self) -> None:
        assert self._file is not None
        assert self._path is not None
        self._file.close()
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._file = self._path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

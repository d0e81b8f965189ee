"""One long-lived `git cat-file --batch-command`: reads objects without a start each."""

import contextlib
import os
import selectors
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, TypeVar

from gitops_wf.adapters.git_cli.environment import local_environment
from gitops_wf.adapters.git_cli.process import kill, start
from gitops_wf.core.errors import TransientError
from gitops_wf.core.identifiers import Oid

_T = TypeVar("_T")
_ANSWER_TIMEOUT = timedelta(seconds=60)
# A batch of questions fits the pipe (64 KiB on Linux), so that writing it never waits
# for git while git waits for us to read.
_QUESTIONS = 256
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What an object is, without its content; `kind` is blob, tree, commit or tag."""

    oid: Oid
    kind: str
    size: int


class DamagedCloneError(Exception):
    """git cannot read an object that our clone has; only inside this package."""


class OversizedObjectError(Exception):
    """An object is larger than the cap; only inside this package."""


class ObjectReader:
    """Objects by full id, from any thread; the child is restarted when it died."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def infos(self, oids: Sequence[Oid]) -> list[ObjectInfo | None]:
        """What each of `oids` is; None for those that are not here."""

        def read(child: "_Child", batch: Sequence[Oid]) -> list[ObjectInfo | None]:
            return [child.header() for _ in batch]

        return self._asked("info", oids, read)

    def objects(
        self, oids: Sequence[Oid], *, max_bytes: int
    ) -> list[tuple[ObjectInfo, bytes] | None]:
        """Each of `oids` with its content; None for those that are not here.

        `OversizedObjectError` if one is larger than `max_bytes`; it is not read.
        """

        def read(
            child: "_Child", batch: Sequence[Oid]
        ) -> list[tuple[ObjectInfo, bytes] | None]:
            return [child.object(max_bytes) for _ in batch]

        return self._asked("contents", oids, read)

    def close(self) -> None:
        """Ends the child; the next question starts another."""
        with self._lock:
            self._end()

    def _asked(
        self,
        command: str,
        oids: Sequence[Oid],
        read: Callable[["_Child", Sequence[Oid]], list[_T]],
    ) -> list[_T]:
        found: list[_T] = []
        with self._lock:
            for batch in _batches(oids, _QUESTIONS):
                found += self._answered([f"{command} {o}" for o in batch], batch, read)
        return found

    def _answered(
        self,
        questions: Iterable[str],
        batch: Sequence[Oid],
        read: Callable[["_Child", Sequence[Oid]], list[_T]],
    ) -> list[_T]:
        """The answers of the child, or of a second one if the first has died."""
        for _ in range(2):
            if self._child is None:
                self._child = _Child(self._git_dir)
            try:
                self._child.ask(questions)
                return read(self._child, batch)
            except (BrokenPipeError, EOFError):
                self._end()
            except BaseException:
                self._end()  # what it still prints would answer the next question
                raise
        raise DamagedCloneError

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()


class _Child:
    """The child and its answers; `EOFError` when it is gone."""

    def __init__(self, git_dir: Path) -> None:
        args = ("cat-file", "--batch-command")
        self._process = start(git_dir, args, local_environment(git_dir))
        self._buffer = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(_pipe(self._process.stdout), selectors.EVENT_READ)
        stderr = _pipe(self._process.stderr)
        threading.Thread(target=_drain, args=(stderr,), daemon=True).start()

    def ask(self, questions: Iterable[str]) -> None:
        stream = _pipe(self._process.stdin)
        stream.write("".join(f"{question}\n" for question in questions).encode("ascii"))
        stream.flush()

    def header(self) -> ObjectInfo | None:
        while (end := self._buffer.find(b"\n")) < 0:
            self._fill()
        words = self._take(end + 1).decode("ascii", "replace").split()
        if words[-1] == "missing":
            return None
        oid, kind, size = words
        return ObjectInfo(Oid(oid), kind, int(size))

    def object(self, max_bytes: int) -> tuple[ObjectInfo, bytes] | None:
        info = self.header()
        if info is None:
            return None
        if info.size > max_bytes:
            raise OversizedObjectError(info.oid)
        while len(self._buffer) < info.size + 1:  # and the line end that git adds
            self._fill()
        return info, self._take(info.size + 1)[:-1]

    def end(self) -> None:
        kill(self._process)
        self._process.wait()
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                _pipe(stream).close()

    def _fill(self) -> None:
        if not self._selector.select(_ANSWER_TIMEOUT.total_seconds()):
            raise TransientError("git cat-file did not answer")
        chunk = os.read(_pipe(self._process.stdout).fileno(), _CHUNK)
        if not chunk:
            raise EOFError
        self._buffer += chunk

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _batches(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]


def _drain(stream: IO[bytes]) -> None:
    with stream:
        while stream.read(4096):
            pass  # its words add nothing to "cannot read the object"

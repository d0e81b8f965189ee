"""One long-lived `git cat-file --batch-command`: reads objects without a start each."""

import contextlib
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
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


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What an object is, without its content; `kind` is blob, tree, commit or tag."""

    oid: Oid
    kind: str
    size: int


class DamagedCloneError(Exception):
    """git cannot read an object that our clone has; only inside this package."""


class ObjectReader:
    """Objects by full id, from any thread; the child is restarted when it died."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def infos(self, oids: Sequence[Oid]) -> list[ObjectInfo | None]:
        """What each of `oids` is; None for those that are not here."""
        found: list[ObjectInfo | None] = []
        for batch in _batches(oids, _QUESTIONS):
            with self._asked(f"info {oid}" for oid in batch) as answer:
                found += [_header(answer) for _ in batch]
        return found

    def contents(self, oids: Sequence[Oid]) -> list[bytes]:
        """The bytes of each of `oids`, whatever their size.

        Ask `infos` first whether they are here and of harmless size.
        """
        found: list[bytes] = []
        for batch in _batches(oids, _QUESTIONS):
            with self._asked(f"contents {oid}" for oid in batch) as answer:
                for oid in batch:
                    header = _header(answer)
                    if header is None:
                        raise KeyError(oid)
                    found.append(_body(answer, header.size))
        return found

    def close(self) -> None:
        """Ends the child; the next question starts another."""
        with self._lock:
            self._end()

    @contextlib.contextmanager
    def _asked(self, questions: Iterable[str]) -> Iterator[IO[bytes]]:
        """Writes questions to the child; gives the stream with the answers."""
        text = "".join(f"{question}\n" for question in questions).encode("ascii")
        with self._lock:
            child = self._written(text)
            clock = threading.Timer(_ANSWER_TIMEOUT.total_seconds(), kill, (child,))
            clock.daemon = True
            clock.start()
            assert child.stdout is not None
            try:
                yield child.stdout
            except EOFError as exc:
                self._end()
                if not clock.is_alive():
                    raise TransientError("git cat-file did not answer") from exc
                raise DamagedCloneError from exc
            except BaseException:
                self._end()  # what it still prints would answer the next question
                raise
            finally:
                clock.cancel()

    def _written(self, text: bytes) -> subprocess.Popen[bytes]:
        """A child that has been given `text`; a new one if the old one is gone."""
        for _ in range(2):
            child = self._started()
            assert child.stdin is not None
            try:
                child.stdin.write(text)
                child.stdin.flush()
            except (BrokenPipeError, ValueError):
                self._end()
            else:
                return child
        raise DamagedCloneError

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is not None:
            self._end()
        if self._child is None:
            env = local_environment(self._git_dir)
            child = start(self._git_dir, ["cat-file", "--batch-command"], env)
            assert child.stderr is not None
            threading.Thread(target=_drain, args=(child.stderr,), daemon=True).start()
            self._child = child
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        kill(child)
        child.wait()
        for stream in (child.stdin, child.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()


def _header(stream: IO[bytes]) -> ObjectInfo | None:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    words = line.decode("ascii", "replace").split()
    if words[-1] == "missing":
        return None
    oid, kind, size = words
    return ObjectInfo(Oid(oid), kind, int(size))


def _body(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size + 1)  # and the line end that git adds
    if len(content) != size + 1:
        raise EOFError
    return content[:-1]


def _batches(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]


def _drain(stream: IO[bytes]) -> None:
    with stream:
        while stream.read(4096):
            pass  # its words add nothing to "cannot read the object"

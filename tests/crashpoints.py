"""Kills this process at a chosen point: at a COMMIT, or at an effect on the world.

Test code, for a child process only. `Crashpoints.install` wraps what every write of
the process goes through: SQLAlchemy's COMMIT, which DBOS and the store share, and the
adapters that ask a cluster, a receiver, a mail server or a Git remote, and the making
of files. Each passing is
named by its *site* (who wrote, by the stack) and counted; before and after it the
process kills itself with SIGKILL, if that is the point that it was given.

A COMMIT of a transaction that wrote nothing is no point: the process leaves the same
behind as between two points. What a process does stands in a journal, which the kernel
keeps when the process is gone.
"""

import json
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from inspect import CO_GENERATOR
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from gitops_wf.adapters.git_cli import GitCliRepository
from gitops_wf.adapters.http_outbound import HttpOutbound
from gitops_wf.adapters.kube_api.transport import Transport
from gitops_wf.adapters.smtp_mailer import SmtpMailer

COMMIT = "COMMIT"
_DDL = re.compile(r"\s*(create|alter|drop)\b", re.IGNORECASE)
_DML = re.compile(r"\s*(insert|update|delete|replace|with)\b", re.IGNORECASE)
_OURS = f"{os.sep}gitops_wf{os.sep}"
_DBOS = f"{os.sep}dbos{os.sep}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Point:
    """Before or after the nth passing of a site, counted from 1."""

    site: str
    nth: int
    when: str

    def __str__(self) -> str:
        return f"{self.when} {self.site} ({self.nth})"

    @property
    def is_commit(self) -> bool:
        return self.site.startswith(COMMIT)

    @property
    def is_on_disk(self) -> bool:
        """Whether it is in the clone, or at a file of the daemon's own."""
        return self.site.startswith(("git ", "create:", "rename:"))


class Journal:
    """A file of JSON lines; each is one write, whole or not there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def tell(self, **fields: Any) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(json.dumps(fields).encode() + b"\n")

    def lines(self, what: str) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        found = map(json.loads, self.path.read_text().splitlines())
        return [line for line in found if line["what"] == what]


class Crashpoints:
    """Counts what passes, and kills at one point."""

    def __init__(self, journal: Journal, point: Point | None = None) -> None:
        self._journal = journal
        self._point = point
        self._passed: Counter[str] = Counter()
        self._unrecorded: dict[int, str] = {}
        self._lock = threading.Lock()
        self._writes = _Writes()

    def install(self) -> None:
        """Wrap what every write goes through; there is no way back."""
        self._wrap_database()
        self._wrap(HttpOutbound, "send", lambda _, request: ("POST", _key_of(request)))
        self._wrap(SmtpMailer, "send", lambda _, mail, __: ("mail", mail.message_id))
        self._wrap(Transport, "request", _change_of)
        self._wrap(GitCliRepository, "_ask", _fetch_of)
        self._wrap(GitCliRepository, "_update_refs", lambda *_: ("git update-ref", ""))
        self._wrap(GitCliRepository, "_initialise", lambda *_: ("git init", ""))
        self._wrap(os, "open", _creation_of)
        self._wrap(Path, "replace", lambda *_: ("rename", ""))

    @contextmanager
    def passing(self, site: str, *, key: str = "") -> Iterator[None]:
        """Pass a site; ``key`` names a message that is now on its way.

        A message counts as unrecorded until this thread's next COMMIT.
        """
        with self._lock:
            self._passed[site] += 1
            nth = self._passed[site]
            thread = threading.current_thread().name
            self._journal.tell(what="passed", site=site, nth=nth, thread=thread)
            self._kill_at(Point(site=site, nth=nth, when="before"))
            if key:
                self._unrecorded[threading.get_ident()] = key
        yield
        with self._lock:
            if site.startswith(COMMIT):
                self._unrecorded.pop(threading.get_ident(), None)
            self._kill_at(Point(site=site, nth=nth, when="after"))

    def _kill_at(self, here: Point) -> None:
        if here == self._point:
            # Under the lock, so that no other thread sends what is not listed.
            self._journal.tell(
                what="killed", **asdict(here), unrecorded=[*self._unrecorded.values()]
            )
            os.kill(os.getpid(), signal.SIGKILL)

    def _wrap(
        self, owner: Any, name: str, describe: Callable[..., tuple[str, str] | None]
    ) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            described = describe(*args)
            if described is None:
                return real(*args, **kwargs)
            verb, key = described
            with self.passing(f"{verb}: {site_of(sys._getframe(1))}", key=key):
                return real(*args, **kwargs)

        setattr(owner, name, wrapped)

    def _wrap_database(self) -> None:
        writes = self._writes
        real = {
            name: getattr(DefaultDialect, name)
            for name in ("do_commit", "do_rollback", "do_execute", "do_executemany")
        }

        def do_commit(dialect: Any, connection: Any) -> None:
            if not writes.forget(connection):
                return real["do_commit"](dialect, connection)
            with self.passing(f"{COMMIT}: {site_of(sys._getframe(1))}"):
                return real["do_commit"](dialect, connection)

        def do_rollback(dialect: Any, connection: Any) -> None:
            writes.forget(connection)
            real["do_rollback"](dialect, connection)

        def executing(name: str) -> Callable[..., None]:
            def execute(dialect: Any, cursor: Any, statement: str, *more: Any) -> None:
                with writes.noted(cursor, statement):
                    if not _commits_itself(cursor.connection, statement):
                        return real[name](dialect, cursor, statement, *more)
                    with self.passing(f"{COMMIT}: {site_of(sys._getframe(1))}"):
                        return real[name](dialect, cursor, statement, *more)

            return execute

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
        DefaultDialect.do_rollback = do_rollback  # type: ignore[method-assign]
        DefaultDialect.do_execute = executing("do_execute")  # type: ignore[method-assign]
        DefaultDialect.do_executemany = executing("do_executemany")  # type: ignore[method-assign]


class _Writes:
    """Which connections have written in their transaction."""

    def __init__(self) -> None:
        self._wrote: set[int] = set()
        self._changes: dict[int, int] = {}

    @contextmanager
    def noted(self, cursor: Any, statement: str) -> Iterator[None]:
        connection = cursor.connection
        if getattr(connection, "in_transaction", None) is False:  # sqlite3
            self._changes[id(connection)] = connection.total_changes
        yield
        is_write = bool(_DML.match(statement)) and cursor.rowcount > 0
        if is_write or _DDL.match(statement):
            self._wrote.add(id(connection))

    def forget(self, connection: Any) -> bool:
        """End a transaction; say whether it wrote."""
        driver = getattr(connection, "dbapi_connection", connection)
        wrote = id(driver) in self._wrote
        self._wrote.discard(id(driver))
        before = self._changes.pop(id(driver), None)
        # SQLite does not know how many rows an UPDATE … RETURNING wrote before its end.
        return wrote or (before is not None and driver.total_changes != before)


def _commits_itself(connection: Any, statement: str) -> bool:
    """Whether a statement is a transaction of its own."""
    if getattr(connection, "autocommit", False) is True:  # psycopg
        return bool(_DDL.match(statement) or _DML.match(statement))
    is_idle = getattr(connection, "in_transaction", None) is False  # sqlite3
    return is_idle and bool(_DDL.match(statement))


def site_of(frame: FrameType | None) -> str:
    """Who is at work: our innermost function past the plumbing, or DBOS's."""
    while frame is not None:
        name, function = frame.f_code.co_filename, frame.f_code.co_qualname
        is_generator = frame.f_code.co_flags & CO_GENERATOR  # a context manager
        if is_generator or function.endswith((".wrapper", "<lambda>")):
            frame = frame.f_back
            continue
        if _DBOS in name:
            return f"dbos {function}:{frame.f_lineno}"
        if _OURS in name:
            return f"{name.rpartition(_OURS)[2]}:{frame.f_lineno} {function}"
        frame = frame.f_back
    return "nobody"


def _key_of(request: Any) -> str:
    return str(request.headers.get("Idempotency-Key", "without a key"))


def _change_of(
    _: Transport, method: str, path: str, **__: Any
) -> tuple[str, str] | None:
    """A write to the cluster, by its kind; reads are no effects."""
    if method == "GET":
        return None
    parts = path.split("/")
    kind = parts[-1] if method == "POST" else parts[-2]
    return f"{method} {kind}", ""


def _creation_of(_: Any, flags: int, *__: Any) -> tuple[str, str] | None:
    """A new file, which is empty until it is written."""
    return ("create", "") if flags & os.O_CREAT else None


def _fetch_of(
    _: GitCliRepository, args: Any, *__: Any, **___: Any
) -> tuple[str, str] | None:
    """What brings something from the remote; to ask for its head changes nothing."""
    return None if "ls-remote" in args else ("git fetch", "")

"""The store on a SQLite file or a PostgreSQL database."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine

from gitops_wf.adapters.sql_store.engines import (
    begin_read,
    begin_write,
    check_file,
    give_back,
    is_sqlite,
    open_engine,
    store_url,
)
from gitops_wf.adapters.sql_store.faults import MOVE_AWAY, describe, translated
from gitops_wf.adapters.sql_store.masking import Masked
from gitops_wf.adapters.sql_store.migrate import migrate, refuse_newer, schema_of
from gitops_wf.adapters.sql_store.process_lock import ProcessLock
from gitops_wf.adapters.sql_store.reading import KnownEnvironments, SqlReader
from gitops_wf.adapters.sql_store.schema import SCHEMA
from gitops_wf.adapters.sql_store.writing import SqlTransaction
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.redaction import Redactor
from gitops_wf.ports.observer import Observer, Unobserved
from gitops_wf.ports.store import StoreCorruptError


class ReadingStore:
    """A store that is only looked at, beside the daemon that writes it."""

    def __init__(self, url: URL, engine: Engine) -> None:
        self.name = describe(url)
        self.engine = engine
        self._known: KnownEnvironments = {}

    @contextmanager
    def read(self) -> Iterator[SqlReader]:
        """One consistent look; it neither waits for writers nor holds them up.

        Errors: StoreUnavailableError, StoreCorruptError.
        """
        with translated(self.name), self.engine.connect() as connection:
            begin_read(connection)
            yield SqlReader(connection, self._known)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


class SqlStore(ReadingStore):
    """The Store role; `open_store` makes one."""

    def __init__(
        self,
        url: URL,
        engine: Engine,
        lock: ProcessLock | None,
        observer: Observer,
        redactor: Redactor,
    ) -> None:
        super().__init__(url, engine)
        self._observer = observer
        self._masked = Masked(redactor)
        self._lock = lock

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """A unit of work; retried by the caller on StoreUnavailableError.

        Errors: StoreUnavailableError (busy, connection lost, disk full or read-only);
        StoreCorruptError. Where the connection is lost while it
        commits, it may have committed.
        """
        with translated(self.name), self.engine.connect() as connection:
            begin_write(connection)
            transaction = SqlTransaction(
                connection, self._observer, self._masked, self._known
            )
            yield transaction
            connection.commit()
        for callback in transaction.after:
            callback()

    def give_back(self) -> bool:
        """Give a little of what is free in the file back to the disk.

        Says whether there is more. PostgreSQL's autovacuum does the like by itself.
        Errors: TransientError.
        """
        if self.engine.dialect.name != "sqlite":
            return False
        with translated(self.name), self.engine.connect() as connection:
            return give_back(connection)

    def close(self) -> None:
        """Close every connection and let another process have the file."""
        super().close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def open_store(
    location: str | Path,
    *,
    observer: Observer | None = None,
    redactor: Redactor | None = None,
) -> SqlStore:
    """Open the store that the daemon writes, and bring it to this schema.

    ``location`` is a path (SQLite) or a URL. What ``redactor`` knows is never
    written. Errors: TerminalError where another process has the file, where it is
    corrupt, or written by a newer version; StoreUnavailableError where it cannot be
    reached, read or written.
    """
    url = store_url(location)
    with ExitStack() as undo:
        lock = None
        if is_sqlite(url):
            file = Path(str(url.database))
            lock = _claim(file)
            undo.callback(lock.release)
            if file.exists():
                _check(url)
        engine = open_engine(url)
        undo.callback(engine.dispose)
        with translated(describe(url)), engine.connect() as connection:
            begin_write(connection)
            migrate(connection, describe(url))
            connection.commit()
        undo.pop_all()
    return SqlStore(url, engine, lock, observer or Unobserved(), redactor or Redactor())


def open_for_reading(location: str | Path) -> ReadingStore:
    """Open a store to look at it, while the daemon runs or not.

    Errors: TerminalError where there is none, or with another schema.
    """
    return ReadingStore(*_opened(location, read_only=True))


def open_beside(location: str | Path) -> SqlStore:
    """Open a store to change a few rows of it, while the daemon runs or not.

    What the process lock keeps out is a second daemon: one that migrates, and that
    carries out work. A short transaction queues as any of the daemon's own. Errors:
    TerminalError where there is no store, or one with another schema.
    """
    opened = _opened(location, read_only=False)
    return SqlStore(*opened, None, Unobserved(), Redactor())


def _opened(location: str | Path, *, read_only: bool) -> tuple[URL, Engine]:
    """Return an engine on a store that is there, and that this version reads."""
    url = store_url(location)
    name = describe(url)
    if is_sqlite(url) and not Path(str(url.database)).exists():
        raise TerminalError(
            f"{name} is not there; the daemon makes it: gitops-wf run",
            reason="StoreMissing",
        )
    engine = open_engine(url, read_only=read_only)
    with ExitStack() as undo:
        undo.callback(engine.dispose)
        with translated(name), engine.connect() as connection:
            current = schema_of(connection)
            refuse_newer(connection, current, name)
        if current != SCHEMA:
            raise TerminalError(
                f"{name} has schema {current or 'none'}, this version reads {SCHEMA};"
                " start the daemon of this version once",
                reason="StoreTooOld",
            )
        undo.pop_all()
    return url, engine


def _claim(file: Path) -> ProcessLock:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise TerminalError(
            f"store {file}: its folder cannot be made: {exc}", reason="StoreUnreadable"
        ) from exc
    return ProcessLock(file)


def _check(url: URL) -> None:
    name = describe(url)
    with translated(name):
        problem = check_file(url)
    if problem:
        raise StoreCorruptError(f"{name}: is damaged ({cut(problem)}); {MOVE_AWAY}")

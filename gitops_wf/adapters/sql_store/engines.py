"""SQLAlchemy engines for both databases, set up for one writer and many readers."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from gitops_wf.core.errors import TerminalError, cut

BUSY_SECONDS = 30
_WAL_BYTES = 64 * 1024 * 1024
_PAGES_AT_ONCE = 1000
_FREE_PAGES = 256
_WRITERS = (
    "journal_mode = WAL",
    # What a burst made of the log is cut back to this when it is begun anew.
    f"journal_size_limit = {_WAL_BYTES}",
)
POOL_SIZE = 16
POOL_OVERFLOW = 64


def store_url(location: str | Path) -> URL:
    """The URL of a store that is named by a path or by a URL.

    Errors: TerminalError where it is neither SQLite nor PostgreSQL.
    """
    text = str(location)
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text).expanduser().absolute()))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as exc:
        # The text may hold a password, so it is not repeated.
        raise TerminalError(
            "store: its URL cannot be read; write postgresql://user@host/database",
            reason="InvalidStore",
        ) from exc
    if url.get_backend_name() in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database not in {
        None,
        "",
        ":memory:",
    }:
        return url.set(drivername="sqlite")
    raise TerminalError(
        f"store: {cut(url.drivername)} is neither a SQLite file nor a PostgreSQL URL",
        reason="InvalidStore",
    )


def password_of(location: str | Path) -> str:
    """Return the password in a store's URL; empty where there is none."""
    return str(store_url(location).password or "")


def is_sqlite(url: URL) -> bool:
    """Whether the store is a file."""
    return url.get_backend_name() == "sqlite"


def open_engine(url: URL, *, read_only: bool = False) -> Engine:
    """An engine; nothing is connected yet."""
    if is_sqlite(url):
        return _sqlite(url, read_only=read_only)
    try:
        from gitops_wf.adapters.sql_store.postgresql import postgresql_engine
    except ImportError as exc:
        raise TerminalError(
            "store: PostgreSQL needs a driver; pip install 'gitops-wf[postgres]'"
            f" ({cut(str(exc))})",
            reason="InvalidStore",
        ) from exc
    return postgresql_engine(url, pool_size=POOL_SIZE, max_overflow=POOL_OVERFLOW)


def _sqlite(url: URL, *, read_only: bool) -> Engine:
    connect_args: dict[str, Any] = {
        "timeout": BUSY_SECONDS,
        # DBOS shares the engine and expects its writes to begin like this.
        "isolation_level": "IMMEDIATE",
        "check_same_thread": False,
    }
    if read_only:
        file = Path(str(url.database)).absolute().as_uri()
        url = URL.create("sqlite", database=file, query={"mode": "ro", "uri": "true"})
    engine = create_engine(
        url, pool_size=POOL_SIZE, max_overflow=POOL_OVERFLOW, connect_args=connect_args
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if pages == 0 and not read_only:
            # Only a file without a table takes it. Pages that become free can then
            # be given back to the disk, a few at a time.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in (
            f"busy_timeout = {BUSY_SECONDS * 1000}",
            "foreign_keys = ON",
            *(("query_only = ON",) if read_only else _WRITERS),
            # WAL and NORMAL: a power cut may lose the last commits, never the
            # file; a killed process loses nothing (sqlite.org/pragma.html).
            "synchronous = NORMAL",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def check_file(url: URL) -> str:
    """Return what SQLite finds wrong with a file, or nothing; it is only read.

    Its pages and records are looked at once, at the start: else a torn page is met in
    the middle of a release. `PRAGMA quick_check` leaves out only the indexes.
    """
    engine = _sqlite(url, read_only=True)
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    finally:
        engine.dispose()
    return "" if found == "ok" else str(found)


def begin_write(connection: Connection) -> None:
    """Begin a transaction that holds SQLite's write lock from its first statement.

    sqlite3 itself would begin only before the first INSERT or UPDATE: what was
    read before that could be stale. PostgreSQL locks rows where they are read.
    A lock of our own around it, so that threads queue instead of sleeping in
    SQLite's busy handler, was measured: no gain, or a loss where it covers only our
    own transactions and not DBOS's.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def give_back(connection: Connection) -> bool:
    """Cut some free pages off an SQLite file; say whether there are more to cut.

    A tenth stays for what is written next. Few at a time, for the write lock is held
    meanwhile: a thousand pages are some 10 ms.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)

    def asked(pragma: str) -> int:
        return int(driver.execute(f"PRAGMA {pragma}").fetchone()[0])

    spare = max(_FREE_PAGES, asked("page_count") // 10)
    free = asked("freelist_count")
    if free > spare:
        # As a script, for that runs to its end: each step of it cuts off one page.
        pages = min(_PAGES_AT_ONCE, free - spare)
        driver.executescript(f"PRAGMA incremental_vacuum({pages})")
    # What readers do not hold up goes from the log into the file; nobody waits.
    asked("wal_checkpoint(PASSIVE)")
    return free - spare > _PAGES_AT_ONCE


def begin_read(connection: Connection) -> None:
    """Begin a transaction that sees one state of the database to its end."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

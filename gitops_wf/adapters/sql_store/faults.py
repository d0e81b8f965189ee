"""What a database's errors mean for whoever asked: again later, or never.

All but a corrupt store can be mended while the daemon runs, which then goes on.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gitops_wf.core.errors import cut
from gitops_wf.ports.store import StoreCorruptError, StoreUnavailableError

_CORRUPT = "StoreCorrupt"
_UNREACHABLE = "StoreUnreachable"

MOVE_AWAY = (
    "move the file away (with its -wal and -shm) and start again: Git and the clusters"
    " hold the truth, and what is not in them is named in operations/loss-and-return"
)

# By primary result code, https://www.sqlite.org/rescode.html
_SQLITE = {
    5: ("StoreBusy", "another process holds its lock; end what reads or copies it"),
    8: ("StoreReadOnly", "make the file and its folder writable"),
    10: ("StoreUnreadable", "look at its disk"),
    11: (_CORRUPT, MOVE_AWAY),
    13: ("StoreFull", "make room on its disk"),
    14: ("StoreUnreadable", "let this user read and write the file and its folder"),
    26: (_CORRUPT, f"name another file, or {MOVE_AWAY}"),
}

# By SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL = {
    "25006": ("StoreReadOnly", "connect to the primary server"),
    "28000": ("StoreUnreadable", "let this user connect"),
    "28P01": ("StoreUnreadable", "mend the password"),
    "3D000": ("StoreUnreadable", "create the database"),
    "42501": ("StoreUnreadable", "grant this user its tables"),
    "53100": ("StoreFull", "make room on the server's disk"),
    "XX001": (_CORRUPT, "restore the database, or name an empty one"),
    "XX002": (_CORRUPT, "restore the database, or name an empty one"),
}


def describe(url: URL) -> str:
    """The store's name for messages: a path, or a URL without its password."""
    if url.get_backend_name() == "sqlite":
        return f"store {url.database}"
    plain = url.set(drivername="postgresql")  # without the driver, as users write it
    return f"store {plain.render_as_string(hide_password=True)}"


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn SQLAlchemy's errors into the families; others pass."""
    try:
        yield
    except PoolTimeoutError as exc:
        raise StoreUnavailableError(
            f"{name}: no free connection: {cut(str(exc))}", reason="StoreBusy"
        ) from exc
    except DatabaseError as exc:
        raise _family(name, exc) from exc
    except InterfaceError as exc:
        raise StoreUnavailableError(
            f"{name}: {_cause(exc)}", reason=_UNREACHABLE
        ) from exc


def _family(name: str, exc: DatabaseError) -> Exception:
    code = getattr(exc.orig, "sqlite_errorcode", None)
    state = getattr(exc.orig, "sqlstate", None)
    known = None
    if code is not None:
        known = _SQLITE.get(code & 0xFF)
    elif state is not None:
        known = _POSTGRESQL.get(state)
    if known is not None:
        reason, mend = known
        message = f"{name}: {_cause(exc)}; {mend}"
        if reason == _CORRUPT:
            return StoreCorruptError(message)
        return StoreUnavailableError(message, reason=reason)
    if isinstance(exc, OperationalError | InternalError):
        return StoreUnavailableError(f"{name}: {_cause(exc)}", reason=_UNREACHABLE)
    return exc


def _cause(exc: StatementError) -> str:
    return cut(str(exc.orig))

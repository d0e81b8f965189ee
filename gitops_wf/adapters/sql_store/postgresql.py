"""Connections to PostgreSQL that never wait for ever for a server that is gone.

Keepalives notice a machine that has vanished, but not a server, or a proxy before it,
that keeps the connection and says nothing more: for that the waiting itself ends.
"""

import time
from collections.abc import Generator
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, event

ANSWER_SECONDS = 20
"""How long one answer may take. The longest statement of ours takes a fraction; the
rest is for a lock that another replica holds. It is less than the silence after which
`/healthz` calls a loop stopped: a restart would not bring the server back."""

_SETTINGS = {
    # The server gives up first, so that its log says on what.
    "statement_timeout": f"{ANSWER_SECONDS - 5}s",
    # A transaction whose client vanished must not hold its locks for the two hours
    # that a server's keepalives take by default.
    "idle_in_transaction_session_timeout": "60s",
}

_CONNECT = {
    "connect_timeout": 10,
    "application_name": "gitops-wf",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": ANSWER_SECONDS * 1000,
}


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that is closed where the server does not answer in time."""

    patience: float = ANSWER_SECONDS

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:
        """Wait for an answer, `patience` seconds at most."""
        return super().wait(self._limited(gen), *args, **kwargs)

    def _limited(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        end = time.monotonic() + self.patience
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                # psycopg comes back every tenth of a second with nothing.
                if not ready and time.monotonic() >= end:
                    break
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value
        gen.close()
        # It may still answer, but by then nobody knows to what.
        self.pgconn.finish()
        raise psycopg.OperationalError(
            f"the server has not answered for {self.patience:g} s"
        )


def postgresql_engine(url: URL, *, pool_size: int, max_overflow: int) -> Engine:
    """An engine whose connections notice that the server is gone."""
    settings = [f"-c {name}={value}" for name, value in _SETTINGS.items()]
    theirs = url.query.get("options", ())
    settings += [theirs] if isinstance(theirs, str) else theirs
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        # A restarted server costs its users a reconnection, not an error.
        pool_pre_ping=True,
        connect_args={
            # What the URL says counts.
            **{key: value for key, value in _CONNECT.items() if key not in url.query},
            "options": " ".join(settings),
        },
    )

    @event.listens_for(engine, "do_connect")
    def connect(
        _dialect: object, _record: object, args: list[Any], options: dict[str, Any]
    ) -> psycopg.Connection[Any]:
        return ImpatientConnection.connect(*args, **options)

    return engine

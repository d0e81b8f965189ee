"""Our tables: a column for what is asked for, JSON text for the rest."""

# ruff: noqa: ARG002 - SQLAlchemy passes the dialect to every type

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from gitops_wf.adapters.sql_store.payload import escape, unescape

SCHEMA = "0002"
"""The newest migration; a test holds it equal to the migrations themselves."""


class Time(TypeDecorator[datetime]):
    """A time as ISO text in UTC, of one width: it sorts, and people can read it."""

    impl = String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return text that PostgreSQL, too, compares byte by byte."""
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(String(32, collation=collation))

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> str | None:
        """Write an aware time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"a naive time cannot be stored: {value.isoformat()}")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> datetime | None:
        """Read it."""
        return None if value is None else datetime.fromisoformat(value)


class Word(TypeDecorator[str]):
    """Text of any content: what databases refuse is escaped."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Write it."""
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Read it."""
        return None if value is None else unescape(value)


# SQLite numbers rows by itself only where the type is exactly INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

repository = Table(
    "repository",
    metadata,
    Column("name", Word, primary_key=True),
    Column("payload", Text, nullable=False),
)

environment = Table(
    "environment",
    metadata,
    Column("id", Word, primary_key=True),
    Column("repository", Word, nullable=False, index=True),
    Column("due", Time, index=True),
    # New with each change: who read the payload under it need not read it again.
    Column("stamp", BigInteger, nullable=False),
    # Whether it waits for others (`after`): 1 of its repository only, 2 further away.
    Column("follows", SmallInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Index(
        "ix_environment_follows",
        "repository",
        sqlite_where=text("follows = 1"),
        postgresql_where=text("follows = 1"),
    ),
    Index(
        "ix_environment_follows_far",
        "follows",
        sqlite_where=text("follows = 2"),
        postgresql_where=text("follows = 2"),
    ),
)

revision = Table(
    "revision",
    metadata,
    Column("environment", Word, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("inputs", Word, nullable=False),
    Column("active", SmallInteger, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("rollback", SmallInteger, nullable=False),
    # What it says of its inputs: 2 barred, 1 Succeeded, 0 nothing.
    Column("verdict", SmallInteger, nullable=False),
    Column("released", SmallInteger, nullable=False),
    Column("created", Time, nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Index("ix_revision_inputs", "environment", "inputs", "verdict", "number"),
    # All that the line is asked for, so that no row is read.
    Index(
        "ix_revision_active",
        "environment",
        "number",
        "phase",
        "rollback",
        sqlite_where=text("active = 1"),
        postgresql_where=text("active = 1"),
    ),
    Index(
        "ix_revision_released",
        "environment",
        sqlite_where=text("released = 1"),
        postgresql_where=text("released = 1"),
    ),
)

run = Table(
    "run",
    metadata,
    Column("id", Word, primary_key=True),
    Column("environment", Word, nullable=False),
    Column("number", Integer, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("active", SmallInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("created", Time, nullable=False, index=True),
    Column("definition", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Index("ix_run_environment_number_ordinal", "environment", "number", "ordinal"),
    # One run at a time per environment: the database says so, not a check of ours.
    Index(
        "uq_run_active",
        "environment",
        unique=True,
        sqlite_where=text("active = 1"),
        postgresql_where=text("active = 1"),
    ),
)

step_run = Table(
    "step_run",
    metadata,
    Column("run", Word, ForeignKey(run.c.id, ondelete="CASCADE"), primary_key=True),
    Column("name", Word, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("payload", Text, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("id", Id, primary_key=True),
    Column("environment", Word, nullable=False),
    Column("number", Integer),
    # A digest of what makes it unique: the parts have no limit, an index row has.
    Column("identity", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    UniqueConstraint("environment", "identity"),
    Index("ix_decision_environment_number", "environment", "number"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("identity", String(64), nullable=False, unique=True),
    Column("run", Word),
    Column("step", Word),
    Column("ended", Time, index=True),
    Column("payload", Text, nullable=False),
    Index("ix_outbox_run_step", "run", "step"),
    sqlite_autoincrement=True,
)

# What events say to subscribers, until it is gathered into a message.
notice = Table(
    "notice",
    metadata,
    Column("id", Id, primary_key=True),
    Column("identity", String(64), nullable=False, unique=True),
    # A digest of the channel and of what it is gathered by.
    Column("topic", String(64), nullable=False),
    Column("at", Time, nullable=False, index=True),
    # The outbox row that says it; nothing while it waits, 0 where none ever will.
    Column("delivery", BigInteger),
    Column("payload", Text, nullable=False),
    Index(
        "ix_notice_open",
        "topic",
        "at",
        sqlite_where=text("delivery IS NULL"),
        postgresql_where=text("delivery IS NULL"),
    ),
    sqlite_autoincrement=True,
)

# How fast receivers were sent to.
pace = Table(
    "pace",
    metadata,
    Column("receiver", String(64), primary_key=True),
    Column("used", Time, nullable=False, index=True),
    Column("payload", Text, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True),
    Column("environment", Word),
    Column("payload", Text, nullable=False),
    Index("ix_event_environment_id", "environment", "id"),
    sqlite_autoincrement=True,
)

inventory = Table(
    "inventory",
    metadata,
    Column("environment", Word, primary_key=True),
    Column("target", Word, primary_key=True),
    Column("payload", Text, nullable=False),
)

# How a released revision stands on a target: what drifted, what is not well.
upkeep = Table(
    "upkeep",
    metadata,
    Column("environment", Word, primary_key=True),
    Column("target", Word, primary_key=True),
    Column("payload", Text, nullable=False),
)

# When it was last compared: as often as it is, so apart from what changes seldom.
compared = Table(
    "compared",
    metadata,
    Column("environment", Word, primary_key=True),
    Column("target", Word, primary_key=True),
    Column("at", Time, nullable=False),
)

target = Table(
    "target",
    metadata,
    Column("name", Word, primary_key=True),
    Column("payload", Text, nullable=False),
)

pause = Table(
    "pause",
    metadata,
    # An environment's id, or nothing for the pause of all.
    Column("environment", Word, primary_key=True),
    Column("payload", Text, nullable=False),
)

"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ACTIVE = sa.text("active = 1")
_OPEN = sa.text("delivery IS NULL")
_FOLLOWS = sa.text("follows = 1")
_FOLLOWS_FAR = sa.text("follows = 2")
_RELEASED = sa.text("released = 1")


def upgrade() -> None:
    """Make them."""
    _make_nouns()
    _make_runs()
    _make_numbered()
    _make_messages()


def _make_nouns() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    op.create_table(
        "repository",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_repository"),
    )
    op.create_table(
        "environment",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("due", _time()),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("follows", sa.SmallInteger(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_environment"),
    )
    op.create_index(
        "ix_environment_follows",
        "environment",
        ["repository"],
        sqlite_where=_FOLLOWS,
        postgresql_where=_FOLLOWS,
    )
    op.create_index(
        "ix_environment_follows_far",
        "environment",
        ["follows"],
        sqlite_where=_FOLLOWS_FAR,
        postgresql_where=_FOLLOWS_FAR,
    )
    op.create_index("ix_environment_due", "environment", ["due"])
    op.create_index("ix_environment_repository", "environment", ["repository"])
    op.create_table(
        "inventory",
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "target", name="pk_inventory"),
    )
    op.create_table(
        "upkeep",
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "target", name="pk_upkeep"),
    )
    op.create_table(
        "compared",
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "target", name="pk_compared"),
    )
    op.create_table(
        "target",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_target"),
    )


def _make_runs() -> None:
    op.create_table(
        "revision",
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("active", sa.SmallInteger(), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("rollback", sa.SmallInteger(), nullable=False),
        sa.Column("verdict", sa.SmallInteger(), nullable=False),
        sa.Column("released", sa.SmallInteger(), nullable=False),
        sa.Column("created", _time(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "number", name="pk_revision"),
    )
    op.create_index("ix_revision_created", "revision", ["created"])
    op.create_index(
        "ix_revision_inputs",
        "revision",
        ["environment", "inputs", "verdict", "number"],
    )
    op.create_index(
        "ix_revision_active",
        "revision",
        ["environment", "number", "phase", "rollback"],
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )
    op.create_index(
        "ix_revision_released",
        "revision",
        ["environment"],
        sqlite_where=_RELEASED,
        postgresql_where=_RELEASED,
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("active", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("created", _time(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_index("ix_run_created", "run", ["created"])
    op.create_index(
        "ix_run_environment_number_ordinal", "run", ["environment", "number", "ordinal"]
    )
    op.create_index(
        "uq_run_active",
        "run",
        ["environment"],
        unique=True,
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )
    op.create_table(
        "step_run",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["run.id"], name="fk_step_run_run", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run", "name", name="pk_step_run"),
    )


def _make_numbered() -> None:
    op.create_table(
        "decision",
        _id(),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer()),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decision"),
        sa.UniqueConstraint(
            "environment", "identity", name="uq_decision_environment_identity"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_decision_environment_number", "decision", ["environment", "number"]
    )
    op.create_table(
        "event",
        _id(),
        sa.Column("environment", sa.Text()),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_environment_id", "event", ["environment", "id"])


def _make_messages() -> None:
    op.create_table(
        "outbox",
        _id(),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("run", sa.Text()),
        sa.Column("step", sa.Text()),
        sa.Column("ended", _time()),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("identity", name="uq_outbox_identity"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_ended", "outbox", ["ended"])
    op.create_index("ix_outbox_run_step", "outbox", ["run", "step"])
    op.create_table(
        "notice",
        _id(),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("at", _time(), nullable=False),
        sa.Column("delivery", sa.BigInteger()),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notice"),
        sa.UniqueConstraint("identity", name="uq_notice_identity"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notice_at", "notice", ["at"])
    op.create_index(
        "ix_notice_open",
        "notice",
        ["topic", "at"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_table(
        "pace",
        sa.Column("receiver", sa.String(64), nullable=False),
        sa.Column("used", _time(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("receiver", name="pk_pace"),
    )
    op.create_index("ix_pace_used", "pace", ["used"])


def _id() -> sa.Column[int]:
    return sa.Column(
        "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
    )


def _time() -> sa.types.TypeEngine[str]:
    return sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")

"""Brings a store to this version's schema; refuses one from a newer version."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite

from gitops_wf.adapters.sql_store.schema import SCHEMA, meta
from gitops_wf.core.errors import TerminalError, cut

MIGRATIONS = Path(__file__).with_name("migrations")
WRITER = "written_by"

_LOCK = 0x6769746F  # any number that stays: replicas that start together take turns


def migrate(connection: Connection, name: str) -> None:
    """Run the missing steps in the caller's transaction.

    Errors: TerminalError where the schema is newer than this code.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    current = schema_of(connection)
    if current == SCHEMA:
        return
    refuse_newer(connection, current, name)
    # Alembic takes a while to import, and most starts do not need it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    _sign(connection)


def schema_of(connection: Connection) -> str | None:
    """The newest step that the store has; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version"))
    return found.scalar_one_or_none()


def refuse_newer(connection: Connection, current: str | None, name: str) -> None:
    """Raise TerminalError where another, newer version wrote the store."""
    known = {file.name.partition("_")[0] for file in MIGRATIONS.glob("versions/0*.py")}
    if current is None or current in known:
        return
    query = select(meta.c.value).where(meta.c.key == WRITER)
    writer = connection.execute(query).scalar_one_or_none() or "a newer version"
    raise TerminalError(
        f"{name} was written by gitops-wf {cut(writer)} (schema {cut(current)}), this"
        f" is {own_version()} (schema {SCHEMA}); install that version or a newer one",
        reason="StoreTooNew",
    )


def own_version() -> str:
    """The version of this package."""
    try:
        return version("gitops-wf")
    except PackageNotFoundError:
        return "unknown"


def _sign(connection: Connection) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"key": WRITER, "value": own_version()}
    insert = dialect.insert(meta).values(row)
    connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=row))

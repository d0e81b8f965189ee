"""Questions to the store about what it holds beyond what is kept."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, ScalarSelect, func, select, true, tuple_

from gitops_wf.adapters.sql_store import schema
from gitops_wf.adapters.sql_store.asking import Asking
from gitops_wf.adapters.sql_store.stored import ACTIVE, REVISION
from gitops_wf.core.identifiers import EnvironmentId, RunId
from gitops_wf.core.revision import Revision


class SurplusReading(Asking):
    """The part of the Reader role that housekeeping asks."""

    def numbers(self, environment: EnvironmentId) -> Sequence[int]:
        """Return the numbers of an environment's revisions."""
        table = schema.revision
        query = select(table.c.number).where(table.c.environment == environment)
        return self.connection.execute(query).scalars().all()

    def crowded(
        self, *, revisions: int, runs: int, events: int
    ) -> Sequence[EnvironmentId | None]:
        """Return the environments that have more than so many of anything."""
        loose = schema.decision.c.number.is_(None)
        found: dict[str | None, None] = {}
        for table, most, which in (
            (schema.revision, revisions, true()),
            (schema.run, runs, true()),
            (schema.event, events, true()),
            (schema.decision, revisions, loose),
        ):
            query = (
                select(table.c.environment)
                .where(which)
                .group_by(table.c.environment)
                .having(func.count() > most)
            )
            found.update(dict.fromkeys(self.connection.execute(query).scalars()))
        return [EnvironmentId(name) if name else None for name in found]

    def ended_beyond(
        self, environment: EnvironmentId, newest: int, *, after: int, limit: int
    ) -> Sequence[Revision]:
        """Return the ended revisions beyond the newest so many, oldest first."""
        table = schema.revision
        last = beyond(table.c.number, table.c.environment == environment, newest)
        query = (
            select(table.c.payload)
            .where(table.c.environment == environment, table.c.active != ACTIVE)
            .where(table.c.number > after, table.c.number <= last)
            .order_by(table.c.number)
            .limit(limit)
        )
        return [REVISION.load(text) for text in self._texts(query)]

    def runs_beyond(
        self, environment: EnvironmentId, newest: int, *, limit: int
    ) -> Sequence[RunId]:
        """Return the ended runs beyond the newest so many, oldest first."""
        table = schema.run
        place = table.c.environment == environment
        order = (table.c.number, table.c.ordinal)
        last = (
            select(*order)
            .where(place)
            .order_by(*(column.desc() for column in order))
            .offset(newest)
            .limit(1)
        )
        query = (
            select(table.c.id)
            .where(place, table.c.active != ACTIVE)
            .where(tuple_(*order) <= last.scalar_subquery())
            .order_by(*order)
            .limit(limit)
        )
        return [RunId(text) for text in self._texts(query)]


def beyond(
    column: ColumnElement[int], place: ColumnElement[bool], newest: int
) -> ScalarSelect[int]:
    """Return the greatest of a column past the greatest so many; null if none is."""
    query = select(column).where(place).order_by(column.desc())
    return query.offset(newest).limit(1).scalar_subquery()

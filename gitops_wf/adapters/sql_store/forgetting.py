"""Deleting what the store need not remember, in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Table, delete, exists, select

from gitops_wf.adapters.sql_store import schema
from gitops_wf.adapters.sql_store.reading import SqlReader
from gitops_wf.adapters.sql_store.surplus import beyond
from gitops_wf.core.identifiers import EnvironmentId, RepositoryName, RunId
from gitops_wf.ports.store import Forgotten


class Forgetting(SqlReader):
    """The part of the Transaction role that deletes; what may go, others decide."""

    def forget_revisions(
        self, environment: EnvironmentId, numbers: Sequence[int]
    ) -> Forgotten:
        """Delete revisions with their decisions, runs and what hangs on those."""
        if not numbers:
            return {}
        run, decision, revision = schema.run, schema.decision, schema.revision
        query = select(run.c.id).where(
            run.c.environment == environment, run.c.number.in_(numbers)
        )
        runs = self.forget_runs([RunId(text) for text in self._texts(query)])
        return {
            **runs,
            "decisions": self._delete(
                decision,
                decision.c.environment == environment,
                decision.c.number.in_(numbers),
            ),
            "revisions": self._delete(
                revision,
                revision.c.environment == environment,
                revision.c.number.in_(numbers),
            ),
        }

    def forget_runs(self, runs: Sequence[RunId]) -> Forgotten:
        """Delete runs with their steps, and their messages that have ended."""
        if not runs:
            return {}
        run, step, outbox = schema.run, schema.step_run, schema.outbox
        return {
            "messages": self._delete(
                outbox, outbox.c.run.in_(runs), outbox.c.ended.is_not(None)
            ),
            "steps": self._delete(step, step.c.run.in_(runs)),
            "runs": self._delete(run, run.c.id.in_(runs)),
        }

    def forget_events(
        self, environment: EnvironmentId | None, newest: int, *, limit: int
    ) -> Forgotten:
        """Delete events beyond the newest so many: the oldest, up to a limit."""
        table = schema.event
        place = (
            table.c.environment.is_(None)
            if environment is None
            else table.c.environment == environment
        )
        return {"events": self._trim(table, place, newest, limit)}

    def forget_loose_decisions(
        self, environment: EnvironmentId, newest: int, *, limit: int
    ) -> Forgotten:
        """Delete decisions that name no revision, beyond the newest so many."""
        table = schema.decision
        place = (table.c.environment == environment) & table.c.number.is_(None)
        return {"decisions": self._trim(table, place, newest, limit)}

    def forget_messages(self, before: datetime, *, limit: int) -> Forgotten:
        """Delete messages that ended before, less those of runs that are kept."""
        table, run = schema.outbox, schema.run
        notice, pace = schema.notice, schema.pace
        told = (
            select(notice.c.id)
            .where(notice.c.at < before, notice.c.delivery.is_not(None))
            .limit(limit)
        )
        self._delete(pace, pace.c.used < before)
        old = (
            select(table.c.id)
            .where(table.c.ended < before, ~exists().where(run.c.id == table.c.run))
            .limit(limit)
        )
        return {
            "messages": self._delete(table, table.c.id.in_(old)),
            "notices": self._delete(notice, notice.c.id.in_(told)),
        }

    def forget_environment(self, environment: EnvironmentId) -> Forgotten:
        """Delete an environment that has no revision left, with all the rest of it."""
        tables = (
            *(schema.inventory, schema.upkeep, schema.compared),
            *(schema.event, schema.decision),
        )
        for table in tables:
            self._delete(table, table.c.environment == environment)
        table = schema.environment
        return {"environments": self._delete(table, table.c.id == environment)}

    def forget_repository(self, repository: RepositoryName) -> Forgotten:
        """Delete a repository that has no environment left."""
        table = schema.repository
        return {"repositories": self._delete(table, table.c.name == repository)}

    def _trim(
        self, table: Table, place: ColumnElement[bool], newest: int, limit: int
    ) -> int:
        """Delete the oldest of the rows beyond the newest so many."""
        old = (
            select(table.c.id)
            .where(place, table.c.id <= beyond(table.c.id, place, newest))
            .order_by(table.c.id)
            .limit(limit)
        )
        return self._delete(table, table.c.id.in_(old))

    def _delete(self, table: Table, *which: ColumnElement[bool]) -> int:
        return self.connection.execute(delete(table).where(*which)).rowcount

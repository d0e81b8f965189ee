"""Questions to the store about all environments at once: how they stand."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select

from gitops_wf.adapters.sql_store import schema
from gitops_wf.adapters.sql_store.asking import Asking
from gitops_wf.adapters.sql_store.stored import ACTIVE
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.phases import Phase
from gitops_wf.ports.store import Standing


class Measuring(Asking):
    """The part of the Reader role that the metrics and the overview ask."""

    def standings(self) -> Sequence[Standing]:
        """Return how each environment that is there stands, by id."""
        place, revision = schema.environment, schema.revision
        last = (
            select(revision.c.environment, func.max(revision.c.number).label("number"))
            .group_by(revision.c.environment)
            .subquery()
        )
        newest = (revision.c.environment == last.c.environment) & (
            revision.c.number == last.c.number
        )
        query = select(
            place.c.id,
            self._inside(revision.c.payload, "phase"),
            self._inside(revision.c.payload, "commit"),
            self._is_true(place.c.payload, "definition", "suspend"),
        ).where(~self._is_true(place.c.payload, "is_removed"))
        rows = self.connection.execute(
            query.outerjoin_from(
                place, last, last.c.environment == place.c.id
            ).outerjoin(revision, newest)
        )
        found = [
            Standing(
                environment=EnvironmentId(name),
                phase=Phase(phase) if phase else None,
                commit=commit or "",
                is_suspended=bool(suspended),
            )
            for name, phase, commit, suspended in rows
        ]
        return sorted(found, key=lambda standing: standing.environment)

    def active_phases(self) -> Mapping[Phase, int]:
        """Count the runs that have not ended, by phase."""
        table = schema.run
        phase = self._inside(table.c.payload, "phase")
        query = select(phase, func.count()).where(table.c.active == ACTIVE)
        rows = self.connection.execute(query.group_by(phase))
        return {Phase(name): count for name, count in rows}

    def queued(self) -> int:
        """Count the attempts of steps that were asked for and have not begun."""
        run, step = schema.run, schema.step_run
        query = (
            select(func.count())
            .select_from(run)
            .join(step, step.c.run == run.c.id)
            .where(run.c.active == ACTIVE)
            .where(self._is_true(step.c.payload, "is_asked"))
            .where(self._inside(step.c.payload, "token") == "")
        )
        return self.connection.execute(query).scalar_one()

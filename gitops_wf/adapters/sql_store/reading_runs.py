"""Questions to the store about runs: a run is its row and those of its steps."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from gitops_wf.adapters.sql_store import schema
from gitops_wf.adapters.sql_store.asking import MOST_PARAMETERS, Asking
from gitops_wf.adapters.sql_store.payload import merge
from gitops_wf.adapters.sql_store.stored import ACTIVE, RUN
from gitops_wf.core.identifiers import EnvironmentId, RepositoryName, RunId
from gitops_wf.core.run import Run

_FEW = 200
"""Runs that are read at a time, of all that go on."""


class RunReading(Asking):
    """The part of the Reader role that reads runs."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._known_steps: dict[str, tuple[int, dict[str, str]]] = {}

    def run(self, run: RunId) -> Run | None:
        """Return a run."""
        return self._one_run(_RUN_BY_ID, {"run": run})

    def active_run(self, environment: EnvironmentId) -> Run | None:
        """Return the environment's one run that has not ended."""
        return self._one_run(_ACTIVE_RUN, {"environment": environment})

    def active_runs(self, repository: RepositoryName | None = None) -> Iterator[Run]:
        """Yield all runs that have not ended (of a repository), few at a time."""
        table, place = schema.run, schema.environment
        query = (
            _runs()
            .add_columns(table.c.environment)
            .where(table.c.active == ACTIVE)
            .order_by(table.c.environment)
            .limit(_FEW)
        )
        if repository is not None:
            query = query.join(place, place.c.id == table.c.environment).where(
                place.c.repository == repository
            )
        last = ""
        while rows := self.connection.execute(
            query.where(table.c.environment > last)
        ).all():
            steps = self._steps([row.id for row in rows])
            for row in rows:
                yield _run(row, steps[row.id].values())
            last = rows[-1].environment

    def runs(
        self,
        environment: EnvironmentId | None = None,
        *,
        number: int | None = None,
        limit: int | None = None,
    ) -> Sequence[Run]:
        """Return runs, newest first."""
        table = schema.run
        query = _runs().limit(limit)
        if number is not None:
            query = query.where(table.c.number == number)
        if environment is None:
            query = query.order_by(
                table.c.created.desc(), table.c.number.desc(), table.c.ordinal.desc()
            )
        else:
            query = query.where(table.c.environment == environment)
            query = query.order_by(table.c.number.desc(), table.c.ordinal.desc())
        rows = self.connection.execute(query).all()
        steps = self._steps([row.id for row in rows])
        return [_run(row, steps[row.id].values()) for row in rows]

    def _one_run(self, query: Select[Any], parameters: dict[str, Any]) -> Run | None:
        row = self.connection.execute(query, parameters).one_or_none()
        if row is None:
            return None
        return _run(row, self._steps_of(row.id, row.seq).values())

    def _steps_of(self, run: str, seq: int) -> dict[str, str]:
        """Payloads of a run's step runs by name; asked for once for each seq."""
        known = self._known_steps.get(run)
        if known is None or known[0] != seq:
            rows = self.connection.execute(_STEPS_OF_RUN, {"run": run})
            known = seq, {row.name: row.payload for row in rows}
            self._known_steps[run] = known
        return known[1]

    def _steps(self, runs: Sequence[str]) -> dict[str, dict[str, str]]:
        """Payloads of step runs by run and name, in declared order."""
        found: dict[str, dict[str, str]] = {name: {} for name in runs}
        table = schema.step_run
        for start in range(0, len(runs), MOST_PARAMETERS):
            part = runs[start : start + MOST_PARAMETERS]
            query = (
                select(table.c.run, table.c.name, table.c.payload)
                .where(table.c.run.in_(part))
                .order_by(table.c.run, table.c.place)
            )
            for row in self.connection.execute(query):
                found[row.run][row.name] = row.payload
        return found


def _runs() -> Select[Any]:
    table = schema.run
    return select(table.c.id, table.c.seq, table.c.definition, table.c.payload)


# Made once, for every transition asks these: making a query costs more than running it.
_RUN_BY_ID = _runs().where(schema.run.c.id == bindparam("run"))
_ACTIVE_RUN = _runs().where(
    schema.run.c.environment == bindparam("environment"), schema.run.c.active == ACTIVE
)
_STEPS_OF_RUN = (
    select(schema.step_run.c.name, schema.step_run.c.payload)
    .where(schema.step_run.c.run == bindparam("run"))
    .order_by(schema.step_run.c.place)
)


def _run(row: Row[Any], steps: Iterable[str]) -> Run:
    joined = '{"steps":[' + ",".join(steps) + "]}"
    return RUN.load(merge(row.definition, row.payload, joined))

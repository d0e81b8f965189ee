"""Questions to the store, on one connection."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    Select,
    String,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)

from gitops_wf.adapters.sql_store import schema
from gitops_wf.adapters.sql_store.payload import Payload, merge
from gitops_wf.core.decision import Decision
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import (
    EnvironmentId,
    RepositoryName,
    RunId,
    StepName,
    TargetName,
)
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.message import Delivery
from gitops_wf.core.notifications.notices import Notice
from gitops_wf.core.pacing import Pace
from gitops_wf.core.pause import Pause
from gitops_wf.core.phases import Phase
from gitops_wf.core.queue import Queued
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.upkeep.state import UpkeepState
from gitops_wf.ports.store import (
    EnvironmentRecord,
    OpenTopic,
    RepositoryRecord,
    Standing,
)

REPOSITORY = Payload(RepositoryRecord)
ENVIRONMENT = Payload(EnvironmentRecord)
REVISION = Payload(Revision)
RUN = Payload(Run)
STEP_RUN = Payload(StepRun)
DECISION = Payload(Decision)
DELIVERY = Payload(Delivery)
EVENT = Payload(Event)
INVENTORY = Payload(Inventory)
NOTICE = Payload(Notice)
PACE = Payload(Pace)
PAUSE = Payload(Pause)
UPKEEP = Payload(UpkeepState)

# Written out, not bound: SQLite uses a partial index only where it sees the value.
ACTIVE: ColumnElement[int] = literal_column("1")


KnownEnvironments = dict[str, tuple[int, EnvironmentRecord]]
"""Environments by id, as they were under a stamp.

Each poll asks for all of a repository, and few of them have changed since the last.
"""


class SqlReader:
    """The Reader role."""

    def __init__(
        self, connection: Connection, known: KnownEnvironments | None = None
    ) -> None:
        self.connection = connection
        self._known = {} if known is None else known
        self._known_steps: dict[str, tuple[int, dict[str, str]]] = {}

    def repository(self, name: RepositoryName) -> RepositoryRecord | None:
        """Return a repository's record."""
        table = schema.repository
        text = self._text(select(table.c.payload).where(table.c.name == name))
        return None if text is None else REPOSITORY.load(text)

    def repositories(self) -> Sequence[RepositoryRecord]:
        """Return all repositories, by name."""
        query = select(schema.repository.c.payload)
        records = [REPOSITORY.load(text) for text in self._texts(query)]
        return sorted(records, key=lambda record: record.name)

    def environment(self, environment: EnvironmentId) -> EnvironmentRecord | None:
        """Return an environment's record."""
        table = schema.environment
        text = self._text(select(table.c.payload).where(table.c.id == environment))
        return None if text is None else ENVIRONMENT.load(text)

    def environments(
        self, repository: RepositoryName | None = None
    ) -> Sequence[EnvironmentRecord]:
        """Return all environments (of a repository), by id."""
        table = schema.environment
        query = select(table.c.id, table.c.stamp)
        if repository is not None:
            query = query.where(table.c.repository == repository)
        stamps = {row.id: row.stamp for row in self.connection.execute(query)}
        if repository is None:
            for name in set(self._known) - stamps.keys():
                self._known.pop(name, None)
        found = self._under(stamps)
        # Here, not in the query: PostgreSQL's order depends on its collation.
        return [found[name] for name in sorted(found)]

    def _under(self, stamps: Mapping[str, int]) -> dict[str, EnvironmentRecord]:
        """Return environments as they are under these stamps, read where not known.

        What is known is taken once: readers of other states change it meanwhile.
        """
        found = {
            name: known[1]
            for name, stamp in stamps.items()
            if (known := self._known.get(name)) is not None and known[0] == stamp
        }
        new = [name for name in stamps if name not in found]
        table = schema.environment
        for start in range(0, len(new), _MOST_PARAMETERS):
            part = new[start : start + _MOST_PARAMETERS]
            query = select(table.c.id, table.c.stamp, table.c.payload)
            for row in self.connection.execute(query.where(table.c.id.in_(part))):
                found[row.id] = ENVIRONMENT.load(row.payload)
                self._known[row.id] = row.stamp, found[row.id]
        return found

    def followers(self, repository: RepositoryName) -> Sequence[EnvironmentRecord]:
        """Return the environments of a repository that wait for others."""
        table = schema.environment
        query = select(table.c.payload).where(
            table.c.repository == repository, table.c.follows == ACTIVE
        )
        return [ENVIRONMENT.load(text) for text in self._texts(query)]

    def revision(self, environment: EnvironmentId, number: int) -> Revision | None:
        """Return a revision."""
        key = {"environment": environment, "number": number}
        text = self.connection.execute(_REVISION, key).scalar_one_or_none()
        return None if text is None else REVISION.load(text)

    def revisions(
        self,
        environment: EnvironmentId | None = None,
        *,
        limit: int | None = None,
    ) -> Sequence[Revision]:
        """Return revisions, newest first."""
        table = schema.revision
        query = select(table.c.payload).limit(limit)
        if environment is None:
            query = query.order_by(table.c.created.desc(), table.c.number.desc())
        else:
            query = query.where(table.c.environment == environment)
            query = query.order_by(table.c.number.desc())
        return [REVISION.load(text) for text in self._texts(query)]

    def revision_for(self, environment: EnvironmentId, inputs: str) -> Revision | None:
        """Return a barred revision with these inputs, else the newest Succeeded."""
        found = self.connection.execute(
            _REVISION_FOR, {"environment": environment, "inputs": inputs}
        )
        text: str | None = found.scalar_one_or_none()
        return None if text is None else REVISION.load(text)

    def released(self, environment: EnvironmentId) -> Revision | None:
        """Return the revision that is marked as released."""
        found = self.connection.execute(_RELEASED, {"environment": environment})
        text: str | None = found.scalar_one_or_none()
        return None if text is None else REVISION.load(text)

    def line(self, environment: EnvironmentId) -> Sequence[Queued]:
        """Return what the queue's rules ask of the revisions that have not ended."""
        rows = self.connection.execute(_LINE, {"environment": environment})
        return [
            Queued(number=number, phase=Phase(phase), is_rollback=bool(rollback))
            for number, phase, rollback in rows
        ]

    def unfinished_revisions(
        self, environment: EnvironmentId | None = None
    ) -> Sequence[Revision]:
        """Return the revisions that have not ended (of all), oldest first."""
        if environment is None:
            found = self.connection.execute(_UNFINISHED)
        else:
            found = self.connection.execute(
                _UNFINISHED_IN, {"environment": environment}
            )
        return [REVISION.load(text) for text in found.scalars()]

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

    def due(self, now: datetime) -> Sequence[EnvironmentId]:
        """Return the environments that have something due by now, first due first."""
        table = schema.environment
        query = select(table.c.id).where(table.c.due <= now).order_by(table.c.due)
        return [EnvironmentId(name) for name in self._texts(query)]

    def next_due(self) -> datetime | None:
        """Return when the next thing is due, if anything is."""
        due = schema.environment.c.due
        query = select(due).where(due.is_not(None)).order_by(due).limit(1)
        return self.connection.execute(query).scalar_one_or_none()

    def decisions(
        self,
        environment: EnvironmentId | None = None,
        *,
        number: int | None = None,
        limit: int | None = None,
    ) -> Sequence[Decision]:
        """Return decisions, newest first."""
        table = schema.decision
        query = select(table.c.id, table.c.payload).order_by(table.c.id.desc())
        if environment is not None:
            query = query.where(table.c.environment == environment)
        if number is not None:
            query = query.where(table.c.number == number)
        rows = self.connection.execute(query.limit(limit))
        return [replace(DECISION.load(row.payload), id=row.id) for row in rows]

    def deliveries(self, run: RunId, step: StepName) -> Sequence[Delivery]:
        """Return the messages of a step run, oldest first."""
        rows = self.connection.execute(_DELIVERIES, {"run": run, "step": step})
        return [replace(DELIVERY.load(row.payload), id=row.id) for row in rows]

    def delivery(self, delivery: int) -> Delivery | None:
        """Return one outbox row."""
        table = schema.outbox
        text = self._text(select(table.c.payload).where(table.c.id == delivery))
        return None if text is None else replace(DELIVERY.load(text), id=delivery)

    def open_topics(self) -> Sequence[OpenTopic]:
        """Return the topics with notices that no message says yet."""
        rows = self.connection.execute(_OPEN_TOPICS)
        return [
            OpenTopic(topic=row.topic, first=row.first, last=row.last) for row in rows
        ]

    def events(
        self,
        environment: EnvironmentId | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        first: bool = False,
    ) -> Sequence[Event]:
        """Return events, oldest first, from past an id on; the last ``limit``.

        With ``first`` the first.
        """
        table = schema.event
        query = select(table.c.id, table.c.payload).where(table.c.id > after)
        if environment is not None:
            query = query.where(table.c.environment == environment)
        order = table.c.id.asc() if first else table.c.id.desc()
        found = self.connection.execute(query.order_by(order).limit(limit)).all()
        rows = found if first else reversed(found)
        return [replace(EVENT.load(row.payload), id=row.id) for row in rows]

    def upkeep(self, environment: EnvironmentId) -> Mapping[TargetName, UpkeepState]:
        """Return how an environment's released revision stands, by target."""
        rows = self.connection.execute(_UPKEEP, {"environment": environment})
        found = {TargetName(row.target): UPKEEP.load(row.payload) for row in rows}
        return dict(sorted(found.items()))

    def upkeeps(self) -> Mapping[EnvironmentId, Mapping[TargetName, UpkeepState]]:
        """Return the same of all environments that anything is known of."""
        table = schema.upkeep
        query = select(table.c.environment, table.c.target, table.c.payload)
        found: dict[EnvironmentId, dict[TargetName, UpkeepState]] = {}
        for row in self.connection.execute(query):
            place = found.setdefault(EnvironmentId(row.environment), {})
            place[TargetName(row.target)] = UPKEEP.load(row.payload)
        return found

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

    def _inside(self, payload: ColumnElement[str], *path: str) -> ColumnElement[str]:
        """Return a text inside a payload: the database reads it, not Python."""
        if self.connection.dialect.name == "sqlite":
            return func.json_extract(payload, "$." + ".".join(path))
        return func.json_extract_path_text(cast(payload, JSON), *path)

    def _is_true(self, payload: ColumnElement[str], *path: str) -> ColumnElement[bool]:
        found = func.coalesce(cast(self._inside(payload, *path), String), "")
        return found.in_(("1", "true"))

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

    def inventory(self, environment: EnvironmentId, target: str) -> Inventory | None:
        """Return the store's copy of an inventory: for display, not the truth."""
        table = schema.inventory
        text = self._text(
            select(table.c.payload).where(
                table.c.environment == environment, table.c.target == target
            )
        )
        return None if text is None else INVENTORY.load(text)

    def inventories(self, environment: EnvironmentId) -> Mapping[TargetName, Inventory]:
        """Return the store's copies of all inventories of an environment."""
        table = schema.inventory
        rows = self.connection.execute(
            select(table.c.target, table.c.payload)
            .where(table.c.environment == environment)
            .order_by(table.c.target)
        )
        return {TargetName(target): INVENTORY.load(text) for target, text in rows}

    def pauses(self, environment: EnvironmentId | None = None) -> Sequence[Pause]:
        """Return all pauses, or those that hold an environment; that of all first."""
        if environment is None:
            texts = self._texts(select(schema.pause.c.payload))
        else:
            found = self.connection.execute(_PAUSES, {"environment": environment})
            texts = found.scalars().all()
        pauses = [PAUSE.load(text) for text in texts]
        return sorted(pauses, key=lambda pause: pause.environment or "")

    def _text(self, query: Select[Any]) -> str | None:
        text: str | None = self.connection.execute(query).scalar_one_or_none()
        return text

    def _texts(self, query: Select[Any]) -> Sequence[str]:
        texts: Sequence[str] = self.connection.execute(query).scalars().all()
        return texts

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
        for start in range(0, len(runs), _MOST_PARAMETERS):
            part = runs[start : start + _MOST_PARAMETERS]
            query = (
                select(table.c.run, table.c.name, table.c.payload)
                .where(table.c.run.in_(part))
                .order_by(table.c.run, table.c.place)
            )
            for row in self.connection.execute(query):
                found[row.run][row.name] = row.payload
        return found


def beyond(
    column: ColumnElement[int], place: ColumnElement[bool], newest: int
) -> ScalarSelect[int]:
    """Return the greatest of a column past the greatest so many; null if none is."""
    query = select(column).where(place).order_by(column.desc())
    return query.offset(newest).limit(1).scalar_subquery()


_MOST_PARAMETERS = 500
_FEW = 200
"""Databases limit the parameters of one query; SQLite's old limit is 999."""


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
_REVISION = select(schema.revision.c.payload).where(
    schema.revision.c.environment == bindparam("environment"),
    schema.revision.c.number == bindparam("number"),
)
_UNFINISHED = (
    select(schema.revision.c.payload)
    .where(schema.revision.c.active == ACTIVE)
    .order_by(schema.revision.c.number)
)
_UNFINISHED_IN = _UNFINISHED.where(
    schema.revision.c.environment == bindparam("environment")
)
_DELIVERIES = (
    select(schema.outbox.c.id, schema.outbox.c.payload)
    .where(
        schema.outbox.c.run == bindparam("run"),
        schema.outbox.c.step == bindparam("step"),
    )
    .order_by(schema.outbox.c.id)
)
_OPEN_TOPICS = (
    select(
        schema.notice.c.topic,
        func.min(schema.notice.c.at).label("first"),
        func.max(schema.notice.c.at).label("last"),
    )
    .where(schema.notice.c.delivery.is_(None))
    .group_by(schema.notice.c.topic)
)
_REVISION_FOR = (
    select(schema.revision.c.payload)
    .where(
        schema.revision.c.environment == bindparam("environment"),
        schema.revision.c.inputs == bindparam("inputs"),
        schema.revision.c.verdict > 0,
    )
    .order_by(schema.revision.c.verdict.desc(), schema.revision.c.number.desc())
    .limit(1)
)
_RELEASED = (
    select(schema.revision.c.payload)
    .where(
        schema.revision.c.environment == bindparam("environment"),
        schema.revision.c.released == literal_column("1"),  # as with `ACTIVE`
    )
    .order_by(schema.revision.c.number.desc())
    .limit(1)
)
_LINE = (
    select(
        schema.revision.c.number, schema.revision.c.phase, schema.revision.c.rollback
    )
    .where(
        schema.revision.c.environment == bindparam("environment"),
        schema.revision.c.active == ACTIVE,
    )
    .order_by(schema.revision.c.number)
)
_UPKEEP = select(schema.upkeep.c.target, schema.upkeep.c.payload).where(
    schema.upkeep.c.environment == bindparam("environment")
)
_PAUSES = select(schema.pause.c.payload).where(
    schema.pause.c.environment.in_((bindparam("environment"), literal("")))
)


def _run(row: Row[Any], steps: Iterable[str]) -> Run:
    joined = '{"steps":[' + ",".join(steps) + "]}"
    return RUN.load(merge(row.definition, row.payload, joined))

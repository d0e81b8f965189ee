"""Questions to the store, on one connection."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, literal, literal_column, select

from gitops_wf.adapters.sql_store import schema
from gitops_wf.adapters.sql_store.asking import MOST_PARAMETERS
from gitops_wf.adapters.sql_store.measuring import Measuring
from gitops_wf.adapters.sql_store.reading_runs import RunReading
from gitops_wf.adapters.sql_store.stored import (
    ACTIVE,
    DECISION,
    DELIVERY,
    ENVIRONMENT,
    EVENT,
    FAR,
    INVENTORY,
    PAUSE,
    REPOSITORY,
    REVISION,
    TARGET,
    UPKEEP,
)
from gitops_wf.adapters.sql_store.surplus import SurplusReading
from gitops_wf.core.decision import Decision
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import (
    EnvironmentId,
    RepositoryName,
    RunId,
    Sha,
    StepName,
    TargetName,
)
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.message import Delivery
from gitops_wf.core.pause import Pause
from gitops_wf.core.phases import Phase
from gitops_wf.core.queue import Queued
from gitops_wf.core.revision import Revision
from gitops_wf.core.upkeep.state import UpkeepState
from gitops_wf.ports.store import (
    EnvironmentRecord,
    GoingOn,
    OpenTopic,
    RepositoryRecord,
    TargetRecord,
)

KnownEnvironments = dict[str, tuple[int, EnvironmentRecord]]
"""Environments by id, as they were under a stamp.

Each poll asks for all of a repository, and few of them have changed since the last.
"""


class SqlReader(RunReading, Measuring, SurplusReading):
    """The Reader role."""

    def __init__(
        self, connection: Connection, known: KnownEnvironments | None = None
    ) -> None:
        super().__init__(connection)
        self._known = {} if known is None else known

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
        for start in range(0, len(new), MOST_PARAMETERS):
            part = new[start : start + MOST_PARAMETERS]
            query = select(table.c.id, table.c.stamp, table.c.payload)
            for row in self.connection.execute(query.where(table.c.id.in_(part))):
                found[row.id] = ENVIRONMENT.load(row.payload)
                self._known[row.id] = row.stamp, found[row.id]
        return found

    def followers(self, repository: RepositoryName) -> Sequence[EnvironmentRecord]:
        """Return the environments that may wait for a repository's."""
        table = schema.environment
        near = select(table.c.payload).where(
            table.c.repository == repository, table.c.follows == ACTIVE
        )
        far = select(table.c.payload).where(table.c.follows == FAR)
        texts = (*self._texts(near), *self._texts(far))
        return [ENVIRONMENT.load(text) for text in texts]

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

    def going_on(self, repository: RepositoryName) -> Sequence[GoingOn]:
        """Return what is Pending or Running of a repository, by environment."""
        table = schema.revision
        query = select(
            table.c.environment, table.c.number, self._inside(table.c.payload, "commit")
        ).where(
            table.c.active == ACTIVE,
            table.c.phase.in_([Phase.PENDING.value, Phase.RUNNING.value]),
            table.c.environment.startswith(f"{repository}/", autoescape=True),
        )
        found = [
            GoingOn(environment=EnvironmentId(name), number=number, commit=Sha(commit))
            for name, number, commit in self.connection.execute(query)
        ]
        return sorted(found, key=lambda each: (each.environment, each.number))

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

    def compared(self, environment: EnvironmentId) -> Mapping[TargetName, datetime]:
        """Return when its released revision was last compared with each target."""
        rows = self.connection.execute(_COMPARED, {"environment": environment})
        return {TargetName(row.target): row.at for row in rows}

    def targets(self) -> Mapping[TargetName, TargetRecord]:
        """Return how the targets stand that were asked anything, by name."""
        rows = self.connection.execute(select(schema.target.c.payload))
        found = (TARGET.load(row.payload) for row in rows)
        return {record.name: record for record in found}

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


# Made once: making a query costs more than running it.
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
_COMPARED = select(schema.compared.c.target, schema.compared.c.at).where(
    schema.compared.c.environment == bindparam("environment")
)
_PAUSES = select(schema.pause.c.payload).where(
    schema.pause.c.environment.in_((bindparam("environment"), literal("")))
)

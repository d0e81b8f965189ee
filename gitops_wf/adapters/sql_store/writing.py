"""Changes to the store, in one transaction."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from sqlalchemy import (
    Connection,
    Insert,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from gitops_wf.adapters.sql_store import schema
from gitops_wf.adapters.sql_store.forgetting import Forgetting
from gitops_wf.adapters.sql_store.masking import Masked
from gitops_wf.adapters.sql_store.reading import KnownEnvironments
from gitops_wf.adapters.sql_store.stored import (
    DECISION,
    DELIVERY,
    ENVIRONMENT,
    EVENT,
    INVENTORY,
    NOTICE,
    PACE,
    PAUSE,
    REPOSITORY,
    REVISION,
    RUN,
    STEP_RUN,
    TARGET,
    UPKEEP,
)
from gitops_wf.core.decision import Decision
from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.message import Delivery, DeliveryPhase
from gitops_wf.core.notifications.notices import Notice
from gitops_wf.core.pacing import Pace
from gitops_wf.core.pause import Pause
from gitops_wf.core.phases import Phase
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run
from gitops_wf.core.upkeep.state import UpkeepState
from gitops_wf.ports.observer import Observer
from gitops_wf.ports.store import EnvironmentRecord, RepositoryRecord, TargetRecord

_DEFINITION = {"id", "ordinal", "subject", "workflow", "created"}
"""What never changes of a run: written once, for it is most of it."""


class SqlTransaction(Forgetting):
    """The Transaction role; the store commits it, or nothing of it."""

    def __init__(
        self,
        connection: Connection,
        observer: Observer,
        masked: Masked,
        known: KnownEnvironments | None = None,
    ) -> None:
        super().__init__(connection, known)
        self._observer = observer
        self._masked = masked.of
        self.after: list[Callable[[], None]] = []
        self._dialect = connection.dialect.name
        self._insert = _DIALECTS[self._dialect].insert

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call it once everything is stored; not at all on a roll-back.

        For what makes things faster, not for what must happen: a process may die
        between the commit and the call.
        """
        self.after.append(callback)

    def lock_environment(self, environment: EnvironmentId) -> bool:
        """Hold the environment's row until the end; False where it is not there."""
        found = self.connection.execute(_LOCK, {"environment": environment})
        return found.one_or_none() is not None

    def save_repository(self, record: RepositoryRecord) -> None:
        """Insert or update."""
        self._upsert(
            schema.repository,
            {"name": record.name},
            {"payload": REPOSITORY.dump(self._masked(record))},
        )

    def save_environment(self, record: EnvironmentRecord) -> None:
        """Insert or update; when it is due stays as it was."""
        self._upsert(
            schema.environment,
            {"id": record.id},
            {
                "repository": record.repository,
                "stamp": secrets.randbits(63),
                "follows": _follows(record),
                "payload": ENVIRONMENT.dump(self._masked(record)),
            },
        )

    def set_due(self, environment: EnvironmentId, due: datetime | None) -> None:
        """Say when the environment must be looked at again, whatever happens."""
        self.connection.execute(_SET_DUE, {"environment": environment, "at": due})

    def save_revision(self, revision: Revision) -> None:
        """Insert or update, by environment and number."""
        self._upsert(
            schema.revision,
            {"environment": revision.environment, "number": revision.number},
            {
                "inputs": revision.inputs,
                "active": int(not revision.phase.is_final),
                "phase": revision.phase.value,
                "rollback": int(revision.is_rollback),
                "verdict": _verdict(revision),
                "released": int(revision.released),
                "created": revision.created,
                "payload": REVISION.dump(self._masked(revision)),
            },
        )

    def save_run(self, run: Run) -> None:
        """Insert, or update where the stored seq is one less than the run's.

        Errors: InvalidTransitionError where it is not, or where the environment
        already has another run that has not ended (a unique index says so).
        """
        run = self._masked(run)
        values = {
            "active": int(not run.phase.is_final),
            "seq": run.seq,
            "payload": RUN.dump(run, exclude={*_DEFINITION, "steps"}),
        }
        fence = {"run": run.id, "before": run.seq - 1}
        try:
            if self.connection.execute(_MOVE_RUN, {**values, **fence}).rowcount == 0:
                self._insert_run(run, values)
        except IntegrityError as exc:
            raise InvalidTransitionError(
                f"run {run.id} cannot be stored: {run.subject.environment} has another"
                " run that has not ended"
            ) from exc
        self._save_steps(run)
        if run.phase.is_final:
            self.after_commit(partial(self._observer.run_ended, run))

    def save_decision(self, decision: Decision) -> Decision:
        """Insert (id 0) or update; the id comes back.

        The same environment, key and person is one row: an insert of it again
        returns the stored one unchanged.
        """
        table = schema.decision
        values = {
            "number": decision.revision,
            "payload": DECISION.dump(self._masked(decision)),
        }
        if decision.id:
            self._update(table, decision.id, values)
            return decision
        key = {
            "environment": decision.environment,
            "identity": _digest(
                *astuple(decision.entry.key), decision.person.casefold()
            ),
        }
        number, payload = self._insert_once(table, key, values)
        return replace(DECISION.load(payload), id=number)

    def add_event(self, event: Event) -> None:
        """Append an event."""
        self.connection.execute(
            _ADD_EVENT,
            {
                "environment": event.environment,
                "payload": EVENT.dump(self._masked(event)),
            },
        )

    def save_delivery(self, delivery: Delivery) -> Delivery:
        """Insert (id 0) or update; the id comes back. The same key is one row.

        An insert of a stored key again returns the stored row unchanged.
        """
        table = schema.outbox
        values = {
            "run": delivery.run,
            "step": delivery.step,
            "ended": delivery.ended,
            "payload": DELIVERY.dump(self._masked(delivery)),
        }
        if delivery.id:
            self._update(table, delivery.id, values)
            if delivery.phase is not DeliveryPhase.PENDING:
                self.after_commit(partial(self._observer.delivery_ended, delivery))
            return delivery
        key = {"identity": _digest(delivery.key)}
        number, payload = self._insert_once(table, key, values)
        return replace(DELIVERY.load(payload), id=number)

    def save_notice(self, notice: Notice) -> None:
        """Insert (id 0); one whose key was stored before is left as it is."""
        values = {
            "topic": _digest(notice.channel, notice.topic),
            "at": notice.at,
            "payload": NOTICE.dump(self._masked(notice)),
        }
        self._insert_once(schema.notice, {"identity": _digest(notice.key)}, values)

    def take_notices(self, topic: str) -> Sequence[Notice]:
        """Return a topic's notices that no message says yet, oldest first."""
        rows = self.connection.execute(_TAKE_NOTICES, {"topic": topic})
        return [replace(NOTICE.load(row.payload), id=row.id) for row in rows]

    def tell_notices(self, notices: Sequence[Notice], delivery: int) -> None:
        """Say which message says them; 0 where none ever will."""
        rows = [{"notice": each.id, "message": delivery} for each in notices]
        if rows:
            self.connection.execute(_TELL_NOTICES, rows)

    def pace(self, receiver: str) -> Pace:
        """Return how fast a receiver was sent to, and hold it until the end."""
        if self._dialect == "postgresql":
            # A row that is not there cannot be held; the first to come makes it.
            made = {
                "used": datetime.fromtimestamp(0, UTC),
                "payload": PACE.dump(Pace()),
            }
            first = self._insert(schema.pace).values(receiver=receiver, **made)
            self.connection.execute(first.on_conflict_do_nothing())
        text = self.connection.execute(_PACE, {"receiver": receiver}).scalar()
        return Pace() if text is None else PACE.load(text)

    def save_pace(self, receiver: str, pace: Pace, now: datetime) -> None:
        """Insert or update."""
        self._upsert(
            schema.pace,
            {"receiver": receiver},
            {"used": now, "payload": PACE.dump(pace)},
        )

    def save_inventory(
        self, environment: EnvironmentId, target: str, inventory: Inventory
    ) -> None:
        """Replace the store's copy."""
        self._upsert(
            schema.inventory,
            {"environment": environment, "target": target},
            {"payload": INVENTORY.dump(inventory)},
        )

    def save_upkeep(
        self, environment: EnvironmentId, target: TargetName, state: UpkeepState
    ) -> None:
        """Insert or update, by environment and target."""
        self._upsert(
            schema.upkeep,
            {"environment": environment, "target": target},
            {"payload": UPKEEP.dump(self._masked(state))},
        )

    def forget_upkeep(self, environment: EnvironmentId, target: TargetName) -> None:
        """Forget how an environment stands on a target."""
        table = schema.upkeep
        self._delete(
            table, table.c.environment == environment, table.c.target == target
        )

    def save_compared(
        self, environment: EnvironmentId, target: TargetName, at: datetime
    ) -> None:
        """Note when a released revision was last compared with a target."""
        self._upsert(
            schema.compared,
            {"environment": environment, "target": target},
            {"at": at},
        )

    def save_target(self, record: TargetRecord) -> None:
        """Insert or update, by name."""
        self._upsert(
            schema.target,
            {"name": record.name},
            {"payload": TARGET.dump(self._masked(record))},
        )

    def forget_target(self, target: TargetName) -> None:
        """Forget how a target stood."""
        self._delete(schema.target, schema.target.c.name == target)

    def save_pause(self, pause: Pause) -> None:
        """Insert or update, by environment; None is the one of all."""
        self._upsert(
            schema.pause,
            {"environment": pause.environment or ""},
            {"payload": PAUSE.dump(self._masked(pause))},
        )

    def delete_pause(self, environment: EnvironmentId | None) -> bool:
        """End a pause; say whether there was one."""
        table = schema.pause
        ended = delete(table).where(table.c.environment == (environment or ""))
        return self.connection.execute(ended).rowcount > 0

    def _upsert(
        self, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]
    ) -> None:
        upsert = _upsert(self._dialect, table, tuple(key), tuple(values))
        self.connection.execute(upsert, {**key, **values})

    def _insert_once(
        self, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]
    ) -> tuple[int, str]:
        insert = self._insert(table).values(**key, **values)
        self.connection.execute(insert.on_conflict_do_nothing(index_elements=list(key)))
        stored = select(table.c.id, table.c.payload).filter_by(**key)
        row = self.connection.execute(stored).one()
        return row.id, row.payload

    def _update(self, table: Table, number: int, values: Mapping[str, Any]) -> None:
        changed = update(table).where(table.c.id == number).values(**values)
        if self.connection.execute(changed).rowcount == 0:
            raise InvalidTransitionError(f"{table.name} {number} is not in the store")

    def _insert_run(self, run: Run, values: Mapping[str, Any]) -> None:
        table = schema.run
        query = select(table.c.seq).where(table.c.id == run.id)
        seq = self.connection.execute(query).scalar_one_or_none()
        if seq is not None:
            raise InvalidTransitionError(
                f"run {run.id} cannot be stored with seq {run.seq}: it has {seq};"
                " another change came first"
            )
        fields = set(Run.__dataclass_fields__)
        self.connection.execute(
            self._insert(table).values(
                id=run.id,
                environment=run.subject.environment,
                number=run.subject.number,
                ordinal=run.ordinal,
                created=run.created,
                definition=RUN.dump(run, exclude=fields - _DEFINITION),
                **values,
            )
        )

    def _save_steps(self, run: Run) -> None:
        """Write the steps that changed: a run of fifty changes one at a time."""
        stored = self._steps_of(run.id, run.seq - 1)
        rows = []
        for place, step in enumerate(run.steps):
            before, payload = stored.get(step.name), STEP_RUN.dump(step)
            if payload == before:
                continue
            rows.append(
                {"run": run.id, "name": step.name, "place": place, "payload": payload}
            )
            if step.phase.is_final and not (
                before and STEP_RUN.load(before).phase.is_final
            ):
                self.after_commit(partial(self._observer.step_ended, step))
        if rows:
            self.connection.execute(_SAVE_STEPS[self._dialect], rows)
        del self._known_steps[run.id]


_DIALECTS = {"sqlite": sqlite, "postgresql": postgresql}


@cache
def _upsert(
    dialect: str, table: Table, key: tuple[str, ...], values: tuple[str, ...]
) -> Insert:
    """Return an insert that becomes an update; there are as many as tables."""
    columns: dict[str, Any] = {name: bindparam(name) for name in (*key, *values)}
    insert = _DIALECTS[dialect].insert(table).values(columns)
    upsert: Insert = insert.on_conflict_do_update(
        index_elements=list(key),
        set_={name: insert.excluded[name] for name in values},
    )
    return upsert


def _save_steps(dialect: str) -> Insert:
    insert = _DIALECTS[dialect].insert(schema.step_run)
    upsert: Insert = insert.on_conflict_do_update(
        index_elements=["run", "name"],
        set_={"place": insert.excluded.place, "payload": insert.excluded.payload},
    )
    return upsert


# Made once, as those of the reader.
_SAVE_STEPS = {dialect: _save_steps(dialect) for dialect in _DIALECTS}
_MOVE_RUN = (
    update(schema.run)
    .where(schema.run.c.id == bindparam("run"), schema.run.c.seq == bindparam("before"))
    .values({name: bindparam(name) for name in ("active", "seq", "payload")})
)
_ADD_EVENT = insert(schema.event).values(
    environment=bindparam("environment"), payload=bindparam("payload")
)
_SET_DUE = (
    update(schema.environment)
    .where(schema.environment.c.id == bindparam("environment"))
    .values(due=bindparam("at"))
)
_TAKE_NOTICES = (
    select(schema.notice.c.id, schema.notice.c.payload)
    .where(
        schema.notice.c.topic == bindparam("topic"),
        schema.notice.c.delivery.is_(None),
    )
    .order_by(schema.notice.c.id)
    .with_for_update(skip_locked=True)
)
_TELL_NOTICES = (
    update(schema.notice)
    .where(schema.notice.c.id == bindparam("notice"))
    .values(delivery=bindparam("message"))
)
_PACE = (
    select(schema.pace.c.payload)
    .where(schema.pace.c.receiver == bindparam("receiver"))
    .with_for_update()
)
# SQLite has no such clause: there, the transaction began with the lock.
_LOCK = (
    select(schema.environment.c.id)
    .where(schema.environment.c.id == bindparam("environment"))
    .with_for_update(key_share=True)
)


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _verdict(revision: Revision) -> int:
    """Return what a revision says of its inputs, as its column has it."""
    if revision.barred:
        return 2
    return int(revision.phase is Phase.SUCCEEDED)


def _follows(record: EnvironmentRecord) -> int:
    """Return whether it waits for others of its repository (1), or further away (2)."""
    after = record.definition.after if record.definition else ()
    return max((1 if each.repository is None else 2 for each in after), default=0)

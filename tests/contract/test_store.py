"""What the store promises, on SQLite and on PostgreSQL."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_wf.adapters.sql_store import (
    SqlStore,
    open_beside,
    open_for_reading,
    open_store,
    schema,
)
from gitops_wf.adapters.sql_store.migrate import MIGRATIONS, schema_of
from gitops_wf.adapters.sql_store.reading import SqlReader
from gitops_wf.adapters.sql_store.writing import SqlTransaction
from gitops_wf.core.decision import Decision, Effect, Entry, Verb
from gitops_wf.core.environment import After, Environment
from gitops_wf.core.errors import (
    InvalidTransitionError,
    TerminalError,
)
from gitops_wf.core.event import Event
from gitops_wf.core.health import Health, HealthStatus
from gitops_wf.core.identifiers import EnvironmentId, RepositoryName, RunId, TargetName
from gitops_wf.core.inventory import Inventory, ObjectRef
from gitops_wf.core.message import Delivery, DeliveryPhase, Message
from gitops_wf.core.notifications.notices import Note, Notice, Weight
from gitops_wf.core.pacing import Pace, Rate
from gitops_wf.core.pause import Pause
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Identity
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun, Subject
from gitops_wf.core.upkeep.differing import FieldDrift
from gitops_wf.core.upkeep.findings import Drifted, DriftKind
from gitops_wf.core.upkeep.state import Ailing, Heals, Lease, UpkeepState
from gitops_wf.core.workflow import Step, Workflow
from gitops_wf.ports.store import (
    EnvironmentRecord,
    RepositoryRecord,
    Standing,
    Store,
    StoreUnavailableError,
    TargetRecord,
    Transaction,
)
from tests.values import TEXT, TIMES, values

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PROD = EnvironmentId("shop/prod")
TEST = EnvironmentId("shop/test")


@pytest.fixture
def store(store_location: str) -> Iterator[SqlStore]:
    store = open_store(store_location)
    try:
        yield store
    finally:
        store.close()


def an_environment(environment: EnvironmentId = PROD) -> EnvironmentRecord:
    repository, _, name = environment.partition("/")
    return EnvironmentRecord(
        id=environment, repository=repository, name=name, folder=f"envs/{name}"
    )


def a_definition(**fields) -> Environment:
    return Environment(name="prod", folder="envs/prod", **fields)


def a_revision(
    environment: EnvironmentId = PROD, number: int = 1, **fields
) -> Revision:
    return Revision(
        environment=environment,
        number=number,
        commit="c" * 40,
        branch="main",
        position=number,
        inputs="digest",
        **{"created": NOW + timedelta(minutes=number), **fields},
    )


def a_run(
    environment: EnvironmentId = PROD, number: int = 1, ordinal: int = 1, **fields
) -> Run:
    steps = (Step(name="deploy", type="deploy2env"), Step(name="tell", type="x"))
    return Run(
        id=RunId(f"{environment}#{number}.{ordinal}"),
        ordinal=ordinal,
        subject=Subject(
            environment=environment, number=number, commit="c" * 40, inputs="digest"
        ),
        workflow=Workflow(steps=steps, timeout=timedelta(hours=1)),
        steps=tuple(StepRun(name=step.name, type=step.type) for step in steps),
        **{"created": NOW + timedelta(minutes=number), **fields},
    )


def a_decision(person: str = "ann@example.com", **fields) -> Decision:
    entry = Entry(revision="4f1c2d9e", decision=Verb.APPROVE, step="go-live", line=3)
    return Decision(
        **{
            "environment": PROD,
            "entry": entry,
            "commit": "a" * 40,
            "brought_by": "b" * 40,
            "position": 4,
            "person": person,
            "evidence": Identity.AUTHOR,
            "at": NOW,
            "revision": 1,
            **fields,
        }
    )


def a_delivery(key: str = "run/step/item", **fields) -> Delivery:
    message = Message(item="item", kind="slack", channel={"c": 1}, payload={"t": "x"})
    return Delivery(
        **{
            "key": key,
            "environment": PROD,
            "run": RunId("shop/prod#1.1"),
            "step": "tell",
            "message": message,
            "created": NOW,
            **fields,
        }
    )


def an_event(message: str, environment: EnvironmentId | None = PROD) -> Event:
    return Event(
        at=NOW, kind="created", reason="New", message=message, environment=environment
    )


@contextmanager
def rolled_back(store: SqlStore) -> Iterator[SqlTransaction]:
    with suppress(ZeroDivisionError), store.transaction() as transaction:
        yield transaction
        raise ZeroDivisionError


def save(store: Store, *what) -> None:
    with store.transaction() as transaction:
        for value in what:
            match value:
                case Run():
                    transaction.save_run(value)
                case Revision():
                    transaction.save_revision(value)
                case EnvironmentRecord():
                    transaction.save_environment(value)
                case RepositoryRecord():
                    transaction.save_repository(value)
                case Event():
                    transaction.add_event(value)


class TestTransactions:
    def test_all_of_a_transaction_is_stored(self, store: Store):
        save(store, an_environment(), a_revision())

        with store.read() as reader:
            assert reader.environment(PROD) == an_environment()
            assert reader.revision(PROD, 1) == a_revision()

    def test_nothing_of_a_failed_transaction_is_stored(self, store: Store):
        with rolled_back(store) as transaction:
            transaction.save_environment(an_environment())
            transaction.save_run(a_run())

        with store.read() as reader:
            assert reader.environments() == []
            assert reader.runs() == []

    def test_a_transaction_sees_its_own_changes(self, store: Store):
        with store.transaction() as transaction:
            transaction.save_run(a_run())

            assert transaction.active_run(PROD) == a_run()

    def test_a_reader_sees_one_state_while_a_writer_commits(self, store: Store):
        save(store, a_revision(number=1))

        with store.read() as reader:
            before = reader.revisions(PROD)
            save(store, a_revision(number=2))
            after = reader.revisions(PROD)

        assert after == before == [a_revision(number=1)]

    def test_a_reader_does_not_wait_for_a_writer(self, store: Store):
        with store.transaction() as transaction:
            transaction.save_environment(an_environment())

            with store.read() as reader:
                assert reader.environments() == []

    def test_a_callback_runs_after_the_commit(self, store: SqlStore):
        seen = []

        def look() -> None:
            with store.read() as reader:
                seen.append(reader.environment(PROD))

        with store.transaction() as transaction:
            transaction.save_environment(an_environment())
            transaction.after_commit(look)
            assert seen == []

        assert seen == [an_environment()]

    def test_a_callback_does_not_run_after_a_roll_back(self, store: SqlStore):
        seen = []

        with rolled_back(store) as transaction:
            transaction.after_commit(lambda: seen.append(1))

        assert seen == []

    def test_a_locked_environment_makes_the_next_writer_wait(self, store: Store):
        save(store, an_environment())
        began, waited = threading.Event(), []

        def second() -> None:
            began.set()
            with store.transaction() as transaction:
                transaction.lock_environment(PROD)
                waited.append(transaction.revisions(PROD))

        with store.transaction() as transaction:
            assert transaction.lock_environment(PROD)
            thread = threading.Thread(target=second)
            thread.start()
            assert began.wait(10)
            transaction.save_revision(a_revision())
        thread.join(30)

        assert waited == [[a_revision()]]

    def test_an_environment_that_is_not_there_cannot_be_locked(self, store: Store):
        with store.transaction() as transaction:
            assert not transaction.lock_environment(PROD)

    def test_many_writers_at_once_all_get_their_turn(self, store: Store):
        save(store, an_environment())
        failures = []

        def add(number: int) -> None:
            try:
                with store.transaction() as transaction:
                    transaction.lock_environment(PROD)
                    count = len(transaction.revisions(PROD))
                    transaction.save_revision(a_revision(number=count + 1))
            except Exception as exc:
                failures.append((number, exc))

        threads = [threading.Thread(target=add, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert failures == []
        with store.read() as reader:
            numbers = [revision.number for revision in reader.revisions(PROD)]
        assert numbers == list(range(16, 0, -1))

    def test_a_lost_connection_is_worth_another_try(self, postgres):
        with postgres.database() as location:
            store = open_store(location)
            cut = sqlalchemy.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

            def lose_it() -> None:
                with store.transaction() as transaction:
                    with store.engine.connect() as other:
                        other.execute(cut)
                    transaction.save_environment(an_environment())

            with pytest.raises(StoreUnavailableError):
                lose_it()

            save(store, an_environment())
            with store.read() as reader:
                assert reader.environments() == [an_environment()]
            store.close()


class TestRepositoriesAndEnvironments:
    def test_a_repository_is_replaced(self, store: Store):
        first = RepositoryRecord(name="shop", url="https://x", branch="main")
        second = replace(first, cursor="d" * 40, position=7, polled=NOW, failures=2)

        save(store, first)
        save(store, second)

        with store.read() as reader:
            assert reader.repository("shop") == second
            assert reader.repositories() == [second]
            assert reader.repository("other") is None

    def test_repositories_and_environments_come_in_order_of_their_names(
        self, store: Store
    ):
        names = ["b", "a-b", "ab", "B", "a/b"]
        save(store, *(RepositoryRecord(name=n, url="", branch="") for n in names))
        save(store, *(an_environment(EnvironmentId(f"shop/{n}")) for n in names))

        with store.read() as reader:
            repositories = [record.name for record in reader.repositories()]
            environments = [record.id for record in reader.environments()]

        assert repositories == sorted(names)
        assert environments == sorted(f"shop/{name}" for name in names)

    def test_environments_of_one_repository(self, store: Store):
        other = an_environment(EnvironmentId("other/prod"))
        save(store, an_environment(), other)

        with store.read() as reader:
            assert reader.environments("other") == [other]

    def test_an_environment_is_read_as_it_is_whoever_changed_it(self, store: Store):
        save(store, an_environment(PROD), an_environment(TEST))
        with store.read() as reader:
            reader.environments()
        with rolled_back(store) as transaction:
            transaction.save_environment(replace(an_environment(PROD), folder="x"))
            assert transaction.environments()[0].folder == "x"
        save(store, replace(an_environment(TEST), folder="y"))

        with store.read() as reader:
            folders = [record.folder for record in reader.environments("shop")]
        assert folders == ["envs/prod", "y"]

    def test_those_that_wait_for_others_are_found_among_many(self, store: Store):
        after = (After(environment="test"),)
        save(
            store,
            replace(an_environment(PROD), definition=a_definition(after=after)),
            replace(an_environment(TEST), definition=a_definition()),
            an_environment(EnvironmentId("other/prod")),
        )

        with store.read() as reader:
            assert [record.id for record in reader.followers("shop")] == [PROD]
        save(store, replace(an_environment(PROD), definition=a_definition()))
        with store.read() as reader:
            assert reader.followers("shop") == []

    def test_those_that_wait_for_other_repositories_are_found_for_each(
        self, store: Store
    ):
        far = After(environment="dns", repository="shared")
        near = After(environment="test")
        definition = a_definition(after=(near, far))
        save(
            store,
            replace(an_environment(PROD), definition=definition),
            replace(an_environment(TEST), definition=a_definition(after=(near,))),
        )

        with store.read() as reader:
            found = {each.id for each in reader.followers("shared")}
            own = {each.id for each in reader.followers("shop")}
        assert found == {PROD}
        assert own == {PROD, TEST}

    def test_what_is_due_comes_first_due_first(self, store: Store):
        save(store, an_environment(PROD), an_environment(TEST))

        with store.transaction() as transaction:
            transaction.set_due(PROD, NOW)
            transaction.set_due(TEST, NOW - timedelta(microseconds=1))

        with store.read() as reader:
            assert reader.due(NOW) == [TEST, PROD]
            assert reader.due(NOW - timedelta(microseconds=1)) == [TEST]
            assert reader.due(NOW - timedelta(microseconds=2)) == []
            assert reader.next_due() == NOW - timedelta(microseconds=1)

    def test_a_time_in_another_zone_is_the_same_time(self, store: Store):
        save(store, an_environment())
        there = datetime.fromisoformat("2026-01-01T23:00:00-05:00")

        with store.transaction() as transaction:
            transaction.set_due(PROD, there)

        with store.read() as reader:
            assert reader.next_due() == there
            assert reader.due(there.astimezone(UTC)) == [PROD]
            assert reader.due(there - timedelta(seconds=1)) == []

    def test_nothing_is_due_once_that_is_taken_back(self, store: Store):
        save(store, an_environment())

        with store.transaction() as transaction:
            transaction.set_due(PROD, NOW)
        with store.transaction() as transaction:
            transaction.set_due(PROD, None)

        with store.read() as reader:
            assert reader.due(NOW) == []
            assert reader.next_due() is None

    def test_saving_an_environment_leaves_its_due_time(self, store: Store):
        save(store, an_environment())
        with store.transaction() as transaction:
            transaction.set_due(PROD, NOW)

        save(store, replace(an_environment(), last_number=3))

        with store.read() as reader:
            assert reader.next_due() == NOW


class TestRevisions:
    def test_they_come_newest_first_and_no_more_than_asked_for(self, store: Store):
        save(store, *(a_revision(number=n) for n in (2, 1, 3)), a_revision(TEST, 1))

        with store.read() as reader:
            numbers = [r.number for r in reader.revisions(PROD)]
            newest = [r.number for r in reader.revisions(PROD, limit=1)]
            everywhere = [(r.environment, r.number) for r in reader.revisions(limit=2)]

        assert numbers == [3, 2, 1]
        assert newest == [3]
        assert everywhere == [(PROD, 3), (PROD, 2)]

    def test_unfinished_ones_come_oldest_first(self, store: Store):
        save(
            store,
            a_revision(number=3),
            a_revision(number=1, phase=Phase.SUCCEEDED),
            a_revision(number=2, phase=Phase.SUSPENDED),
        )

        with store.read() as reader:
            numbers = [r.number for r in reader.unfinished_revisions(PROD)]

        assert numbers == [2, 3]

    def test_what_goes_on_is_of_one_repository_and_waits_for_nobody(self, store: Store):
        far = EnvironmentId("shop_2/prod")
        save(
            store,
            a_revision(number=4, phase=Phase.RUNNING),
            a_revision(number=3),
            a_revision(number=2, phase=Phase.SUSPENDED),
            a_revision(number=1, phase=Phase.SUCCEEDED),
            a_revision(TEST, 1),
            a_revision(far, 1),
        )

        with store.read() as reader:
            going_on = reader.going_on(RepositoryName("shop"))

        found = [(each.environment, each.number) for each in going_on]
        assert found == [(PROD, 3), (PROD, 4), (TEST, 1)]
        assert {each.commit for each in going_on} == {a_revision().commit}

    def test_a_revision_that_ended_is_no_longer_unfinished(self, store: Store):
        save(store, a_revision())
        save(store, a_revision(phase=Phase.ABORTED, ended=NOW))

        with store.read() as reader:
            assert reader.unfinished_revisions(PROD) == []
            assert reader.revision(PROD, 1) == a_revision(
                phase=Phase.ABORTED, ended=NOW
            )

    def test_the_line_has_what_the_queue_asks_of_unfinished_ones(self, store: Store):
        save(
            store,
            a_revision(number=3, rollback_of=1),
            a_revision(number=1, phase=Phase.SUCCEEDED),
            a_revision(number=2, phase=Phase.SUSPENDED),
        )

        with store.read() as reader:
            line = reader.line(PROD)

        assert [(r.number, r.phase, r.is_rollback) for r in line] == [
            (2, Phase.SUSPENDED, False),
            (3, Phase.PENDING, True),
        ]

    def test_the_released_one_is_found_behind_any_number(self, store: Store):
        later = [a_revision(number=n) for n in range(2, 30)]
        save(store, a_revision(phase=Phase.SUCCEEDED, released=True), *later)

        with store.read() as reader:
            assert reader.released(PROD).number == 1
        save(store, a_revision(phase=Phase.SUCCEEDED, released=False))
        with store.read() as reader:
            assert reader.released(PROD) is None

    def test_inputs_are_spoken_for_by_the_newest_that_succeeded(self, store: Store):
        save(
            store,
            a_revision(number=1, phase=Phase.SUCCEEDED),
            a_revision(number=2, phase=Phase.SUCCEEDED),
            a_revision(number=3, phase=Phase.FAILED),
            replace(a_revision(number=4, phase=Phase.SUCCEEDED), inputs="others"),
        )

        with store.read() as reader:
            assert reader.revision_for(PROD, "digest").number == 2
            assert reader.revision_for(PROD, "nobody's") is None

    def test_inputs_that_are_barred_stay_so_whatever_succeeded(self, store: Store):
        save(
            store,
            a_revision(number=1, phase=Phase.ABORTED, barred=True),
            a_revision(number=2, phase=Phase.SUCCEEDED),
        )

        with store.read() as reader:
            assert reader.revision_for(PROD, "digest").barred


class TestRuns:
    def test_a_run_is_stored_with_its_steps_in_order(self, store: Store):
        save(store, a_run())

        with store.read() as reader:
            assert reader.run(a_run().id) == a_run()
            assert reader.run(RunId("none")) is None

    def test_a_later_state_replaces_the_earlier(self, store: Store):
        first = a_run()
        running = replace(first.steps[0], phase=Phase.RUNNING, outputs={"v": [1, None]})
        second = replace(
            first, seq=1, phase=Phase.RUNNING, steps=(running, first.steps[1])
        )

        save(store, first)
        save(store, second)

        with store.read() as reader:
            assert reader.run(first.id) == second

    @pytest.mark.parametrize("seq", [0, 1, 3])
    def test_a_state_that_does_not_follow_the_stored_one_is_refused(
        self, store: Store, seq: int
    ):
        run = a_run()
        save(store, run)
        save(store, replace(run, seq=1))

        with pytest.raises(InvalidTransitionError, match="another change came first"):
            save(store, replace(run, seq=seq, phase=Phase.RUNNING))

        with store.read() as reader:
            assert reader.run(run.id) == replace(run, seq=1)

    def test_a_run_read_again_after_another_change_is_whole(self, store: SqlStore):
        save(store, an_environment(), a_run())
        moved = replace(
            a_run(),
            seq=1,
            steps=tuple(replace(s, phase=Phase.RUNNING) for s in a_run().steps),
        )

        with store.engine.connect() as connection:
            reader = SqlReader(connection)
            assert reader.run(a_run().id) == a_run()
            connection.rollback()
            save(store, moved)
            assert reader.run(a_run().id) == moved

    def test_an_environment_has_one_active_run(self, store: Store):
        save(store, a_run(number=1))

        with pytest.raises(InvalidTransitionError, match="another run"):
            save(store, a_run(number=2))

        with store.read() as reader:
            assert reader.active_run(PROD) == a_run(number=1)
            assert reader.runs(PROD) == [a_run(number=1)]

    def test_a_run_that_ended_makes_room_for_the_next(self, store: Store):
        ended = replace(a_run(number=1), phase=Phase.FAILED, seq=1)
        save(store, a_run(number=1))

        save(store, ended, a_run(number=2))

        with store.read() as reader:
            assert reader.active_run(PROD) == a_run(number=2)

    def test_all_active_runs_come_with_their_steps_however_many(self, store: Store):
        others = [EnvironmentId(f"shop/e{number:03}") for number in range(450)]
        wiki = EnvironmentId("wiki/e")
        with store.transaction() as transaction:
            for environment in (*others, wiki):
                transaction.save_environment(an_environment(environment))
                transaction.save_run(a_run(environment))
            transaction.save_run(a_run(others[7], seq=1, phase=Phase.SUCCEEDED))

        with store.read() as reader:
            found = list(reader.active_runs("shop"))
            assert found == [a_run(e) for e in others if e != others[7]]
            assert list(reader.active_runs())[-1] == a_run(wiki)

    def test_other_environments_have_their_own_active_run(self, store: Store):
        save(store, a_run(PROD), a_run(TEST))

        with store.read() as reader:
            assert reader.active_run(TEST) == a_run(TEST)

    def test_they_come_newest_first(self, store: Store):
        ended = {"phase": Phase.SUCCEEDED}
        first, again = a_run(number=1, **ended), a_run(number=1, ordinal=2, **ended)
        second, other = a_run(number=2, **ended), a_run(TEST, 3, **ended)
        save(store, again, second, first, other)

        with store.read() as reader:
            assert reader.runs(PROD) == [second, again, first]
            assert reader.runs(PROD, number=1) == [again, first]
            assert reader.runs(PROD, limit=1) == [second]
            assert reader.runs(limit=2) == [other, second]

    def test_only_the_steps_that_changed_are_written(self, store: SqlStore):
        run = a_run()
        save(store, run)
        changed = replace(run.steps[1], phase=Phase.RUNNING)
        written = []

        with store.transaction() as transaction:

            @sqlalchemy.event.listens_for(
                transaction.connection, "before_cursor_execute"
            )
            def note(connection, cursor, statement, parameters, context, many):
                if statement.startswith("INSERT INTO step_run"):
                    written.extend(parameters if many else [parameters])

            transaction.save_run(replace(run, seq=1, steps=(run.steps[0], changed)))

        assert len(written) == 1
        assert "tell" in str(written[0])


class TestDecisions:
    def test_a_decision_gets_an_id_and_is_updated_by_it(self, store: Store):
        with store.transaction() as transaction:
            stored = transaction.save_decision(a_decision())
        judged = replace(stored, effect=Effect.REFUSED, counts_for={"step": "no"})
        with store.transaction() as transaction:
            assert transaction.save_decision(judged) == judged

        assert stored == replace(a_decision(), id=stored.id)
        assert stored.id > 0
        with store.read() as reader:
            assert reader.decisions(PROD) == [judged]

    def test_the_same_entry_by_the_same_person_is_one_row(self, store: Store):
        with store.transaction() as transaction:
            first = transaction.save_decision(a_decision())
        with store.transaction() as transaction:
            moved = a_decision("Ann@Example.com", position=9, reason="again")
            again = transaction.save_decision(moved)

        assert again == first
        with store.read() as reader:
            assert reader.decisions() == [first]

    def test_two_people_and_two_environments_are_rows_of_their_own(self, store: Store):
        with store.transaction() as transaction:
            transaction.save_decision(a_decision("ann@example.com"))
            transaction.save_decision(a_decision("bob@example.com", revision=2))
            transaction.save_decision(a_decision(environment=TEST))

        with store.read() as reader:
            people = [decision.person for decision in reader.decisions(PROD)]
            assert people == ["bob@example.com", "ann@example.com"]
            assert [d.revision for d in reader.decisions(PROD, number=2)] == [2]
            assert len(reader.decisions(limit=2)) == 2
            assert len(reader.decisions()) == 3

    def test_a_decision_that_is_not_there_cannot_be_updated(self, store: Store):
        with pytest.raises(InvalidTransitionError), store.transaction() as transaction:
            transaction.save_decision(a_decision(id=12345))


class TestDeliveries:
    def test_a_message_gets_an_id_and_is_updated_by_it(self, store: Store):
        with store.transaction() as transaction:
            stored = transaction.save_delivery(a_delivery())
            sent = replace(stored, phase=DeliveryPhase.SENT, tries=1, ended=NOW)
            transaction.save_delivery(sent)

        with store.read() as reader:
            assert reader.delivery(stored.id) == sent
            assert reader.delivery(stored.id + 1) is None

    def test_the_same_key_is_one_message(self, store: Store):
        with store.transaction() as transaction:
            first = transaction.save_delivery(a_delivery())
            again = transaction.save_delivery(a_delivery(tries=5))

        assert again == first

    def test_a_steps_messages_come_oldest_first(self, store: Store):
        with store.transaction() as transaction:
            for key in ("b", "a"):
                transaction.save_delivery(a_delivery(key))
            transaction.save_delivery(a_delivery("other", step="go"))
            transaction.save_delivery(a_delivery("event", run=None, step=None))

        with store.read() as reader:
            found = reader.deliveries(RunId("shop/prod#1.1"), "tell")

        assert [delivery.key for delivery in found] == ["b", "a"]


def a_notice(key: str = "a", topic: str = "shop c1", **fields) -> Notice:
    note = Note(place="prod#1", headline="FAILED", sums="FAILED", weight=Weight.BAD)
    return Notice(
        **{
            "key": key,
            "channel": "ops",
            "topic": topic,
            "title": "shop c1",
            "kind": "failed",
            "environment": PROD,
            "note": note,
            "at": NOW,
            **fields,
        }
    )


class TestNotices:
    def test_those_of_a_topic_wait_until_a_message_says_them(self, store: Store):
        later = NOW + timedelta(seconds=5)
        with store.transaction() as transaction:
            transaction.save_notice(a_notice("b"))
            transaction.save_notice(a_notice("a", at=later))
            transaction.save_notice(a_notice("c", "other"))
            transaction.save_notice(a_notice("d", channel="duty"))

        with store.transaction() as transaction:
            topics = transaction.open_topics()
            [both] = [each for each in topics if each.last == later]
            found = transaction.take_notices(both.topic)
            transaction.tell_notices(found, 7)

        assert len(topics) == 3
        assert (both.first, both.last) == (NOW, later)
        assert [notice.key for notice in found] == ["b", "a"]
        assert found[0] == a_notice("b", id=found[0].id)
        with store.transaction() as transaction:
            assert len(transaction.open_topics()) == 2
            assert transaction.take_notices(both.topic) == []

    def test_the_same_key_is_one_notice_told_or_not(self, store: Store):
        with store.transaction() as transaction:
            transaction.save_notice(a_notice())
            transaction.save_notice(a_notice(kind="succeeded"))
            [topic] = transaction.open_topics()
            found = transaction.take_notices(topic.topic)
            transaction.tell_notices(found, 0)
            transaction.save_notice(a_notice())

            assert [notice.kind for notice in found] == ["failed"]
            assert transaction.open_topics() == []

    def test_what_one_takes_another_does_not_get(self, store: SqlStore):
        with store.transaction() as transaction:
            transaction.save_notice(a_notice())
            [topic] = transaction.open_topics()
        taken: list[int] = []
        began, go_on = threading.Event(), threading.Event()

        def take() -> None:
            with store.transaction() as transaction:
                found = transaction.take_notices(topic.topic)
                began.set()
                go_on.wait(20)
                transaction.tell_notices(found, 1)
                taken.append(len(found))

        first = threading.Thread(target=take)
        first.start()
        began.wait(20)
        second = threading.Thread(target=take)
        second.start()
        go_on.set()
        first.join(20)
        second.join(20)

        assert sorted(taken) == [0, 1]

    def test_those_that_were_told_are_forgotten_with_messages(self, store: Store):
        with store.transaction() as transaction:
            transaction.save_notice(a_notice("told", "1"))
            transaction.save_notice(a_notice("waits", "2"))
            topic = transaction.open_topics()[0].topic
            transaction.tell_notices(transaction.take_notices(topic), 1)

        with store.transaction() as transaction:
            before = NOW + timedelta(hours=1)
            forgotten = transaction.forget_messages(before, limit=10)

        assert forgotten["notices"] == 1
        with store.read() as reader:
            assert len(reader.open_topics()) == 1


class TestPaces:
    def test_one_is_kept_for_each_receiver(self, store: Store):
        pace = Pace(turns=(NOW,), paused_until=NOW + timedelta(minutes=1), round=2)
        with store.transaction() as transaction:
            assert transaction.pace("a") == Pace()
            transaction.save_pace("a", Pace(), NOW)
            transaction.save_pace("a", pace, NOW)

        with store.transaction() as transaction:
            assert transaction.pace("a") == pace
            assert transaction.pace("b") == Pace()

    def test_no_two_take_the_same_turn(self, store: SqlStore):
        rate = Rate(messages=1, span=timedelta(seconds=1))
        turns: list[datetime] = []

        def take() -> None:
            for _ in range(5):
                with store.transaction() as transaction:
                    turn, pace = transaction.pace("a").taken(rate, NOW)
                    transaction.save_pace("a", pace, NOW)
                turns.append(turn.at)

        threads = [threading.Thread(target=take) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert len(turns) == len(set(turns)) == 15

    def test_one_that_was_not_used_for_long_is_forgotten(self, store: Store):
        pace = Pace(turns=(NOW,))
        with store.transaction() as transaction:
            transaction.save_pace("a", pace, NOW)
            transaction.save_pace("b", pace, NOW + timedelta(days=1))
            transaction.forget_messages(NOW + timedelta(hours=1), limit=10)

            assert transaction.pace("a") == Pace()
            assert transaction.pace("b") == pace


class TestEvents:
    def test_they_come_oldest_first_from_past_an_id_on(self, store: Store):
        save(store, *(an_event(str(n)) for n in range(4)), an_event("none", None))

        with store.read() as reader:
            events = reader.events(PROD)
            later = reader.events(PROD, after=events[1].id)
            last = reader.events(PROD, limit=1)
            next_ones = reader.events(PROD, after=events[0].id, limit=2, first=True)
            everything = reader.events()

        assert [event.message for event in events] == ["0", "1", "2", "3"]
        assert [event.message for event in later] == ["2", "3"]
        assert [event.message for event in last] == ["3"]
        assert [event.message for event in next_ones] == ["1", "2"]
        assert [event.message for event in everything][-1] == "none"


class TestInventories:
    def test_an_inventory_is_replaced(self, store: Store):
        with store.transaction() as transaction:
            transaction.save_inventory(PROD, "eu", Inventory(number=1))
            transaction.save_inventory(PROD, "us", Inventory(number=2))
            transaction.save_inventory(PROD, "eu", Inventory(number=3))

        with store.read() as reader:
            assert reader.inventory(PROD, "eu") == Inventory(number=3)
            assert reader.inventory(PROD, "us") == Inventory(number=2)
            assert reader.inventory(TEST, "eu") is None


class TestUpkeep:
    drifted = Drifted(
        ref=ObjectRef(group="apps", kind="Deployment", namespace="shop", name="web"),
        kind=DriftKind.CHANGED,
        fields=(FieldDrift(path="/spec/replicas", desired="3", live=None),),
        managers=("kubectl-edit",),
        since=NOW,
    )

    def state(self, number: int = 1) -> UpkeepState:
        ref = self.drifted.ref
        return UpkeepState(
            number=number,
            drifted=(self.drifted,),
            ailing=(
                Ailing(
                    ref=ref,
                    status=HealthStatus(health=Health.FAILED, message="crash"),
                    since=NOW,
                    failed_since=NOW,
                ),
            ),
            degraded=NOW,
            heals=(Heals(ref=ref, count=2, last=NOW, is_told=True),),
            held="paused",
            problem="no answer",
            lease=Lease(holder="local", until=NOW),
        )

    def test_a_state_is_kept_by_environment_and_target(self, store: Store):
        eu, us = TargetName("eu"), TargetName("us")
        with store.transaction() as transaction:
            transaction.save_upkeep(PROD, us, self.state())
            transaction.save_upkeep(PROD, eu, self.state())
            transaction.save_upkeep(PROD, eu, self.state(2))
            transaction.save_upkeep(TEST, eu, self.state())
            transaction.forget_upkeep(TEST, us)

        with store.read() as reader:
            assert reader.upkeep(PROD) == {eu: self.state(2), us: self.state()}
            assert reader.upkeeps() == {
                PROD: reader.upkeep(PROD),
                TEST: {eu: self.state()},
            }

        with store.transaction() as transaction:
            transaction.forget_upkeep(PROD, us)
            transaction.forget_environment(TEST)

        with store.read() as reader:
            assert reader.upkeeps() == {PROD: {eu: self.state(2)}}


class TestTargets:
    def test_how_a_target_stands_is_kept_by_name(self, store: Store):
        eu = TargetRecord(name=TargetName("eu"), answered=NOW, compared=NOW)
        gone = replace(eu, away=NOW, error="no answer")
        with store.transaction() as transaction:
            transaction.save_target(eu)
            transaction.save_target(gone)
            transaction.save_target(TargetRecord(name=TargetName("us")))
            transaction.forget_target(TargetName("us"))

        with store.read() as reader:
            assert reader.targets() == {eu.name: gone}

    def test_when_each_was_last_compared_goes_with_its_environment(self, store: Store):
        eu, us = TargetName("eu"), TargetName("us")
        later = NOW + timedelta(minutes=5)
        save(store, an_environment(PROD), an_environment(TEST))
        with store.transaction() as transaction:
            for environment, target, at in (
                (PROD, eu, NOW),
                (PROD, us, NOW),
                (PROD, eu, later),
                (TEST, eu, NOW),
            ):
                transaction.save_compared(environment, target, at)

        with store.transaction() as transaction:
            assert transaction.compared(PROD) == {eu: later, us: NOW}
            transaction.forget_environment(PROD)

        with store.read() as reader:
            assert reader.compared(PROD) == {}
            assert reader.compared(TEST) == {eu: NOW}


class TestCounts:
    def test_each_environment_stands_as_its_newest_revision_does(self, store: Store):
        definition = a_definition(suspend=True)
        save(
            store,
            replace(an_environment(PROD), definition=definition),
            an_environment(TEST),
            replace(an_environment(EnvironmentId("shop/old")), is_removed=True),
            a_revision(number=1, phase=Phase.FAILED),
            a_revision(number=2, phase=Phase.RUNNING, message='"phase": "\x00\udcff'),
        )

        with store.read() as reader:
            assert reader.standings() == [
                Standing(
                    environment=PROD,
                    phase=Phase.RUNNING,
                    commit="c" * 40,
                    is_suspended=True,
                ),
                Standing(environment=TEST, phase=None, commit="", is_suspended=False),
            ]

    def test_runs_and_the_queue_are_counted(self, store: Store):
        asked = a_run(TEST, phase=Phase.RUNNING)
        first, second = asked.steps
        steps = (replace(first, is_asked=True), replace(second, token="t"))
        save(store, replace(asked, steps=steps))
        begun = a_run(PROD, phase=Phase.SUSPENDED)
        steps = (replace(begun.steps[0], is_asked=True, token="t"), begun.steps[1])
        save(store, replace(begun, steps=steps))
        save(store, a_run(EnvironmentId("shop/done"), phase=Phase.FAILED))

        with store.read() as reader:
            assert reader.active_phases() == {Phase.RUNNING: 1, Phase.SUSPENDED: 1}
            assert reader.queued() == 1


class TestForgetting:
    def fill(self, store: Store) -> None:
        """Three revisions with a run each, and all that hangs on them."""
        save(store, an_environment(), an_environment(TEST), a_revision(TEST))
        for number in (1, 2, 3):
            phase = Phase.PENDING if number == 3 else Phase.SUCCEEDED
            save(store, a_revision(number=number, phase=phase))
            save(store, a_run(number=number, phase=phase), an_event(str(number)))
            with store.transaction() as transaction:
                run = RunId(f"shop/prod#{number}.1")
                for key, ended in (("sent", NOW), ("open", None)):
                    transaction.save_delivery(
                        a_delivery(f"{number}/{key}", run=run, ended=ended)
                    )
                transaction.save_decision(
                    a_decision(person=f"{number}@example.com", revision=number)
                )
                transaction.save_decision(
                    a_decision(person=f"none{number}@example.com", revision=None)
                )

    def test_the_ended_beyond_the_newest_come_oldest_first(self, store: Store):
        self.fill(store)

        with store.read() as reader:

            def beyond(newest: int, after: int = -1, limit: int = 10) -> list[int]:
                found = reader.ended_beyond(PROD, newest, after=after, limit=limit)
                return [revision.number for revision in found]

            assert beyond(0) == [1, 2]
            assert beyond(2) == [1]
            assert beyond(3) == []
            assert beyond(0, after=1) == [2]
            assert beyond(0, limit=1) == [1]
            assert reader.runs_beyond(PROD, 0, limit=9) == [
                "shop/prod#1.1",
                "shop/prod#2.1",
            ]
            assert reader.runs_beyond(PROD, 2, limit=9) == ["shop/prod#1.1"]
            assert reader.runs_beyond(PROD, 3, limit=9) == []
            assert sorted(reader.numbers(PROD)) == [1, 2, 3]

    def test_environments_are_crowded_by_anything_of_which_there_is_too_much(
        self, store: Store
    ):
        self.fill(store)
        save(store, *(an_event(str(n), None) for n in range(5)))

        with store.read() as reader:
            assert not reader.crowded(revisions=3, runs=3, events=5)
            assert reader.crowded(revisions=2, runs=3, events=5) == [PROD]
            assert reader.crowded(revisions=3, runs=2, events=5) == [PROD]
            assert reader.crowded(revisions=3, runs=3, events=4) == [None]
            assert set(reader.crowded(revisions=0, runs=3, events=9)) == {PROD, TEST}

    def test_a_revision_goes_with_all_that_hangs_on_it(self, store: Store):
        self.fill(store)

        with store.transaction() as transaction:
            forgotten = transaction.forget_revisions(PROD, [1])

        assert forgotten == {
            "revisions": 1,
            "runs": 1,
            "steps": 2,
            "messages": 1,
            "decisions": 1,
        }
        with store.read() as reader:
            assert [r.number for r in reader.revisions(PROD)] == [3, 2]
            assert [r.number for r in reader.revisions(TEST)] == [1]
            assert reader.run(RunId("shop/prod#1.1")) is None
            assert reader.run(RunId("shop/prod#2.1")) == a_run(
                number=2, phase=Phase.SUCCEEDED
            )
            assert {d.revision for d in reader.decisions(PROD)} == {2, 3, None}
            # What is still to be sent stays until it is.
            left = reader.deliveries(RunId("shop/prod#1.1"), "tell")
            assert [delivery.key for delivery in left] == ["1/open"]

    def test_messages_that_ended_stay_as_long_as_their_run(self, store: Store):
        self.fill(store)
        with store.transaction() as transaction:
            for key, ended in (("old", NOW), ("new", NOW + timedelta(hours=2))):
                transaction.save_delivery(
                    a_delivery(key, run=None, step=None, ended=ended)
                )

        def forget() -> int:
            with store.transaction() as transaction:
                before = NOW + timedelta(hours=1)
                return transaction.forget_messages(before, limit=10)["messages"]

        assert forget() == 1
        assert forget() == 0
        with store.transaction() as transaction:
            late = transaction.deliveries(RunId("shop/prod#1.1"), "tell")[1]
            transaction.forget_revisions(PROD, [1])
            transaction.save_delivery(replace(late, ended=NOW))
        assert forget() == 1

    def test_the_oldest_events_go_first_a_few_at_a_time(self, store: Store):
        save(store, *(an_event(str(n)) for n in range(5)), an_event("other", None))

        counts = []
        for _ in range(3):
            with store.transaction() as transaction:
                forgotten = transaction.forget_events(PROD, 2, limit=2)
            counts.append(forgotten["events"])

        assert counts == [2, 1, 0]
        with store.read() as reader:
            assert [event.message for event in reader.events()] == ["3", "4", "other"]

    def test_decisions_of_no_revision_go_beyond_the_newest(self, store: Store):
        self.fill(store)

        with store.transaction() as transaction:
            forgotten = transaction.forget_loose_decisions(PROD, 1, limit=10)

        assert forgotten == {"decisions": 2}
        with store.read() as reader:
            loose = [d.person for d in reader.decisions(PROD) if d.revision is None]
            assert loose == ["none3@example.com"]
            assert len(reader.decisions(PROD)) == 4

    def test_an_environment_and_a_repository_go_whole(self, store: Store):
        self.fill(store)
        save(store, RepositoryRecord(name="shop", url="u", branch="main"))

        with store.transaction() as transaction:
            transaction.save_inventory(PROD, "eu", Inventory(number=1))
            transaction.forget_revisions(PROD, [1, 2, 3])
            transaction.forget_environment(PROD)
            transaction.forget_repository("shop")

        with store.read() as reader:
            assert [record.id for record in reader.environments()] == [TEST]
            assert reader.repositories() == []
            assert reader.events(PROD) == []
            assert reader.decisions(PROD) == []
            assert reader.inventory(PROD, "eu") is None

    def test_what_is_nothing_forgets_nothing(self, store: Store):
        self.fill(store)

        with store.transaction() as transaction:
            assert transaction.forget_revisions(PROD, []) == {}
            assert transaction.forget_runs([]) == {}


_SOME = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


class TestAnyValue:
    """What was stored is what is loaded, whatever it is."""

    @_SOME
    @given(run=values(Run))
    def test_runs(self, store: Store, run: Run):
        names = {step.name: step for step in run.steps}
        run = replace(run, phase=Phase.FAILED, steps=tuple(names.values()))
        with rolled_back(store) as transaction:
            transaction.save_run(run)
            assert transaction.run(run.id) == run

    @_SOME
    @given(data=st.data())
    def test_the_rest(self, store: Store, data: st.DataObject):
        repository = data.draw(values(RepositoryRecord))
        environment = data.draw(values(EnvironmentRecord))
        revision = data.draw(values(Revision))
        decision = replace(data.draw(values(Decision)), id=0)
        delivery = replace(data.draw(values(Delivery)), id=0)
        event = data.draw(values(Event))
        notice = replace(data.draw(values(Notice)), id=0)
        pace = data.draw(values(Pace))
        inventory, target = data.draw(values(Inventory)), data.draw(TEXT)
        due = data.draw(TIMES)
        with rolled_back(store) as transaction:
            transaction.save_repository(repository)
            transaction.save_environment(environment)
            transaction.set_due(environment.id, due)
            transaction.save_revision(revision)
            kept = transaction.save_decision(decision)
            sent = transaction.save_delivery(delivery)
            transaction.add_event(event)
            transaction.save_inventory(environment.id, target, inventory)
            self.check(transaction, repository, environment, revision, event)
            assert kept == replace(decision, id=kept.id)
            assert transaction.decisions(decision.environment) == [kept]
            assert sent == replace(delivery, id=sent.id)
            assert transaction.delivery(sent.id) == sent
            transaction.save_notice(notice)
            [topic] = transaction.open_topics()
            [kept_notice] = transaction.take_notices(topic.topic)
            assert kept_notice == replace(notice, id=kept_notice.id)
            transaction.save_pace("a", pace, due)
            assert transaction.pace("a") == pace
            assert transaction.inventory(environment.id, target) == inventory
            assert transaction.due(due) == [environment.id]

    def check(
        self,
        reader: Transaction,
        repository: RepositoryRecord,
        environment: EnvironmentRecord,
        revision: Revision,
        event: Event,
    ) -> None:
        assert reader.repository(repository.name) == repository
        assert reader.environment(environment.id) == environment
        assert reader.revision(revision.environment, revision.number) == revision
        found = reader.events(event.environment)[-1]
        assert replace(found, id=event.id) == event


class TestOpening:
    def test_a_store_keeps_what_it_had(self, store: SqlStore, store_location: str):
        save(store, an_environment(), a_run())
        store.close()

        again = open_store(store_location)

        with again.read() as reader:
            assert reader.active_run(PROD) == a_run()
        again.close()

    def test_it_can_be_read_beside_the_daemon(
        self, store: SqlStore, store_location: str
    ):
        beside = open_for_reading(store_location)
        save(store, an_environment())

        with beside.read() as reader:
            assert reader.environment(PROD) == an_environment()
        beside.close()

    def test_who_only_reads_cannot_write(self, store: SqlStore, store_location: str):
        beside = open_for_reading(store_location)
        delete = sqlalchemy.delete(schema.environment)
        with (
            pytest.raises(StoreUnavailableError) as refused,
            beside.read() as reader,
        ):
            reader.connection.execute(delete)
        assert refused.value.reason == "StoreReadOnly"
        beside.close()

    def test_the_migrations_make_exactly_the_tables(self, store: SqlStore):
        with store.engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True}
            )

            assert compare_metadata(context, schema.metadata) == []

    def test_a_store_from_a_newer_version_is_refused(
        self, store: SqlStore, store_location: str
    ):
        with store.engine.begin() as connection:
            connection.execute(
                sqlalchemy.text("UPDATE alembic_version SET version_num = '9999'")
            )
            connection.execute(schema.meta.update().values(value="9.9.9"))
        store.close()

        for open_it in (open_store, open_for_reading):
            with pytest.raises(TerminalError, match=r"gitops-wf 9\.9\.9 .*9999"):
                open_it(store_location)
        with store.engine.connect() as connection:
            assert schema_of(connection) == "9999"

    def test_the_newest_migration_is_the_one_that_the_code_names(self):
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))

        assert ScriptDirectory.from_config(config).get_current_head() == schema.SCHEMA


class TestPauses:
    def a_pause(self, environment, reason="why"):
        return Pause(
            environment=environment, reason=reason, by="root", since=NOW, told=NOW
        )

    def test_an_environment_is_held_by_its_own_and_by_that_of_all(self, store):
        own, other, every = map(self.a_pause, (PROD, TEST, None))
        with store.transaction() as transaction:
            for pause in (own, other, every):
                transaction.save_pause(pause)

        with store.read() as reader:
            assert list(reader.pauses(PROD)) == [every, own]
            assert list(reader.pauses(EnvironmentId("shop/new"))) == [every]
            assert list(reader.pauses()) == [every, own, other]

    def test_each_environment_has_one_and_the_last_counts(self, store):
        with store.transaction() as transaction:
            transaction.save_pause(self.a_pause(PROD))
            transaction.save_pause(self.a_pause(PROD, "another"))

        with store.read() as reader:
            assert [p.reason for p in reader.pauses()] == ["another"]

    def test_one_that_ended_is_gone_and_others_stay(self, store):
        with store.transaction() as transaction:
            for environment in (PROD, None):
                transaction.save_pause(self.a_pause(environment))

        with store.transaction() as transaction:
            assert transaction.delete_pause(None)
            assert not transaction.delete_pause(None)
            assert not transaction.delete_pause(TEST)

        with store.read() as reader:
            assert [p.environment for p in reader.pauses()] == [PROD]

    def test_they_are_written_beside_the_daemon(self, store, store_location):
        beside = open_beside(store_location)
        with beside.transaction() as transaction:
            transaction.save_pause(self.a_pause(PROD))
        beside.close()

        with store.read() as reader:
            assert [p.environment for p in reader.pauses()] == [PROD]

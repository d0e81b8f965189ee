"""What the executor promises, on SQLite and on PostgreSQL."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from gitops_wf.adapters.sql_store import open_beside
from tests.executor_process import Witness, an_attempt, executor_process


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    witness = Witness(tmp_path / "witness")
    witness.folder.mkdir()
    return witness


def test_committed_work_is_carried_out_with_its_ids(
    store_location: str, witness: Witness
):
    attempt = an_attempt("shop/prod#1.1", attempt=2, look=7, target="prod-eu")
    delivery = {"delivery": 5, "attempt": 1}
    with executor_process(store_location, witness) as process:
        process.start()

        process.enqueue(attempt, delivery)

        ended = witness.wait(2, "ended")
    told = [
        {k: v for k, v in line.items() if k not in ("what", "at", "pid")}
        for line in ended
    ]
    assert sorted(told, key=len) == [delivery, attempt]


def test_work_of_a_rolled_back_transaction_never_runs(
    store_location: str, witness: Witness
):
    with executor_process(store_location, witness) as process:
        process.enqueue(an_attempt("rolled back"), commit=False)
        process.enqueue(an_attempt("committed"))
        process.start()

        witness.wait(1, "ended", run="committed")
        process.enqueue(an_attempt("later"))
        witness.wait(1, "ended", run="later")

    assert witness.lines(run="rolled back") == []


def test_the_same_work_enqueued_again_is_carried_out_once(
    store_location: str, witness: Witness
):
    with executor_process(store_location, witness) as process:
        process.start()
        process.enqueue(an_attempt("same"), an_attempt("same"))
        witness.wait(1, "ended", run="same")

        process.enqueue(an_attempt("same"))
        process.enqueue(an_attempt("other"), an_attempt("same", look=1))
        witness.wait(3, "ended")

    assert len(witness.lines("begun", run="same", look=0)) == 1
    assert len(witness.lines("begun", run="same", look=1)) == 1


def test_work_that_a_killed_process_had_begun_or_not_is_carried_out_by_the_next(
    store_location: str, witness: Witness
):
    with executor_process(store_location, witness, per_target=1) as first:
        first.start()
        first.enqueue(an_attempt("begun", "held", target="t"))
        witness.wait(1, "begun")
        first.enqueue(an_attempt("waiting", "held", target="t"))
        first.kill()
    witness.release()

    with executor_process(store_location, witness, per_target=1) as second:
        second.start()
        witness.wait(2, "ended")

    assert len(witness.lines("begun", run="begun")) == 2
    assert len(witness.lines("begun", run="waiting")) == 1


def test_no_target_has_more_work_at_once_than_its_limit(
    store_location: str, witness: Witness
):
    works = [
        an_attempt(f"{target}{number}", "held", target=target)
        for target in ("eu", "us")
        for number in range(5)
    ]
    with executor_process(store_location, witness, per_target=2) as process:
        process.start()
        process.enqueue(*works)
        witness.wait(2, "begun", target="eu")
        witness.wait(2, "begun", target="us")
        process.enqueue(an_attempt("free"))
        witness.wait(1, "ended", run="free")

        assert len(witness.lines("begun", step="held")) == 4
        witness.release()
        witness.wait(10, "ended", step="held")

    assert witness.most_at_once("target")["eu"] == 2
    assert witness.most_at_once("target")["us"] == 2


def test_all_targets_together_have_a_limit(store_location: str, witness: Witness):
    works = [an_attempt(f"r{n}", "held", target=f"t{n}") for n in range(6)]
    with executor_process(store_location, witness, at_once=3) as process:
        process.start()
        process.enqueue(*works)
        witness.wait(3, "begun")
        process.enqueue(an_attempt("free"))
        witness.wait(1, "ended", run="free")
        witness.release()
        witness.wait(6, "ended", step="held")

    assert witness.most_at_once("step")["held"] == 3


def test_delayed_work_is_not_begun_before_its_time(
    store_location: str, witness: Witness
):
    with executor_process(store_location, witness) as process:
        process.start()
        before = process.enqueue(an_attempt("before"))
        process.enqueue(an_attempt("late", delay=0.7), an_attempt("later", delay=3600))
        (begun,) = witness.wait(1, "begun", run="late")

    assert begun["at"] - before >= 0.7
    assert witness.lines(run="later") == []


def test_a_delay_goes_on_while_no_process_runs(store_location: str, witness: Witness):
    with executor_process(store_location, witness) as first:
        at = first.enqueue(an_attempt("late", target="t", delay=2))
        first.kill()

    with executor_process(store_location, witness) as second:
        second.start()
        (begun,) = witness.wait(1, "begun", run="late")

    assert begun["at"] - at >= 1.99


def test_work_that_raises_is_begun_again_and_holds_up_nobody(
    store_location: str, witness: Witness
):
    with executor_process(store_location, witness, per_target=1) as process:
        process.start()
        process.enqueue(
            an_attempt("bad", "fails-once", target="t"), an_attempt("good", target="t")
        )
        witness.wait(2, "ended")

    first, second = witness.lines("begun", run="bad")
    assert second["at"] - first["at"] >= 0.75
    assert len(witness.lines("ended", run="bad")) == 1


def test_work_is_begun_again_no_sooner_than_the_other_side_asked(
    store_location: str, witness: Witness
):
    with executor_process(store_location, witness) as process:
        process.start()
        process.enqueue(an_attempt("polite", "asks-for-time"))
        witness.wait(1, "ended")

    first, second = witness.lines("begun")
    assert second["at"] - first["at"] >= 1.5


def test_work_that_is_postponed_comes_back_when_it_asked_to_each_time(
    store_location: str, witness: Witness
):
    """By the fourth time an error would have made it wait for seconds."""
    with executor_process(store_location, witness) as process:
        process.start()
        process.enqueue(
            an_attempt("early", "too-early", target="t"),
            an_attempt("broken", "fails-twice", target="u"),
        )
        witness.wait(2, "ended")

    assert [line["run"] for line in witness.lines("ended")] == ["early", "broken"]


def test_stopping_lets_work_end_and_begins_no_more(
    store_location: str, witness: Witness
):
    with executor_process(store_location, witness, per_target=1, grace=30) as process:
        process.start()
        process.enqueue(an_attempt("running", "slow", target="t"))
        witness.wait(1, "begun")
        process.enqueue(an_attempt("waiting", target="t"))

        process.stop()

        assert len(witness.lines("ended", run="running")) == 1
        assert process.end() == 0
    assert witness.lines(run="waiting") == []


def test_work_that_hangs_does_not_keep_the_process_and_is_begun_again(
    store_location: str, witness: Witness
):
    with executor_process(store_location, witness, grace=0.2) as first:
        first.start()
        first.enqueue(an_attempt("stuck", "hangs", target="t"))
        witness.wait(1, "begun")

        first.stop()

        assert first.end() == 0

    with executor_process(store_location, witness, replica="another") as second:
        second.start()
        witness.wait(2, "begun", run="stuck")


def test_finished_work_is_forgotten_and_the_rest_is_not(
    store_location: str, witness: Witness
):
    with executor_process(store_location, witness) as process:
        process.start()
        process.enqueue(an_attempt("done", "held"))
        witness.wait(1, "begun", run="done")
        process.enqueue(an_attempt("late", delay=3600))
        now = datetime.now(UTC)

        assert process.forget(now + timedelta(days=1)) == 0
        witness.release()
        witness.wait(1, "ended", run="done")
        process.stop()

        assert process.forget(now - timedelta(days=1)) == 0
        assert process.forget(now + timedelta(days=1)) == 1
        assert process.forget(now + timedelta(days=1)) == 0


def test_replicas_on_one_database_share_the_work(postgres, witness: Witness):
    with (
        postgres.database() as location,
        executor_process(location, witness, replica="a", per_target=2) as first,
        executor_process(location, witness, replica="b", per_target=2) as second,
    ):
        second.start()
        first.start()
        first.enqueue(
            *(an_attempt(f"r{n}", "slow", target=f"t{n % 2}") for n in range(12))
        )
        witness.wait(12, "ended")

    assert len(witness.lines("begun")) == 12
    assert max(witness.most_at_once("target").values()) <= 2


def test_work_that_was_handed_out_in_a_commit_without_an_answer_is_carried_out(
    postgres, witness: Witness
):
    with (
        postgres.database() as location,
        executor_process(location, witness) as process,
    ):
        process.start()
        process.enqueue(an_attempt("stranded", delay=3600))
        # As DBOS leaves it where its connection is lost between commit and answer.
        with psycopg.connect(location, autocommit=True) as connection:
            handed_out = connection.execute(
                "UPDATE dbos.workflow_status SET status = 'PENDING',"
                " executor_id = 'local', owner_xid = 'nobody' WHERE status = 'DELAYED'"
            )
        assert handed_out.rowcount == 1
        postgres.cut(location)

        witness.wait(1, "ended", run="stranded")


def test_a_delay_is_no_longer_than_asked_for_after_the_clock_was_set_back(
    store_location: str, witness: Witness
):
    hour = 3_600_000
    with executor_process(store_location, witness) as process:
        process.start()
        process.enqueue(an_attempt("soon", delay=0.5), an_attempt("late", delay=1800))
        engine = open_beside(store_location).engine
        tables = "" if engine.dialect.name == "sqlite" else "dbos."
        # What it comes to: its end is an hour farther off than when it was asked for.
        with engine.begin() as connection:
            ahead = connection.exec_driver_sql(
                f"UPDATE {tables}workflow_status"
                f" SET delay_until_epoch_ms = delay_until_epoch_ms + {hour}"
                " WHERE status = 'DELAYED'"
            )
            assert ahead.rowcount == 2
        engine.dispose()

        assert process.ask("recount") == 2

        witness.wait(1, "ended", run="soon")
        assert witness.lines(run="late") == []
        assert process.ask("recount") == 0


def test_work_outlives_a_restart_of_its_database(postgres, witness: Witness):
    with (
        postgres.database() as location,
        executor_process(location, witness) as process,
    ):
        process.start()
        process.enqueue(
            an_attempt("running", "held", target="t"), an_attempt("late", delay=1)
        )
        witness.wait(1, "begun", run="running")

        postgres.restart()
        process.enqueue(an_attempt("after"))
        witness.release()
        witness.wait(3, "ended")

        process.stop()
        assert process.forget(datetime.now(UTC) + timedelta(days=1)) == 3

"""Suspend steps and gates: what waits, what lets it go on, and what ends the wait."""

from datetime import timedelta

from tests.simulation import (
    DAG,
    LATER,
    NO,
    NOW,
    OK,
    SLOWLY,
    WAIT,
    Simulation,
    pause,
    step,
    suspend,
)


def test_a_suspended_step_goes_on_after_its_duration_by_itself():
    s = Simulation(suspend("w"), step("a"), script={"w": [pause("10m")]})

    s.wait("9m")
    before = s.run.phase
    s.wait("1m")

    assert before == "Suspended"
    assert s.why("w") == "Succeeded"
    assert s["w"].message == "the waiting time is over"
    assert s.end == "Succeeded"


def test_a_duration_that_is_over_counts_though_the_daemon_slept_past_the_timeout():
    s = Simulation(suspend("w", timeout="20m"), script={"w": [pause("10m")]})
    s.go()

    s.now += timedelta(hours=1)
    s.advance()

    assert s.why("w") == "Succeeded"


def test_a_timeout_before_the_duration_fails_the_step():
    s = Simulation(suspend("w", timeout="5m"), script={"w": [pause("10m")]})

    s.wait("1h")

    assert s.why("w") == "Failed/Timeout"


def test_nobody_deciding_in_time_fails_the_step():
    s = Simulation(suspend("w", timeout="72h"), step("a"), script={"w": [WAIT]})

    s.wait("71h")
    before = s.run.is_waiting_for_approval
    s.wait("1h")

    assert before
    assert s.why("w") == "Failed/Timeout"
    assert s["w"].message == "nobody decided in time: waits for approval"
    assert s.end == "Failed/Timeout"


def test_an_approval_lets_a_suspended_step_succeed_and_names_who_gave_it():
    s = Simulation(suspend("w"), step("a"), script={"w": [WAIT]})
    s.go()

    s.release("w", "ann@example.com")

    assert s["w"].released == ("ann@example.com",)
    assert s.end == "Succeeded"


def test_one_of_several_suspended_steps_is_released_and_the_other_waits_on():
    s = Simulation(
        suspend("v"), suspend("w"), mode=DAG, script={"v": [WAIT], "w": [WAIT]}
    )
    s.go()

    s.release("w", "ann@example.com")

    assert (s.why("v"), s.why("w")) == ("Suspended", "Succeeded")
    assert [waiting.name for waiting in s.run.waiting] == ["v"]


def test_a_suspend_step_after_a_failure_asks_nobody():
    s = Simulation(
        step("a"), suspend("w", when="!revision.rollback"), script={"a": [NO]}
    )

    s.go()

    assert s.why("w") == "Skipped/DependencyFailed"


def test_a_gate_holds_a_step_before_it_does_anything():
    s = Simulation(step("deploy"), gated=["deploy"])

    s.wait("1d")

    assert s.acted == []
    assert s.why("deploy") == "Suspended/ApprovalRequired"
    assert s.run.is_waiting_for_approval


def test_an_opened_gate_lets_the_step_be_carried_out():
    s = Simulation(step("deploy"), gated=["deploy"])
    s.go()

    s.release("deploy", "ann@example.com")

    assert s.acted == ["deploy"]
    assert s["deploy"].released == ("ann@example.com",)
    assert s.end == "Succeeded"


def test_an_opened_gate_stays_open_for_the_step_s_retries():
    s = Simulation(
        step("deploy", retry=1), gated=["deploy"], script={"deploy": [NO, OK]}
    )
    s.go()

    s.release("deploy", "ann@example.com")
    s.wait("1m")

    assert s.acted == ["deploy", "deploy"]
    assert s.end == "Succeeded"


def test_a_gate_waits_longer_than_the_step_may_run():
    s = Simulation(step("deploy", timeout="5m"), gated=["deploy"])

    s.wait("29d")

    assert s.why("deploy") == "Suspended/ApprovalRequired"


def test_a_gate_that_nobody_opens_fails_after_thirty_days():
    s = Simulation(step("deploy", timeout="5m"), gated=["deploy"])

    s.wait("30d")

    assert s.why("deploy") == "Failed/Timeout"


def test_the_step_s_own_timeout_begins_when_its_gate_opened():
    s = Simulation(
        step("deploy", timeout="5m"), gated=["deploy"], script={"deploy": [SLOWLY]}
    )
    s.wait("3d")

    s.release("deploy", "ann@example.com")
    opened = s.now
    deadline = s["deploy"].deadline
    s.wait("5m")

    assert deadline == opened + timedelta(minutes=5)
    assert s.why("deploy") == "Failed/Timeout"


def test_a_gate_on_each_of_several_targets_waits_in_its_turn_without_their_timeout():
    s = Simulation(
        step("deploy", targets="eu us", timeout="5m"), gated=["deploy/eu", "deploy/us"]
    )
    s.wait("2d")
    first = [waiting.name for waiting in s.run.waiting]

    s.release("deploy/eu", "ann@example.com")
    s.wait("2d")
    second = [waiting.name for waiting in s.run.waiting]
    s.release("deploy/us", "ann@example.com")

    assert (first, second) == (["deploy/eu"], ["deploy/us"])
    assert s.end == "Succeeded"


def test_a_gate_asks_nobody_any_more_when_the_run_ends():
    s = Simulation(step("deploy"), gated=["deploy"])
    s.go()

    s.request_end()

    assert s.acted == []
    assert s.why("deploy") == "Aborted/Superseded"


def test_the_workflow_s_timeout_stands_still_while_the_run_waits():
    s = Simulation(
        step("a"),
        suspend("w", timeout="30d"),
        step("b"),
        script={"a": [*[LATER] * 15, OK], "w": [WAIT], "b": [SLOWLY]},
        timeout="1m",
    )
    s.wait("40s")
    assert s.phases["w"] == "Suspended"
    s.wait("3d")

    s.release("w", "ann@example.com")
    s.wait("20s")
    running = s.run.phase
    s.wait("10s")

    assert running == "Running"
    assert s.end == "Failed/Timeout"
    assert s.run.message == "not done after 1m of running time"


def test_running_time_counts_while_something_else_than_an_approval_is_going_on():
    s = Simulation(
        suspend("w"),
        step("a"),
        mode=DAG,
        script={"w": [WAIT], "a": [SLOWLY]},
        timeout="1m",
    )

    s.wait("1m")

    assert s.end == "Failed/Timeout"
    assert s.why("w") == "Aborted/Timeout"


def test_a_run_knows_when_it_began_and_ended():
    s = Simulation(step("a"), script={"a": [LATER, OK]})

    s.wait("1m")

    assert s.run.started == NOW
    assert s.run.ended == NOW + timedelta(seconds=2)

"""Groups, and steps on several targets, whose sub-step runs make up their phase."""

from datetime import timedelta

import pytest

from gitops_wf.core.engine import Opened, Released
from gitops_wf.core.errors import InvalidTransitionError
from tests.simulation import (
    DAG,
    LATER,
    NO,
    OK,
    SLOWLY,
    WAIT,
    Simulation,
    group,
    pause,
    step,
    suspend,
)


def test_an_empty_group_succeeds():
    assert Simulation(group("g")).end == "Succeeded"


def test_a_group_succeeds_when_its_sub_steps_did():
    s = Simulation(group("g", step("a"), step("b")), step("c"))

    s.go()

    assert s.acted == ["a", "b", "c"]
    assert s.end == "Succeeded"


def test_a_group_fails_when_one_sub_step_did_and_the_others_still_run():
    s = Simulation(group("g", step("a"), step("b")), step("c"), script={"a": [NO]})

    s.go()

    assert s.why("b") == "Succeeded"
    assert s.why("g") == "Failed/StepFailed"
    assert s["g"].message == "a: the answer is no"
    assert s.why("c") == "Skipped/DependencyFailed"


def test_a_group_is_skipped_when_all_its_sub_steps_are_and_later_steps_go_on():
    s = Simulation(group("g", step("a", when="false")), step("b"))

    s.go()

    assert s.why("g") == "Skipped/ConditionFalse"
    assert s.why("b") == "Succeeded"


def test_a_group_with_one_sub_step_left_out_succeeds():
    s = Simulation(group("g", step("a", when="false"), step("b")))

    s.go()

    assert s.why("g") == "Succeeded"


def test_a_skipped_group_skips_its_sub_steps_even_those_that_say_always():
    s = Simulation(group("g", step("a", when="always"), when="false"))

    s.go()

    assert s.why("g") == "Skipped/ConditionFalse"
    assert s.why("a") == "Skipped/GroupSkipped"
    assert s["a"].message == "g ended Skipped"


def test_a_group_whose_if_cannot_be_evaluated_fails_and_its_sub_steps_are_skipped():
    s = Simulation(group("g", step("a"), when="outputs.missing"))

    assert s.why("g") == "Failed/InvalidExpression"
    assert s.why("a") == "Skipped/GroupSkipped"


def test_a_group_is_suspended_while_all_that_is_open_in_it_waits():
    s = Simulation(
        group("g", suspend("w"), step("a")), script={"w": [WAIT], "a": [LATER, OK]}
    )

    s.go()
    moving = s.phases["g"]
    s.wait("5s")

    assert (moving, s.phases["g"], s.run.phase) == ("Running", "Suspended", "Suspended")


def test_only_what_waits_in_a_group_waits_for_an_approval_not_the_group():
    s = Simulation(group("g", suspend("w")), script={"w": [WAIT]})

    s.go()

    assert [waiting.name for waiting in s.run.waiting] == ["w"]


def test_a_group_that_waits_for_a_duration_waits_for_no_approval():
    s = Simulation(group("g", suspend("w")), script={"w": [pause("5m")]})

    s.go()

    assert s.phases["g"] == "Suspended"
    assert not s.run.is_waiting_for_approval


def test_a_group_cannot_be_released_so_nothing_in_it_is_passed_over():
    s = Simulation(step("deploy", targets="eu us"), gated=["deploy/eu", "deploy/us"])
    s.go()
    before = s.run

    with pytest.raises(InvalidTransitionError):
        s.record(Released(step="deploy", at=s.now, by=("eve@example.com",)))

    assert s.run is before


def test_a_group_cannot_be_opened_twice():
    s = Simulation(group("g", step("a")))

    with pytest.raises(InvalidTransitionError, match="open already"):
        s.record(Opened(step="g", at=s.now))


def test_a_group_s_timeout_fails_what_is_open_in_it():
    s = Simulation(
        group("g", step("a"), suspend("w"), step("b", depends_on="w"), timeout="10m"),
        step("tell", when="always"),
        script={"w": [WAIT]},
    )
    s.go()

    s.wait("10m")

    assert s.why("a") == "Succeeded"
    assert s.why("w") == "Failed/Timeout"
    assert s.why("b") == "Failed/Timeout"
    assert s["w"].message == "g was not done after 10m: waits for approval"
    assert s["b"].message == "g was not done after 10m"
    assert s.why("g") == "Failed/Timeout"
    assert s.why("tell") == "Succeeded"


def test_a_group_s_timeout_fails_what_has_not_even_opened_in_it():
    s = Simulation(
        group(
            "g",
            suspend("w"),
            step("deploy", targets="eu us", depends_on="w"),
            timeout="10m",
        ),
        script={"w": [WAIT]},
    )
    s.go()

    s.wait("10m")

    assert s.why("deploy") == "Failed/Timeout"
    assert s.why("deploy/eu") == "Skipped/GroupSkipped"


def test_a_group_s_timeout_reaches_the_targets_of_a_step_in_it():
    s = Simulation(
        group("g", step("deploy", targets="eu us"), timeout="10m"),
        script={"deploy/eu": [SLOWLY]},
    )
    s.go()

    s.wait("10m")

    assert s.why("deploy/eu") == "Failed/Timeout"
    assert s.why("deploy/us") == "Failed/Timeout"
    assert s.why("g") == "Failed/Timeout"


def test_an_attempt_in_flight_outlives_the_timeout_of_its_group():
    s = Simulation(group("g", step("a"), step("b"), timeout="10m"))
    token = s.begin("a")
    s.queue.clear()

    s.wait("11m")
    in_flight = s.phases["a"], s.next_moment()
    s.report("a", token, OK)

    assert in_flight == ("Running", None)
    assert (s.why("a"), s.why("b")) == ("Succeeded", "Failed/Timeout")


def test_what_says_always_in_a_group_out_of_time_still_runs_within_final_timeout():
    s = Simulation(
        group(
            "g",
            step("a"),
            step("tidy", when="always", depends_on="a"),
            step("hang", when="always", depends_on="a"),
            timeout="10m",
        ),
        script={"a": [LATER], "hang": [SLOWLY]},
        final_timeout="2m",
    )

    s.wait("10m")
    just_after = s.phases["hang"]
    s.wait("2m")

    assert s.why("tidy") == "Succeeded"
    assert (just_after, s.why("hang")) == ("Running", "Failed/Timeout")
    assert s.run.phase.is_final


def test_always_on_the_group_itself_saves_nothing_in_it_from_its_timeout():
    s = Simulation(
        group("g", step("a"), timeout="10m", when="always"), script={"a": [SLOWLY]}
    )

    s.wait("10m")

    assert s.why("a") == "Failed/Timeout"


def test_a_step_on_several_targets_is_one_sub_step_run_for_each_in_order():
    s = Simulation(step("deploy", targets="eu us"), step("after"))

    s.go()

    assert s.acted == ["deploy/eu", "deploy/us", "after"]
    assert s["deploy/us"].target == "us"
    assert s["deploy"].target is None


def test_a_step_on_one_target_is_carried_out_itself():
    s = Simulation(step("deploy", targets="eu"))

    s.go()

    assert s.acted == ["deploy"]
    assert s["deploy"].target == "eu"


def test_the_second_target_is_left_out_when_the_first_failed():
    s = Simulation(
        step("deploy", targets="eu us"), mode=DAG, script={"deploy/eu": [NO]}
    )

    s.go()

    assert s.why("deploy/us") == "Skipped/DependencyFailed"
    assert s.why("deploy") == "Failed/StepFailed"


def test_the_second_target_is_left_out_too_where_the_step_has_an_input():
    s = Simulation(
        step("make", outputs={"tag": "tag"}),
        step("deploy", targets="eu us", inputs={"tag": "image"}),
        script={"make": [{**OK, "outputs": {"tag": "v1"}}], "deploy/eu": [NO]},
    )

    s.go()

    assert s.why("deploy/us") == "Skipped/DependencyFailed"


def test_a_step_that_says_always_reaches_its_targets_whatever_failed_before():
    s = Simulation(
        step("make", outputs={"tag": "tag"}),
        step("tidy", targets="eu us", inputs={"tag": "image"}, when="always"),
        script={"make": [NO]},
    )

    s.go()

    assert s.why("tidy/us") == "Succeeded"


def test_targets_at_once_hold_up_no_other_and_one_that_fails_is_the_steps_end():
    s = Simulation(
        step("deploy", targets="eu us", at_once=True),
        step("after"),
        script={"deploy/eu": [NO]},
    )

    s.go()

    assert s.acted == ["deploy/eu", "deploy/us"]
    assert s.why("deploy/us") == "Succeeded"
    assert s.phases["deploy"] == "Failed"
    assert s.phases["after"] == "Skipped"


def test_each_target_has_the_step_s_timeout_for_itself():
    s = Simulation(
        step("deploy", targets="eu us", timeout="10m"),
        script={
            "deploy/eu": [{**LATER, "retry_after": timedelta(minutes=8)}, OK],
            "deploy/us": [SLOWLY],
        },
    )

    s.wait("17m")
    before = s.phases["deploy/us"]
    s.wait("2m")

    assert before == "Running"
    assert s.why("deploy/us") == "Failed/Timeout"


def test_the_outputs_of_the_last_target_are_those_of_the_step():
    s = Simulation(
        step("deploy", targets="eu us", outputs={"url": "url"}),
        step("check", when="outputs.url == 'us'"),
        script={
            "deploy/eu": [{**OK, "outputs": {"url": "eu"}}],
            "deploy/us": [{**OK, "outputs": {"url": "us"}}],
        },
    )

    s.go()

    assert s.why("check") == "Succeeded"

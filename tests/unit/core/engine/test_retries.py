"""Tries and looks: durable counters, back-off, what is tried again, and timeouts."""

from datetime import timedelta

import pytest

from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.phases import Phase, Reason
from tests.simulation import (
    ERROR,
    FINAL,
    LATER,
    NO,
    NOW,
    OK,
    SLOWLY,
    Simulation,
    step,
)


def test_a_step_that_is_not_done_is_looked_at_and_not_carried_out_again():
    s = Simulation(step("a"), script={"a": [LATER, LATER, OK]})

    s.wait("1m")

    assert s.acted == ["a", "a?", "a?"]
    assert (s["a"].attempt, s["a"].look) == (1, 2)


def test_a_look_comes_when_the_runner_asked_for_it():
    s = Simulation(
        step("a"), script={"a": [{**LATER, "retry_after": timedelta(minutes=3)}, OK]}
    )
    s.go()

    assert s.next_moment() == NOW + timedelta(minutes=3)


def test_a_runner_that_calls_its_waiting_retrying_is_looked_at_all_the_same():
    s = Simulation(step("a"), script={"a": [{**LATER, "reason": "Retrying"}, OK]})

    s.wait("1m")

    assert s.acted == ["a", "a?"]


def test_a_failed_step_is_not_tried_again_unless_it_says_so():
    s = Simulation(step("a"), script={"a": [NO, OK]})

    s.wait("1d")

    assert s.acted == ["a"]
    assert s.why("a") == "Failed/StepFailed"


def test_a_failed_step_is_tried_again_as_often_as_it_says():
    s = Simulation(step("a", retry=2), script={"a": [NO]})

    s.wait("1d")

    assert s.acted == ["a", "a", "a"]
    assert s.why("a") == "Failed/RetriesExhausted"
    assert s["a"].message == "the answer is no (tried 3 times)"


def test_a_try_that_succeeds_ends_the_retries():
    s = Simulation(step("a", retry=2), script={"a": [NO, OK]})

    s.wait("1d")

    assert s.acted == ["a", "a"]
    assert s.why("a") == "Succeeded"
    assert (s["a"].attempt, s["a"].failures) == (2, 1)


def test_a_limit_of_nought_tries_once_also_after_an_error():
    s = Simulation(step("a", retry=0), script={"a": [ERROR]})

    s.wait("1d")

    assert s.acted == ["a"]
    assert s.why("a") == "Errored/RetriesExhausted"


def test_the_pause_between_tries_doubles():
    s = Simulation(step("a", retry=3), script={"a": [NO]})
    s.go()
    pauses = []
    while (moment := s.next_moment()) is not None and not s.run.phase.is_final:
        pauses.append((moment - s.now).total_seconds())
        s.until(moment)

    assert pauses[:3] == [10, 20, 40]


def test_a_pause_that_the_other_side_asked_for_is_kept():
    s = Simulation(
        step("a", retry=1), script={"a": [{**NO, "retry_after": timedelta(minutes=7)}]}
    )
    s.go()

    assert s.next_moment() == NOW + timedelta(minutes=7)
    assert s["a"].message == "the answer is no; try 2 of 2 in 420s"
    assert s.why("a") == "Running/Retrying"


def test_an_error_is_tried_again_by_default_eleven_times_in_all():
    s = Simulation(step("a"), script={"a": [ERROR]})

    s.wait("1d")

    assert len(s.acted) == 11
    assert s.why("a") == "Errored/RetriesExhausted"
    assert s.end == "Errored/RetriesExhausted"


def test_an_error_that_a_retry_cannot_cure_ends_at_once():
    s = Simulation(step("a", retry=5), script={"a": [FINAL]})

    s.wait("1d")

    assert s.acted == ["a"]
    assert s.why("a") == "Errored/Forbidden"


def test_a_try_after_a_failed_look_carries_the_step_out_anew():
    s = Simulation(step("a", retry=1), script={"a": [LATER, NO, LATER, OK]})

    s.wait("1d")

    assert s.acted == ["a", "a?", "a", "a?"]


def test_changed_messages_do_not_reset_the_counter():
    reports = [{**NO, "message": f"no {number}"} for number in range(9)]
    s = Simulation(step("a", retry=2), script={"a": reports})

    s.wait("1d")

    assert len(s.acted) == 3


def test_a_runner_is_given_again_what_it_wanted_to_remember():
    s = Simulation(
        step("a"), script={"a": [{**LATER, "memo": {"job": "seed"}}, LATER, OK]}
    )
    s.wait("3s")

    assert s["a"].memo == {"job": "seed"}


def test_a_timeout_counts_from_the_first_attempt_over_looks_and_retries():
    s = Simulation(step("a", timeout="1m", retry=9), script={"a": [LATER, NO]})

    s.wait("59s")
    before = s.phases["a"]
    s.wait("1s")

    assert before == "Running"
    assert s.why("a") == "Failed/Timeout"
    assert s["a"].message.startswith("not done after 1m: the answer is no; try")


@pytest.mark.parametrize(
    "last", [ERROR, {**LATER, "reason": Reason.EXECUTION_ERROR}], ids=["try", "look"]
)
def test_out_of_time_without_knowing_is_errored_and_not_failed(last):
    s = Simulation(step("a", timeout="1m", retry=99), script={"a": [LATER, last]})

    s.wait("1m")

    assert s.why("a") == "Errored/Timeout"
    assert s.end.startswith("Errored")


def test_out_of_time_after_it_was_seen_again_is_failed():
    unseen = {**LATER, "reason": Reason.EXECUTION_ERROR}
    s = Simulation(step("a", timeout="1m"), script={"a": [LATER, unseen, LATER]})

    s.wait("1m")

    assert s.why("a") == "Failed/Timeout"


def test_a_step_out_of_time_is_not_carried_out_once_more():
    s = Simulation(step("a", timeout="1m"), script={"a": [LATER]})
    s.wait("1m")
    done = len(s.acted)

    s.wait("1h")

    assert len(s.acted) == done


def test_time_in_the_queue_before_the_first_attempt_does_not_count():
    s = Simulation(step("a", timeout="1m"))

    s.now += timedelta(hours=5)
    s.advance()
    s.go()

    assert s.why("a") == "Succeeded"


def test_a_step_without_a_timeout_does_not_run_for_ever():
    s = Simulation(step("a"), script={"a": [SLOWLY]})

    s.wait("1h")

    assert s.why("a") == "Failed/Timeout"
    assert s["a"].message == "not done after 1h: not yet"


def test_a_timeout_reads_as_timeout_in_conditions():
    s = Simulation(
        step("a", timeout="1m"),
        step("tell", when="status.a.timeout"),
        script={"a": [LATER]},
    )

    s.wait("1m")

    assert s.why("tell") == "Succeeded"


def test_the_workflow_s_timeout_ends_the_run_and_its_always_steps_still_run():
    s = Simulation(
        step("a"),
        step("b"),
        step("tell", when="always"),
        script={"a": [SLOWLY]},
        timeout="10m",
    )

    s.wait("10m")

    assert s.why("a") == "Aborted/Timeout"
    assert s.why("b") == "Skipped/Timeout"
    assert s.why("tell") == "Succeeded"
    assert s.end == "Failed/Timeout"


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.ABORTED, Phase.SKIPPED])
def test_a_worker_cannot_report_what_is_the_engine_s_to_say(phase):
    s = Simulation(step("a"))
    token = s.begin("a")

    with pytest.raises(InvalidTransitionError, match=f"a reported {phase}"):
        s.report("a", token, {"phase": phase})

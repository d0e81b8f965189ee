"""Runs that end before their steps do, and runs that come after them."""

import pytest

from gitops_wf.core.engine import EndRequested, record
from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.phases import Phase, Reason
from tests.simulation import (
    DAG,
    ERROR,
    LATER,
    NO,
    OK,
    SLOWLY,
    WAIT,
    Simulation,
    group,
    step,
    suspend,
)

TELL = step("tell", when="always")


@pytest.mark.parametrize("reason", [Reason.SUPERSEDED, Reason.ABORTED, Reason.REJECTED])
def test_a_run_that_must_end_says_why_and_tells(reason):
    s = Simulation(suspend("w"), step("a"), TELL, script={"w": [WAIT]})
    s.go()

    s.request_end(reason)

    assert s.end == f"Aborted/{reason}"
    assert s.run.message == "a newer one"
    assert s.why("w") == f"Aborted/{reason}"
    assert s.why("a") == f"Skipped/{reason}"
    assert s.why("tell") == "Succeeded"
    assert s.acted == ["w", "tell"]


def test_a_run_that_has_not_begun_ends_and_still_tells():
    s = Simulation(step("a"), TELL)

    s.request_end()

    assert s.why("a") == "Skipped/Superseded"
    assert s.why("tell") == "Succeeded"
    assert s.end == "Aborted/Superseded"


def test_a_workflow_without_steps_that_must_end_has_ended_already():
    with pytest.raises(InvalidTransitionError, match="has ended"):
        Simulation().request_end()


def test_the_outcome_in_a_run_that_ends_is_what_it_ends_as():
    tell = step("tell", when="always")
    check = step("check", when="always", depends_on="tell")
    s = Simulation(suspend("w"), tell, check, script={"w": [WAIT]})
    s.go()

    s.request_end()

    assert s.run.phase == "Aborted"


def test_the_first_reason_to_end_stays():
    s = Simulation(step("a"), TELL, script={"tell": [SLOWLY]})
    s.request_end(Reason.REJECTED)
    before = s.run

    s.request_end(Reason.SUPERSEDED)

    assert s.run == before


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.RUNNING, Phase.SKIPPED])
def test_nothing_can_be_asked_to_end_well(phase):
    s = Simulation(step("a"))

    with pytest.raises(InvalidTransitionError, match="must end"):
        s.record(EndRequested(phase=phase, reason="", message="", at=s.now))


def test_an_attempt_in_flight_finishes_and_what_it_found_counts():
    s = Simulation(step("a"), step("b"))
    token = s.begin("a")
    s.queue.clear()

    s.request_end()
    in_flight = s.phases["a"]
    s.report("a", token, OK)

    assert in_flight == "Running"
    assert s.why("a") == "Succeeded"
    assert s.why("b") == "Skipped/Superseded"
    assert s.end == "Aborted/Superseded"


def test_an_attempt_in_flight_that_would_go_on_is_cut_short_at_its_report():
    s = Simulation(step("a"))
    token = s.begin("a")
    s.queue.clear()
    s.request_end()

    s.report("a", token, LATER)

    assert s.why("a") == "Aborted/Superseded"


def test_an_attempt_in_flight_that_failed_is_not_tried_again():
    s = Simulation(step("a", retry=5))
    token = s.begin("a")
    s.queue.clear()
    s.request_end()

    s.report("a", token, NO)

    assert s.why("a") == "Failed/StepFailed"


@pytest.mark.parametrize("result", [LATER, ERROR])
def test_a_health_wait_or_a_back_off_ends_at_once(result):
    s = Simulation(step("a"), script={"a": [result]})
    s.go()

    s.request_end()

    assert s.why("a") == "Aborted/Superseded"
    assert s.end == "Aborted/Superseded"


def test_an_always_step_is_tried_again_in_a_run_that_ends():
    s = Simulation(step("a"), TELL, script={"tell": [ERROR, OK]})
    s.request_end()

    s.wait("1m")

    assert s.acted == ["tell", "tell"]
    assert s.why("tell") == "Succeeded"


def test_always_steps_have_the_final_timeout_and_no_longer():
    s = Simulation(step("a"), TELL, script={"tell": [SLOWLY]}, final_timeout="10m")
    s.request_end()

    s.wait("9m")
    before = s.phases["tell"]
    s.wait("1m")

    assert before == "Running"
    assert s.why("tell") == "Aborted/FinalTimeout"
    assert "10m" in s["tell"].message
    assert s.end == "Aborted/Superseded"


def test_a_worker_that_never_comes_back_does_not_hold_a_run_that_ends():
    s = Simulation(step("a"), group("g", step("b")), mode=DAG)
    token = s.begin("a")
    s.queue.clear()
    s.request_end()

    s.wait("10m")

    assert s.why("a") == "Aborted/FinalTimeout"
    assert s.end == "Aborted/Superseded"
    with pytest.raises(InvalidTransitionError):
        s.report("a", token, OK)


def test_the_always_step_of_a_group_that_began_runs():
    s = Simulation(
        group("g", step("a"), step("tidy", when="always", depends_on="a")),
        script={"a": [LATER]},
    )
    s.go()

    s.request_end()

    assert s.why("a") == "Aborted/Superseded"
    assert s.why("tidy") == "Succeeded"
    assert s.why("g") == "Aborted/Superseded"


def test_the_always_step_of_a_group_that_never_began_does_not_run():
    s = Simulation(step("z"), group("g", step("tidy", when="always")))

    s.request_end()

    assert s.why("g") == "Skipped/Superseded"
    assert s.why("tidy") == "Skipped/GroupSkipped"


def test_everything_in_an_always_group_runs():
    s = Simulation(
        step("z"),
        group("g", step("a"), step("deploy", targets="eu us"), when="always"),
    )

    s.request_end()

    assert s.acted == ["a", "deploy/eu", "deploy/us"]
    assert s.why("g") == "Succeeded"


def test_an_always_step_that_would_wait_for_an_approval_is_not_waited_for():
    s = Simulation(step("a"), suspend("w", when="always"), script={"w": [WAIT]})

    s.request_end()

    assert s.why("w") == "Aborted/Superseded"
    assert s.end == "Aborted/Superseded"


def test_a_step_whose_if_reads_status_is_not_carried_out_in_a_run_that_ends():
    s = Simulation(step("a"), step("b", when="!status.a.succeeded"))

    s.request_end()

    assert s.why("b") == "Skipped/Superseded"


def test_a_second_worker_takes_over_and_the_first_is_fenced_off():
    s = Simulation(step("a"))
    first = s.begin("a")
    second = s.begin("a")
    s.queue.clear()
    before = s.run

    with pytest.raises(InvalidTransitionError, match="stale worker"):
        s.report("a", first, NO)
    assert s.run is before
    s.report("a", second, OK)

    assert s.end == "Succeeded"


def test_a_report_without_a_token_is_nobody_s():
    s = Simulation(step("a"))

    with pytest.raises(InvalidTransitionError, match="stale worker"):
        s.report("a", "", OK)


def test_a_timed_out_worker_is_fenced_off():
    s = Simulation(step("a"), step("b"), script={"a": [LATER]}, final_timeout="1m")
    s.go()
    s.wait("1s")
    s.request_end()

    with pytest.raises(InvalidTransitionError):
        s.report("a", "token-1", OK)


def retried(failed: Simulation, **more) -> Simulation:
    return Simulation(*failed.run.workflow.steps, kept=failed.run, **more)


def test_a_retry_keeps_what_succeeded_with_its_outputs():
    first = Simulation(
        step("a", outputs={"v": "x"}),
        step("b", when="outputs.v == 1"),
        script={"a": [{**OK, "outputs": {"x": 1}}], "b": [NO]},
    )
    first.go()

    second = retried(first)
    second.go()

    assert second.acted == ["b"]
    assert second.why("a") == "Succeeded/Kept"
    assert second.end == "Succeeded"
    assert second.run.id == "shop/prod#7.2"


def test_a_retry_does_not_ask_again_for_an_approval_that_was_given():
    first = Simulation(
        step("skipped", when="false"),
        suspend("w"),
        step("a"),
        script={"w": [WAIT], "a": [NO]},
    )
    first.go()
    first.release("w", "ann@example.com")

    second = retried(first)
    second.go()

    assert second.acted == ["a"]
    assert second["w"].released == ("ann@example.com",)


def test_a_retry_tells_again_how_it_ended():
    first = Simulation(step("a"), TELL, script={"a": [NO]})
    first.go()

    second = retried(first)
    second.go()

    assert second.acted == ["a", "tell"]


def test_a_retry_of_an_aborted_run_does_again_what_its_end_did():
    first = Simulation(step("a"), suspend("w"), TELL, script={"w": [WAIT]})
    first.request_end(Reason.ABORTED)

    second = retried(first)
    second.go()

    assert second.acted == ["a", "w", "tell"]


def test_a_retry_does_not_keep_what_reads_the_status_of_what_failed():
    first = Simulation(
        step("a"), step("mend", when="status.a.failed"), mode=DAG, script={"a": [NO]}
    )
    first.go()

    second = retried(first, mode=DAG)
    second.go()

    assert second.why("mend") == "Skipped/ConditionFalse"


def test_a_retry_carries_out_only_the_targets_that_failed():
    first = Simulation(
        step("deploy", targets="eu us"), step("b"), script={"deploy/us": [NO]}
    )
    first.go()

    second = retried(first)
    second.go()

    assert second.acted == ["deploy/us", "b"]
    assert second.end == "Succeeded"


def test_a_retry_counts_its_tries_from_nought():
    first = Simulation(step("a", retry=1), script={"a": [NO]})
    first.wait("1h")

    second = retried(first)

    assert (second["a"].attempt, second["a"].failures) == (1, 0)


def test_a_retry_of_a_retry_keeps_what_either_did():
    first = Simulation(step("a"), step("b"), step("c"), script={"b": [NO]})
    first.go()
    second = retried(first, script={"c": [NO]})
    second.go()

    third = retried(second)
    third.go()

    assert third.acted == ["c"]


def test_a_retry_in_which_all_is_kept_succeeds_at_once():
    first = Simulation(step("a"), step("b"), mode=DAG)
    token = first.begin("b")
    first.queue.clear()
    first.report("b", token, OK)
    token = first.begin("a")
    first.record(EndRequested(phase=Phase.ABORTED, reason="", message="", at=first.now))
    first.report("a", token, OK)
    assert first.end == "Aborted"

    second = retried(first, mode=DAG)

    assert second.acted == []
    assert second.end == "Succeeded"


def test_a_step_that_the_earlier_run_did_not_have_is_carried_out():
    first = Simulation(step("a"))
    first.go()

    second = Simulation(step("a"), step("b"), kept=first.run)
    second.go()

    assert second.acted == ["b"]


def test_a_retry_thinks_anew_of_what_was_left_out_of_a_group():
    first = Simulation(
        group("g", step("a"), step("b", when="run.ordinal == 2")),
        step("c"),
        script={"c": [NO]},
    )
    first.go()

    second = retried(first)
    second.go()

    assert first.why("g") == "Succeeded"
    assert second.acted == ["b", "c"]


def test_a_run_that_must_end_before_anything_began_is_still_pending():
    run = Simulation(step("a")).start
    event = EndRequested(phase=Phase.ABORTED, reason="R", message="m", at=run.created)

    assert record(run, event).phase is Phase.PENDING


def test_a_step_that_a_run_does_not_have_is_a_bug_of_ours():
    with pytest.raises(KeyError):
        Simulation(step("a")).run.step("nobody")

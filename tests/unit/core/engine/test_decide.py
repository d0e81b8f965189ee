"""All that `decide` says of one moment; `advance` records the first and asks again."""

from datetime import timedelta

from gitops_wf.core.engine import Concluded, EndRequested, EngineEvent, Reported, decide
from gitops_wf.core.phases import Phase, Reason
from tests.simulation import (
    DAG,
    LATER,
    NOW,
    OK,
    SLOWLY,
    WAIT,
    Simulation,
    a_run,
    group,
    pause,
    step,
    suspend,
    workflow,
)


def said(s: Simulation, **later: float) -> list[str]:
    return words(list(decide(s.run, s.now + timedelta(**later))))


def words(events: list[EngineEvent]) -> list[str]:
    return [f"{type(e).__name__} {getattr(e, 'step', '')}".strip() for e in events]


def test_everything_that_may_begin_is_asked_for_or_opened():
    run = a_run(
        workflow(
            step("a"),
            group("g", step("b")),
            step("c", when="false"),
            step("d", depends_on="a"),
            mode=DAG,
        )
    )

    assert words(list(decide(run, NOW))) == ["Asked a", "Opened g", "Concluded c"]


def test_nothing_follows_for_what_is_asked_for_or_in_a_worker_s_hands():
    s = Simulation(step("a"), step("b"), mode=DAG)
    s.begin("a")

    assert said(s, hours=9) == []


def test_the_workflow_s_timeout_comes_before_everything_else():
    s = Simulation(step("a"), step("b"), mode=DAG, timeout="1m")

    assert said(s, minutes=1) == ["EndRequested"]


def test_a_run_that_ends_cuts_short_all_but_what_says_always():
    s = Simulation(
        suspend("w"),
        step("a", depends_on="w"),
        group("g", step("b"), depends_on="w"),
        step("tidy", when="always"),
        mode=DAG,
        script={"w": [WAIT]},
    )
    s.begin("tidy")
    s.queue.pop()
    s.go()

    s.record(EndRequested(phase=Phase.ABORTED, reason="R", message="m", at=s.now))

    assert said(s) == ["Concluded w", "Concluded a", "Concluded g", "Concluded b"]


def test_after_the_final_timeout_everything_open_is_concluded_at_once():
    s = Simulation(
        group("g", step("a"), step("b"), when="always"),
        script={"a": [SLOWLY], "b": [SLOWLY]},
        final_timeout="30s",
    )
    s.go()
    s.request_end(Reason.ABORTED)

    assert said(s, seconds=30) == ["Concluded g", "Concluded a", "Concluded b"]


def test_what_stands_in_a_group_follows_the_group():
    s = Simulation(group("g", step("a"), step("b")))
    tokens = {name: s.begin(name) for name in ("a", "b")}
    s.queue.clear()
    for name, token in tokens.items():
        s.record(Reported(step=name, token=token, phase=Phase.SUCCEEDED, at=s.now))

    assert said(s) == ["Concluded g"]


def test_what_stands_in_a_group_that_never_began_follows_it_too():
    s = Simulation(step("z"), group("g", step("a")))
    s.record(Concluded(step="g", phase=Phase.SKIPPED, reason="R", message="", at=s.now))

    assert said(s) == ["Concluded a"]


def test_every_limit_that_is_over_is_told_in_one_go():
    s = Simulation(
        group("g", suspend("v"), suspend("w"), timeout="1m"),
        step("x", timeout="1m"),
        suspend("y"),
        mode=DAG,
        script={
            "v": [WAIT],
            "w": [WAIT],
            "x": [LATER],
            "y": [pause("1m")],
        },
    )
    s.go()
    s.queue.clear()

    assert said(s, minutes=1) == [
        "Concluded v",
        "Concluded w",
        "Concluded x",
        "Released y",
    ]


def test_a_suspended_step_before_its_time_is_left_alone():
    s = Simulation(suspend("w"), script={"w": [pause("10m")]})
    s.go()

    assert said(s, minutes=9) == []


def test_the_end_of_all_steps_is_the_end_of_the_run():
    s = Simulation(step("a"))
    token = s.begin("a")
    s.queue.clear()
    s.report("a", token, OK)

    assert words(s.events[-1:]) == ["Ended"]

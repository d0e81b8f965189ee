"""What follows what: modes, conditions, dependencies (KubeVela's executor cases)."""

import pytest

from gitops_wf.core.engine import predecessors
from gitops_wf.core.workflow import Step
from tests.simulation import (
    DAG,
    FINAL,
    LATER,
    NO,
    OK,
    STEP_BY_STEP,
    Simulation,
    group,
    step,
    workflow,
)

FAILS = {"a": [NO]}


def ended(*steps: Step, script=None, **more) -> Simulation:
    simulation = Simulation(*steps, script=script, **more)
    simulation.wait("1d")
    assert simulation.run.phase.is_final
    return simulation


def test_step_by_step_carries_one_out_after_the_other():
    s = Simulation(step("a"), step("b"), step("c"))

    s.go()

    assert s.acted == ["a", "b", "c"]
    assert s.end == "Succeeded"


def test_step_by_step_waits_for_a_step_that_is_not_done():
    s = Simulation(step("a"), step("b"), script={"a": [LATER, OK]})

    s.go()

    assert s.phases == {"a": "Running", "b": "Pending"}


def test_a_dag_asks_for_everything_at_once_that_depends_on_nothing():
    s = Simulation(step("a"), step("b"), step("c", depends_on="a"), mode=DAG)

    assert [asked.step for asked in s.queue] == ["a", "b"]


def test_a_dag_follows_dependencies_whatever_the_order_of_declaration():
    s = Simulation(
        step("c", depends_on="b"), step("b", depends_on="a"), step("a"), mode=DAG
    )

    s.go()

    assert s.acted == ["a", "b", "c"]


def test_a_workflow_without_steps_succeeds():
    assert Simulation().end == "Succeeded"


@pytest.mark.parametrize(
    ("mode", "steps", "script", "expected"),
    [
        # step by step, no `if`: everything after a failure is left out
        (STEP_BY_STEP, [step("a"), step("b"), step("c")], FAILS, "F/S/S"),
        # an earlier skipped step does not skip later ones
        (
            STEP_BY_STEP,
            [step("a"), step("b", when="false"), step("c")],
            {},
            "OK/S/OK",
        ),
        # with dependsOn, only what it names counts (KubeVela walks dependsOn)
        (
            STEP_BY_STEP,
            [step("z"), step("a"), step("c", depends_on="z")],
            FAILS,
            "OK/F/OK",
        ),
        # an input alone does not excuse a failure in between
        (
            STEP_BY_STEP,
            [step("z", outputs={"v": "x"}), step("a"), step("c", inputs={"v": ""})],
            FAILS | {"z": [{**OK, "outputs": {"x": 1}}]},
            "OK/F/S",
        ),
        # a DAG step without dependsOn always runs
        (DAG, [step("a"), step("b")], FAILS, "F/OK"),
        (DAG, [step("a"), step("b", depends_on="a")], FAILS, "F/S"),
        # in a DAG a skipped dependency skips too
        (
            DAG,
            [step("a", when="false"), step("b", depends_on="a"), step("c")],
            {},
            "S/S/OK",
        ),
        # transitively, past a step that ran in any case
        (
            DAG,
            [
                step("a"),
                step("b", depends_on="a", when="always"),
                step("c", depends_on="b"),
            ],
            FAILS,
            "F/OK/S",
        ),
        # an input is an edge
        (
            DAG,
            [step("c", inputs={"v": ""}), step("a", outputs={"v": "x"})],
            FAILS,
            "S/F",
        ),
        # dependsOn a sub-step
        (
            DAG,
            [group("g", step("a"), step("b")), step("c", depends_on="b")],
            FAILS,
            "F/F/OK/OK",
        ),
    ],
)
def test_what_a_failure_leaves_out(mode, steps, script, expected):
    s = ended(*steps, script=script, mode=mode)

    short = {"Succeeded": "OK", "Failed": "F", "Skipped": "S"}
    assert "/".join(short[phase] for phase in s.phases.values()) == expected


@pytest.mark.parametrize(
    ("condition", "when_good", "when_bad"),
    [
        (None, "Succeeded", "Skipped/DependencyFailed"),
        ("always", "Succeeded", "Succeeded"),
        (" always ", "Succeeded", "Succeeded"),
        # an expression that reads no status is joined with "nothing before it failed"
        ("true", "Succeeded", "Skipped/DependencyFailed"),
        ("!revision.rollback", "Succeeded", "Skipped/DependencyFailed"),
        ("revision.rollback", "Skipped/ConditionFalse", "Skipped/DependencyFailed"),
        # one that reads status decides alone
        ("status.a.succeeded", "Succeeded", "Skipped/ConditionFalse"),
        ("status.a.failed", "Skipped/ConditionFalse", "Succeeded"),
        ("status.a.phase == 'Failed'", "Skipped/ConditionFalse", "Succeeded"),
        ("status.a.reason == 'StepFailed'", "Skipped/ConditionFalse", "Succeeded"),
        ("status.a.succeeded || true", "Succeeded", "Succeeded"),
    ],
)
@pytest.mark.parametrize("mode", [STEP_BY_STEP, DAG])
def test_the_three_forms_of_if(mode, condition, when_good, when_bad):
    steps = step("a"), step("b", when=condition, depends_on="a")

    good = ended(*steps, mode=mode)
    bad = ended(*steps, script=FAILS, mode=mode)

    assert (good.why("b"), bad.why("b")) == (when_good, when_bad)


@pytest.mark.parametrize(
    "condition",
    ["outputs.missing == 1", "status.a.attempts", "1 / 0 == 1", "status.nobody.failed"],
)
def test_an_if_that_cannot_be_evaluated_fails_its_step(condition):
    s = ended(step("a"), step("b", when=condition), step("c"))

    assert s.why("b") == "Failed/InvalidExpression"
    assert condition in s["b"].message
    assert s.end == "Failed/InvalidExpression"
    assert s.why("c") == "Skipped/DependencyFailed"


def test_an_if_that_cannot_be_read_fails_its_step_and_nothing_else_stops():
    s = ended(step("a"), step("b", when="this is ("), step("c", when="always"))

    assert s.why("b") == "Failed/InvalidExpression"
    assert s.why("c") == "Succeeded"


def test_a_step_waits_for_the_step_whose_status_it_reads():
    s = Simulation(
        step("report", when="status.deploy_eu.failed"),
        step("deploy-eu"),
        mode=DAG,
        script={"deploy-eu": [LATER, NO]},
    )
    s.go()
    assert s.why("report") == "Pending"

    s.wait("1m")

    assert s.why("report") == "Succeeded"


def test_a_sub_step_may_read_the_status_of_its_own_group():
    s = ended(group("g", step("a", when="status.g.phase == 'Running'")))

    assert s.why("a") == "Succeeded"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({}, "Succeeded"),
        ({"a": [NO]}, "Failed"),
        ({"a": [FINAL]}, "Errored"),
    ],
)
def test_the_outcome_is_what_the_run_would_end_as_now(script, expected):
    condition = f"status.a.phase != '' && run.outcome == '{expected}'"
    s = ended(step("a"), step("tell", when=condition), script=script)

    assert s.why("tell") == "Succeeded"
    assert s.run.phase == expected


def test_failed_says_more_than_errored_which_says_more_than_aborted():
    s = ended(step("a"), step("b"), mode=DAG, script={"a": [FINAL], "b": [NO]})

    assert s.end == "Failed/StepFailed"
    assert s.run.message == "b: the answer is no"


def test_sub_steps_are_a_dag_unless_said_otherwise():
    s = Simulation(group("g", step("a"), step("b")))

    assert [asked.step for asked in s.queue] == ["a", "b"]


def test_the_mode_of_sub_steps_is_the_workflow_s():
    s = Simulation(group("g", step("a"), step("b")), sub_mode=STEP_BY_STEP)

    assert [asked.step for asked in s.queue] == ["a"]


def test_a_group_s_own_mode_wins_over_the_workflow_s():
    s = Simulation(group("g", step("a"), step("b"), mode=DAG), sub_mode=STEP_BY_STEP)

    assert [asked.step for asked in s.queue] == ["a", "b"]


def test_predecessors_are_all_that_ends_before_a_step_also_inside_groups():
    flow = workflow(
        step("z"),
        group("g", step("a", targets="eu us"), step("b")),
        step("c"),
        step("d"),
    )

    assert predecessors(flow, "c") == {"z", "g", "a", "a/eu", "a/us", "b"}
    assert predecessors(flow, "b") == {"z"}
    assert predecessors(flow, "a/us") == {"z", "a/eu"}


def test_predecessors_follow_dependencies_and_the_status_that_is_read():
    flow = workflow(
        step("a"),
        step("b", depends_on="a"),
        step("c", when="status.b.failed"),
        step("d"),
        mode=DAG,
    )

    assert predecessors(flow, "c") == {"a", "b"}
    assert predecessors(flow, "d") == set()

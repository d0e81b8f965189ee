"""The operator's brake: nothing new begins, what is under way goes on to its end."""

from datetime import timedelta

import pytest

from gitops_wf.core.environment import Subscription
from gitops_wf.core.phases import Phase
from gitops_wf.ports.runner import StepResult
from gitops_wf.services.announce import Announcer
from gitops_wf.services.brake import Brake, Reminder
from tests.gitworktree import ANN
from tests.releases import approval

PROD = "shop/prod"
HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\n"
TWO = (
    HEAD
    + "steps:\n  - {name: one, type: deploy2env}\n  - {name: two, type: deploy2env}\n"
)


@pytest.fixture
def brake(line):
    return Brake(
        store=line.store, clock=line.clock, by="root", announcer=line.announcer
    )


def push(line, text="a: 1\n", workflow=TWO, **more):
    sha = line.commit(
        {"envs/prod/workflow.yaml": workflow, "envs/prod/cm.yaml": text, **more}
    )
    line.settle()
    return sha


def step(line, name):
    return line.run("prod").step(name)


def known(line):
    """Make the environment known, by a first revision."""
    push(line)
    line.deploy.reached.clear()


@pytest.mark.parametrize("where", [PROD, None])
def test_no_run_begins_in_a_pause_and_each_says_why(line, brake, where):
    known(line)
    brake.pause([where], "a disk is full")

    push(line, "a: 2\n")

    assert line.phases("prod")[-1] == "Pending/Paused"
    assert "by root" in line.revisions("prod")[-1].message
    assert "a disk is full" in line.revisions("prod")[-1].message
    brake.resume([where])
    line.work_off()
    assert line.phases("prod") == ["Succeeded", "Succeeded"]


def test_a_rollback_is_held_too(line, brake):
    known(line)
    two = push(line, "a: 2\n")
    brake.pause([None], "hands off")

    line.work.git("revert", "--no-edit", two)
    line.work.push()
    line.settle()

    assert line.revisions("prod")[-1].is_rollback
    assert line.phases("prod")[-1] == "Pending/Paused"


def test_what_is_under_way_ends_and_the_next_attempt_is_held(line, brake):
    def meanwhile(context):
        if context.step == "one":
            brake.pause([PROD], "wait")

    line.deploy.meanwhile = meanwhile
    push(line)

    assert line.deploy.reached == ["one on cluster"]
    assert step(line, "one").phase is Phase.SUCCEEDED
    assert (step(line, "two").phase, step(line, "two").reason) == (
        "Suspended",
        "Paused",
    )
    assert "wait" in step(line, "two").message

    brake.resume([PROD])
    line.work_off()

    assert line.phases("prod") == ["Succeeded"]
    assert line.deploy.reached == ["one on cluster", "two on cluster"]


def test_a_look_goes_on_in_a_pause(line, brake):
    push(line, **{"envs/prod/outcome": "hold"})
    looks = step(line, "one").look
    brake.pause([PROD], "wait")

    line.wait(timedelta(minutes=1))

    assert step(line, "one").phase is Phase.RUNNING
    assert step(line, "one").look > looks


def test_a_new_try_is_held_and_its_time_begins_after_the_pause(line, brake):
    again = HEAD + (
        "steps:\n"
        "  - name: one\n"
        "    type: deploy2env\n"
        "    timeout: 10m\n"
        "    retry: {limit: 3, backoff: {duration: 1m}}\n"
    )
    line.deploy.fail.add("one")
    push(line, workflow=again)
    brake.pause([PROD], "wait")

    line.wait(timedelta(days=3))
    assert (step(line, "one").phase, step(line, "one").reason) == (
        "Suspended",
        "Paused",
    )
    assert len(line.deploy.reached) == 1
    line.deploy.fail.clear()
    brake.resume([PROD])
    line.work_off()

    assert line.phases("prod") == ["Succeeded"]


def test_a_pause_is_no_wait_for_an_approval(line, brake):
    line.deploy.meanwhile = lambda _: brake.pause([PROD], "wait")
    push(line)
    line.deploy.meanwhile = lambda _: None

    push(line, "a: 2\n")  # under `every`, it would supersede one that waits for people

    assert line.phases("prod") == ["Suspended", "Pending"]
    assert line.run("prod", 1).waiting == ()
    brake.resume([PROD])
    line.work_off()
    assert line.phases("prod") == ["Succeeded", "Succeeded"]


def test_an_approval_in_a_pause_counts_when_it_is_over(line, brake):
    asks = HEAD + (
        "steps:\n  - {name: ask, type: suspend}\n  - {name: out, type: deploy2env}\n"
    )
    sha = push(line, workflow=asks)
    brake.pause([PROD], "wait")

    text = approval(sha, "ask", by=ANN)
    line.commit({"envs/prod/approvals.yaml": text}, author=ANN)
    line.settle()
    assert step(line, "ask").phase is Phase.SUCCEEDED
    assert line.deploy.reached == []
    brake.resume([PROD])
    line.work_off()

    assert line.phases("prod") == ["Succeeded"]


def test_the_pause_of_one_holds_no_other_and_outlives_that_of_all(line, brake):
    known(line)
    push(line, **{"envs/test/workflow.yaml": TWO})
    brake.pause([PROD], "here")
    brake.pause([None], "there")
    push(line, "a: 3\n", **{"envs/test/cm.yaml": "b: 1\n"})
    assert line.phases("test")[-1] == line.phases("prod")[-1] == "Pending/Paused"

    assert brake.resume([None]) == (None,)
    line.work_off()

    assert line.phases("test")[-1] == "Succeeded"
    assert line.phases("prod")[-1] == "Pending/Paused"
    assert brake.resume([None]) == ()


def test_a_pause_is_told_when_it_begins_each_day_and_when_it_ends(line, brake):
    known(line)
    reminder = Reminder(store=line.store, clock=line.clock, announcer=line.announcer)
    brake.pause([PROD], "a disk is full")
    assert reminder.act() == line.clock.now() + timedelta(days=1)

    line.clock.pass_time(timedelta(hours=23))
    reminder.act()
    line.clock.pass_time(timedelta(hours=1))
    reminder.act()
    reminder.act()
    brake.resume([PROD], "a new disk")
    assert reminder.act() is None

    told = [e for e in line.events() if e.kind in {"paused", "resumed"}]
    assert [e.reason for e in told] == ["Paused", "StillPaused", "Resumed"]
    assert {e.environment for e in told} == {PROD}
    assert "still paused by root" in told[1].message
    assert told[2].message == "resumed by root: a new disk"


def test_a_pause_of_all_goes_to_the_channels_that_want_to_know(line):
    announcer = Announcer(
        executor=None,  # a command beside the daemon has none
        channels={"ops": {"type": "slack"}, "audit": {"type": "webhook"}},
        subscriptions=(
            Subscription(channel="ops", events=("paused", "resumed")),
            Subscription(channel="audit", events=("paused",)),
        ),
    )
    brake = Brake(store=line.store, clock=line.clock, by="root", announcer=announcer)

    brake.pause([None], "a disk is full")
    line.clock.pass_time(timedelta(hours=1))
    brake.resume([None])

    with line.store.transaction() as transaction:
        topics = [each.topic for each in transaction.open_topics()]
        told = [n for topic in topics for n in transaction.take_notices(topic)]
    assert sorted((n.channel, n.note.subject) for n in told) == [
        ("audit", "daemon paused (Paused)"),
        ("ops", "daemon paused (Paused)"),
        ("ops", "daemon resumed (Resumed)"),
    ]
    assert "a disk is full" in told[0].note.text
    assert "go on: gitops-wf resume --all" in told[0].note.text


def test_a_failing_step_in_a_pause_still_ends_its_run(line, brake):
    def meanwhile(_):
        brake.pause([PROD], "wait")

    line.deploy.meanwhile = meanwhile
    line.deploy.results["one"] = StepResult(phase=Phase.FAILED, message="no")

    push(line)

    assert line.phases("prod") == ["Failed/StepFailed"]

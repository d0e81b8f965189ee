"""A wait for approval is told again, not too often, and not for ever."""

import itertools
from datetime import timedelta

import pytest

from gitops_wf.core.notifications.events import event_note
from gitops_wf.core.notifications.notices import ANY
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Gate, Policy, PolicyRule, Rulebook
from gitops_wf.core.reminding import Reminders
from tests.gitworktree import ANN, BOB
from tests.releases import APPROVAL_WORKFLOW, ReleaseLine, approval

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def make_line(tmp_path):
    made = []

    def make(rulebook=None, **reminders) -> ReleaseLine:
        made.append(
            ReleaseLine(tmp_path, rulebook=rulebook, reminders=Reminders(**reminders))
        )
        return made[-1]

    yield make
    for line in made:
        line.close()


def push(line, value="1", workflow=APPROVAL_WORKFLOW):
    sha = line.commit(
        {"envs/prod/workflow.yaml": workflow, "envs/prod/cm.yaml": f"a: {value}\n"}
    )
    line.settle()
    return sha


def reminders(line):
    return [e for e in line.events() if e.kind == "reminder"]


def test_a_wait_is_told_again_each_day_and_seven_times_at_most(make_line):
    line = make_line()
    push(line)
    assert line.run("prod").phase is Phase.SUSPENDED

    line.wait(DAY - timedelta(seconds=1))
    assert reminders(line) == []
    line.wait(timedelta(seconds=1))
    assert len(reminders(line)) == 1
    line.wait(20 * DAY)

    told = reminders(line)
    assert len(told) == 7
    gaps = {after.at - before.at for before, after in itertools.pairwise(told)}
    assert gaps == {DAY}
    assert len({each.metadata["edge"] for each in told}) == 7
    assert "waits since 2026-01-01 12:00 UTC" in told[0].message


def test_how_often_and_how_many_times_is_the_daemons_config(make_line):
    line = make_line(interval=HOUR, most=2)
    push(line)

    line.wait(5 * HOUR)

    assert len(reminders(line)) == 2


def test_no_interval_reminds_nobody(make_line):
    line = make_line(interval=timedelta())
    push(line)

    line.wait(20 * DAY)

    assert reminders(line) == []


REMINDED = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - name: go-live
    type: suspend
    properties: {remind: {after: 4h, interval: 12h, most: 2}}
"""


def test_a_step_s_own_word_counts_and_is_kept_over_restarts(make_line):
    line = make_line(most=1)
    sha = push(line, workflow=REMINDED)
    line.wait(HOUR)

    line.restart()
    line.wait(3 * HOUR)
    line.restart()
    line.wait(3 * DAY)

    told = reminders(line)
    assert [each.metadata["edge"] for each in told] == ["1", "2"]
    assert told[1].at - told[0].at == 12 * HOUR
    assert told[0].metadata["needs"] == "needs an approval; may approve: anybody"
    note = event_note(told[0], line.revisions("prod")[-1])
    assert note.place == "prod#1"
    assert note.headline == "still waits for approval at go-live"
    assert note.about.startswith(sha[:8])
    assert note.commands[0] == (
        f"approve: gitops-wf approve {ANY} --revision {sha[:8]} --step go-live --push"
    )


def test_a_step_can_ask_for_silence(make_line):
    line = make_line()
    push(
        line, workflow=REMINDED.replace("{after: 4h, interval: 12h, most: 2}", "never")
    )

    line.wait(20 * DAY)

    assert line.run("prod").phase is Phase.SUSPENDED
    assert reminders(line) == []


def test_a_daemon_that_was_away_for_days_reminds_once(make_line):
    line = make_line()
    push(line)

    line.clock.pass_time(5 * DAY)
    line.restart()
    line.work_off()
    line.work_off()

    assert len(reminders(line)) == 1


def test_an_approval_ends_it(make_line):
    line = make_line()
    sha = push(line)
    line.wait(DAY)

    line.commit(
        {"envs/prod/approvals.yaml": approval(sha, "go-live", by=ANN)}, author=ANN
    )
    line.settle()
    line.wait(5 * DAY)

    assert len(reminders(line)) == 1
    assert line.phases("prod") == ["Succeeded"]


def test_it_says_whose_approval_is_missing(make_line):
    policy = Policy(min_approvals=2, approvers=("ann@example.com", "bob@example.com"))
    rule = PolicyRule(environments=("*",), policy=policy)
    line = make_line(Rulebook(rules=(rule,)))
    sha = push(line)
    line.commit(
        {"envs/prod/approvals.yaml": approval(sha, "go-live", by=BOB)}, author=BOB
    )
    line.settle()
    line.wait(DAY)

    first = next(e for e in line.events() if e.kind == "suspended")
    assert first.metadata["needs"] == (
        "needs 2 approvals; may approve: ann@example.com, bob@example.com"
    )
    assert reminders(line)[0].metadata["needs"] == (
        "needs 2 approvals, has bob@example.com; may approve: ann@example.com,"
        " bob@example.com"
    )


def test_a_gate_reminds_too_and_its_step_begins_anew_after_it(make_line):
    gate = Gate(target="cluster", policy=Policy())
    line = make_line(Rulebook(gates={gate.target: gate}))
    workflow = (
        "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
        "  - {name: first, type: deploy2env, properties: {target: cluster}}\n"
    )
    sha = push(line, workflow=workflow)
    line.wait(DAY)
    assert reminders(line)[0].metadata["needs"] == (
        "cluster: needs an approval; may approve: anybody"
    )

    line.commit(
        {"envs/prod/approvals.yaml": approval(sha, "first", by=ANN)}, author=ANN
    )
    line.settle()

    step = line.run("prod").step("first")
    assert (step.phase, step.reminders) == (Phase.SUCCEEDED, 0)

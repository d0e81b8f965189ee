"""Freeze windows of the daemon config hold writes; time, or an override, lets them."""

from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.cli.description import head
from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.freeze import Window, WindowKind
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Freeze, Gate, Policy, PolicyRule, Rulebook
from gitops_wf.services.query import Query
from tests.gitworktree import ANN, BOB
from tests.releases import ReleaseLine, approval

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
OUT = HEAD + "  - {name: out, type: deploy2env, properties: {target: live}}\n"
BOTH = (
    HEAD
    + "  - {name: eu, type: deploy2env, properties: {target: eu}}\n"
    + "  - {name: out, type: deploy2env, properties: {target: live}}\n"
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)  # where a line's clock begins
END = datetime(2026, 1, 2, 8, tzinfo=UTC)
NIGHT = Window(
    kind=WindowKind.DENY,
    schedule="0 11 * * thu",
    duration=timedelta(hours=21),
    targets=("live",),
)
BY_ANN = Policy(approvers=("ann@example.com",))


def rulebook(*, gates=(), **more):
    freeze = Freeze(name="*", windows=(NIGHT,), **more)
    return Rulebook(
        rules=(PolicyRule(environments=("*",), freeze=freeze),),
        gates={gate.target: gate for gate in gates},
    )


@pytest.fixture
def make_line(tmp_path):
    made = []

    def make(**more):
        line = ReleaseLine(tmp_path, rulebook=rulebook(**more), targets=("eu", "live"))
        made.append(line)
        return line

    yield make
    for line in made:
        line.close()


def push(line, workflow=OUT, text="a: 1\n"):
    files = {"envs/prod/workflow.yaml": workflow, "envs/prod/cm.yaml": text}
    sha = line.commit(files)
    line.settle()
    return sha


def approve(line, sha, author=ANN, step="out"):
    text = approval(sha, step, by=author)
    name = author.split()[0].lower()
    line.commit({f"envs/prod/approvals/{name}.yaml": text}, author=author)
    line.settle()


def why(line, name="out"):
    step = line.run("prod").step(name)
    return f"{step.phase}/{step.reason}"


def test_a_write_waits_for_the_end_of_the_window_and_goes_on_by_itself(make_line):
    line = make_line()
    push(line, BOTH)

    assert why(line) == "Suspended/FreezeWindow"
    assert line.run("prod").step("out").due == END
    assert "live is frozen until 2026-01-02 08:00 UTC" in (
        line.run("prod").step("out").message
    )
    assert line.deploy.reached == ["eu on eu"]
    assert [e.kind for e in line.events()].count("frozen") == 1

    line.wait(END - NOON - timedelta(seconds=1))
    assert line.deploy.reached == ["eu on eu"]
    line.wait(timedelta(seconds=1))

    assert line.phases("prod") == ["Succeeded"]
    assert line.deploy.reached == ["eu on eu", "out on live"]


def test_a_step_that_waited_longer_than_its_timeout_has_it_afterwards(make_line):
    line = make_line()  # the timeout of the scripted type is ten minutes
    push(line)

    line.wait(timedelta(days=1))

    assert line.phases("prod") == ["Succeeded"]


@pytest.mark.parametrize(("holds", "end"), [(False, "Succeeded"), (True, "Suspended")])
def test_a_rollback_passes_unless_it_is_held(make_line, holds, end):
    line = make_line(holds_rollbacks=holds)
    line.clock.pass_time(timedelta(days=-1))
    push(line)
    two = push(line, text="a: 2\n")
    assert line.phases("prod") == ["Succeeded", "Succeeded"]
    line.clock.pass_time(timedelta(days=1))

    line.work.git("revert", "--no-edit", two)
    line.work.push()
    line.settle()

    assert line.revisions("prod")[-1].is_rollback
    assert line.phases("prod")[-1] == end


def test_an_approval_of_the_step_by_those_named_passes_it(make_line):
    line = make_line(override=BY_ANN)
    sha = push(line)

    approve(line, sha, BOB)
    assert why(line) == "Suspended/FreezeWindow"
    bobs = line.decisions("prod")[0]
    assert "not among the approvers" in bobs.counts_for["freeze:*"]
    approve(line, sha, ANN)

    assert line.phases("prod") == ["Succeeded"]


def test_without_an_override_no_approval_passes_it(make_line):
    line = make_line()
    sha = push(line)

    approve(line, sha)

    assert line.decisions("prod")[0].effect == "refused"
    assert why(line) == "Suspended/FreezeWindow"


def test_who_lets_it_pass_the_freeze_does_not_open_its_gate(make_line):
    gate = Gate(
        target=TargetName("live"), policy=Policy(approvers=("bob@example.com",))
    )
    line = make_line(override=BY_ANN, gates=[gate])
    sha = push(line)
    assert why(line) == "Suspended/ApprovalRequired"

    approve(line, sha, ANN)
    assert why(line) == "Suspended/ApprovalRequired"
    approve(line, sha, BOB)

    assert line.phases("prod") == ["Succeeded"]


def test_who_opens_the_gate_does_not_pass_the_freeze(make_line):
    gate = Gate(
        target=TargetName("live"), policy=Policy(approvers=("bob@example.com",))
    )
    line = make_line(gates=[gate])
    sha = push(line)

    approve(line, sha, BOB)

    assert why(line) == "Suspended/FreezeWindow"
    line.wait(timedelta(days=1))
    assert line.phases("prod") == ["Succeeded"]


def test_a_frozen_run_waits_for_no_approval_and_is_not_superseded_for_it(make_line):
    line = make_line()
    push(line)

    push(line, text="a: 2\n")

    assert line.phases("prod") == ["Suspended", "Pending"]
    line.wait(timedelta(days=1))
    assert line.phases("prod") == ["Succeeded", "Succeeded"]


def test_a_freeze_that_left_the_config_lets_the_step_go_on(make_line):
    line = make_line()
    push(line)

    line.restart(rulebook=Rulebook())
    line.settle()

    assert line.phases("prod") == ["Succeeded"]


def test_each_rule_is_judged_on_its_own(make_line):
    line = make_line()
    always = Window(
        kind=WindowKind.ALLOW, schedule="* * * * *", duration=timedelta(hours=1)
    )
    open_ = PolicyRule(
        environments=("prod",), freeze=Freeze(name="prod", windows=(always,))
    )
    line.restart(rulebook=Rulebook(rules=(*rulebook().rules, open_)))

    push(line)

    assert line.run("prod").step("out").phase is Phase.SUSPENDED


def test_description_and_list_say_until_when(make_line):
    line = make_line(override=BY_ANN)
    push(line)
    config = DaemonConfig(
        path="",
        directory="",
        store="",
        instance="test",
        repositories=(line.watched.config,),
        targets={},
        rulebook=rulebook(override=BY_ANN),
    )
    query = Query(store=line.store, config=config)

    (view,) = query.environments()
    told = query.describe(view.record.id)
    head_ = "\n".join(text.plain for text in head(told, line.clock.now()))

    assert "out: live is frozen until 2026-01-02 08:00 UTC" in view.frozen
    assert view.as_json()["frozen"] == view.frozen
    assert "deny '0 11 * * thu' for 21h (UTC); rollbacks pass" in head_
    assert "an approval of the step passes: 1 from ann@example.com" in head_
    assert told.as_json()["freezes"][0]["override"]["approvers"] == ["ann@example.com"]

"""Which revisions run, which are superseded, and what is told of it."""

from datetime import timedelta

import pytest

from gitops_wf.core.policy import Rulebook
from gitops_wf.ports.runner import StepResult
from tests.gitworktree import ANN
from tests.releases import APPROVAL_WORKFLOW, approval

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\n"
ENVIRONMENT = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
DEPLOY = "  - {name: out, type: deploy2env, properties: {target: cluster}}\n"
PLAIN = HEAD + "steps:\n" + DEPLOY
WITH_FINAL = HEAD + (
    "steps:\n"
    + DEPLOY
    + "  - {name: ask, type: suspend}\n"
    + "  - {name: tell, type: run-job, if: always, properties: {target: cluster}}\n"
)


def begin(line, *, commits="every", workflow=PLAIN, extra="", **files):
    """A first revision of `prod` with this policy."""
    line.commit(
        {
            "envs/prod/environment.yaml": f"{ENVIRONMENT}commits: {commits}\n{extra}",
            "envs/prod/workflow.yaml": workflow,
            "envs/prod/cm.yaml": "a: 1\n",
            **files,
        }
    )


def change(line, value, **files):
    return line.commit({"envs/prod/cm.yaml": f"a: {value}\n", **files})


def told(line, kind):
    return [e.revision for e in line.events() if e.kind == kind]


# --- the three policies ---


@pytest.mark.parametrize(
    ("commits", "phases"),
    [
        ("every", ["Succeeded"] * 4),
        ("strict", ["Succeeded"] * 4),
        ("latest", ["Aborted/Superseded"] * 3 + ["Succeeded"]),
    ],
)
def test_commits_says_which_of_several_revisions_run(line, commits, phases):
    line.commit({"README.md": "words\n"})
    line.poll()
    begin(line, commits=commits)
    for value in (2, 3, 4):
        change(line, value)

    line.settle()

    assert line.phases("prod") == phases
    ran = [sha for _, _, sha in line.deploy.done]
    assert ran == [r.commit for r in line.revisions("prod") if not r.reason]


def test_under_strict_a_waiting_run_is_waited_for(line):
    begin(line, commits="strict", workflow=APPROVAL_WORKFLOW)
    line.settle()
    change(line, 2)
    line.settle()
    one = line.revisions("prod")[0].commit
    assert line.phases("prod") == ["Suspended", "Pending"]

    text = approval(one, "go-live", by=ANN)
    line.commit({"envs/prod/approvals.yaml": text})
    line.settle()

    assert line.phases("prod") == ["Succeeded", "Suspended"]


def test_under_every_a_run_that_reaches_its_approval_late_asks_nobody(line):
    begin(line, workflow=APPROVAL_WORKFLOW)
    line.poll()
    change(line, 2)
    line.poll()

    line.work_off()

    assert line.phases("prod") == ["Aborted/Superseded", "Suspended"]
    assert told(line, "suspended") == [2]


def test_more_than_max_pending_leave_only_the_newest(line):
    begin(line, extra="maxPending: 2\n", **{"envs/prod/outcome": "hold"})
    line.settle()
    for value in (2, 3):
        change(line, value)
    line.settle()
    assert line.phases("prod") == ["Running", "Pending", "Pending"]

    change(line, 4, **{"envs/prod/outcome": "ok"})
    line.settle()

    superseded = ["Aborted/Superseded"] * 2
    assert line.phases("prod") == ["Running", *superseded, "Pending"]
    line.wait(timedelta(minutes=11))
    assert line.phases("prod") == ["Failed/Timeout", *superseded, "Succeeded"]


# --- after ---


def test_after_waits_for_the_other_environment_and_its_soak(line):
    line.commit({"envs/staging/workflow.yaml": PLAIN})
    line.settle()
    follow = "after: [{environment: staging, soak: 30m}]\n"
    begin(line, extra=follow, **{"envs/staging/cm.yaml": "a: 1\n"})
    line.settle()
    (held,) = line.revisions("prod")
    assert (held.phase, held.reason) == ("Pending", "WaitingForEnvironment")
    assert held.message == "staging#2 has to hold for 30m first"

    line.wait(timedelta(minutes=29))
    assert line.phases("prod") == ["Pending/WaitingForEnvironment"]
    line.wait(timedelta(minutes=2))

    assert line.phases("prod") == ["Succeeded"]


def test_after_goes_on_by_itself_when_the_other_environment_succeeds(line):
    workflow = {"envs/staging/workflow.yaml": APPROVAL_WORKFLOW}
    begin(line, extra="after: [{environment: staging}]\n", **workflow)
    line.settle()
    (held,) = line.revisions("prod")
    assert held.message.startswith("waits for staging#1")

    text = approval(held.commit, "go-live", by=ANN)
    line.commit({"envs/staging/approvals.yaml": text})
    line.settle()

    assert line.phases("prod") == ["Succeeded"]


def test_what_waits_for_a_failed_environment_gives_way_to_the_next_commit(line):
    failing = {
        "envs/staging/workflow.yaml": PLAIN,
        "envs/staging/outcome": "fail",
    }
    begin(line, extra="after: [{environment: staging}]\n", **failing)
    line.settle()
    assert line.phases("prod") == ["Pending/WaitingForEnvironment"]

    change(line, 2, **{"envs/staging/outcome": "ok"})
    line.settle()

    assert line.phases("staging") == ["Failed/StepFailed", "Succeeded"]
    assert line.phases("prod") == ["Aborted/Superseded", "Succeeded"]


def test_a_pause_in_git_ends_with_the_commit_that_ends_it(line):
    begin(line, extra="suspend: true\n")
    line.settle()
    assert line.phases("prod") == ["Pending/Paused"]

    begin(line, extra="suspend: false\n")
    line.settle()

    assert line.phases("prod") == ["Succeeded", "Succeeded"]


# --- superseding at the next safe point ---


def test_a_newer_revision_ends_a_wait_for_health_at_once(line):
    begin(line, commits="latest", **{"envs/prod/outcome": "hold"})
    line.settle()
    assert line.phases("prod") == ["Running"]

    change(line, 2, **{"envs/prod/outcome": "ok"})
    line.settle()

    assert line.phases("prod") == ["Aborted/Superseded", "Succeeded"]
    assert line.executor.next_due() is None or line.executor.run_due() == 0


def test_a_newer_revision_ends_a_back_off_at_once(line):
    workflow = HEAD + (
        "steps:\n"
        "  - name: out\n"
        "    type: deploy2env\n"
        "    retry: {limit: 5, backoff: {duration: 5m}}\n"
    )
    begin(line, commits="latest", workflow=workflow, **{"envs/prod/outcome": "fail"})
    line.settle()
    assert line.run("prod").step("out").reason == "Retrying"

    change(line, 2, **{"envs/prod/outcome": "ok"})
    line.settle()
    line.wait(timedelta(minutes=30))

    assert line.phases("prod") == ["Aborted/Superseded", "Succeeded"]
    assert len(line.deploy.done) == 2


def test_an_attempt_in_flight_finishes_before_the_newer_revision_begins(line):
    begin(line, commits="latest")
    seen = []

    def meanwhile(context) -> None:
        if context.subject.number == 1 and not seen:
            change(line, 2)
            line.poll()
            seen.extend(line.phases("prod"))

    line.deploy.meanwhile = meanwhile

    line.settle()

    assert seen == ["Running", "Pending"]
    assert line.phases("prod") == ["Aborted/Superseded", "Succeeded"]
    first = line.run("prod", 1).step("out")
    assert (first.phase, first.attempt) == ("Succeeded", 1)


def test_a_superseded_run_still_executes_its_always_steps_once(line):
    begin(line, commits="latest", workflow=WITH_FINAL)
    line.settle()
    assert line.phases("prod") == ["Suspended"]

    change(line, 2)
    line.settle()

    assert line.phases("prod") == ["Aborted/Superseded", "Suspended"]
    assert line.deploy.reached == [
        "out on cluster",
        "tell on cluster",
        "out on cluster",
    ]
    first = line.run("prod", 1)
    assert [s.phase.value for s in first.steps] == ["Succeeded", "Aborted", "Succeeded"]


def test_always_steps_of_a_superseded_run_have_ten_minutes(line):
    begin(line, commits="latest", workflow=WITH_FINAL)
    line.settle()
    line.deploy.results["tell"] = StepResult(
        phase="Running", retry_after=timedelta(seconds=30)
    )
    change(line, 2)
    line.settle()
    assert line.phases("prod") == ["Running", "Pending"]

    line.wait(timedelta(minutes=11))

    assert line.run("prod", 1).step("tell").reason == "FinalTimeout"
    assert line.phases("prod") == ["Aborted/Superseded", "Suspended"]


# --- events and time ---


def test_each_event_is_told_once_however_often_it_is_looked_at(line):
    begin(line, workflow=APPROVAL_WORKFLOW)
    line.settle()
    for _ in range(3):
        line.settle()
    line.restart(rulebook=Rulebook())
    line.settle()
    change(line, 2)
    line.settle()
    line.settle()

    for kind, revisions in {
        "created": [1, 2],
        "started": [1, 2],
        "suspended": [1, 2],
        "superseded": [1],
    }.items():
        assert told(line, kind) == revisions, kind


def test_waiting_for_an_approval_does_not_count_as_running_time(line):
    workflow = APPROVAL_WORKFLOW.replace("steps:", "timeout: 1h\nsteps:")
    begin(line, workflow=workflow)
    line.settle()

    line.wait(timedelta(hours=20))
    assert line.phases("prod") == ["Suspended"]
    one = line.revisions("prod")[0].commit
    text = approval(one, "go-live", by=ANN)
    line.commit({"envs/prod/approvals.yaml": text})
    line.settle()

    assert line.phases("prod") == ["Succeeded"]


def test_a_workflow_s_own_timeout_ends_a_run_that_hangs(line):
    workflow = HEAD + (
        "timeout: 5m\nsteps:\n"
        + DEPLOY
        + "  - {name: tell, type: run-job, if: always, properties: {target: cluster}}\n"
    )
    line.deploy.results["out"] = StepResult(
        phase="Running", retry_after=timedelta(seconds=30)
    )
    begin(line, workflow=workflow)
    line.settle()

    line.wait(timedelta(minutes=6))

    assert line.phases("prod") == ["Failed/Timeout"]
    assert line.run("prod").step("tell").phase == "Succeeded"


def test_a_wait_for_approval_that_nobody_ends_fails_at_its_timeout(line):
    workflow = APPROVAL_WORKFLOW.replace("type: suspend", "type: suspend, timeout: 72h")
    begin(line, workflow=workflow)
    line.settle()

    line.wait(timedelta(hours=73))

    (revision,) = line.revisions("prod")
    assert line.phases("prod") == ["Failed/Timeout"]
    assert "nobody decided in time" in revision.message

"""What the random sequences found, shrunk and told: each failed before it was mended."""

import pytest

from gitops_wf.core.policy import Policy, PolicyRule, Rulebook
from gitops_wf.services.brake import Brake
from tests.gitworktree import ANN, BOB
from tests.releases import APPROVAL_WORKFLOW, ReleaseLine, approval

PROD = "shop/prod"
APPROVALS = "envs/prod/approvals.yaml"


@pytest.fixture
def line(tmp_path):
    made = ReleaseLine(tmp_path)
    yield made
    made.close()


@pytest.fixture
def two_needed(tmp_path):
    """A line where an approval takes two people."""
    policy = Policy(min_approvals=2)
    rule = PolicyRule(environments=("*",), policy=policy)
    made = ReleaseLine(tmp_path, rulebook=Rulebook(rules=(rule,)))
    yield made
    made.close()


@pytest.fixture
def brake(line):
    return Brake(
        store=line.store, clock=line.clock, by="root", announcer=line.announcer
    )


def push(line, value="1"):
    """A commit of the environment, polled and carried out; its id."""
    sha = line.commit(
        {"envs/prod/workflow.yaml": APPROVAL_WORKFLOW, "envs/prod/cm.yaml": value}
    )
    line.settle()
    return sha


def decide(line, sha, decision, step="", **more):
    text = approval(sha, step, decision=decision, by=ANN, **more)
    line.commit({f"envs/prod/approvals/{decision}.yaml": text}, author=ANN)
    line.poll()


def test_an_approval_counts_that_a_pull_then_push_turned_into_the_first_parent(line):
    """After it the first parent of the merge is what is new, and not the branch."""
    first = push(line)
    assert line.phases("prod") == ["Suspended"]
    line.work.branch("side")
    line.work.commit(
        {APPROVALS: approval(first, "go-live", by=ANN)}, "Approve", author=ANN
    )
    line.work.checkout("main")
    line.commit({"docs.txt": "pushed meanwhile"})
    line.settle()
    line.work.checkout("side")
    line.work.merge("main")

    line.work.push()
    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    (decision,) = line.decisions("prod")
    assert (decision.person, decision.effect) == ("ann@example.com", "accepted")


def test_a_change_counts_that_a_pull_then_push_turned_into_the_first_parent(line):
    push(line)
    line.work.branch("side")
    line.work.commit({"envs/prod/cm.yaml": "2"})
    line.work.checkout("main")
    line.commit({"docs.txt": "pushed meanwhile"})
    line.settle()
    line.work.checkout("side")
    merge = line.work.merge("main")

    line.work.push()
    line.settle()

    assert [r.commit for r in line.revisions("prod")][1:] == [merge]


@pytest.mark.parametrize("decision", ["retry", "redeploy"])
def test_a_pause_holds_what_is_asked_to_run_again(line, brake, decision):
    sha = push(line)
    decide(line, sha, "abort")
    line.work_off()
    brake.pause([PROD], "hands off")

    decide(line, sha, decision)
    line.work_off()

    assert line.phases("prod") == ["Pending/Paused"]
    brake.resume([PROD])
    line.work_off()
    assert line.phases("prod") == ["Suspended"]
    assert line.run("prod").ordinal == 2


def test_what_is_pending_says_that_a_pause_has_come(line, brake):
    sha = push(line)
    decide(line, sha, "abort")
    line.work_off()
    brake.pause([PROD], "the first")
    decide(line, sha, "retry")
    line.work_off()

    brake.resume([PROD])
    brake.pause([PROD], "the second")
    line.work_off()

    assert "the second" in line.revisions("prod")[0].message


def test_an_approval_may_name_the_run_that_is_to_begin(line, brake):
    """Whether it has begun is a matter of when was polled, which decides nothing."""
    brake.pause([None], "hands off")
    sha = push(line)
    assert line.phases("prod") == ["Pending/Paused"]

    decide(line, sha, "approve", step="go-live", run=1)

    assert [d.effect.value for d in line.decisions("prod")] == ["accepted"]
    brake.resume([None])
    line.work_off()
    assert line.phases("prod") == ["Succeeded"]


def test_an_unused_approval_goes_with_the_history_that_held_it(two_needed):
    """A force-push that drops the commit of an approval withdraws it."""
    line = two_needed
    sha = push(line)
    decide(line, sha, "approve", step="go-live")
    line.work_off()
    line.work.git("reset", "-q", "--hard", sha)
    line.work.commit({"docs.txt": "instead"})

    line.work.push(force=True)
    line.settle()

    assert [d.effect.value for d in line.decisions("prod")] == ["withdrawn"]
    line.commit({APPROVALS: approval(sha, "go-live", by=BOB)}, "Approve", author=BOB)
    line.settle()
    assert line.phases("prod") == ["Suspended"], "the second person's alone is not two"


@pytest.mark.parametrize("is_seen_between", [True, False])
def test_an_approval_that_went_with_its_history_can_be_given_again(
    two_needed, is_seen_between
):
    """Whether the force-push was seen before decides nothing."""
    line = two_needed
    sha = push(line)
    decide(line, sha, "approve", step="go-live")
    line.work.git("reset", "-q", "--hard", sha)
    line.work.commit({"docs.txt": "instead"})
    line.work.push(force=True)
    if is_seen_between:
        line.poll()
        assert [d.effect.value for d in line.decisions("prod")] == ["withdrawn"]

    decide(line, sha, "approve", step="go-live")

    assert [d.effect.value for d in line.decisions("prod")] == ["accepted"]
    line.commit({APPROVALS: approval(sha, "go-live", by=BOB)}, "Approve", author=BOB)
    line.settle()
    assert line.phases("prod") == ["Succeeded"]


def test_an_environment_that_rewritten_history_brings_runs_at_once(line):
    push(line)
    head = line.work.head()
    line.commit({"docs.txt": "to be rewritten"})
    line.settle()
    line.work.git("reset", "-q", "--hard", head)
    line.work.commit(
        {"envs/new/workflow.yaml": APPROVAL_WORKFLOW, "envs/new/cm.yaml": "1"}
    )

    line.work.push(force=True)
    line.settle()

    assert line.phases("new") == ["Suspended"]

"""Approvals that hold a digest: they count for what the run delivered, and no more."""

import pytest

from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Gate, Policy, PolicyRule, Rulebook
from gitops_wf.ports.runner import StepResult
from tests.gitworktree import ANN, BOB
from tests.releases import APPROVAL_WORKFLOW, ReleaseLine

SEEN, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
FILES = {"envs/prod/workflow.yaml": APPROVAL_WORKFLOW, "envs/prod/cm.yaml": "a: 1\n"}


def on(line: ReleaseLine) -> ReleaseLine:
    """Let the step before the approval deliver what was seen."""
    line.deploy.results["staging"] = StepResult(phase=Phase.SUCCEEDED, digest=SEEN)
    return line


def approve(line, sha, digest, *, by=ANN):
    address = by.partition("<")[2].rstrip(">")
    text = (
        f"{{revision: '{sha}', step: go-live, decision: approve, by: {address},"
        f" digest: {digest}}}"
    )
    file = f"envs/prod/approvals/{by.partition(' ')[0].lower()}.yaml"
    line.commit({file: f"approvals:\n  - {text}\n"}, "Approve", author=by)


def waiting(line) -> str:
    sha = line.commit(FILES)
    line.settle()
    assert line.phases("prod") == ["Suspended"]
    return sha


@pytest.mark.parametrize("written", [SEEN, SEEN.removeprefix("sha256:")])
def test_what_was_delivered_can_be_approved_by_its_digest(line, written):
    sha = waiting(on(line))

    approve(line, sha, written)
    line.settle()

    assert line.phases("prod") == ["Succeeded"]


def test_another_digest_is_refused_with_what_was_delivered(line):
    sha = waiting(on(line))

    approve(line, sha, OTHER)
    line.settle()

    (decision,) = line.decisions("prod")
    assert decision.effect == "refused"
    assert decision.reason == f"it pins {OTHER}, and staging delivered {SEEN}"
    assert line.phases("prod") == ["Suspended"]


def test_a_digest_that_came_too_early_is_judged_where_its_step_is_reached(line):
    sha = on(line).commit(FILES)
    line.poll()
    approve(line, sha, OTHER)
    line.poll()
    assert [d.effect for d in line.decisions("prod")] == ["accepted"]

    line.settle()

    (decision,) = line.decisions("prod")
    assert (decision.effect, line.phases("prod")) == ("refused", ["Suspended"])
    told = [e.message for e in line.events() if e.kind == "decisionRefused"]
    assert len(told) == 1
    assert told[0].endswith(f"it pins {OTHER}, and staging delivered {SEEN}")


def test_who_was_refused_for_a_digest_may_write_the_right_one(line):
    sha = waiting(on(line))
    approve(line, sha, OTHER)
    line.settle()

    approve(line, sha, SEEN)
    line.settle()

    assert line.phases("prod") == ["Succeeded"]


def test_it_makes_no_quorum_with_others(two_needed):
    sha = waiting(on(two_needed))

    approve(two_needed, sha, SEEN)
    approve(two_needed, sha, OTHER, by=BOB)
    two_needed.settle()
    assert two_needed.phases("prod") == ["Suspended"]

    approve(two_needed, sha, SEEN, by=BOB)
    two_needed.settle()
    assert two_needed.phases("prod") == ["Succeeded"]


def test_one_that_counts_opens_the_gates_after_its_step(tmp_path):
    gate = Gate(target="live", policy=Policy())
    line = on(
        ReleaseLine(
            tmp_path,
            rulebook=Rulebook(
                rules=(PolicyRule(environments=("*",)),), gates={"live": gate}
            ),
        )
    )
    gated = APPROVAL_WORKFLOW.replace(
        "name: live, type: deploy2env, properties: {target: cluster}",
        "name: live, type: deploy2env, properties: {target: live}",
    )
    sha = line.commit({**FILES, "envs/prod/workflow.yaml": gated})
    line.settle()

    approve(line, sha, SEEN)
    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    line.close()

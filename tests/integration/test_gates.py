"""A gate of the daemon config holds, whatever the commits that it guards say."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_wf.adapters.git_cli.signature import GitSignatureVerifier
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.policy import (
    Gate,
    Identity,
    OnRollback,
    Policy,
    PolicyRule,
    Rulebook,
)
from tests.gitserver import make_key
from tests.gitworktree import ANN, BOB
from tests.releases import ReleaseLine, approval

EVE = "Eve <eve@example.com>"
GATE = Gate(target=TargetName("live"), policy=Policy(approvers=("ann@example.com",)))
HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
ENVIRONMENT = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
WHOLE = HEAD + (
    "  - {name: ask, type: suspend}\n"
    "  - {name: out, type: deploy2env, properties: {target: live}}\n"
)
NO_SUSPEND = HEAD + "  - {name: out, type: deploy2env, properties: {target: live}}\n"


def rulebook(gate=GATE, **policy):
    rules = (PolicyRule(environments=("*",), policy=Policy(**policy)),)
    return Rulebook(rules=rules, gates={gate.target: gate})


@pytest.fixture
def gated(tmp_path) -> Iterator[ReleaseLine]:
    """Targets `eu` and `live`; writes to `live` need Ann."""
    line = ReleaseLine(tmp_path, rulebook=rulebook(), targets=("live",))
    yield line
    line.close()


@pytest.fixture
def make_line(tmp_path):
    made = []

    def make(gate, targets=("live",), **more):
        policy = more.pop("policy", {})
        line = ReleaseLine(
            tmp_path, rulebook=rulebook(gate, **policy), targets=targets, **more
        )
        made.append(line)
        return line

    yield make
    for line in made:
        line.close()


def push(line, workflow, **more):
    files = {"envs/prod/cm.yaml": "a: 1\n", **more}
    if workflow is not None:
        files["envs/prod/workflow.yaml"] = workflow
    sha = line.commit(files)
    line.settle()
    return sha


def approve(line, sha, step, *, author=ANN, name="one", **more):
    text = approval(sha, step, by=author)
    line.commit({f"envs/prod/approvals/{name}.yaml": text}, author=author, **more)
    line.settle()


def waits(line, environment="prod"):
    steps = line.run(environment).steps
    containers = {step.parent for step in steps}
    return {
        step.name: step.reason
        for step in steps
        if step.is_waiting_for_approval and step.name not in containers
    }


# --- whatever the commit says ---


def test_it_holds_when_the_commit_deletes_the_suspend_step_or_the_workflow(gated):
    one = push(gated, WHOLE, **{"envs/prod/environment.yaml": ENVIRONMENT})
    approve(gated, one, "ask")
    assert gated.phases("prod") == ["Succeeded"]

    push(gated, NO_SUSPEND)
    assert waits(gated) == {"out": "ApprovalRequired"}
    gated.commit({"envs/prod/workflow.yaml": None})
    gated.settle()

    assert gated.phases("prod") == ["Succeeded", "Aborted/Superseded", "Suspended"]
    assert list(waits(gated).values()) == ["ApprovalRequired"]
    assert gated.deploy.reached == ["out on live"]  # of the approved one only


@pytest.mark.parametrize(
    ("steps", "waiting"),
    [
        (
            (
                "  - {name: seed, type: run-job, properties: {target: live}}\n"
                "  - {name: out, type: deploy2env, properties: {target: live}}\n"
            ),
            "seed",
        ),
        ("  - {name: out, type: deploy2env}\n", "out/live"),
        (
            "  - {name: out, type: deploy2env, properties: {targets: [eu, live]}}\n",
            "out/live",
        ),
        (
            (
                "  - {name: eu, type: deploy2env, properties: {target: eu}}\n"
                "  - name: both\n"
                "    type: step-group\n"
                "    subSteps:\n"
                "      - {name: out, type: deploy2env, properties: {target: live}}\n"
            ),
            "out",
        ),
        (
            "  - {name: out, type: deploy2env, if: always}\n",
            "out/live",
        ),
    ],
    ids=["another-step-type", "every-target", "targets", "step-group", "always"],
)
def test_it_holds_each_write_however_the_workflow_puts_it(make_line, steps, waiting):
    line = make_line(GATE, targets=("eu", "live"))
    if "eu" not in steps and "out, type: deploy2env}" not in steps:
        steps += "  - {name: eu, type: deploy2env, properties: {target: eu}}\n"

    push(line, HEAD + steps)

    assert line.phases("prod") == ["Suspended"]
    assert waits(line) == {waiting: "ApprovalRequired"}
    assert not [reached for reached in line.deploy.reached if "on live" in reached]


def test_it_holds_an_always_step_of_a_run_that_was_aborted(gated):
    workflow = HEAD + (
        "  - {name: ask, type: suspend}\n"
        "  - {name: out, type: deploy2env, if: always, properties: {target: live}}\n"
    )
    one = push(gated, workflow)
    gated.commit(
        {"envs/prod/approvals/no.yaml": approval(one, "", by=BOB, decision="abort")},
        author=BOB,
    )
    gated.settle()

    gated.wait(timedelta(minutes=11))

    assert gated.phases("prod") == ["Aborted/Aborted"]
    assert gated.deploy.reached == []


def test_a_target_may_not_be_computed_past_its_gate(gated):
    push(
        gated,
        HEAD
        + "  - {name: out, type: deploy2env, properties:"
        + " {target: '${{ environment.name }}'}}\n",
    )

    (revision,) = gated.revisions("prod")
    assert (revision.phase, revision.reason) == ("Failed", "InvalidDefinition")
    assert "workflow.yaml:4" in revision.message
    assert gated.deploy.reached == []


# --- whose approval ---


def test_only_its_own_approvers_open_it(gated):
    one = push(gated, NO_SUSPEND)
    approve(gated, one, "out", author=BOB, name="bob")
    (refused,) = gated.decisions("prod")
    assert (
        refused.counts_for["gate:live"] == "bob@example.com is not among the approvers"
    )
    assert gated.phases("prod") == ["Suspended"]

    approve(gated, one, "out", name="ann")

    assert gated.phases("prod") == ["Succeeded"]
    assert gated.run("prod").step("out").released == ("ann@example.com",)


def test_its_quorum_takes_two_people(make_line):
    line = make_line(replace(GATE, policy=Policy(min_approvals=2)))
    one = push(line, NO_SUSPEND)
    approve(line, one, "out", name="ann")
    assert line.phases("prod") == ["Suspended"]

    approve(line, one, "out", author=BOB, name="bob")

    assert line.phases("prod") == ["Succeeded"]


def test_where_it_needs_a_signature_a_claimed_author_does_not_count(
    make_line, tmp_path
):
    for name in ("ann", "eve"):
        make_key(tmp_path / name)
    public = " ".join((tmp_path / "ann.pub").read_text().split()[:2])
    signers = tmp_path / "signers"
    signers.write_text(f"ann@example.com {public}\n")
    verifier = GitSignatureVerifier(tmp_path / "clone.git", signers)
    signed = Policy(approvers=("ann@example.com",), identity=Identity.SIGNATURE)
    line = make_line(replace(GATE, policy=signed), verifier=verifier)
    line.work.git("config", "gpg.format", "ssh")
    one = push(line, NO_SUSPEND)

    approve(line, one, "out", name="claimed")
    line.work.git("config", "user.signingKey", str(tmp_path / "eve"))
    approve(line, one[:12], "out", name="forged", sign=True)
    line.work.git("config", "user.signingKey", str(tmp_path / "ann"))
    approve(line, one, "out", author=EVE, name="anns-key-eves-words", sign=True)
    assert line.phases("prod") == ["Suspended"]
    approve(line, one[:20], "out", name="signed", sign=True)

    verifier.close()
    assert line.phases("prod") == ["Succeeded"]
    last = line.decisions("prod")[-1]
    assert (last.person, last.evidence) == ("ann@example.com", Identity.SIGNATURE)


def test_one_approval_of_the_suspend_before_it_serves_it_too(gated):
    one = push(gated, WHOLE)

    approve(gated, one, "ask")

    assert gated.phases("prod") == ["Succeeded"]


def test_an_approval_of_another_person_releases_the_suspend_but_not_the_gate(gated):
    one = push(gated, WHOLE)

    approve(gated, one, "ask", author=BOB)

    assert waits(gated) == {"out": "ApprovalRequired"}


def test_an_approval_of_a_suspend_after_it_is_none_of_its_own(gated):
    one = push(
        gated,
        HEAD
        + "  - {name: out, type: deploy2env, properties: {target: live}}\n"
        + "  - {name: after, type: suspend}\n",
    )

    approve(gated, one, "after")
    assert waits(gated) == {"out": "ApprovalRequired"}
    approve(gated, one, "out", name="two")

    assert gated.phases("prod") == ["Succeeded"]


def test_an_approval_at_the_gate_does_not_release_a_suspend_after_it(gated):
    one = push(
        gated,
        HEAD
        + "  - {name: out, type: deploy2env, properties: {target: live}}\n"
        + "  - {name: after, type: suspend}\n",
    )

    approve(gated, one, "out")

    assert waits(gated) == {"after": ""}


# --- rollbacks, and the config ---


@pytest.mark.parametrize(
    ("rollback", "phase"),
    [(OnRollback.WAIVED, "Succeeded"), (OnRollback.REQUIRED, "Suspended")],
)
def test_a_rollback_passes_where_the_gate_waives_it(make_line, rollback, phase):
    line = make_line(replace(GATE, rollback=rollback))
    one = push(line, NO_SUSPEND)
    approve(line, one, "out")
    two = push(line, None, **{"envs/prod/cm.yaml": "a: 2\n"})
    approve(line, two, "out", name="two")
    assert line.phases("prod") == ["Succeeded", "Succeeded"]

    line.work.git("revert", "--no-edit", two)
    line.work.push()
    line.settle()

    assert line.revisions("prod")[-1].rollback_of == 1
    assert line.phases("prod")[-1] == phase


def test_a_gate_that_left_the_config_lets_the_waiting_step_go_on(make_line, tmp_path):
    line = make_line(GATE)
    push(line, NO_SUSPEND)
    assert line.phases("prod") == ["Suspended"]

    line.restart(rulebook=Rulebook())
    line.settle()

    assert line.phases("prod") == ["Succeeded"]


def test_a_gate_that_came_into_the_config_holds_what_has_not_been_written(make_line):
    line = make_line(replace(GATE, target=TargetName("elsewhere")))
    line.commit({"envs/prod/workflow.yaml": NO_SUSPEND, "envs/prod/cm.yaml": "a: 1\n"})
    line.poll()

    line.restart(rulebook=rulebook())
    line.settle()

    assert waits(line) == {"out": "ApprovalRequired"}
    assert line.deploy.reached == []


def test_an_environments_own_policy_cannot_loosen(make_line):
    line = make_line(
        replace(GATE, policy=Policy(approvers=("ann@example.com",), min_approvals=2)),
        policy={"approvers": ("ann@example.com",), "allow_author": False},
    )
    loose = ENVIRONMENT + (
        "policy:\n"
        "  approvers: [eve@example.com, bob@example.com]\n"
        "  minApprovals: 1\n"
        "  allowAuthor: true\n"
    )
    one = push(line, WHOLE, **{"envs/prod/environment.yaml": loose})

    for name, author in (("eve", EVE), ("bob", BOB), ("ann", ANN)):
        approve(line, one, "ask", author=author, name=name)

    assert line.phases("prod") == ["Suspended"]
    assert waits(line) == {"ask": ""}
    assert {d.effect.value for d in line.decisions("prod")} <= {"refused", "accepted"}


def test_an_environment_may_not_use_a_target_that_the_config_keeps_from_it(tmp_path):
    rule = PolicyRule(environments=("prod",), targets=("eu*",))
    line = ReleaseLine(tmp_path, rulebook=Rulebook(rules=(rule,)), targets=("live",))
    push(line, NO_SUSPEND, **{"envs/staging/workflow.yaml": NO_SUSPEND})

    (revision,) = line.revisions("prod")
    assert revision.phase == "Failed"
    assert "prod may not use target live" in revision.message
    assert line.phases("staging") == ["Succeeded"]
    assert line.deploy.done == [("staging", "live", revision.commit)]
    line.close()

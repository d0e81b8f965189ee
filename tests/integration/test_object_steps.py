"""Steps about objects under gates and policies: real Git, the real store."""

from datetime import timedelta

import pytest

from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.policy import Gate, Policy, PolicyRule, Rulebook
from gitops_wf.core.secret import Secret
from gitops_wf.steps.apply_object import STEP_TYPE as APPLY
from gitops_wf.steps.clean_jobs import STEP_TYPE as CLEAN_JOBS
from gitops_wf.steps.delete_object import STEP_TYPE as DELETE
from gitops_wf.steps.export2config import STEP_TYPE as TO_CONFIG
from gitops_wf.steps.export2secret import STEP_TYPE as TO_SECRET
from gitops_wf.steps.read_object import STEP_TYPE as READ
from gitops_wf.steps.wait import STEP_TYPE as WAIT
from tests.gitworktree import ANN
from tests.releases import ReleaseLine, approval
from tests.steps import CANARY, FakeSecrets

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
HUB = "apiVersion: v1, kind: ConfigMap"
OUT = "  - {name: out, type: deploy2env, properties: {target: live}}\n"
STEPS = (APPLY, CLEAN_JOBS, DELETE, READ, TO_CONFIG, TO_SECRET, WAIT)
GATE = Gate(target=TargetName("live"), policy=Policy(approvers=("ann@example.com",)))

WRITING = {
    "apply-object": f"value: {{{HUB}, metadata: {{name: made}}}}",
    "export2config": "configName: made, data: {a: b}",
    "export2secret": "secretName: made, data: {a: b}",
    "delete-object": f"{HUB}, name: there",
    "clean-jobs": "running: true",
}
READING = {
    "read-object": f"properties: {{{HUB}, name: there, target: live}}",
    "wait": f"properties: {{object: {{{HUB}, name: there, target: live}}}}",
}


@pytest.fixture
def make_line(tmp_path):
    made = []

    def make(rulebook):
        line = ReleaseLine(
            tmp_path,
            rulebook=rulebook,
            targets=("live",),
            more_steps=STEPS,
            capabilities={"digest_key": Secret("key")},
        )
        there = {"name": "there", "namespace": "default"}
        line.clusters.cluster("live", "shop/prod").create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": there}
        )
        made.append(line)
        return line

    yield make
    for line in made:
        line.close()


def push(line, step):
    sha = line.commit(
        {"envs/prod/workflow.yaml": HEAD + step + OUT, "envs/prod/cm.yaml": "a: 1\n"}
    )
    line.settle()
    return sha


def stored(line):
    """The objects on the target, by kind and name, without inventories."""
    found = set()
    cluster = line.clusters.cluster("live", "shop/prod")
    for kind in ("ConfigMap", "Secret"):
        listed = cluster.list(cluster.resource("v1", kind), "default")
        found |= {(kind, each["metadata"]["name"]) for each in listed}
    return {each for each in found if not each[1].startswith("gitops-wf.")}


def one(line):
    return next(step for step in line.run("prod").steps if step.name == "one")


@pytest.mark.parametrize("name", WRITING)
def test_a_step_that_writes_waits_at_the_targets_gate(make_line, name):
    line = make_line(Rulebook(gates={GATE.target: GATE}))
    properties = f"{{target: live, {WRITING[name]}}}"
    sha = push(line, f"  - {{name: one, type: {name}, properties: {properties}}}\n")
    held = one(line)
    before = stored(line)

    line.commit(
        {"envs/prod/approvals/one.yaml": approval(sha, "one", by=ANN)}, author=ANN
    )
    line.settle()

    assert (held.phase, held.reason) == ("Suspended", "ApprovalRequired")
    assert before == {("ConfigMap", "there")}
    assert one(line).phase == "Succeeded"


@pytest.mark.parametrize("name", READING)
def test_a_step_that_reads_waits_at_no_gate(make_line, name):
    line = make_line(Rulebook(gates={GATE.target: GATE}))
    push(line, f"  - {{name: one, type: {name}, {READING[name]}}}\n")
    line.wait(timedelta(seconds=5))

    assert one(line).phase == "Succeeded"


@pytest.mark.parametrize("name", READING)
def test_a_step_reads_no_target_that_the_config_keeps_from_the_environment(
    make_line, name
):
    rule = PolicyRule(environments=("prod",), targets=("eu*",))
    line = make_line(Rulebook(rules=(rule,)))
    push(line, f"  - {{name: one, type: {name}, {READING[name]}}}\n")

    step = one(line)
    assert (step.phase, step.reason) == ("Failed", "TargetNotAllowed")
    assert "prod may not use target live" in step.message


def test_what_a_step_found_reaches_a_later_one(make_line):
    line = make_line(Rulebook())
    read = (
        "  - name: read\n    type: read-object\n"
        f"    properties: {{{HUB}, name: there, target: live}}\n"
        "    outputs: [{name: uid, valueFrom: output.value.metadata.uid}]\n"
        "  - name: one\n    type: export2config\n"
        "    properties: {target: live, configName: made,"
        " data: {uid: '${{ outputs.uid }}'}}\n"
    )
    push(line, read)

    cluster = line.clusters.cluster("live", "shop/prod")
    resource = cluster.resource("v1", "ConfigMap")
    made = cluster.get(resource, "default", "made")
    there = cluster.get(resource, "default", "there")
    assert one(line).phase == "Succeeded"
    assert made["data"] == {"uid": there["metadata"]["uid"]}


def test_no_secret_value_of_a_step_is_in_the_store(make_line):
    line = make_line(Rulebook())
    secrets = FakeSecrets({"db/password": CANARY}, target="live")
    line.capabilities = {**line.capabilities, "secrets": secrets}
    line.restart()
    data = "{password: {secretRef: {name: db, key: password}}}"
    push(
        line,
        "  - name: one\n    type: export2secret\n"
        f"    properties: {{target: live, secretName: made, data: {data}}}\n"
        "    outputs: [{name: made, valueFrom: output.value}]\n",
    )

    assert one(line).phase == "Succeeded"
    assert one(line).outputs["made"]["data"] == {"password": "***"}
    stored_bytes = b"".join(
        path.read_bytes() for path in line.store_file.parent.glob("store.db*")
    )
    assert CANARY.encode() not in stored_bytes

"""`onRemove: delete`, on the sandbox process, by real commits."""

import pytest

from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Gate, Policy, Rulebook
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.yaml_text import read_manifests
from tests import sandbox_process
from tests.namespaces import Namespaces, OwningTypes, config_map
from tests.releases import ReleaseLine, approval

ENVIRONMENT = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Environment
targets: [eu, us]
onRemove: delete
"""
WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: web, type: deploy2env, properties: {targets: [eu, us], path: web.yaml}}
"""
FILES = {
    "envs/prod/environment.yaml": ENVIRONMENT,
    "envs/prod/workflow.yaml": WORKFLOW,
    "envs/prod/web.yaml": config_map("web"),
}
GONE = dict.fromkeys(FILES)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandbox_process.running(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def clusters(sandbox):
    return Namespaces(sandbox.kubeconfig, ("eu", "us"))


@pytest.fixture
def line(tmp_path, clusters):
    line = ReleaseLine(
        tmp_path,
        targets=("eu", "us"),
        catalogue=OwningTypes(),
        capabilities={
            "clusters": clusters,
            "manifests": read_manifests,
            "digest_key": Secret("key"),
        },
    )
    yield line
    line.close()


def push(line, files, message="Change"):
    sha = line.commit(files, message)
    line.settle()
    return sha


def on_targets(clusters):
    return [name for name in ("eu", "us") if clusters.has(name, "web")]


def told(line, kind):
    return [event.message for event in line.events() if event.kind == kind]


def test_the_commit_that_removes_the_folder_is_a_revision_that_deletes_its_objects(
    line, clusters
):
    push(line, FILES)
    assert on_targets(clusters) == ["eu", "us"]

    sha = push(line, GONE, "Remove prod")

    revision = line.revisions("prod")[-1]
    assert (revision.number, revision.commit) == (2, sha)
    assert (revision.phase, revision.subject) == (Phase.SUCCEEDED, "Remove prod")
    assert on_targets(clusters) == []
    assert told(line, "removed") == [
        "prod: the folder envs/prod is gone; its objects are deleted (onRemove: delete)"
    ]


def test_reverting_the_removal_brings_them_back_as_a_rollback(line, clusters):
    push(line, FILES)
    removing = push(line, GONE)

    line.work.git("revert", "--no-edit", removing)
    line.work.push()
    line.settle()

    revision = line.revisions("prod")[-1]
    assert (revision.number, revision.rollback_of) == (3, 1)
    assert revision.phase is Phase.SUCCEEDED
    assert on_targets(clusters) == ["eu", "us"]


def test_an_environment_without_it_leaves_its_objects(line, clusters):
    orphan = ENVIRONMENT.replace("onRemove: delete\n", "")
    push(line, {**FILES, "envs/prod/environment.yaml": orphan})

    push(line, GONE)

    assert [r.number for r in line.revisions("prod")] == [1]
    assert on_targets(clusters) == ["eu", "us"]
    assert told(line, "removed") == [
        "prod: the folder envs/prod is gone; its objects stay on their targets"
    ]


def test_rewritten_history_without_the_folder_deletes_nothing(line, clusters):
    push(line, {"README": "x"})
    push(line, FILES)

    line.work.git("reset", "--hard", "HEAD~1")
    line.work.commit({"README": "y"}, "Another way")
    line.work.git("push", "--force", "origin", "HEAD:main")
    line.settle()

    assert on_targets(clusters) == ["eu", "us"]
    [message] = told(line, "removed")
    assert message.endswith(
        "its objects stay on their targets: no commit on the way removed it, so "
        "`onRemove: delete` waits"
    )


def test_a_gate_holds_the_deletion_until_an_approval_in_the_folder_that_is_gone(
    line, clusters
):
    push(line, FILES)
    gate = Gate(target=TargetName("eu"), policy=Policy())
    line.restart(rulebook=Rulebook(gates={gate.target: gate}))

    sha = push(line, GONE)

    assert line.run("prod").step("prune-departed/eu").is_waiting_for_approval
    assert on_targets(clusters) == ["eu", "us"]
    entry = approval(sha, "prune-departed", by=None)
    push(line, {"envs/prod/approvals.yaml": entry})
    assert line.revisions("prod")[-1].phase is Phase.SUCCEEDED
    assert on_targets(clusters) == []


def test_suspend_and_after_of_the_folder_that_is_gone_hold_nothing(line, clusters):
    push(line, FILES)
    push(line, {"envs/prod/environment.yaml": ENVIRONMENT + "suspend: true\n"})

    push(line, GONE)

    assert line.revisions("prod")[-1].phase is Phase.SUCCEEDED
    assert on_targets(clusters) == []


def test_a_failed_deletion_can_be_tried_again(line, clusters):
    push(line, FILES)
    us = clusters.names.pop("us")
    sha = push(line, GONE)
    assert line.revisions("prod")[-1].phase is not Phase.SUCCEEDED
    assert on_targets_of(clusters, us)

    clusters.names["us"] = us
    again = approval(sha, "", by=None, decision="retry")
    push(line, {"envs/prod/approvals.yaml": again})

    assert line.revisions("prod")[-1].phase is Phase.SUCCEEDED
    assert on_targets(clusters) == []


def on_targets_of(clusters, namespace):
    resource = clusters.one.resource("v1", "ConfigMap")
    return clusters.one.get(resource, namespace, "web") is not None


def test_an_environment_that_never_began_has_nothing_to_delete(line):
    held = {**FILES, "envs/prod/environment.yaml": ENVIRONMENT + "suspend: true\n"}
    push(line, held)

    push(line, dict.fromkeys(held))

    assert [r.phase for r in line.revisions("prod")] == [Phase.ABORTED]

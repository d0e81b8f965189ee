"""What could make a prune delete too much: each time what is on the cluster stays."""

import os

import pytest

from gitops_wf.adapters.renderers import Tools
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.yaml_text import read_manifests
from tests import sandbox_process
from tests.gitworktree import unreadable
from tests.namespaces import Namespaces, OwningTypes, config_map
from tests.releases import ReleaseLine

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
ENVIRONMENT = HEAD + "targets: [eu]\n"
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: GROUP
spec:
  group: PREFIX.example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandbox_process.running(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def clusters(sandbox):
    return Namespaces(sandbox.kubeconfig, ("eu",))


@pytest.fixture
def line(tmp_path, clusters):
    line = ReleaseLine(
        tmp_path,
        targets=("eu",),
        catalogue=OwningTypes(),
        capabilities={
            "clusters": clusters,
            "manifests": read_manifests,
            "digest_key": Secret("key"),
            "renderer": Tools(tmp_path / "render"),
        },
    )
    yield line
    line.close()


def push(line, **files):
    """Commit files of prod, by their names with `_` for the dot; None deletes one."""
    line.commit(
        {f"envs/prod/{name.replace('_', '.')}": text for name, text in files.items()}
    )
    line.settle()
    return line.revisions("prod")[-1]


def begin(line, **more):
    files = {"a_yaml": config_map("a"), "b_yaml": config_map("b")}
    revision = push(line, environment_yaml=ENVIRONMENT, **files, **more)
    assert revision.phase is Phase.SUCCEEDED


def present(clusters, *names):
    return [name for name in names if clusters.has("eu", name)]


def test_a_render_of_nothing_deletes_nothing(line, clusters):
    begin(line)

    revision = push(line, a_yaml=None, b_yaml=None, note_yaml="# later\n")

    assert (revision.phase, revision.reason) == (Phase.FAILED, "PruneToEmpty")
    assert "all 2 objects would be deleted: they stay" in revision.message
    assert present(clusters, "a", "b") == ["a", "b"]


def test_an_overlay_that_builds_to_nothing_deletes_nothing(line, clusters):
    begin(line, kustomization_yaml="resources: [a.yaml, b.yaml]\n")

    revision = push(line, kustomization_yaml="resources: []\n")

    assert revision.phase is Phase.FAILED
    assert present(clusters, "a", "b") == ["a", "b"]


def test_a_render_that_fails_deletes_nothing(line, clusters):
    begin(line, kustomization_yaml="resources: [a.yaml, b.yaml]\n")

    revision = push(line, kustomization_yaml="resources: [a.yaml, missing.yaml]\n")

    assert (revision.phase, revision.reason) == (Phase.FAILED, "InvalidDefinition")
    assert "missing.yaml" in revision.message
    assert present(clusters, "a", "b") == ["a", "b"]


def test_a_file_that_is_no_yaml_any_more_deletes_nothing(line, clusters):
    begin(line)

    revision = push(line, b_yaml="<<<<<<< HEAD\n" + config_map("b"))

    assert (revision.phase, revision.reason) == (Phase.FAILED, "InvalidDefinition")
    assert "envs/prod/b.yaml" in revision.message
    assert present(clusters, "a", "b") == ["a", "b"]


def test_a_repository_that_can_be_read_only_in_part_deletes_nothing(line, clusters):
    """The clone is damaged, and the remote cannot be asked for what it lacks."""
    begin(line)
    line.commit({"envs/prod/a.yaml": config_map("a", ", labels: {new: 'yes'}")})
    line.poll()
    line.git.close()
    for pack in line.git.git_dir.rglob("*.pack"):
        pack.chmod(0o600)
        os.truncate(pack, pack.stat().st_size // 2)

    with unreadable(line.remote):
        line.work_off()

    assert line.revisions("prod")[-1].phase is not Phase.SUCCEEDED
    assert present(clusters, "a", "b") == ["a", "b"]


def test_a_lost_store_deletes_only_what_left_git_meanwhile(line, clusters):
    begin(line)
    line.lose_store()
    line.commit({"envs/prod/b.yaml": None, "envs/prod/c.yaml": config_map("c")})

    line.settle()

    assert line.revisions("prod")[-1].phase is Phase.SUCCEEDED
    assert present(clusters, "a", "b", "c") == ["a", "c"]


def test_a_renamed_environment_leaves_what_the_old_one_owns(line, clusters):
    begin(line)

    push(line, environment_yaml=ENVIRONMENT + "name: live\n", b_yaml=None)

    assert present(clusters, "a", "b") == ["a", "b"]


def test_a_kind_whose_definition_is_gone_keeps_nothing_from_being_pruned(
    line, clusters
):
    prefix = clusters.names["eu"]
    crd = CRD.replace("GROUP", f"widgets.{prefix}.example.com").replace(
        "PREFIX", prefix
    )
    widget = (
        f"apiVersion: {prefix}.example.com/v1\nkind: Widget\nmetadata: {{name: w}}\n"
    )
    begin(line, crd_yaml=crd, widget_yaml=widget)
    definition = ObjectRef(
        group="apiextensions.k8s.io",
        kind="CustomResourceDefinition",
        namespace="",
        name=f"widgets.{prefix}.example.com",
    )
    clusters.one.delete(definition, "v1")

    revision = push(line, crd_yaml=None, widget_yaml=None, b_yaml=None)

    assert revision.phase is Phase.SUCCEEDED
    assert present(clusters, "a", "b") == ["a"]

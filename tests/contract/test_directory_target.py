"""A folder as a target: delivery writes files, and keeps them as Git says."""

import stat

import pytest
import yaml

from gitops_wf.adapters.directory_target import DirectoryCluster
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.ports.cluster import ClusterRefusalError, ResourceConflictError
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from gitops_wf.steps.run_job import STEP_TYPE as RUN_JOB
from tests.delivering import World


def deployment():
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 1},
    }


def secret():
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"k": "v"},
    }


@pytest.fixture
def world(tmp_path):
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
        "current-context: x\nusers: [{name: u, user: {token: t}}]\n"
    )
    made = World(kubeconfig=kubeconfig, namespace="shop")
    made.cluster = made.clusters.one = DirectoryCluster(tmp_path / "out")
    return made


def test_an_environment_is_written_and_pruned(world, tmp_path):
    world.write(deployment(), secret())
    first = world.attempt(DEPLOY)
    again = world.attempt(DEPLOY)
    world.write(deployment())
    last = world.attempt(DEPLOY)

    assert first.phase is Phase.SUCCEEDED
    assert first.message == "2 created; 2 healthy"
    assert again.message == "2 unchanged; 2 healthy"
    assert last.message == "1 unchanged, 1 deleted; 1 healthy"
    files = sorted(
        str(path.relative_to(tmp_path / "out"))
        for path in (tmp_path / "out").rglob("*.yaml")
    )
    assert files == [
        "shop/configmap-gitops-wf.shop.prod.yaml",
        "shop/deployment.apps-web.yaml",
    ]
    written = yaml.safe_load((tmp_path / "out" / files[1]).read_text())
    assert written["spec"] == {"replicas": 1}


def test_a_hook_runs_elsewhere_and_so_its_file_stays_and_is_kept_up_to_date(world):
    def job(image):
        marks = {
            "argocd.argoproj.io/hook": "PostSync",
            "argocd.argoproj.io/hook-delete-policy": "HookSucceeded,BeforeHookCreation",
        }
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "smoke", "annotations": marks},
            "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
        }

    world.write(job("a:1"))
    first = world.attempt(DEPLOY)
    world.write(job("a:2"))
    last = world.attempt(DEPLOY)

    assert (first.phase, last.phase) == (Phase.SUCCEEDED, Phase.SUCCEEDED)
    written = world.get("batch/v1", "Job", "smoke")
    assert written["spec"]["template"]["spec"]["containers"] == [{"image": "a:2"}]


def test_a_selector_that_selects_nothing_is_a_mistake(world):
    world.write(deployment())

    with pytest.raises(TerminalError, match="selects none of the 1 objects"):
        world.attempt(DEPLOY, selector="tier=wbe")
    world.environment = {"allow_empty": True}
    assert world.attempt(DEPLOY, selector="tier=wbe").phase is Phase.SUCCEEDED


def test_a_secret_s_file_is_for_its_owner_alone(world, tmp_path):
    world.write(secret())
    world.attempt(DEPLOY)

    mode = (tmp_path / "out" / "shop" / "secret-s.yaml").stat().st_mode

    assert stat.S_IMODE(mode) == 0o600


def test_a_job_is_refused_for_none_would_run(world):
    with pytest.raises(TerminalError, match="target here is a folder"):
        world.attempt(RUN_JOB, image="busybox:1")


@pytest.mark.parametrize("name", ["../../x", "..", "a/b", "", "a\n"])
def test_a_name_never_leads_out_of_the_folder(world, tmp_path, name):
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop"},
    }

    with pytest.raises(ClusterRefusalError, match="is no name of an object"):
        world.cluster.apply(manifest)
    with pytest.raises(ClusterRefusalError, match="is no name of an object"):
        world.cluster.apply(
            {**manifest, "metadata": {"name": "a", "namespace": name or ".."}}
        )
    assert not list(tmp_path.rglob("*.yaml"))


def test_versions_and_uids_guard_writes(world):
    made = world.cluster.create({**deployment(), "metadata": {"name": "a"}})
    ref = ObjectRef.of(made)

    with pytest.raises(ResourceConflictError):
        world.cluster.create(made)
    world.cluster.replace(made)
    with pytest.raises(ResourceConflictError):
        world.cluster.replace(made)
    with pytest.raises(ResourceConflictError):
        world.cluster.delete(ref, "v1", uid="other")
    assert world.cluster.delete(ref, "v1", uid=made["metadata"]["uid"])
    assert not world.cluster.delete(ref, "v1")


def test_a_list_is_of_one_kind_and_its_labels(world):
    for name, labels in (("a", {"x": "1"}), ("b", {"x": "2"}), ("c", {})):
        world.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "shop", "labels": labels},
            }
        )
    resource = world.cluster.resource("v1", "ConfigMap")

    def names(selector):
        found = world.cluster.list(resource, "shop", selector)
        return [each["metadata"]["name"] for each in found]

    assert names("") == ["a", "b", "c"]
    assert names("x") == ["a", "b"]
    assert names("x=2") == ["b"]
    assert not world.cluster.list(resource, "other")

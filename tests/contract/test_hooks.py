"""Hooks on the sandbox: when each runs, runs again, and goes; and waves of a prune."""

import uuid

import pytest

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from gitops_wf.steps.prune_departed import STEP_TYPE as PRUNE_DEPARTED
from tests import sandbox_process
from tests.clusters import eventually
from tests.delivering import World

ARGO = "argocd.argoproj.io"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandbox_process.running(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def world(sandbox):
    name = f"gw-{uuid.uuid4().hex[:8]}"
    made = World(kubeconfig=sandbox.kubeconfig, namespace=name)
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    made.cluster.create(place)
    eventually(lambda: made.get("v1", "ServiceAccount", "default"))
    return made


def argo(**marks):
    return {f"{ARGO}/{key.replace('_', '-')}": value for key, value in marks.items()}


def config_map(name, value="1", **annotations):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "annotations": annotations},
        "data": {"value": value},
    }


def pod_spec(image):
    return {"restartPolicy": "Never", "containers": [{"name": "a", "image": image}]}


def job(name, image="a:1", delay="0s", metadata=None, **annotations):
    pod = {"annotations": {"sandbox.gitops-wf.io/delay": delay}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata or {"name": name, "annotations": annotations},
        "spec": {
            "backoffLimit": 0,
            "template": {"metadata": pod, "spec": pod_spec(image)},
        },
    }


def deploy(world, **properties):
    result = world.attempt(DEPLOY, **properties)
    return world.until_done(DEPLOY, result, **properties)


def live_job(world, name="migrate"):
    return world.get("batch/v1", "Job", name)


def uid(live):
    return live["metadata"]["uid"]


def jobs(world):
    resource = world.cluster.resource("batch/v1", "Job")
    listed = world.cluster.list(resource, world.namespace)
    return {each["metadata"]["name"]: uid(each) for each in listed}


def told(result):
    return {
        each.object.rpartition("/")[2]: (each.change, each.message)
        for each in result.objects
    }


def test_hooks_run_before_and_after_all_else_and_each_is_waited_for(world):
    world.write(
        config_map("settings"),
        job("migrate", delay="1s", **argo(hook="PreSync")),
        job("smoke", delay="1s", **argo(hook="PostSync")),
    )

    first = world.attempt(DEPLOY)
    early = (world.get("v1", "ConfigMap", "settings"), live_job(world, "smoke"))
    last = world.until_done(DEPLOY, first)

    assert first.message.startswith("wave 1 of 3: 1 created; waiting for Job/")
    assert early == (None, None)
    assert last.message == "3 created; 3 healthy"
    assert live_job(world, "smoke")["status"]["succeeded"] == 1


@pytest.mark.parametrize("word", ["Skip", "SyncFail", "PreDelete", "PostDelete"])
def test_a_hook_whose_time_never_comes_is_told_as_skipped_by_plan_and_step(world, word):
    world.write(config_map("settings"), job("clean", **argo(hook=word)))

    planned = {each.ref.name: each for each in world.plan(DEPLOY).objects}
    result = deploy(world)

    assert (planned["clean"].change, planned["clean"].message) == (
        "skipped",
        f"{ARGO}/hook: {word}",
    )
    assert told(result)["clean"] == ("skipped", f"{ARGO}/hook: {word}")
    assert jobs(world) == {}


def test_an_unknown_hook_is_told_with_file_and_line(world):
    world.write(config_map("settings"), job("migrate", **argo(hook="presync")))

    result = world.attempt(DEPLOY)

    assert (result.phase, result.reason) == (Phase.FAILED, "InvalidDefinition")
    assert result.message.startswith(
        f"envs/prod/all.yaml:9: Job/{world.namespace}/migrate: annotation "
        f"{ARGO}/hook: presync is none of PostDelete, PostSync, PreDelete, "
    )


def test_a_hook_that_did_not_change_is_not_run_again_and_costs_no_write(world, sandbox):
    world.write(job("migrate", **argo(hook="PreSync")), config_map("settings"))
    deploy(world)
    before, ran = len(sandbox.writes()), jobs(world)

    result = deploy(world)

    assert result.message == "2 unchanged; 2 healthy"
    assert sandbox.writes()[before:] == []
    assert jobs(world) == ran


def test_a_job_that_changed_is_run_again_and_one_with_other_labels_is_not(world):
    hook = job("migrate", **argo(hook="PreSync"))
    world.write(hook)
    deploy(world)
    ran = jobs(world)

    hook["metadata"]["labels"] = {"chart": "web-2"}
    world.write(hook)
    relabelled = deploy(world)
    labelled = jobs(world)
    world.write(job("migrate", "a:2", **argo(hook="PreSync")))
    changed = deploy(world)

    assert relabelled.message == "1 configured; 1 healthy"
    assert labelled == ran
    assert told(changed)["migrate"] == ("created", "recreated")
    assert jobs(world) != ran


def test_a_pod_that_changed_where_it_could_be_patched_is_run_again(world):
    def pod(image):
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "migrate",
                "annotations": argo(hook="PreSync")
                | {"sandbox.gitops-wf.io/delay": "0s"},
            },
            "spec": pod_spec(image),
        }

    world.write(pod("a:1"))
    world.attempt(DEPLOY, wait=False)
    ran = uid(world.get("v1", "Pod", "migrate"))
    world.write(pod("a:2"))
    [planned] = world.plan(DEPLOY).objects
    world.attempt(DEPLOY, wait=False)

    assert uid(world.get("v1", "Pod", "migrate")) != ran
    assert (planned.change, planned.message.partition(";")[0]) == (
        "created",
        "recreated",
    )


def test_a_hook_that_holds_data_is_never_made_anew(world):
    def claim(size):
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "annotations": argo(hook="PreSync")},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size}},
            },
        }

    world.write(claim("1Gi"))
    deploy(world, wait=False)
    ours = uid(world.get("v1", "PersistentVolumeClaim", "data"))
    world.write(claim("2Gi"))

    with pytest.raises(TerminalError, match="such a field cannot be changed"):
        world.attempt(DEPLOY, wait=False)

    assert uid(world.get("v1", "PersistentVolumeClaim", "data")) == ours


@pytest.mark.parametrize(
    ("policy", "is_run_again"),
    [("BeforeHookCreation", True), ("HookFailed", True), ("HookSucceeded", False)],
)
def test_a_hook_that_failed_is_run_again_by_the_next_attempt(
    world, policy, is_run_again
):
    marks = argo(hook="PreSync", hook_delete_policy=policy)
    world.write(job("migrate", "fail:1", **marks), config_map("settings"))
    first = deploy(world)
    ran = jobs(world)

    again = deploy(world)

    assert (first.phase, again.phase) == (Phase.FAILED, Phase.FAILED)
    assert first.reason == "HealthCheckFailed"
    assert world.get("v1", "ConfigMap", "settings") is None
    assert (jobs(world) != ran) is is_run_again


def test_a_hook_that_goes_once_it_succeeded_is_run_by_each_revision(world):
    marks = argo(hook="PreSync", hook_delete_policy="HookSucceeded")
    world.write(job("migrate", **marks), config_map("settings"))

    first = deploy(world)
    left = jobs(world)
    second = deploy(world)

    assert first.message == "2 created, 1 deleted; 1 healthy"
    assert told(first)["migrate"] == (
        "deleted",
        "hook-delete-policy: succeeded",
    )
    assert left == jobs(world) == {}
    assert second.message == "1 created, 1 unchanged, 1 deleted; 1 healthy"


def test_what_a_hook_runs_as_stays_until_all_is_done(world):
    marks = argo(hook="PreSync", hook_delete_policy="HookSucceeded", sync_wave="-1")
    world.write(
        config_map("rights", **marks),
        job("migrate", delay="1s", **argo(hook="PreSync")),
        job("smoke", delay="1s", **argo(hook="PostSync")),
    )
    result = world.attempt(DEPLOY)
    while "wave 3 of 3" not in result.message:
        assert result.phase is Phase.RUNNING
        result = world.look(DEPLOY, result)
    late = world.get("v1", "ConfigMap", "rights")
    last = world.until_done(DEPLOY, result)

    assert late is not None
    assert last.message == "3 created, 1 deleted; 2 healthy"
    assert world.get("v1", "ConfigMap", "rights") is None


def test_a_hook_of_a_chart_s_install_stays_so_that_no_upgrade_runs_it(world):
    def seed(hook):
        return job(
            "seed",
            **{
                "helm.sh/hook": hook,
                "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
            },
        )

    world.write(seed("post-install"))
    deploy(world)
    ran = jobs(world)
    again = deploy(world)
    world.write(seed("post-install,post-upgrade"))
    upgraded = deploy(world)

    assert again.message == "1 unchanged; 1 healthy"
    assert ran != {}
    assert upgraded.message == "1 configured, 1 deleted; 0 healthy"
    assert jobs(world) == {}


def test_a_look_that_is_made_again_after_it_deleted_a_hook_ends_as_it_would_have(world):
    marks = argo(hook="PostSync", hook_delete_policy="HookSucceeded")
    world.write(job("smoke", **marks))
    result = world.attempt(DEPLOY)
    while "deleting" not in result.message:
        result = world.look(DEPLOY, result)

    once, again = world.look(DEPLOY, result), world.look(DEPLOY, result)

    assert result.message == (
        f"1 created; 1 healthy; deleting Job/{world.namespace}/smoke "
        "(hook-delete-policy: succeeded)"
    )
    assert [once.phase, again.phase] == [Phase.SUCCEEDED] * 2
    assert jobs(world) == {}


def test_a_mark_keeps_a_hook_that_would_go(world):
    marks = argo(
        hook="PreSync", hook_delete_policy="HookSucceeded", sync_options="Prune=false"
    )
    world.write(job("migrate", **marks))

    result = deploy(world)

    assert told(result)["migrate"] == (
        "skipped",
        f"kept: {ARGO}/sync-options: Prune=false",
    )
    assert live_job(world) is not None


def test_a_hook_that_is_gone_after_it_succeeded_is_not_waited_for(world):
    slow = job("smoke", delay="1s", **argo(hook="PostSync"))
    world.write(job("migrate", **argo(hook="PreSync")), slow)
    result = world.attempt(DEPLOY)
    while "wave 2 of 2" not in result.message:
        result = world.look(DEPLOY, result)
    world.cluster.delete(ObjectRef.of(live_job(world)), "v1")

    last = world.until_done(DEPLOY, result)

    assert last.phase is Phase.SUCCEEDED
    assert last.message == "2 created; 1 healthy"


def test_a_hook_without_a_name_has_one_of_its_content(world):
    def smoke(image):
        metadata = {"generateName": "smoke-", "annotations": argo(hook="PostSync")}
        return job("", image, metadata=metadata)

    world.write(config_map("settings"), smoke("a:1"))
    deploy(world)
    first = jobs(world)
    same = deploy(world)
    kept = jobs(world)
    world.write(config_map("settings"), smoke("a:2"))
    changed = deploy(world)

    assert same.message == "2 unchanged; 2 healthy"
    assert kept == first
    assert changed.message == "1 created, 1 unchanged, 1 deleted; 2 healthy"
    assert len(jobs(world)) == 1
    assert jobs(world).keys().isdisjoint(first)


def held(name, wave):
    made = config_map(name, **argo(sync_wave=wave))
    made["metadata"]["finalizers"] = ["example.com/hold"]
    return made


def let_go(world, name):
    live = world.get("v1", "ConfigMap", name)
    metadata = {**live["metadata"], "finalizers": []}
    world.cluster.replace({**live, "metadata": metadata})


def test_what_left_is_deleted_by_waves_backwards_each_once_the_one_after_is_gone(world):
    # What is yet to go is not waited for to be well.
    broken = job("first", "fail:1")
    world.write(config_map("stays"), broken, held("last", "2"))
    world.attempt(DEPLOY, wait=False)
    world.write(config_map("stays"))

    waiting = world.look(DEPLOY, world.attempt(DEPLOY))
    kept = live_job(world, "first")
    let_go(world, "last")
    last = world.until_done(DEPLOY, waiting)

    assert waiting.phase is Phase.RUNNING
    assert waiting.message == (
        "1 unchanged, 1 deleted; 1 healthy; waiting for "
        f"ConfigMap/{world.namespace}/last (finalizers: example.com/hold) to be gone: "
        "the waves before are deleted then"
    )
    assert kept is not None
    assert last.message == "1 unchanged, 2 deleted; 1 healthy"
    assert live_job(world, "first") is None


def test_what_left_is_only_ordered_where_health_is_not_awaited(world):
    world.write(config_map("stays"), config_map("first"), held("last", "2"))
    deploy(world)
    world.write(config_map("stays"))

    result = world.attempt(DEPLOY, wait=False)
    let_go(world, "last")

    assert result.message == "1 unchanged, 2 deleted; health not awaited"
    assert world.get("v1", "ConfigMap", "first") is None


def test_a_deployment_of_a_later_wave_goes_with_its_pods_before_what_it_needs(world):
    labels = {"app": "web"}
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "annotations": argo(sync_wave="1")},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "a", "image": "a:1"}]},
            },
        },
    }
    world.write(config_map("stays"), config_map("settings"), web)
    deploy(world)
    world.write(config_map("stays"))

    last = deploy(world)

    assert last.message == "1 unchanged, 2 deleted; 1 healthy"
    pods = world.cluster.resource("v1", "Pod")
    assert world.cluster.list(pods, world.namespace) == []


def test_what_a_departed_step_owned_goes_by_waves_backwards_too(world):
    world.write(config_map("first"), held("last", "2"))
    deploy(world)
    keep = {"here": ["other"]}
    world.environment["allow_empty"] = True

    waiting = world.attempt(PRUNE_DEPARTED, keep=keep)
    again = world.look(PRUNE_DEPARTED, waiting, keep=keep)
    kept = world.get("v1", "ConfigMap", "first")
    let_go(world, "last")
    last = world.until_done(PRUNE_DEPARTED, again, keep=keep)

    place = f"ConfigMap/{world.namespace}"
    assert waiting.message == again.message
    assert again.message == (
        f"deleted {place}/last; waiting for {place}/last (finalizers: "
        "example.com/hold) to be gone: the waves before are deleted then"
    )
    assert kept is not None
    assert last.phase is Phase.SUCCEEDED
    assert last.outputs["changes"] == "2 deleted"
    assert world.get("v1", "ConfigMap", "first") is None

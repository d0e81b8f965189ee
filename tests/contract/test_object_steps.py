"""The steps about single objects, on the sandbox process and on a real API server."""

import base64
import json
from datetime import timedelta

import pytest

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.inventory import LAST_APPLIED
from gitops_wf.core.phases import Phase
from gitops_wf.ports.cluster import AllowList
from gitops_wf.steps.apply_object import STEP_TYPE as APPLY
from gitops_wf.steps.clean_jobs import STEP_TYPE as CLEAN_JOBS
from gitops_wf.steps.delete_object import STEP_TYPE as DELETE
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from gitops_wf.steps.prune_departed import STEP_TYPE as PRUNE_DEPARTED
from gitops_wf.steps.read_object import STEP_TYPE as READ
from tests.clusters import cluster, eventually, kubeconfig, namespace
from tests.delivering import World
from tests.steps import CANARY

__all__ = ["cluster", "kubeconfig", "namespace"]

HUB = {"apiVersion": "v1", "kind": "ConfigMap"}


@pytest.fixture
def world(kubeconfig, namespace):
    return World(kubeconfig=kubeconfig, namespace=namespace)


def config(name="hub", **data):
    return {**HUB, "metadata": {"name": name}, "data": data}


def deployment(name="web", image="nginx:1"):
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }


def owners(world):
    runner = world.runner(APPLY)
    inventory = runner._delivery.inventory("shop/prod", "here")
    return {str(entry.ref): entry.step for entry in inventory.entries}


def run(world, step_type, *, step="object", **properties):
    world.step = step
    result = world.attempt(step_type, **properties)
    return world.until_done(step_type, result, **properties)


def test_an_object_is_applied_to_the_targets_namespace_and_owned_by_the_step(world):
    result = run(world, APPLY, step="hub", value=config(a="1"))

    made = world.get("v1", "ConfigMap", "hub")
    name = f"ConfigMap/{world.namespace}/hub"
    assert (result.phase, result.message) == (Phase.SUCCEEDED, f"{name} created")
    assert made["data"] == {"a": "1"}
    assert made["metadata"]["labels"]["gitops-wf.io/environment"] == "shop.prod"
    assert owners(world) == {name: "hub"}
    assert result.outputs["output"]["value"]["data"] == {"a": "1"}
    assert result.inventory.completed == {"hub": "inputs-1"}


def test_the_second_attempt_of_the_same_writes_nothing(world):
    run(world, APPLY, value=config(a="1"))
    before = world.get("v1", "ConfigMap", "hub")["metadata"]["resourceVersion"]

    again = run(world, APPLY, value=config(a="1"))

    assert again.message.endswith("hub unchanged")
    after = world.get("v1", "ConfigMap", "hub")["metadata"]["resourceVersion"]
    assert after == before


def test_a_step_that_gives_another_object_deletes_the_one_before(world):
    run(world, APPLY, value=config("old"))

    world.number = 2
    run(world, APPLY, value=config("new"))

    assert world.get("v1", "ConfigMap", "old") is None
    assert list(owners(world)) == [f"ConfigMap/{world.namespace}/new"]


def test_it_does_not_prune_what_other_steps_delivered_and_they_not_its_object(world):
    world.write(config("delivered"))
    run(world, DEPLOY, step="deploy")
    run(world, APPLY, step="hub", value=config())

    world.number = 2
    run(world, DEPLOY, step="deploy")

    assert sorted(owners(world).values()) == ["deploy", "hub"]
    assert world.get("v1", "ConfigMap", "delivered") is not None
    assert world.get("v1", "ConfigMap", "hub") is not None


def test_what_a_step_gave_goes_when_the_step_leaves_the_workflow(world):
    world.write(config("delivered"))
    run(world, DEPLOY, step="deploy")
    run(world, APPLY, step="hub", value=config())

    run(world, PRUNE_DEPARTED, step="prune", keep={"here": ["deploy", "prune"]})

    assert world.get("v1", "ConfigMap", "hub") is None
    assert world.get("v1", "ConfigMap", "delivered") is not None


def test_a_file_of_the_environment_gives_the_object(world):
    world.add(config("filed", b="2"), path="hub/hub.yaml")

    result = run(world, APPLY, file="hub/hub.yaml")

    assert result.phase is Phase.SUCCEEDED
    assert world.get("v1", "ConfigMap", "filed")["data"] == {"b": "2"}
    names = APPLY.files(
        APPLY.properties.model_validate({"file": "hub/hub.yaml"}),
        world.context(APPLY, {"file": "hub/hub.yaml"}).environment,
    )
    assert names == ("envs/prod/hub/hub.yaml",)


def test_a_file_with_two_objects_is_refused_before_anything_is_written(world):
    world.add(config("one"), config("two"), path="both.yaml")

    result = run(world, APPLY, file="both.yaml")

    assert (result.phase, result.reason) == (Phase.FAILED, "InvalidDefinition")
    assert "both.yaml: holds 2 objects" in result.message
    assert world.get("v1", "ConfigMap", "one") is None


def test_a_file_that_is_not_there_is_told(world):
    with pytest.raises(TerminalError, match=r"there is no file envs/prod/none\.yaml"):
        run(world, APPLY, file="none.yaml")


def test_a_waiting_step_is_done_once_its_object_is_current(world, request):
    properties = {"value": deployment(), "wait": True}
    _needs_controllers(request)

    first = world.attempt(APPLY, **properties)
    last = world.until_done(APPLY, first, **properties)

    assert first.phase is Phase.RUNNING
    assert "waiting for Deployment/" in first.message
    assert last.phase is Phase.SUCCEEDED
    assert last.message.endswith("created; Current")
    assert last.outputs["output"]["value"]["status"]["readyReplicas"] == 1


def test_a_waiting_step_fails_with_the_objects_own_reason(world, request):
    _needs_controllers(request)

    result = run(world, APPLY, value=deployment(image="broken:1"), wait=True)

    assert (result.phase, result.reason) == (Phase.FAILED, "HealthCheckFailed")
    assert "ImagePull" in result.message


def test_an_allow_list_holds_for_kinds_and_namespaces(world):
    world.clusters.allow = AllowList(namespaces=(world.namespace,), kinds=("Secret",))
    by_kind = run(world, APPLY, step="hub", value=config())
    elsewhere = {**config(), "metadata": {"name": "hub", "namespace": "other"}}
    world.clusters.allow = AllowList(namespaces=(world.namespace,))
    by_place = run(world, APPLY, step="hub", value=elsewhere)

    assert by_kind.reason == by_place.reason == "InvalidDefinition"
    assert "kind ConfigMap is not allowed" in by_kind.message
    assert by_place.message.startswith("step hub: ConfigMap/other/hub: namespace other")
    assert world.get("v1", "ConfigMap", "hub") is None


def test_a_plan_tells_what_the_step_would_do_and_writes_nothing(world):
    run(world, APPLY, value=config("old"))

    planned = world.plan(APPLY, value=config("new", a="1"))

    changes = {str(each.ref): str(each.change) for each in planned.objects}
    assert changes == {
        f"ConfigMap/{world.namespace}/new": "created",
        f"ConfigMap/{world.namespace}/old": "deleted",
    }
    assert world.get("v1", "ConfigMap", "new") is None
    assert world.get("v1", "ConfigMap", "old") is not None


def test_drift_of_the_object_is_seen_and_healed(world):
    run(world, APPLY, step="hub", value=config(a="1"))
    live = world.get("v1", "ConfigMap", "hub")
    world.cluster.replace({**live, "data": {"a": "changed by hand"}})
    context = world.context(APPLY, {"value": config(a="1")})

    findings = world.runner(APPLY).compare(context, (), max_age=timedelta())
    [drifted] = findings.drifted
    changes = world.runner(APPLY).heal(context, (), {drifted.ref})

    assert str(changes) == "1 configured"
    assert world.get("v1", "ConfigMap", "hub")["data"] == {"a": "1"}


def test_another_environments_object_is_not_taken(world):
    run(world, APPLY, step="hub", value=config(a="1"))
    other = World(kubeconfig=world.kubeconfig, namespace=world.namespace, name="qa")

    result = other.attempt(APPLY, value=config(a="2"))

    assert (result.phase, result.reason) == (Phase.RUNNING, "ObjectClaimed")
    assert world.get("v1", "ConfigMap", "hub")["data"] == {"a": "1"}


def _needs_controllers(request):
    if "real" in request.node.callspec.id:
        pytest.skip("a bare API server has no controllers")


def test_an_object_is_read_for_later_steps(world):
    world.cluster.create(at(world, config(a="1")))

    result = run(world, READ, apiVersion="v1", kind="ConfigMap", name="hub")

    assert result.phase is Phase.SUCCEEDED
    assert result.outputs["output"]["value"]["data"] == {"a": "1"}
    assert "managedFields" not in result.outputs["output"]["value"]["metadata"]
    assert (result.outputs["found"], result.outputs["health"]) == (True, "Current")


def test_a_secrets_values_never_become_outputs(world):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}
    value = {**secret, "stringData": {"password": CANARY}}
    copy = json.dumps(value)
    value["metadata"] = {"name": "db", "annotations": {LAST_APPLIED: copy}}
    world.cluster.create(at(world, value))

    result = run(world, READ, apiVersion="v1", kind="Secret", name="db")

    assert result.outputs["output"]["value"]["data"] == {"password": "***"}
    assert CANARY not in repr(result)
    assert base64.b64encode(CANARY.encode()).decode() not in repr(result)


def test_an_object_that_is_missing_fails_the_step_unless_it_says_otherwise(world):
    named = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none"}

    failed = run(world, READ, **named)
    passed = run(world, READ, **named, ifMissing="succeed")

    text = f"ConfigMap/{world.namespace}/none is not there"
    assert (failed.phase, failed.reason, failed.message) == (
        Phase.FAILED,
        "NotFound",
        text,
    )
    assert passed.phase is Phase.SUCCEEDED
    assert passed.outputs["output"] == {"value": None, "err": text}


def test_nothing_is_read_outside_of_the_allow_lists(world):
    world.clusters.allow = AllowList(namespaces=(world.namespace,), kinds=("Secret",))

    with pytest.raises(TerminalError, match="namespace kube-system is not allowed"):
        run(
            world,
            READ,
            apiVersion="v1",
            kind="Secret",
            name="x",
            namespace="kube-system",
        )
    with pytest.raises(TerminalError, match="kind ConfigMap is not allowed"):
        run(world, READ, apiVersion="v1", kind="ConfigMap", name="x")


def test_one_object_is_deleted_and_a_second_time_is_as_good(world):
    world.cluster.create(at(world, config()))
    named = {"apiVersion": "v1", "kind": "ConfigMap", "name": "hub"}

    first = run(world, DELETE, **named)
    again = run(world, DELETE, **named)

    assert first.message == f"deleted ConfigMap/{world.namespace}/hub"
    assert first.outputs == {"changes": "1 deleted", "deleted": 1}
    assert world.get("v1", "ConfigMap", "hub") is None
    assert again.phase is Phase.SUCCEEDED
    assert again.message == "there was nothing to delete"


def test_a_deletion_is_done_once_the_finalizers_are(world):
    held = config()
    held["metadata"] |= {"finalizers": ["example.com/hold"]}
    world.cluster.create(at(world, held))
    named = {"apiVersion": "v1", "kind": "ConfigMap", "name": "hub"}

    waiting = world.attempt(DELETE, **named)
    still = world.look(DELETE, waiting, **named)
    live = world.get("v1", "ConfigMap", "hub")
    metadata = {k: v for k, v in live["metadata"].items() if k != "finalizers"}
    world.cluster.replace({**live, "metadata": metadata})
    done = world.look(DELETE, still, **named)

    assert (waiting.phase, still.phase) == (Phase.RUNNING, Phase.RUNNING)
    assert "finalizers: example.com/hold" in still.message
    assert done.phase is Phase.SUCCEEDED
    assert done.message == f"deleted ConfigMap/{world.namespace}/hub"


def test_a_selector_deletes_what_it_selects_and_nothing_else(world):
    for name, tier in (("a", "old"), ("b", "old"), ("c", "new")):
        each = config(name)
        each["metadata"] |= {"labels": {"tier": tier}}
        world.cluster.create(at(world, each))

    result = run(world, DELETE, apiVersion="v1", kind="ConfigMap", selector="tier=old")

    assert result.outputs["deleted"] == 2
    left = {name for name in "abc" if world.get("v1", "ConfigMap", name)}
    assert left == {"c"}


def test_what_another_environment_owns_is_not_deleted_nor_anything_beside_it(world):
    other = World(kubeconfig=world.kubeconfig, namespace=world.namespace, name="qa")
    theirs = config("theirs")
    theirs["metadata"] |= {"labels": {"tier": "old"}}
    run(other, APPLY, step="hub", value=theirs)
    free = config("free")
    free["metadata"] |= {"labels": {"tier": "old"}}
    world.cluster.create(at(world, free))

    with pytest.raises(TerminalError, match=r"theirs is of environment shop[./]qa"):
        run(world, DELETE, apiVersion="v1", kind="ConfigMap", selector="tier=old")

    assert world.get("v1", "ConfigMap", "theirs") is not None
    assert world.get("v1", "ConfigMap", "free") is not None


def test_a_label_that_was_taken_off_does_not_open_anothers_object(world):
    other = World(kubeconfig=world.kubeconfig, namespace=world.namespace, name="qa")
    run(other, APPLY, step="hub", value=config("theirs"))
    live = world.get("v1", "ConfigMap", "theirs")
    metadata = {k: v for k, v in live["metadata"].items() if k != "labels"}
    world.cluster.replace({**live, "metadata": metadata})

    with pytest.raises(TerminalError, match="is of environment shop/qa"):
        run(world, DELETE, apiVersion="v1", kind="ConfigMap", name="theirs")


def test_a_part_of_what_another_environment_owns_is_not_deleted(world, request):
    _needs_controllers(request)
    other = World(kubeconfig=world.kubeconfig, namespace=world.namespace, name="qa")
    run(other, APPLY, step="hub", value=deployment(), wait=True)

    with pytest.raises(TerminalError, match=r"Pod/.* is of environment shop[./]qa"):
        run(world, DELETE, apiVersion="v1", kind="Pod", selector="app=web")


def test_an_environments_own_object_may_be_deleted(world):
    run(world, APPLY, step="hub", value=config("mine"))

    result = run(world, DELETE, apiVersion="v1", kind="ConfigMap", name="mine")

    assert result.outputs["deleted"] == 1


def test_no_step_deletes_an_inventory(world):
    run(world, APPLY, step="hub", value=config("mine"))
    name = "gitops-wf.shop.prod"

    with pytest.raises(TerminalError, match="is the daemon's own"):
        run(world, DELETE, apiVersion="v1", kind="ConfigMap", name=name)

    assert owners(world)


def test_what_says_that_it_is_to_be_kept_is_not_deleted(world):
    kept = config("kept")
    kept["metadata"] |= {"annotations": {"gitops-wf.io/prune": "disabled"}}
    world.cluster.create(at(world, kept))

    with pytest.raises(TerminalError, match=r"to be kept.*prune: disabled"):
        run(world, DELETE, apiVersion="v1", kind="ConfigMap", name="kept")


def test_a_plan_of_a_deletion_writes_nothing(world):
    world.cluster.create(at(world, config()))

    planned = world.plan(DELETE, apiVersion="v1", kind="ConfigMap", name="hub")

    [(ref, change)] = [(str(o.ref), str(o.change)) for o in planned.objects]
    assert (ref, change) == (f"ConfigMap/{world.namespace}/hub", "deleted")
    assert world.get("v1", "ConfigMap", "hub") is not None


def job(name, image="busybox:1", **metadata):
    pod = {"containers": [{"name": "main", "image": image}], "restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, **metadata},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


def test_jobs_of_the_environment_that_have_ended_are_cleaned(world, request):
    _needs_controllers(request)
    mine = {"labels": {"gitops-wf.io/environment": "shop.prod"}}
    theirs = {"labels": {"gitops-wf.io/environment": "shop.qa"}}
    for each in (
        job("done", **mine),
        job("failed", "fail:1", **mine),
        job("busy", "hang:1", **mine),
        job("theirs", **theirs),
        job("free"),
    ):
        world.cluster.create(at(world, each))
    run(world, APPLY, step="kept", value=job("delivered"), wait=True)
    for name in ("done", "failed", "theirs", "free"):
        eventually(lambda name=name: ended(world, name))

    result = run(world, CLEAN_JOBS, step="clean")

    assert result.outputs["deleted"] == 2
    left = {j["metadata"]["name"] for j in jobs(world)}
    assert left == {"busy", "theirs", "free", "delivered"}
    assert eventually(lambda: not {"done", "failed"} & job_names(world))


def test_jobs_of_nobody_are_cleaned_by_a_selector_and_running_ones_on_demand(
    world, request
):
    _needs_controllers(request)
    world.cluster.create(at(world, job("free", labels={"app": "seed"})))
    busy = {"labels": {"app": "seed", "gitops-wf.io/environment": "shop.prod"}}
    world.cluster.create(at(world, job("busy", "hang:1", **busy)))
    eventually(lambda: ended(world, "free"))

    nothing = run(world, CLEAN_JOBS, selector="app=seed")
    result = run(world, CLEAN_JOBS, selector="app=seed", owner="any", running=True)

    assert nothing.outputs["deleted"] == 0
    assert result.outputs["deleted"] == 2
    assert jobs(world) == []


def jobs(world):
    resource = world.cluster.resource("batch/v1", "Job")
    return list(world.cluster.list(resource, world.namespace))


def job_names(world):
    pods = world.cluster.list(world.cluster.resource("v1", "Pod"), world.namespace)
    return {pod["metadata"]["labels"].get("job-name") for pod in pods}


def ended(world, name):
    status = world.get("batch/v1", "Job", name).get("status") or {}
    return any(
        c["type"] in {"Complete", "Failed"} for c in status.get("conditions", ())
    )


def at(world, manifest):
    metadata = {**manifest["metadata"], "namespace": world.namespace}
    return {**manifest, "metadata": metadata}

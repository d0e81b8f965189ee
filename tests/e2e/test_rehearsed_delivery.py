"""A rehearsed delivery says what the delivery then does, and the sandbox sees no write."""

import uuid
from types import SimpleNamespace

import pytest

from gitops_wf.core.errors import DefinitionError, TerminalError
from gitops_wf.delivery import ObjectClaimedError
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from gitops_wf.steps.deploy2env import _order as order_of
from tests import sandbox_process
from tests.delivering import World

NEVER_PRUNED = {"gitops-wf.io/prune": "disabled"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandbox_process.running(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def world(sandbox):
    made = World(kubeconfig=sandbox.kubeconfig, namespace=f"gw-{uuid.uuid4().hex[:8]}")
    made.cluster.create(thing("Namespace", made.namespace))
    return made


def thing(kind, name, *, version="v1", metadata=None, **fields):
    head = {"apiVersion": version, "kind": kind}
    return {**head, "metadata": {"name": name, **(metadata or {})}, **fields}


def config_map(name, metadata=None, **data):
    return thing("ConfigMap", name, metadata=metadata, data=data)


def secret(name, **values):
    return thing("Secret", name, stringData=values)


def service(cluster_ip, name="web"):
    spec = {"clusterIP": cluster_ip, "ports": [{"port": 80}]}
    return thing("Service", name, spec=spec)


def definition(group):
    keep = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return thing(
        "CustomResourceDefinition",
        f"widgets.{group}",
        version="apiextensions.k8s.io/v1",
        spec={
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": keep},
                }
            ],
        },
    )


def foretold(planned):
    """What a plan says of each object, and how the step would end."""
    return {(str(each.ref), str(each.change)) for each in planned.objects}


def one(planned, name):
    (found,) = [each for each in planned.objects if each.ref.name == name]
    return found


def deploy(world, **properties):
    """Deliver; return what really happened to each object, and the failure."""
    delivery = world.runner(DEPLOY)._delivery
    order = order_of(world.context(DEPLOY, properties))
    told = {}
    try:
        changes = delivery.deliver(
            order,
            delivery.render(order),
            told=lambda ref, what: told.update({ref: what}),
        )
    except (TerminalError, ObjectClaimedError) as error:
        entries = [each for each in told.values() if not isinstance(each, Exception)]
        return SimpleNamespace(
            done={(str(e.ref), str(e.change)) for e in entries}, failure=str(error)
        )
    return SimpleNamespace(
        done={(str(e.ref), str(e.change)) for e in changes.entries}, failure=""
    )


def written(sandbox, since):
    """The requests since then that were to change something, dry runs aside."""
    return [
        (method, path)
        for method, path in sandbox.requests()[since:]
        if method != "GET" and "dryRun=All" not in path
    ]


def test_each_object_is_foretold_as_the_delivery_then_does_it(world, sandbox):
    stays = config_map("stays", metadata={"annotations": NEVER_PRUNED}, k="1")
    world.write(
        config_map("same", k="1"), config_map("new-value", k="1"), stays,
        config_map("goes", k="1"), secret("login", user="ann", password="hunter22"),
    )  # fmt: skip
    deploy(world)
    world.number = 2
    world.write(
        config_map("same", k="1"), config_map("new-value", k="2"),
        config_map("arrives", k="1"), secret("login", user="ann", password="correct1"),
    )  # fmt: skip
    before = len(sandbox.requests())

    planned = world.plan(DEPLOY)

    assert written(sandbox, before) == []
    assert not planned.failure
    place = world.namespace
    assert foretold(planned) == {
        (f"ConfigMap/{place}/same", "unchanged"),
        (f"ConfigMap/{place}/new-value", "configured"),
        (f"ConfigMap/{place}/arrives", "created"),
        (f"Secret/{place}/login", "configured"),
        (f"ConfigMap/{place}/goes", "deleted"),
        (f"ConfigMap/{place}/stays", "skipped"),
    }
    assert deploy(world).done == foretold(planned)


def test_a_first_delivery_is_foretold(world):
    world.write(config_map("a", k="1"), secret("s", password="hunter22"))

    planned = world.plan(DEPLOY)

    assert one(planned, "a").before is None
    assert one(planned, "a").after["data"] == {"k": "1"}
    assert deploy(world).done == foretold(planned)


def test_what_is_settled_costs_no_request_of_its_own(world, sandbox):
    world.write(*(config_map(f"c{number}", k="1") for number in range(30)))
    deploy(world)
    before = len(sandbox.requests())

    planned = world.plan(DEPLOY)

    assert {each.change for each in planned.objects} == {"unchanged"}
    assert len(sandbox.requests()) - before <= 8


def test_values_of_secrets_are_masked_and_their_changes_seen(world):
    world.write(secret("s", same="kept-as-is", other="hunter22"))
    deploy(world)
    world.write(secret("s", same="kept-as-is", other="correct1", more="new-value"))

    found = one(world.plan(DEPLOY), "s")

    assert found.before["data"] == {"same": "***", "other": "*** (before)"}
    assert found.after["data"] == {
        "same": "***", "other": "*** (after)", "more": "***",
    }  # fmt: skip


def test_an_immutable_field_is_refused_as_the_delivery_is(world):
    world.write(service("10.96.0.10"))
    deploy(world)
    world.write(service("10.96.0.11"), config_map("beside", k="1"))

    planned = world.plan(DEPLOY)

    assert planned.reason == "Immutable"
    assert one(planned, "web").change is None
    assert "such a field cannot be changed" in one(planned, "web").refusal
    real = deploy(world)
    assert real.failure == planned.failure
    assert real.done == foretold(planned) - {
        (f"Service/{world.namespace}/web", "None")
    } == {(f"ConfigMap/{world.namespace}/beside", "created")}  # fmt: skip


def test_an_object_that_is_recreated_is_foretold(world, sandbox):
    world.write(service("10.96.0.20"))
    deploy(world)
    world.write(service("10.96.0.21"))
    before = len(sandbox.requests())

    planned = world.plan(DEPLOY, force=True)

    assert written(sandbox, before) == []
    assert one(planned, "web").message.startswith("recreated")
    assert deploy(world, force=True).done == foretold(planned)


def test_a_conflict_names_the_other_manager(world):
    world.write(config_map("a", k="1"))
    deploy(world)
    live = world.get("v1", "ConfigMap", "a")
    world.cluster.replace({**live, "data": {"k": "by hand"}})

    planned = world.plan(DEPLOY)

    assert planned.reason == "Conflict"
    assert '"gitops-wf" owns .data.k' in one(planned, "a").refusal
    assert deploy(world).failure == planned.failure


def test_what_comes_after_a_refusal_is_said_not_to_be_reached(world):
    world.write(service("10.96.0.30"))
    deploy(world)
    web = thing(
        "Deployment", "late", version="apps/v1",
        spec={
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "nginx:1"}]},
            },
        },
    )  # fmt: skip
    world.write(service("10.96.0.31"), web)

    planned = world.plan(DEPLOY)

    assert one(planned, "late").change is None
    assert one(planned, "late").message == "not reached: the step fails before"
    assert deploy(world).done == set()


def test_objects_in_a_namespace_of_the_same_commit_are_foretold(world, sandbox):
    place = f"{world.namespace}-two"
    world.write(thing("Namespace", place), config_map("a", {"namespace": place}, k="1"))
    before = len(sandbox.requests())

    planned = world.plan(DEPLOY)

    assert written(sandbox, before) == []
    assert not planned.failure
    assert one(planned, "a").change == "created"
    assert "its namespace is new, too" in one(planned, "a").message
    assert deploy(world).done == foretold(planned)


def test_the_target_s_own_namespace_may_come_with_the_same_commit(world):
    world.clusters.place = place = f"{world.namespace}-own"
    world.write(thing("Namespace", place), config_map("a", k="1"))

    planned = world.plan(DEPLOY)

    assert not planned.failure
    assert deploy(world).done == foretold(planned)


def test_a_namespace_that_nobody_makes_fails_the_plan_as_the_delivery(world):
    world.clusters.place = f"{world.namespace}-none"
    world.write(config_map("a", k="1"))

    planned = world.plan(DEPLOY)

    assert planned.reason == "NamespaceNotFound"
    assert deploy(world).failure == planned.failure


def test_objects_of_a_kind_of_the_same_commit_are_foretold(world, sandbox):
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    widget = thing("Widget", "w", version=f"{group}/v1", spec={"size": 1})
    world.write(definition(group), widget)
    before = len(sandbox.requests())

    planned = world.plan(DEPLOY)

    assert written(sandbox, before) == []
    assert not planned.failure
    assert "its kind is new, too" in one(planned, "w").message
    assert deploy(world).done == foretold(planned)


def test_what_leaves_git_as_it_is_taken_over_from_kubectl_is_seen_to_go(world):
    last = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    place = world.namespace
    by_kubectl = config_map(
        "a", {"annotations": last, "namespace": place}, k="1", l="1"
    )
    made = world.cluster.create(by_kubectl)
    made["metadata"]["managedFields"][0]["manager"] = "kubectl-client-side-apply"
    world.cluster.replace(made)
    world.write(config_map("a", k="2"))

    found = one(world.plan(DEPLOY), "a")

    assert found.change == "configured"
    assert found.before["data"] == {"k": "1", "l": "1"}
    deploy(world)
    live = world.get("v1", "ConfigMap", "a")
    assert found.after["data"] == live["data"] == {"k": "2"}
    assert "annotations" not in live["metadata"]
    assert not found.after["metadata"].get("annotations")


def test_an_empty_render_is_refused_as_the_delivery_is(world):
    world.write(config_map("a", k="1"))
    deploy(world)
    world.content.files.clear()

    planned = world.plan(DEPLOY)

    assert planned.reason == "PruneToEmpty"
    assert deploy(world).failure == planned.failure


def test_another_environment_s_object_is_refused_as_the_delivery_is(world, sandbox):
    other = World(kubeconfig=sandbox.kubeconfig, namespace=world.namespace, name="qa")
    other.write(config_map("shared", k="1"))
    deploy(other)
    world.write(config_map("shared", k="2"))

    planned = world.plan(DEPLOY)

    assert planned.reason == "ObjectClaimed"
    assert deploy(world).failure == planned.failure


def test_a_file_that_cannot_be_read_is_an_error_with_its_line(world):
    world.write({"kind": "ConfigMap", "metadata": {"name": "a"}})

    with pytest.raises(DefinitionError, match=r"all\.yaml:1: .*apiVersion"):
        world.plan(DEPLOY)


def test_a_plan_refuses_clusters_that_would_be_written_to(world):
    world.write(config_map("a", k="1"))

    with pytest.raises(TypeError, match="write nothing"):
        world.runner(DEPLOY).plan(world.context(DEPLOY, {}))

"""Delivery on the sandbox process: what its own request log and objects witness."""

import re
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml

from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.delivery.inventories import InventoryStore, Writer
from gitops_wf.ports.cluster import AllowList, ClusterUnavailableError
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from tests import sandbox_process
from tests.clusters import allow, eventually, of_account
from tests.delivering import NOW, World
from tests.webhooks import configuration, webhook


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandbox_process.running(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def make(sandbox):
    """Environments that share one new namespace."""
    namespace = f"gw-{uuid.uuid4().hex[:8]}"
    worlds = []

    def world(**fields):
        made = World(kubeconfig=sandbox.kubeconfig, namespace=namespace, **fields)
        if not worlds:
            made.cluster.create(
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": namespace},
                }
            )
        worlds.append(made)
        return made

    return world


@pytest.fixture
def world(make):
    return make()


def config_map(name="config", metadata=None, **data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **(metadata or {})},
        "data": data,
    }


def deployment(image="nginx:1", name="web", **metadata):
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **metadata},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": image,
                            "ports": [{"containerPort": 80}],
                        }
                    ]
                },
            },
        },
    }


def inventory_store(world):
    return InventoryStore(
        cluster=world.cluster,
        namespace=world.namespace,
        environment=EnvironmentId(f"shop/{world.name}"),
    )


def inventory(world):
    return inventory_store(world).read()


def owned(world):
    return [str(entry.ref) for entry in inventory(world).entries]


def deploy(world, **properties):
    result = world.attempt(DEPLOY, **properties)
    return world.until_done(DEPLOY, result, **properties)


def test_a_webhook_that_says_no_fails_the_step_in_its_words(world, tmp_path):
    with webhook(tmp_path) as hook:
        hook.denies("data must be signed")
        unsigned = {"matchLabels": {"signed": "no"}}
        made = configuration(world.namespace, hook.client(), objectSelector=unsigned)
        world.cluster.create(made)
        world.write(config_map(metadata={"labels": {"signed": "no"}}))

        with pytest.raises(TerminalError) as caught:
            deploy(world)

    assert str(caught.value) == (
        f"ConfigMap/{world.namespace}/config: apply: not admitted (400): admission "
        'webhook "check.example.com" denied the request: data must be signed'
    )


def test_what_the_roles_do_not_allow_fails_the_step(sandbox, world, tmp_path):
    core = {"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}
    read = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}
    allow(world.cluster, world.namespace, core, read)
    limited = World(
        kubeconfig=of_account(sandbox.kubeconfig, world.namespace, tmp_path),
        namespace=world.namespace,
    )
    limited.write(config_map(), deployment())

    with pytest.raises(TerminalError) as caught:
        deploy(limited)

    assert str(caught.value) == (
        f"Deployment/{world.namespace}/web: apply: forbidden (403): deployments.apps "
        f'"web" is forbidden: User "system:serviceaccount:{world.namespace}:deployer" '
        'cannot patch resource "deployments" in API group "apps" in the namespace '
        f'"{world.namespace}" (applied before: 1 created)'
    )


def test_pods_over_the_quota_are_told_while_the_step_waits(world):
    hard = {"pods": "0"}
    quota = {"metadata": {"name": "team", "namespace": world.namespace}}
    head = {"apiVersion": "v1", "kind": "ResourceQuota"}
    world.cluster.create({**head, **quota, "spec": {"hard": hard}})
    eventually(lambda: world.get("v1", "ResourceQuota", "team")["status"].get("hard"))
    world.write(deployment())

    result = world.attempt(DEPLOY)
    result = eventually(
        lambda: (
            found if "quota" in (found := world.look(DEPLOY, result)).message else None
        )
    )

    assert result.phase is Phase.RUNNING
    assert re.sub(r"web-\w+-\w+", "web-x", result.message) == (
        f"1 created; waiting for Deployment/{world.namespace}/web: 0 of 1 replicas "
        'updated: FailedCreate: pods "web-x" is forbidden: exceeded quota: team, '
        "requested: pods=1, used: pods=0, limited: pods=0"
    )


def test_a_first_apply_creates_all_and_waits_until_they_are_healthy(world):
    slow = deployment()
    slow["spec"]["template"]["metadata"]["annotations"] = {
        "sandbox.gitops-wf.io/delay": "2s"
    }
    world.write(config_map(k="1"), slow)

    first = world.attempt(DEPLOY)
    last = world.until_done(DEPLOY, first)

    assert first.phase is Phase.RUNNING
    assert first.digest == first.outputs["digest"] != "", "an approval may pin it"
    assert "Deployment/" in first.message
    assert last.phase is Phase.SUCCEEDED
    assert last.message == "2 created; 2 healthy"
    assert world.get("v1", "ConfigMap", "config")["data"] == {"k": "1"}
    assert owned(world) == [
        f"ConfigMap/{world.namespace}/config",
        f"Deployment/{world.namespace}/web",
    ]
    assert inventory(world).inputs == "inputs-1"


def test_a_second_apply_of_the_same_writes_nothing(world, sandbox):
    world.write(config_map(k="1"), deployment())
    deploy(world)
    before = len(sandbox.writes())

    result = deploy(world)

    assert result.message == "2 unchanged; 2 healthy"
    assert sandbox.writes()[before:] == []


def test_an_unchanged_apply_asks_once_for_each_kind(world, sandbox):
    world.write(*(config_map(f"c{number}", k="1") for number in range(20)))
    deploy(world)
    before = len(sandbox.requests())

    deploy(world)

    reads = [path for method, path in sandbox.requests()[before:] if method == "GET"]
    assert len(reads) <= 6, reads


def test_only_what_changed_is_written(world):
    world.write(config_map("a", k="1"), config_map("b", k="1"))
    deploy(world)
    world.number = 2
    world.write(config_map("a", k="2"), config_map("b", k="1"))

    result = deploy(world)

    assert result.message == "1 configured, 1 unchanged; 2 healthy"
    assert world.get("v1", "ConfigMap", "a")["data"] == {"k": "2"}
    assert inventory(world).number == 2


def test_another_revision_of_the_same_content_writes_the_inventory_alone(
    world, sandbox
):
    world.write(config_map("a", k="1"))
    deploy(world)
    before = len(sandbox.writes())
    world.number = 2

    deploy(world)

    writes = sandbox.writes()[before:]
    assert {method for method, _ in writes} == {"PUT"}
    assert all("/configmaps/gitops-wf.shop" in path for _, path in writes)


def test_an_object_that_is_going_away_is_applied_when_it_is_gone(world):
    held = config_map("a", metadata={"finalizers": ["example.com/hold"]})
    world.write(held)
    deploy(world)
    live = world.get("v1", "ConfigMap", "a")
    world.cluster.delete(ObjectRef.of(live), "v1")

    with pytest.raises(TransientError, match="is being deleted"):
        deploy(world)

    live = world.get("v1", "ConfigMap", "a")
    live["metadata"]["finalizers"] = []
    world.cluster.replace(live)
    assert deploy(world).message == "1 created; 1 healthy"


def test_a_field_that_leaves_git_leaves_the_cluster(world):
    world.write(config_map(k="1", l="1"))
    deploy(world)
    world.write(config_map(k="1"))

    deploy(world)

    assert world.get("v1", "ConfigMap", "config")["data"] == {"k": "1"}


def test_a_change_by_hand_is_a_conflict_that_names_who(world):
    world.write(config_map(k="1"))
    deploy(world)
    live = world.get("v1", "ConfigMap", "config")
    world.cluster.replace({**live, "data": {"k": "by hand"}})

    with pytest.raises(TerminalError) as caught:
        deploy(world)

    assert caught.value.reason == "Conflict"
    assert '"gitops-wf" owns .data.k' in str(caught.value)
    assert "forceConflicts" in str(caught.value)
    assert deploy(world, forceConflicts=True).phase is Phase.SUCCEEDED
    assert world.get("v1", "ConfigMap", "config")["data"] == {"k": "1"}


def test_what_kubectl_apply_made_is_taken_over_whole(world):
    by_kubectl = world.cluster.create(
        {
            **config_map(k="old", gone="1"),
            "metadata": {"name": "config", "namespace": world.namespace},
        }
    )
    entry = by_kubectl["metadata"]["managedFields"][0]
    entry["manager"] = "kubectl-client-side-apply"
    world.cluster.replace(by_kubectl)
    world.write(config_map(k="new"))

    result = deploy(world)

    assert result.phase is Phase.SUCCEEDED
    live = world.get("v1", "ConfigMap", "config")
    assert live["data"] == {"k": "new"}
    managers = {each["manager"] for each in live["metadata"]["managedFields"]}
    assert managers == {"gitops-wf"}


def test_an_immutable_field_is_explained_and_force_recreates(world):
    world.write(deployment())
    deploy(world)
    before = world.get("apps/v1", "Deployment", "web")["metadata"]["uid"]
    other = deployment()
    for labels in (
        other["spec"]["selector"]["matchLabels"],
        other["spec"]["template"]["metadata"]["labels"],
    ):
        labels["app"] = "other"
    world.write(other)

    with pytest.raises(TerminalError, match=r"gitops-wf\.io/force") as caught:
        deploy(world)

    assert caught.value.reason == "Immutable"
    other["metadata"]["annotations"] = {"gitops-wf.io/force": "enabled"}
    world.write(other)
    assert deploy(world).phase is Phase.SUCCEEDED
    assert world.get("apps/v1", "Deployment", "web")["metadata"]["uid"] != before


def test_what_left_git_is_pruned(world):
    world.write(config_map("a"), config_map("b"))
    deploy(world)
    world.write(config_map("a"))

    result = deploy(world)

    assert result.message == "1 unchanged, 1 deleted; 1 healthy"
    assert world.get("v1", "ConfigMap", "b") is None
    assert owned(world) == [f"ConfigMap/{world.namespace}/a"]


def test_nothing_is_pruned_to_empty(world):
    world.write(config_map("a"))
    deploy(world)
    world.write(path="empty.yaml")

    with pytest.raises(TerminalError, match="allowEmpty") as caught:
        deploy(world)

    assert caught.value.reason == "PruneToEmpty"
    assert world.get("v1", "ConfigMap", "a") is not None
    world.environment = {"allow_empty": True}
    assert deploy(world).phase is Phase.SUCCEEDED
    assert world.get("v1", "ConfigMap", "a") is None


@pytest.mark.parametrize(
    "annotations",
    [
        {"gitops-wf.io/prune": "disabled"},
        {"kustomize.toolkit.fluxcd.io/prune": "disabled"},
        {"argocd.argoproj.io/sync-options": "Validate=false, Prune=false"},
    ],
)
def test_what_says_so_is_kept(world, annotations):
    world.write(config_map("a"), config_map("b", metadata={"annotations": annotations}))
    deploy(world)
    world.write(config_map("a"))

    result = deploy(world)

    assert "1 skipped" in result.message
    assert world.get("v1", "ConfigMap", "b") is not None


def test_a_namespace_is_pruned_only_where_it_allows_it(world):
    name = f"{world.namespace}-extra"
    extra = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    world.write(config_map("a"), extra)
    deploy(world)
    world.write(config_map("a"))

    deploy(world)

    assert world.get("v1", "Namespace", name)["status"]["phase"] == "Active"
    assert f"Namespace/{name}" in owned(world)


def test_prune_may_be_left_out(world):
    world.write(config_map("a"), config_map("b"))
    deploy(world)
    world.write(config_map("a"))

    deploy(world, prune=False)

    assert world.get("v1", "ConfigMap", "b") is not None
    assert len(owned(world)) == 2


def test_an_object_that_finalizers_hold_stays_in_the_inventory(world):
    held = config_map("b", metadata={"finalizers": ["example.com/hold"]})
    world.write(config_map("a"), held)
    deploy(world)
    world.write(config_map("a"))

    result = deploy(world)

    assert result.phase is Phase.SUCCEEDED
    assert f"ConfigMap/{world.namespace}/b" in owned(world)
    live = world.get("v1", "ConfigMap", "b")
    live["metadata"]["finalizers"] = []
    world.cluster.replace(live)
    deploy(world)
    assert owned(world) == [f"ConfigMap/{world.namespace}/a"]


def test_a_partial_failure_prunes_nothing_and_keeps_the_inventory(world):
    world.write(config_map("a"), config_map("b"))
    deploy(world)
    broken = deployment()
    broken["spec"]["replicas"] = -1
    world.number = 2
    world.write(config_map("a"), config_map("c"), broken)

    with pytest.raises(TerminalError, match=r"spec\.replicas") as caught:
        deploy(world)

    assert "applied before" in str(caught.value)
    assert world.get("v1", "ConfigMap", "b") is not None
    assert owned(world) == [f"ConfigMap/{world.namespace}/{name}" for name in "abc"] + [
        f"Deployment/{world.namespace}/web"
    ]
    assert inventory(world).inputs == ""


def test_a_broken_image_fails_fast_with_the_pod_s_own_reason(world):
    world.write(deployment())
    deploy(world)
    world.write(deployment("nginx:broken"))

    result = deploy(world)

    assert result.phase is Phase.FAILED
    assert result.reason == "HealthCheckFailed"
    assert f"Deployment/{world.namespace}/web: Pod web-" in result.message
    assert 'ImagePullBackOff: Back-off pulling image "nginx:broken"' in result.message
    world.write(deployment())
    assert deploy(world).phase is Phase.SUCCEEDED


def nowhere(world, unused):
    """The same environment on a server that is down: nobody listens at its port."""
    unused.bind(("127.0.0.1", 0))
    server = f"http://127.0.0.1:{unused.getsockname()[1]}"
    path = world.kubeconfig.parent / f"down-{uuid.uuid4().hex}"
    path.write_text(sandbox_process.KUBECONFIG.format(server=server, token="t"))
    return World(kubeconfig=path, namespace=world.namespace)


def test_a_server_that_is_down_is_worth_another_try(world):
    with socket.socket() as unused:
        other = nowhere(world, unused)
        other.write(config_map("a"))

        with pytest.raises(ClusterUnavailableError, match="unreachable") as caught:
            deploy(other)

    server = yaml.safe_load(other.kubeconfig.read_text())["clusters"][0]["cluster"]
    assert server["server"] in str(caught.value)


def test_a_wrong_token_is_told_with_the_mend(world):
    world.write(config_map("a"))
    text = world.kubeconfig.read_text().replace(sandbox_process.TOKEN, "wrong")
    wrong = world.kubeconfig.parent / f"wrong-{uuid.uuid4().hex}"
    wrong.write_text(text)
    other = World(kubeconfig=wrong, namespace=world.namespace)
    other.write(config_map("a"))

    with pytest.raises(TransientError, match=r"credentials not accepted.*renew it"):
        deploy(other)


def test_two_environments_that_claim_one_object_are_both_named(make):
    first, second = make(name="prod"), make(name="staging")
    first.write(config_map("a", k="1"))
    second.write(config_map("a", k="2"))
    deploy(first)

    waiting = second.attempt(DEPLOY)

    assert waiting.phase is Phase.RUNNING
    assert "shop/staging wants it, and shop/prod has it" in waiting.message
    second.later(timedelta(minutes=2))
    failed = second.look(DEPLOY, waiting, started=NOW)
    assert (failed.phase, failed.reason) == (Phase.FAILED, "ObjectClaimed")
    assert "shop/staging wants it, and shop/prod has it" in failed.message
    assert first.get("v1", "ConfigMap", "a")["data"] == {"k": "1"}


def test_an_object_moves_to_another_environment_and_is_never_deleted(make):
    """In one commit; the environment that gets it comes first, and waits."""
    first, second = make(name="prod"), make(name="staging")
    first.write(config_map("a", k="1"), config_map("b"))
    deploy(first)
    before = first.get("v1", "ConfigMap", "a")["metadata"]["uid"]
    first.write(config_map("b"))
    second.write(config_map("a", k="2"))
    waiting = second.attempt(DEPLOY)
    assert waiting.phase is Phase.RUNNING

    left = deploy(first)
    second.later(timedelta(seconds=6))
    came = second.look(DEPLOY, waiting, started=NOW)

    assert left.message.startswith("1 unchanged, 1 skipped")
    assert came.phase is Phase.SUCCEEDED
    after = first.get("v1", "ConfigMap", "a")
    assert (after["metadata"]["uid"], after["data"]) == (before, {"k": "2"})
    assert owned(second) == [f"ConfigMap/{second.namespace}/a"]
    assert owned(first) == [f"ConfigMap/{first.namespace}/b"]


def test_what_another_environment_only_labelled_is_taken_over_at_once(make):
    """Its inventory was lost, or no longer names the object: the label says nothing."""
    first, second = make(name="prod"), make(name="staging")
    first.write(config_map("a"), config_map("b"))
    deploy(first)
    drop(first, "a")
    second.write(config_map("a", k="2"))

    assert deploy(second).phase is Phase.SUCCEEDED
    assert first.get("v1", "ConfigMap", "a")["data"] == {"k": "2"}


def drop(world, name):
    """Take an object out of an inventory, as an earlier prune would have."""
    kept = inventory_store(world)
    kept.update(
        Writer(instance=world.instance, now=world.now),
        lambda old: replace(
            old, entries=tuple(e for e in old.entries if e.ref.name != name)
        ),
    )


def test_a_second_daemon_is_noticed_unless_it_adopts_or_the_first_is_gone(make):
    first, second = make(), make(instance="two")
    first.write(config_map("a"))
    second.write(config_map("a"))
    deploy(first)

    with pytest.raises(TerminalError, match="instance one") as caught:
        deploy(second)

    assert caught.value.reason == "OwnedByAnother"
    third = make(instance="three", adopt=True)
    third.write(config_map("a"))
    assert deploy(third).phase is Phase.SUCCEEDED
    second.later(timedelta(days=2))
    assert deploy(second).phase is Phase.SUCCEEDED


def test_two_steps_on_one_target_do_not_prune_each_other(world):
    world.add(config_map("a"), path="one/a.yaml")
    world.add(config_map("b"), path="two/b.yaml")
    for path in ("one", "two", "one"):
        properties = {"path": path}
        context = world.context(DEPLOY, properties, step=f"deploy-{path}")
        assert world.runner(DEPLOY).attempt(context).phase is Phase.SUCCEEDED

    assert world.get("v1", "ConfigMap", "a") is not None
    assert world.get("v1", "ConfigMap", "b") is not None
    steps = {entry.step for entry in inventory(world).entries}
    assert steps == {"deploy-one", "deploy-two"}


def test_steps_that_deliver_at_once_all_stand_in_the_inventory(world):
    for number in range(8):
        world.add(config_map(f"c{number}"), path=f"p{number}/a.yaml")
    runner = world.runner(DEPLOY)
    contexts = [
        world.context(DEPLOY, {"path": f"p{number}"}, step=f"deploy-{number}")
        for number in range(8)
    ]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(runner.attempt, contexts))

    assert {str(result.phase) for result in results} == {"Succeeded"}
    assert owned(world) == [
        f"ConfigMap/{world.namespace}/c{number}" for number in range(8)
    ]
    assert inventory(world).inputs == "inputs-1"


def test_the_target_s_own_namespace_may_stand_in_git(world):
    world.namespace = world.clusters.place = f"{world.namespace}-new"
    world.write(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": world.namespace},
        },
        config_map("a"),
    )

    assert deploy(world).phase is Phase.SUCCEEDED


def test_the_target_s_own_namespace_goes_only_where_it_allows_it(world):
    world.namespace = world.clusters.place = f"{world.namespace}-own"
    own = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": world.namespace},
    }
    world.write(own, config_map("a"))
    deploy(world)
    world.write(config_map("a"))

    result = deploy(world)

    assert result.phase is Phase.SUCCEEDED
    assert "1 skipped" in result.message
    assert world.get("v1", "Namespace", world.namespace)["status"]["phase"] == "Active"
    assert f"Namespace/{world.namespace}" in owned(world)


def test_a_missing_namespace_is_said_to_be_missing(world):
    world.namespace = world.clusters.place = "gw-not-there"
    world.write(config_map("a"))

    with pytest.raises(TerminalError, match="of target here does not exist: create it"):
        deploy(world)


def test_an_allow_list_is_kept(world, sandbox):
    world.clusters.allow = AllowList(namespaces=("other",))
    world.write(config_map("a"))
    before = len(sandbox.writes())

    result = world.attempt(DEPLOY)

    assert result.is_final
    assert "namespace " in result.message
    assert len(sandbox.writes()) == before


def test_a_definition_error_writes_nothing(world, sandbox):
    world.write(config_map("a"), {"apiVersion": "v1", "metadata": {"name": "x"}})
    before = len(sandbox.writes())

    result = world.attempt(DEPLOY)

    assert result.phase is Phase.FAILED
    assert result.reason == "InvalidDefinition"
    assert result.message.startswith("envs/prod/all.yaml:7: manifest has no kind")
    assert len(sandbox.writes()) == before


def test_departed_steps_are_left_to_the_daemon_that_owns_them(make):
    world = make()
    world.write(config_map("a"), config_map("b"))
    deploy(world)
    other = make(instance="two")

    with pytest.raises(TerminalError, match="is delivered by another daemon"):
        other.runner(DEPLOY)._delivery.prune_departed(
            EnvironmentId("shop/prod"),
            TargetName("here"),
            keep=[],
            allow_empty=True,
            now=world.now,
        )

    assert world.get("v1", "ConfigMap", "a") is not None


def test_departed_steps_leave_no_objects(world):
    world.write(config_map("a"))
    deploy(world)
    context = world.context(DEPLOY, {}, step="renamed")
    world.write(config_map("b"))
    assert world.runner(DEPLOY).attempt(context).phase is Phase.SUCCEEDED

    delivery = world.runner(DEPLOY)._delivery
    changes = delivery.prune_departed(
        EnvironmentId("shop/prod"), TargetName("here"), keep=["renamed"], now=world.now
    )

    assert str(changes) == "1 deleted"
    assert owned(world) == [f"ConfigMap/{world.namespace}/b"]
    assert world.get("v1", "ConfigMap", "a") is None
    assert inventory(world).inputs == "inputs-1"


def test_a_custom_kind_may_come_with_its_definition(world, sandbox):
    group = f"{world.namespace}.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a"}}
    world.write(thing, definition)

    assert deploy(world).phase is Phase.SUCCEEDED
    assert world.get(f"{group}/v1", "Thing", "a") is not None
    before = len(sandbox.requests())
    assert deploy(world).message == "2 unchanged; 2 healthy"
    again = [path for _, path in sandbox.requests()[before:]]
    assert not [path for path in again if path.endswith(f"/things.{group}")]


def wave(number, needs=None):
    annotations = {"argocd.argoproj.io/sync-wave": str(number)}
    return {"annotations": annotations}


def slow(name="first", number=1, delay="1s"):
    """A Deployment that the sandbox takes a while to make healthy."""
    made = deployment(name=name, **wave(number))
    made["spec"]["template"]["metadata"]["annotations"] = {
        "sandbox.gitops-wf.io/delay": delay
    }
    return made


def test_a_wave_is_applied_when_the_one_before_is_healthy(world):
    world.write(slow(), config_map("second", metadata=wave(2)), config_map("zeroth"))

    first = world.attempt(DEPLOY)
    held = world.get("v1", "ConfigMap", "second")
    last = world.until_done(DEPLOY, first)

    place = f"Deployment/{world.namespace}/first"
    # The wave 0 was healthy at once, so the attempt went on with the next.
    assert first.message.startswith(f"wave 2 of 3: 2 created; waiting for {place}: "), (
        first.message
    )
    assert held is None
    assert world.get("v1", "ConfigMap", "second") is not None
    assert last.message == "3 created; 3 healthy"
    assert inventory(world).inputs == "inputs-1"


def test_a_wave_waits_for_what_its_objects_depend_on(world):
    needs = f"apps/namespaces/{world.namespace}/Deployment/first"
    second = config_map(
        "second", metadata={"annotations": {"config.kubernetes.io/depends-on": needs}}
    )
    world.write(slow(number=0), second)

    first = world.attempt(DEPLOY)
    held = world.get("v1", "ConfigMap", "second")
    last = world.until_done(DEPLOY, first)

    assert first.message.startswith("wave 1 of 2: 1 created; waiting for ")
    assert held is None
    assert last.message == "2 created; 2 healthy"


def test_nothing_is_pruned_before_the_last_wave(world):
    world.write(config_map("a"), config_map("old"))
    deploy(world)
    world.write(config_map("a"), slow(number=0), config_map("b", metadata=wave(1)))

    first = world.attempt(DEPLOY)
    kept = world.get("v1", "ConfigMap", "old")
    last = world.until_done(DEPLOY, first)

    assert first.message.startswith("wave 1 of 2: 1 created, 1 unchanged; waiting")
    assert kept is not None
    assert last.message == "2 created, 1 unchanged, 1 deleted; 3 healthy"
    assert world.get("v1", "ConfigMap", "old") is None


def test_a_wave_that_fails_ends_the_step_before_the_next(world):
    world.write(
        deployment("nginx:broken", **wave(0)),
        config_map("second", metadata=wave(1)),
    )

    last = deploy(world)

    assert last.phase is Phase.FAILED
    assert last.reason == "HealthCheckFailed"
    assert last.message.startswith(
        f"wave 1 of 2: Deployment/{world.namespace}/web: "
    ), last.message
    assert world.get("v1", "ConfigMap", "second") is None


def test_a_look_that_is_made_again_applies_its_wave_again_and_no_other(world, sandbox):
    world.write(slow(), config_map("second", metadata=wave(2)))
    first = world.attempt(DEPLOY)
    world.until_done(DEPLOY, first)
    before = len(sandbox.writes())

    # Killed after the wave was applied, before that was recorded: the same look again.
    context = world.context(DEPLOY, {}, look=1, memo=first.memo)
    again = world.runner(DEPLOY).look(context)

    assert again.message == "1 created, 1 unchanged; 2 healthy"
    assert sandbox.writes()[before:] == []


def test_a_server_that_goes_away_between_waves_is_asked_again(world):
    world.write(slow(), config_map("second", metadata=wave(2)))
    first = world.attempt(DEPLOY)
    with socket.socket() as unused:
        down = nowhere(world, unused)
        down.content = world.content
        away = down.runner(DEPLOY).look(
            down.context(DEPLOY, {}, look=1, memo=first.memo)
        )
    last = world.until_done(DEPLOY, away)

    assert away.phase is Phase.RUNNING
    assert away.message.startswith("wave 1 of 2: API server http://127.0.0.1:")
    assert last.message == "2 created; 2 healthy"


def test_waves_only_order_the_writes_where_health_is_not_awaited(world):
    world.write(slow(), config_map("second", metadata=wave(2)))

    result = world.attempt(DEPLOY, wait=False)

    assert result.phase is Phase.SUCCEEDED
    assert result.message == "2 created; health not awaited"


def test_an_unchanged_delivery_of_waves_writes_nothing(world, sandbox):
    world.write(*(config_map(f"c{n}", metadata=wave(n)) for n in range(4)))
    deploy(world)
    before = len(sandbox.writes())

    result = world.attempt(DEPLOY)

    assert result.message == "4 unchanged; 4 healthy"
    assert sandbox.writes()[before:] == []


def marked(name, value, **data):
    return config_map(
        name, metadata={"annotations": {"gitops-wf.io/ssa": value}}, **data
    )


def shown(result, world):
    """The outputs by object: its change, health and message."""
    place = f"/{world.namespace}/"
    return {
        each["object"].replace(place, "/"): (
            each["change"],
            each["health"],
            each["message"],
        )
        for each in result.outputs["objects"]
    }


def test_an_object_that_is_to_be_made_once_is_left_alone_later(world):
    world.write(marked("seed", "IfNotPresent", k="1"))
    deploy(world)
    world.write(marked("seed", "IfNotPresent", k="2"))

    result = deploy(world)

    assert world.get("v1", "ConfigMap", "seed")["data"] == {"k": "1"}
    assert result.message == "1 skipped; 1 healthy"
    assert shown(result, world)["ConfigMap/seed"] == (
        "skipped",
        "Current",
        "gitops-wf.io/ssa: IfNotPresent: it is there",
    )


def test_what_others_made_before_is_no_less_present(world):
    metadata = {"name": "seed", "namespace": world.namespace}
    world.cluster.create({**config_map(k="theirs"), "metadata": metadata})
    world.write(marked("seed", "IfNotPresent", k="ours"), config_map("a"))

    result = deploy(world)

    assert world.get("v1", "ConfigMap", "seed")["data"] == {"k": "theirs"}
    assert result.message == "1 created, 1 skipped; 2 healthy"


def test_an_ignored_object_is_neither_applied_nor_awaited_nor_owned(world):
    world.write(marked("mine", "Ignore"), config_map("a"))

    result = deploy(world)

    assert world.get("v1", "ConfigMap", "mine") is None
    assert result.message == "1 created, 1 skipped; 1 healthy"
    assert owned(world) == [f"ConfigMap/{world.namespace}/a"]
    why = ("skipped", "", "gitops-wf.io/ssa: Ignore")
    assert shown(result, world)["ConfigMap/mine"] == why


def test_an_object_that_comes_to_be_ignored_stays_as_it_is(world):
    world.write(config_map("mine", k="1"), config_map("a"))
    deploy(world)
    world.write(marked("mine", "Ignore", k="2"), config_map("a"))

    deploy(world)

    assert world.get("v1", "ConfigMap", "mine")["data"] == {"k": "1"}


def test_an_object_that_overrides_takes_the_fields_of_others(world):
    world.write(marked("a", "Override", k="1"))
    deploy(world)
    live = world.get("v1", "ConfigMap", "a")
    world.cluster.replace({**live, "data": {"k": "by hand"}})

    assert deploy(world).phase is Phase.SUCCEEDED
    assert world.get("v1", "ConfigMap", "a")["data"] == {"k": "1"}


def test_an_object_that_merges_keeps_what_kubectl_has_added(world):
    metadata = {"name": "a", "namespace": world.namespace}
    made = world.cluster.create(
        {**config_map(k="1", l="kubectl"), "metadata": metadata}
    )
    made["metadata"]["managedFields"][0]["manager"] = "kubectl-client-side-apply"
    world.cluster.replace(made)
    world.write(marked("a", "Merge", k="2"))

    deploy(world)

    live = world.get("v1", "ConfigMap", "a")["data"]
    assert live == {"k": "2", "l": "kubectl"}


def test_an_object_that_somebody_froze_on_the_cluster_is_left_alone(world):
    world.write(config_map("a", k="1"))
    deploy(world)
    live = world.get("v1", "ConfigMap", "a")
    live["metadata"]["annotations"] = {"gitops-wf.io/reconcile": "disabled"}
    world.cluster.replace(live)
    world.write(config_map("a", k="2"))

    result = deploy(world)

    assert world.get("v1", "ConfigMap", "a")["data"] == {"k": "1"}
    assert shown(result, world)["ConfigMap/a"] == (
        "skipped",
        "Current",
        "gitops-wf.io/reconcile: disabled on the cluster",
    )


def test_a_mark_that_nobody_knows_is_a_definition_error(world, sandbox):
    world.write(config_map("b"), marked("a", "Sometimes"))
    before = len(sandbox.writes())

    result = world.attempt(DEPLOY)

    assert result.phase is Phase.FAILED
    assert result.message == (
        f"envs/prod/all.yaml:7: ConfigMap/{world.namespace}/a: annotation "
        "gitops-wf.io/ssa: Sometimes is none of Override, Merge, IfNotPresent, Ignore"
    )
    assert sandbox.writes()[before:] == []


def test_what_was_deleted_or_kept_is_shown_with_its_reason(world):
    kept = config_map(
        "kept", metadata={"annotations": {"gitops-wf.io/prune": "disabled"}}
    )
    world.write(config_map("a"), config_map("gone"), kept)
    deploy(world)
    world.write(config_map("a"))

    found = shown(deploy(world), world)

    assert found["ConfigMap/gone"] == ("deleted", "", "")
    why = "kept: gitops-wf.io/prune: disabled"
    assert found["ConfigMap/kept"] == ("skipped", "", why)
    assert found["ConfigMap/a"][0] == "unchanged"


def test_the_step_keeps_what_is_worth_a_look_and_the_unhealthy_first(world):
    world.write(config_map("same"), config_map("gone"))
    deploy(world)
    world.write(config_map("same"), config_map("a", k="1"), slow("web", 0))

    first = world.attempt(DEPLOY)
    last = world.until_done(DEPLOY, first)

    def told(result):
        return [
            (each.object.split("/")[-1], each.change, each.health)
            for each in result.objects
        ]

    assert told(first) == [
        ("web", "created", "InProgress"),
        ("a", "created", "Current"),
        ("gone", "deleted", ""),
    ]
    assert told(last)[0] == ("a", "created", "Current")
    assert "same" not in str(last.objects)

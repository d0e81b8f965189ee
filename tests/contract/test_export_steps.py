"""Steps that export values and find endpoints, on the sandbox and a real API server."""

import base64
import json
import re
from datetime import timedelta

import pytest

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.phases import Phase
from gitops_wf.ports.cluster import AllowList
from gitops_wf.steps.collect_service_endpoints import STEP_TYPE as COLLECT
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from gitops_wf.steps.export2config import STEP_TYPE as TO_CONFIG
from gitops_wf.steps.export2secret import STEP_TYPE as TO_SECRET
from tests.clusters import cluster, kubeconfig, namespace
from tests.delivering import World
from tests.steps import CANARY, FakeSecrets

__all__ = ["cluster", "kubeconfig", "namespace"]

FROM_CONFIG = {"secretRef": {"name": "db", "key": "password"}}


@pytest.fixture
def world(kubeconfig, namespace):
    secrets = FakeSecrets({"db/password": CANARY})
    return World(kubeconfig=kubeconfig, namespace=namespace, secrets=secrets)


def run(world, step_type, *, step="export", **properties):
    world.step = step
    result = world.attempt(step_type, **properties)
    return world.until_done(step_type, result, **properties)


def values(world, name="app"):
    data = world.get("v1", "Secret", name)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_values_are_kept_in_a_config_map_of_the_steps(world):
    first = run(world, TO_CONFIG, configName="app", data={"url": "a", "old": "b"})
    world.number = 2
    second = run(world, TO_CONFIG, configName="app", data={"url": "c"})

    assert first.message == f"ConfigMap/{world.namespace}/app created"
    assert second.phase is Phase.SUCCEEDED
    assert world.get("v1", "ConfigMap", "app")["data"] == {"url": "c"}
    [entry] = second.inventory.entries
    assert (str(entry.ref), entry.step) == (
        f"ConfigMap/{world.namespace}/app",
        "export",
    )


def test_a_secret_gets_granted_values_and_nothing_of_ours_holds_them(world):
    data = {"user": "shop", "password": FROM_CONFIG}

    result = run(world, TO_SECRET, secretName="app", data=data)

    assert values(world) == {"user": "shop", "password": CANARY}
    assert world.get("v1", "Secret", "app")["type"] == "Opaque"
    shown = repr(result)
    assert CANARY not in shown
    assert base64.b64encode(CANARY.encode()).decode() not in shown
    assert result.outputs["output"]["value"]["data"]["password"] == "***"


def test_a_plan_of_a_secret_shows_no_value(world):
    planned = world.plan(TO_SECRET, secretName="app", data={"password": FROM_CONFIG})

    [change] = planned.objects
    assert str(change.change) == "created"
    assert change.after["data"] == {"password": "***"}
    assert CANARY not in repr(planned)


def test_a_secret_goes_only_to_targets_that_its_grant_names(world):
    world.secrets.target = "elsewhere"

    with pytest.raises(TerminalError, match="db/password may not be written to target"):
        run(world, TO_SECRET, secretName="app", data={"password": FROM_CONFIG})

    assert world.get("v1", "Secret", "app") is None


def test_a_rotated_secret_is_drift_and_is_healed(world):
    properties = {"secretName": "app", "data": {"password": FROM_CONFIG}}
    run(world, TO_SECRET, **properties)
    world.secrets.values["db/password"] = "rotated"
    context = world.context(TO_SECRET, properties)
    runner = world.runner(TO_SECRET)

    findings = runner.compare(context, (), max_age=timedelta())
    runner.heal(context, (), {each.ref for each in findings.drifted})

    assert len(findings.drifted) == 1
    assert CANARY not in repr(findings)
    assert values(world) == {"password": "rotated"}


def test_a_value_can_come_from_another_secret_of_the_target(world):
    world.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "source", "namespace": world.namespace},
            "data": {"raw": base64.b64encode(b"\xff\x00").decode()},
        }
    )
    source = {"secretKeyRef": {"name": "source", "key": "raw"}}

    run(world, TO_SECRET, secretName="app", data={"copy": source})

    assert base64.b64decode(world.get("v1", "Secret", "app")["data"]["copy"]) == (
        b"\xff\x00"
    )


def test_another_secret_is_read_within_the_allow_lists_and_must_have_the_key(world):
    world.clusters.allow = AllowList(namespaces=(world.namespace,))
    there = {"name": "none", "key": "a"}
    elsewhere = {**there, "namespace": "kube-system"}

    with pytest.raises(TerminalError, match="none is not there"):
        run(world, TO_SECRET, secretName="app", data={"a": {"secretKeyRef": there}})
    with pytest.raises(TerminalError, match="namespace kube-system is not allowed"):
        run(world, TO_SECRET, secretName="app", data={"a": {"secretKeyRef": elsewhere}})


def test_a_registrys_login_is_what_docker_reads(world):
    login = {
        "username": "robot",
        "password": FROM_CONFIG,
        "server": "registry.example.com",
    }

    run(
        world, TO_SECRET, secretName="app", kind="docker-registry", dockerRegistry=login
    )

    made = world.get("v1", "Secret", "app")
    assert made["type"] == "kubernetes.io/dockerconfigjson"
    assert json.loads(values(world)[".dockerconfigjson"]) == {
        "auths": {
            "registry.example.com": {
                "username": "robot",
                "password": CANARY,
                "auth": base64.b64encode(f"robot:{CANARY}".encode()).decode(),
            }
        }
    }


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"data": {}}, "give it a key at least"),
        ({"kind": "docker-registry"}, "needs dockerRegistry"),
        ({"data": {"a": {"value": "b", "secretRef": {"name": "c"}}}}, "write text, "),
        (
            {
                "kind": "docker-registry",
                "dockerRegistry": {"username": "a", "password": "plain"},
            },
            "a secret does not stand in Git",
        ),
    ],
)
def test_wrong_properties_of_a_secret_are_refused(properties, message):
    with pytest.raises(ValueError, match=message):
        TO_SECRET.properties.model_validate({"secretName": "app", **properties})


def service(type_="ClusterIP", name="web"):
    ports = [
        {"name": "http", "port": 80, "targetPort": 8080},
        {"name": "https", "port": 443, "targetPort": 8443},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"type": type_, "selector": {"app": name}, "ports": ports},
    }


def deploy(world, *manifests):
    world.write(*manifests)
    result = run(world, DEPLOY, step="deploy", wait=False)
    assert result.phase is Phase.SUCCEEDED


def test_endpoints_of_what_was_delivered_are_collected(world):
    deploy(world, service())

    result = run(world, COLLECT, step="where", portName="https")

    url = f"https://web.{world.namespace}.svc:443"
    assert (result.phase, result.message) == (Phase.SUCCEEDED, url)
    assert result.outputs["value"]["url"] == url
    assert result.outputs["value"]["endpoint"]["port"] == 443
    [only] = result.outputs["endpoints"]
    assert only["ref"] == {
        "kind": "Service",
        "namespace": world.namespace,
        "name": "web",
    }


def test_a_load_balancers_address_is_waited_for(world):
    elsewhere = service("LoadBalancer")
    elsewhere["spec"]["loadBalancerClass"] = "example.com/slow"
    deploy(world, elsewhere)

    result = world.attempt(COLLECT)

    assert result.phase is Phase.RUNNING
    assert "Service/" in result.message
    assert "its load balancer has no address yet" in result.message


def test_a_load_balancers_address_is_found_once_it_is_there(world, request):
    if "real" in request.node.callspec.id:
        pytest.skip("a bare API server has no load balancers")
    deploy(world, service("LoadBalancer"))

    result = run(world, COLLECT, port=80, protocol="https")

    [only] = result.outputs["endpoints"]
    assert only["url"].startswith("https://203.0.113.")
    assert only["url"].endswith(":80")


def test_a_node_port_is_found_on_a_node(world, request):
    if "real" in request.node.callspec.id:
        pytest.skip("a bare API server has no nodes")
    deploy(world, service("NodePort"))

    result = run(world, COLLECT, portName="http")

    node_port = world.get("v1", "Service", "web")["spec"]["ports"][0]["nodePort"]
    assert result.outputs["value"]["endpoint"]["port"] == node_port


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"name": "api"}, r"no Service, Ingress or Gateway named api .*Service/.*/web"),
        ({"portName": "grpc"}, r"no endpoint is as .*80 \(http\), 443 \(https\)"),
        ({"outer": True}, "no endpoint is as"),
    ],
)
def test_what_cannot_come_is_not_waited_for(world, properties, message):
    deploy(world, service())

    result = run(world, COLLECT, **properties)

    assert (result.phase, result.reason) == (Phase.FAILED, "NoEndpoint")

    assert re.search(message, result.message)

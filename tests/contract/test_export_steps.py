"""Steps that export values and find endpoints, on the sandbox and a real API server."""

import base64
import json
from datetime import timedelta

import pytest

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.phases import Phase
from gitops_wf.ports.cluster import AllowList
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

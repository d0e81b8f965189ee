"""Steps that export values and find endpoints, on the sandbox and a real API server."""

import pytest

from gitops_wf.core.phases import Phase
from gitops_wf.steps.export2config import STEP_TYPE as TO_CONFIG
from tests.clusters import cluster, kubeconfig, namespace
from tests.delivering import World

__all__ = ["cluster", "kubeconfig", "namespace"]

FROM_CONFIG = {"secretRef": {"name": "db", "key": "password"}}


@pytest.fixture
def world(kubeconfig, namespace):
    return World(kubeconfig=kubeconfig, namespace=namespace)


def run(world, step_type, *, step="export", **properties):
    world.step = step
    result = world.attempt(step_type, **properties)
    return world.until_done(step_type, result, **properties)


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

"""Environments that are delivered as somebody else: who is asked, and who is refused.

The daemon's own identity may do nothing but impersonate: whatever works was asked as
somebody else.
"""

import pytest

from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.bootstrap.targets import open_target
from gitops_wf.core.config import TargetConfig, TargetKind
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.impersonation import ImpersonationRule, service_account
from gitops_wf.services.recall import Recall
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from gitops_wf.steps.run_job import STEP_TYPE as RUN_JOB
from tests.clusters import (
    allow,
    cluster,
    config_map,
    kubeconfig,
    namespace,
    of_account,
)
from tests.delivering import World

__all__ = ["cluster", "kubeconfig", "namespace"]

HERE = TargetName("here")
EVERYTHING = {"apiGroups": ["", "apps", "batch"], "resources": ["*"], "verbs": ["*"]}


@pytest.fixture
def daemon(kubeconfig, cluster, namespace, tmp_path):
    """The kubeconfig of a daemon that may do nothing but act as two others."""
    for name in ("deployer", "nobody"):
        of_account(kubeconfig, namespace, tmp_path, name)
    allow(cluster, namespace, EVERYTHING)
    right = {"apiGroups": [""], "resources": ["serviceaccounts"]}
    right |= {"resourceNames": ["deployer", "nobody"], "verbs": ["impersonate"]}
    found = of_account(kubeconfig, namespace, tmp_path, "daemon")
    allow(cluster, namespace, right, name="daemon")
    return found


def world_as(daemon, namespace, account):
    rule = ImpersonationRule(
        environments=("shop/*",), identity=service_account(namespace, account)
    )
    target = TargetConfig(
        name=HERE,
        kind=TargetKind.KUBECONFIG,
        path=str(daemon),
        namespace=namespace,
        impersonate=(rule,),
    )
    world = World(kubeconfig=daemon, namespace=namespace)
    world.clusters = ConfiguredClusters({HERE: target}, open_target)
    return world


JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "seed"},
    "spec": {
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "seed", "image": "seed:1"}],
            }
        }
    },
}


def test_whatever_is_asked_for_an_environment_is_asked_as_its_identity(
    daemon, namespace
):
    """The daemon's own identity may do none of it."""
    world = world_as(daemon, namespace, "deployer")
    world.write(config_map(namespace, "one"), config_map(namespace, "two"))
    assert str(world.attempt(DEPLOY).phase) == "Succeeded"
    world.number = 2
    world.write(config_map(namespace, "one"))
    world.add(JOB, path="jobs/seed.yaml")

    pruned = world.attempt(DEPLOY)
    job = world.attempt(RUN_JOB, manifest="jobs/seed.yaml")

    assert "1 deleted" in pruned.message
    context = world.context(
        RUN_JOB, {"manifest": "jobs/seed.yaml"}, look=1, memo=job.memo
    )
    assert str(world.runner(RUN_JOB).look(context).phase) in {"Running", "Succeeded"}
    prod = EnvironmentId("shop/prod")
    recall = Recall(clusters=world.clusters, instance="one")
    recalled = recall.read({prod: [HERE], EnvironmentId("shop/none"): [HERE]})
    assert recalled[prod].inventories[HERE].number == 2


def test_an_identity_without_the_right_is_refused_with_the_mend(daemon, namespace):
    world = world_as(daemon, namespace, "nobody")
    world.write(config_map(namespace, "one"))

    with pytest.raises(TerminalError) as caught:
        world.attempt(DEPLOY)

    user = f"system:serviceaccount:{namespace}:nobody"
    assert caught.value.reason == "Forbidden"
    assert f'User "{user}" cannot get resource "configmaps"' in str(caught.value)
    assert f"asked as {user}, whom `impersonate` of the target" in str(caught.value)


def test_a_daemon_that_may_not_impersonate_says_so(daemon, namespace):
    world = world_as(daemon, namespace, "somebody-else")
    world.write(config_map(namespace, "one"))

    with pytest.raises(TerminalError) as caught:
        world.attempt(DEPLOY)

    user = f"system:serviceaccount:{namespace}:somebody-else"
    assert f"the daemon itself may not act as {user}" in str(caught.value)

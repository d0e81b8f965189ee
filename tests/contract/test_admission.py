"""What admission refuses, in the words that the user reads: on both API servers."""

import contextlib
import re

import pytest

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.ports.cluster import (
    ClusterRefusalError,
    ClusterUnavailableError,
    ResourceConflictError,
)
from tests.clusters import (
    RBAC,
    allow,
    cluster,
    config_map,
    eventually,
    kubeconfig,
    namespace,
    of_account,
)
from tests.webhooks import configuration, webhook

__all__ = ["cluster", "kubeconfig", "namespace"]


@pytest.fixture
def hook(tmp_path):
    with webhook(tmp_path) as running:
        yield running


@contextlib.contextmanager
def registered(cluster, manifest):
    """A webhook configuration that is in force."""
    cluster.create(manifest)
    group, _, version = manifest["apiVersion"].partition("/")
    ref = ObjectRef(
        group=group,
        kind=manifest["kind"],
        namespace="",
        name=manifest["metadata"]["name"],
    )
    try:
        yield
    finally:
        cluster.delete(ref, version)


def refusal(cluster, manifest, *, dry_run=False):
    """The error of an apply, once what refuses it is in force."""

    def look():
        try:
            cluster.apply(manifest, dry_run=dry_run)
        except (ClusterRefusalError, ClusterUnavailableError) as error:
            return error
        return None

    return eventually(look)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_webhook_that_says_no_is_read_in_its_own_words(
    cluster, namespace, hook, dry_run
):
    hook.denies("images must come from registry.example")

    with registered(cluster, configuration(namespace, hook.client())):
        error = refusal(cluster, config_map(namespace), dry_run=dry_run)

    assert isinstance(error, ClusterRefusalError)
    assert str(error) == (
        f"ConfigMap/{namespace}/a: apply: not admitted (400): admission webhook "
        '"check.example.com" denied the request: images must come from registry.example'
    )
    assert hook.asked[-1]["dryRun"] is dry_run


def test_a_webhook_that_may_act_is_not_asked_on_a_dry_run(cluster, namespace, hook):
    manifest = configuration(
        namespace, hook.client(), sideEffects="NoneOnDryRun", operations=("UPDATE",)
    )

    with registered(cluster, manifest):
        cluster.apply(config_map(namespace))
        hook.denies("no")
        error = refusal(cluster, config_map(namespace, data={"k": "v"}), dry_run=True)

    assert "denied the request: no" in str(error)


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_a_webhook_that_cannot_be_reached_is_tried_again_or_passed_over(
    cluster, namespace, policy
):
    client = {"url": "https://127.0.0.1:9/check"}
    manifest = configuration(namespace, client, failurePolicy=policy)

    with registered(cluster, manifest):
        if policy == "Ignore":
            cluster.apply(config_map(namespace))
            return
        error = refusal(cluster, config_map(namespace))

    assert isinstance(error, ClusterUnavailableError)
    assert str(error).endswith(
        f"cannot apply ConfigMap/{namespace}/a now (500): Internal error occurred: "
        'failed calling webhook "check.example.com": failed to call webhook: Post '
        '"https://127.0.0.1:9/check?timeout=2s": dial tcp 127.0.0.1:9: connect: '
        "connection refused"
    )


def test_a_webhook_without_its_service_is_told(cluster, namespace, hook):
    service = {"name": "policy", "namespace": namespace, "path": "/check"}
    client = {"service": service, "caBundle": hook.bundle}

    with registered(cluster, configuration(namespace, client)):
        error = refusal(cluster, config_map(namespace))

    assert 'service "policy" not found' in str(error)


def test_a_webhook_whose_certificate_nobody_knows_is_told(cluster, namespace, hook):
    with registered(cluster, configuration(namespace, {"url": hook.url})):
        error = refusal(cluster, config_map(namespace))

    assert "x509: certificate signed by unknown authority" in str(error)
    assert not hook.asked


def test_a_webhook_may_change_what_is_applied(cluster, namespace, hook):
    hook.patches({"op": "add", "path": "/data", "value": {"by": "the webhook"}})
    manifest = configuration(
        namespace, hook.client(), kind="MutatingWebhookConfiguration"
    )

    with registered(cluster, manifest):
        eventually(
            lambda: cluster.apply(config_map(namespace), dry_run=True).manifest.get(
                "data"
            )
        )
        applied = cluster.apply(config_map(namespace))

    assert applied.manifest["data"] == {"by": "the webhook"}
    assert "managedFields" not in applied.manifest["metadata"]


def test_a_webhook_is_asked_only_of_what_it_selects(cluster, namespace, hook):
    hook.denies("no")
    selecting = {"matchLabels": {"checked": "yes"}}
    manifest = configuration(namespace, hook.client(), objectSelector=selecting)

    with registered(cluster, manifest):
        labelled = config_map(namespace, "b", metadata={"labels": {"checked": "yes"}})
        assert refusal(cluster, labelled)
        cluster.apply(config_map(namespace))

    assert {one["name"] for one in hook.asked} == {"b"}


def quota(cluster, namespace, **hard):
    """A quota that its controller has counted."""
    made = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team", "namespace": namespace},
        "spec": {"hard": hard},
    }
    cluster.create(made)
    resource = cluster.resource("v1", "ResourceQuota")

    def counted():
        status = cluster.get(resource, namespace, "team").get("status") or {}
        return status.get("hard") == hard

    eventually(counted)


def service(namespace, name, **spec):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"port": 80, "name": "a"}], **spec},
    }


def test_an_exceeded_quota_is_told_with_its_numbers(cluster, namespace):
    quota(cluster, namespace, services="1")
    cluster.apply(service(namespace, "a"))

    with pytest.raises(ClusterRefusalError) as caught:
        cluster.apply(service(namespace, "b"))

    assert str(caught.value) == (
        f'Service/{namespace}/b: apply: forbidden (403): services "b" is forbidden: '
        "exceeded quota: team, requested: services=1, used: services=1, limited: "
        "services=1"
    )


def test_a_service_that_opens_more_ports_is_weighed_again(cluster, namespace):
    quota(cluster, namespace, **{"services.nodeports": "1"})
    web = service(namespace, "web", type="NodePort")
    cluster.apply(web)
    web["spec"]["ports"].append({"port": 81, "name": "b"})

    with pytest.raises(ClusterRefusalError, match=re.escape("services.nodeports=1")):
        cluster.apply(web)


def test_a_pod_waits_for_its_service_account(cluster, namespace):
    """A controller makes the default one, a moment after its namespace."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": namespace},
        "spec": {
            "serviceAccountName": "nobody",
            "containers": [{"name": "a", "image": "a"}],
        },
    }

    with pytest.raises(ResourceConflictError) as caught:
        cluster.apply(pod)

    assert str(caught.value) == (
        f'Pod/{namespace}/a: apply not possible yet: pods "a" is forbidden: error '
        f'looking up service account {namespace}/nobody: serviceaccount "nobody" not '
        "found"
    )


# Roles


@pytest.fixture
def deployer(cluster, kubeconfig, namespace, tmp_path):
    """A cluster seen with the token of a ServiceAccount, which may do nothing yet."""
    return KubeCluster(kubeconfig_access(of_account(kubeconfig, namespace, tmp_path)))


def test_what_roles_do_not_allow_is_told_with_user_verb_and_place(deployer, namespace):
    with pytest.raises(ClusterRefusalError) as caught:
        deployer.apply(config_map(namespace))

    assert str(caught.value) == (
        f'ConfigMap/{namespace}/a: apply: forbidden (403): configmaps "a" is '
        f'forbidden: User "system:serviceaccount:{namespace}:deployer" cannot patch '
        'resource "configmaps" in API group "" in the namespace '
        f'"{namespace}"'
    )


def test_an_apply_that_creates_needs_the_right_to_create(cluster, deployer, namespace):
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]}
    allow(cluster, namespace, rule)
    cluster.apply(config_map(namespace, "there"))

    eventually(lambda: "cannot create" in str(refusal(deployer, config_map(namespace))))
    deployer.apply(config_map(namespace, "there", data={"k": "v"}))


def test_nobody_grants_what_they_do_not_have(cluster, deployer, namespace):
    rules = [
        {"apiGroups": [RBAC], "resources": ["roles"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    ]
    allow(cluster, namespace, *rules)
    head = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": {"name": "wide", "namespace": namespace},
    }
    reads = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}

    error = eventually(
        lambda: (
            found
            if "attempting"
            in str(found := refusal(deployer, head | {"rules": [reads]}))
            else None
        )
    )

    assert str(error).endswith(
        "is attempting to grant RBAC permissions not currently held: "
        '{APIGroups:[""], Resources:["configmaps"], Verbs:["list"]}'
    )
    deployer.apply(head | {"rules": [reads | {"verbs": ["get"]}]})

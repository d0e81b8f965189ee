"""The Cluster port: on the sandbox, and on a real API server where one is at hand."""

import re
import uuid
from pathlib import Path

import pytest
import yaml

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.delivery.settled import is_settled
from gitops_wf.ports.cluster import (
    ApplyConflictError,
    ClusterRefusalError,
    ResourceConflictError,
    UnknownKindError,
)
from tests.clusters import cluster, config_map, kubeconfig, namespace

__all__ = ["cluster", "kubeconfig", "namespace"]

ORDINARY = Path(__file__).parents[1] / "data" / "ordinary_manifests.yaml"
"""One object each of the kinds that people deliver most, written as they write them."""


def deployment(namespace, **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
            },
            **spec,
        },
    }


def test_a_kind_is_addressed_as_discovery_says(cluster):
    resource = cluster.resource("apps/v1", "Deployment")

    assert (resource.plural, resource.is_namespaced) == ("deployments", True)
    assert not cluster.resource("v1", "Namespace").is_namespaced


def test_an_unknown_kind_is_named(cluster):
    with pytest.raises(UnknownKindError, match=r"apps/v1 Deploymnt: .* no such kind"):
        cluster.resource("apps/v1", "Deploymnt")
    with pytest.raises(UnknownKindError):
        cluster.resource("none.example.com/v1", "Thing")


def test_an_apply_tells_new_from_changed_from_unchanged(cluster, namespace):
    first = cluster.apply(config_map(namespace, data={"k": "1"}))
    again = cluster.apply(config_map(namespace, data={"k": "1"}))
    changed = cluster.apply(config_map(namespace, data={"k": "2"}))

    assert first.is_created
    assert not again.is_created
    version = [
        applied.manifest["metadata"]["resourceVersion"]
        for applied in (first, again, changed)
    ]
    assert version[0] == version[1] != version[2]
    assert changed.manifest["data"] == {"k": "2"}


def test_a_dry_run_stores_nothing(cluster, namespace):
    cluster.apply(config_map(namespace, data={}), dry_run=True)
    cluster.create(config_map(namespace, data={}), dry_run=True)

    resource = cluster.resource("v1", "ConfigMap")
    assert cluster.get(resource, namespace, "a") is None


def test_a_dry_run_changes_and_deletes_nothing(cluster, namespace):
    made = cluster.create(config_map(namespace, data={"k": "1"}))

    replaced = cluster.replace({**made, "data": {"k": "2"}}, dry_run=True)
    deleted = cluster.delete(ObjectRef.of(made), "v1", dry_run=True)

    assert (replaced["data"], deleted) == ({"k": "2"}, True)
    resource = cluster.resource("v1", "ConfigMap")
    live = cluster.get(resource, namespace, "a")
    assert live["data"] == {"k": "1"}
    assert live["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_dry_run_refuses_what_the_write_would(cluster, namespace):
    made = cluster.create(config_map(namespace, data={"k": "1"}))
    stale = {**made, "metadata": {**made["metadata"], "resourceVersion": "1"}}

    with pytest.raises(ResourceConflictError):
        cluster.create(config_map(namespace, data={}), dry_run=True)
    with pytest.raises(ResourceConflictError):
        cluster.replace(stale, dry_run=True)
    with pytest.raises(ResourceConflictError):
        cluster.delete(ObjectRef.of(made), "v1", uid="another", dry_run=True)


def test_a_conflict_names_the_other_manager_and_the_fields(cluster, namespace):
    made = cluster.create(config_map(namespace, data={"k": "1"}))
    # Created by our Update, which is another manager than our Apply.
    assert made["metadata"]["managedFields"][0]["operation"] == "Update"

    with pytest.raises(ApplyConflictError) as caught:
        cluster.apply(config_map(namespace, data={"k": "2"}))

    assert caught.value.causes == ((".data.k", "gitops-wf"),)
    assert str(caught.value).startswith(f"ConfigMap/{namespace}/a: conflict")
    forced = cluster.apply(config_map(namespace, data={"k": "2"}), force=True)
    assert forced.manifest["data"] == {"k": "2"}


def test_a_list_is_read_through_all_its_pages(kubeconfig, namespace):
    cluster = KubeCluster(kubeconfig_access(kubeconfig), page=2)
    for number in range(5):
        cluster.create(
            config_map(
                namespace,
                f"c{number}",
                metadata={"labels": {"odd": str(number % 2)}},
            )
        )
    resource = cluster.resource("v1", "ConfigMap")

    odd = cluster.list(resource, namespace, "odd=1")
    names = {each["metadata"]["name"] for each in cluster.list(resource, namespace)}

    assert [each["metadata"]["name"] for each in odd] == ["c1", "c3"]
    assert {f"c{number}" for number in range(5)} <= names
    assert ObjectRef.of(odd[0]) == ObjectRef(
        group="", kind="ConfigMap", namespace=namespace, name="c1"
    )


def test_a_list_of_a_namespace_that_is_not_there_is_empty(cluster):
    assert not cluster.list(cluster.resource("v1", "ConfigMap"), "gw-nowhere")


def test_a_write_to_a_missing_namespace_says_what_to_do(cluster):
    for write in (cluster.apply, cluster.create):
        with pytest.raises(ClusterRefusalError) as caught:
            write(config_map("gw-nowhere", data={}))

        assert caught.value.reason == "NamespaceNotFound"
        assert "add a Namespace manifest" in str(caught.value)


def test_an_invalid_object_is_refused_with_the_fields(cluster, namespace):
    broken = deployment(namespace, replicas=-1)

    with pytest.raises(ClusterRefusalError) as caught:
        cluster.apply(broken)

    assert caught.value.status == 422
    assert "spec.replicas" in [field for field, _ in caught.value.causes]


def test_a_field_that_does_not_exist_is_refused_for_good(cluster, namespace):
    with pytest.raises(ClusterRefusalError, match="replicsa"):
        cluster.apply(deployment(namespace, replicsa=1))


@pytest.mark.parametrize(
    ("kind", "field", "said"),
    [
        ("Secret", "data", "the server's text is withheld, for it may hold its values"),
        ("ConfigMap", "binaryData", "illegal base64 data at input byte 3"),
    ],
)
def test_data_that_is_no_base64_is_refused_for_good(
    cluster, namespace, kind, field, said
):
    broken = config_map(namespace, **{field: {"k": "not base64!"}}) | {"kind": kind}

    with pytest.raises(ClusterRefusalError, match=re.escape(said)) as caught:
        cluster.apply(broken)

    assert str(caught.value).startswith(f"{kind}/{namespace}/a: apply: refused (500): ")


def test_a_quantity_that_is_none_is_refused_for_good(cluster, namespace):
    broken = deployment(namespace)
    container = broken["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"limits": {"cpu": "lots"}}

    with pytest.raises(ClusterRefusalError, match="quantities must match"):
        cluster.apply(broken)


def test_an_immutable_field_is_refused_with_its_text(cluster, namespace):
    cluster.apply(deployment(namespace))
    other = deployment(namespace, selector={"matchLabels": {"app": "other"}})
    other["spec"]["template"]["metadata"]["labels"] = {"app": "other"}

    with pytest.raises(ClusterRefusalError, match="field is immutable"):
        cluster.apply(other)


def test_a_replace_over_a_newer_version_is_a_conflict(cluster, namespace):
    old = cluster.create(config_map(namespace, data={"k": "1"}))
    cluster.replace({**old, "data": {"k": "2"}})

    with pytest.raises(ResourceConflictError):
        cluster.replace({**old, "data": {"k": "3"}})
    with pytest.raises(ResourceConflictError):
        cluster.create(config_map(namespace))


def test_a_delete_is_of_the_object_that_was_seen(cluster, namespace):
    made = cluster.create(config_map(namespace))
    ref = ObjectRef.of(made)

    with pytest.raises(ResourceConflictError):
        cluster.delete(ref, "v1", uid=str(uuid.uuid4()))
    assert cluster.delete(ref, "v1", uid=made["metadata"]["uid"])
    assert not cluster.delete(ref, "v1")


def test_a_delete_finds_a_version_that_is_served(cluster, namespace):
    cluster.apply(deployment(namespace, replicas=0))
    ref = ObjectRef.of(deployment(namespace))

    assert cluster.delete(ref, "v1beta1")
    assert not cluster.delete(
        ObjectRef(group="gone.example.com", kind="X", namespace=namespace, name="x"),
        "v1",
    )


def test_a_secret_s_value_never_stands_in_an_error(cluster, namespace):
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": namespace},
        "data": {"password": ["canary"]},
    }

    with pytest.raises(ClusterRefusalError) as caught:
        cluster.apply(secret)

    assert "canary" not in str(caught.value) + str(caught.value.causes)


def test_the_log_of_a_pod_that_is_not_there_is_empty(cluster, namespace):
    assert not cluster.logs(namespace, "none")


def ordinary_manifests():
    return list(yaml.safe_load_all(ORDINARY.read_text()))


@pytest.mark.parametrize(
    "manifest",
    ordinary_manifests(),
    ids=lambda each: f"{each['kind']}/{each['metadata']['name']}",
)
def test_an_ordinary_object_is_seen_to_be_as_git_wants_it(cluster, namespace, manifest):
    """However the server defaults and normalises it: else each delivery writes it."""
    if cluster.resource(manifest["apiVersion"], manifest["kind"]).is_namespaced:
        manifest["metadata"]["namespace"] = namespace
    applied = cluster.apply(manifest).manifest

    assert is_settled(manifest, applied)

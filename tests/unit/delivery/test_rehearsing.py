"""What a rehearsed cluster does where the server cannot be asked yet."""

import pytest

from gitops_wf.adapters.directory_target import DirectoryCluster
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.delivery import RehearsedClusters
from gitops_wf.delivery.rehearsing import RehearsedCluster
from gitops_wf.ports.cluster import AllowList, ClusterRefusalError, UnknownKindError


class Refusing(DirectoryCluster):
    """A folder whose applies are refused, and that lacks a kind."""

    def __init__(self, root, *, reason, unserved=""):
        super().__init__(root)
        self.reason = reason
        self.unserved = unserved

    def resource(self, api_version, kind):
        if kind == self.unserved:
            raise UnknownKindError(f"no {kind}", reason="UnknownKind")
        return super().resource(api_version, kind)

    def apply(self, manifest, *, force=False, dry_run=False):
        assert dry_run
        if manifest["kind"] in {"Namespace", "CustomResourceDefinition"}:
            return super().apply(manifest, dry_run=True)
        raise ClusterRefusalError("no", reason=self.reason, status=422)


def thing(kind="ConfigMap", name="a", version="v1", **more):
    metadata = {"name": name} | ({"namespace": "ns"} if kind != "Namespace" else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def definition():
    spec = {
        "group": "example.com",
        "names": {"kind": "Widget", "plural": "widgets"},
        "scope": "Namespaced",
        "versions": [{"name": "v1"}],
    }
    crd = thing("CustomResourceDefinition", "widgets.example.com", spec=spec)
    crd["apiVersion"] = "apiextensions.k8s.io/v1"
    del crd["metadata"]["namespace"]
    return crd


def test_a_write_is_seen_by_later_reads_and_by_nobody_else(tmp_path):
    real = DirectoryCluster(tmp_path)
    cluster = RehearsedCluster(real)
    resource = cluster.resource("v1", "ConfigMap")

    cluster.apply(thing(data={"k": "1"}))

    assert cluster.get(resource, "ns", "a")["data"] == {"k": "1"}
    assert [each["metadata"]["name"] for each in cluster.list(resource, "ns")] == ["a"]
    assert real.list(resource, "ns") == []


def test_a_deleted_object_is_gone_from_later_reads_only(tmp_path):
    real = DirectoryCluster(tmp_path)
    real.apply(thing())
    cluster = RehearsedCluster(real)
    resource = cluster.resource("v1", "ConfigMap")

    assert cluster.delete(ObjectRef.of(thing()), "v1")

    assert cluster.get(resource, "ns", "a") is None
    assert cluster.list(resource, "ns") == []
    assert real.get(resource, "ns", "a") is not None


def test_lists_keep_to_their_selector(tmp_path):
    cluster = RehearsedCluster(DirectoryCluster(tmp_path))
    cluster.apply(thing())
    cluster.apply(labelled("b", "prod"))

    resource = cluster.resource("v1", "ConfigMap")
    found = cluster.list(resource, "ns", "env=prod")

    assert [each["metadata"]["name"] for each in found] == ["b"]


class Counting(DirectoryCluster):
    """A folder that notes which lists it was asked for."""

    def __init__(self, root):
        super().__init__(root)
        self.lists = []

    def list(self, resource, namespace="", label_selector=""):
        self.lists.append(label_selector)
        return super().list(resource, namespace, label_selector)


def labelled(name, env):
    made = thing(name=name)
    made["metadata"]["labels"] = {"env": env}
    return made


def names_of(cluster, selector):
    listed = cluster.list(cluster.resource("v1", "ConfigMap"), "ns", selector)
    return sorted(each["metadata"]["name"] for each in listed)


def test_many_values_of_one_label_are_listed_together(tmp_path):
    real = Counting(tmp_path)
    for number in range(40):
        real.apply(labelled(f"c{number}", f"e{number}"))
    cluster = RehearsedCluster(real)

    found = [names_of(cluster, f"env=e{number}") for number in range(40)]

    assert found == [[f"c{number}"] for number in range(40)]
    assert names_of(cluster, "env=nowhere") == []
    assert real.lists == ["env=e0", "env=e1", "env=e2", "env=e3", "env"]


def test_what_was_listed_is_not_asked_for_again_and_has_what_was_written(tmp_path):
    real = Counting(tmp_path)
    for name in ("changes", "goes", "leaves"):
        real.apply(labelled(name, "prod"))
    cluster = RehearsedCluster(real)
    assert names_of(cluster, "env=prod") == ["changes", "goes", "leaves"]

    cluster.apply({**labelled("changes", "prod"), "data": {"k": "2"}})
    cluster.apply(labelled("arrives", "prod"))
    cluster.apply(labelled("leaves", "qa"))
    cluster.delete(ObjectRef.of(labelled("goes", "prod")), "v1")

    assert names_of(cluster, "env=prod") == ["arrives", "changes"]
    assert names_of(cluster, "env=qa") == ["leaves"]
    assert names_of(cluster, "") == ["arrives", "changes", "leaves"]
    assert real.lists == ["env=prod", "env=qa", ""]


def test_a_second_apply_of_the_same_is_no_change(tmp_path):
    cluster = RehearsedCluster(DirectoryCluster(tmp_path))

    first = cluster.apply(thing(data={"k": "1"}))
    second = cluster.apply(thing(data={"k": "1"}))

    assert (first.is_created, second.is_created) == (True, False)


def test_a_missing_namespace_is_no_refusal_where_it_would_be_made_before(tmp_path):
    cluster = RehearsedCluster(Refusing(tmp_path, reason="NamespaceNotFound"))

    with pytest.raises(ClusterRefusalError):
        cluster.apply(thing())
    cluster.apply(thing("Namespace", "ns"))

    assert cluster.apply(thing()).is_created
    note = "not checked by the server: its namespace is new, too"
    assert cluster.left(ObjectRef.of(thing())).note == note


def test_a_refusal_by_an_old_definition_is_none_where_it_would_change_before(tmp_path):
    widget = thing("Widget", version="example.com/v1")
    cluster = RehearsedCluster(Refusing(tmp_path, reason="Invalid"))

    with pytest.raises(ClusterRefusalError):
        cluster.apply(widget)
    cluster.apply(definition())

    assert cluster.apply(widget).is_created
    note = "not checked by the server: its CustomResourceDefinition changes, too"
    assert cluster.left(ObjectRef.of(widget)).note == note


def test_a_kind_is_known_from_the_definition_that_would_be_applied_before(tmp_path):
    real = Refusing(tmp_path, reason="Invalid", unserved="Widget")
    cluster = RehearsedCluster(real)

    with pytest.raises(UnknownKindError):
        cluster.resource("example.com/v1", "Widget")
    cluster.apply(definition())

    assert cluster.resource("example.com/v1", "Widget").plural == "widgets"
    with pytest.raises(UnknownKindError):
        cluster.resource("example.com/v2", "Widget")


def test_a_namespace_that_the_daemon_makes_is_supposed_to_be_there(tmp_path):
    class One:
        def __init__(self, root):
            self.one = DirectoryCluster(root)

        def cluster(self, target, environment):
            return self.one

        def namespace(self, target):
            return "made"

        def allowed(self, target):
            return AllowList()

    clusters = RehearsedClusters(One(tmp_path), lambda target: target == "sandbox")
    resource = clusters.cluster("other", "shop/prod").resource("v1", "Namespace")

    assert clusters.cluster("other", "shop/prod").get(resource, "", "made") is None
    assert (
        clusters.cluster("sandbox", "shop/prod").get(resource, "", "made") is not None
    )
    assert clusters.cluster("sandbox", "shop/prod") is clusters.cluster(
        "other", "shop/prod"
    )

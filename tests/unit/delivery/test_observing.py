"""What a look sees where the daemon may not see everything."""

from datetime import timedelta

from gitops_wf.core.health import Health
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import InventoryEntry, ObjectRef
from gitops_wf.delivery.observing import Observer
from gitops_wf.delivery.snapshot import Snapshots
from gitops_wf.ports.cluster import ApiResource, ClusterRefusalError

WEB = ObjectRef(group="apps", kind="Deployment", namespace="ns", name="web")


class DeploymentsOnly:
    """A cluster whose daemon may read Deployments, and nothing else."""

    has_status = True

    def resource(self, api_version, kind):
        group, _, version = api_version.rpartition("/")
        return ApiResource(
            group=group, version=version, kind=kind, plural=kind, is_namespaced=True
        )

    def list(self, resource, namespace="", label_selector=""):
        if resource.kind != "Deployment":
            raise ClusterRefusalError("no", reason="Forbidden", status=403)
        return [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "ns", "generation": 1},
                "spec": {"replicas": 2},
                "status": {"observedGeneration": 1, "updatedReplicas": 1},
            }
        ]

    def get(self, resource, namespace, name):
        return None


def test_a_workload_is_judged_without_pods_that_may_not_be_read():
    observer = Observer(
        target=TargetName("here"),
        cluster=DeploymentsOnly(),
        snapshots=Snapshots(),
        max_age=timedelta(),
    )
    entry = InventoryEntry(ref=WEB, version="v1", step="deploy")

    [found] = observer.observe([entry])

    assert found.status.health is Health.IN_PROGRESS
    assert str(found) == "Deployment/ns/web: 1 of 2 replicas updated"


class Counting(DeploymentsOnly):
    """Three Deployments that are under way, and how often what was listed."""

    def __init__(self):
        self.lists = []

    def list(self, resource, namespace="", label_selector=""):
        self.lists.append(resource.kind)
        if resource.kind != "Deployment":
            return []
        [web] = super().list(resource, namespace, label_selector)
        return [
            web | {"metadata": web["metadata"] | {"name": name, "uid": name}}
            for name in ("web", "api", "jobs")
        ]


def test_a_look_lists_a_kind_once_however_many_workloads_are_under_way():
    cluster = Counting()
    observer = Observer(
        target=TargetName("here"),
        cluster=cluster,
        snapshots=Snapshots(),
        max_age=timedelta(),
    )

    found = observer.observe(
        InventoryEntry(
            ref=ObjectRef(group="apps", kind="Deployment", namespace="ns", name=name),
            version="v1",
            step="deploy",
        )
        for name in ("web", "api", "jobs")
    )

    assert [each.status.health for each in found] == [Health.IN_PROGRESS] * 3
    assert sorted(cluster.lists) == ["Deployment", "Event", "Pod", "ReplicaSet"]

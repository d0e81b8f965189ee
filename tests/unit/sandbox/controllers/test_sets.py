"""StatefulSets and DaemonSets; the hashes are recorded ones."""

import pytest

from gitops_wf.sandbox.controllers.template_hash import template_hash
from tests.sandboxcluster import Cluster, set_image, template


def stateful_set(image="db:1", replicas=2, **spec):
    return {
        "metadata": {"name": "db", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": template(image, "db"),
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"partition": 0},
            },
            "revisionHistoryLimit": 10,
            **spec,
        },
    }


def daemon_set(image="agent:1"):
    return {
        "metadata": {"name": "agent", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": template(image, "agent"),
            "updateStrategy": {"type": "RollingUpdate"},
        },
    }


def images(cluster):
    return {
        pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"]
        for pod in cluster.list("pods")
    }


def test_a_stateful_set_makes_its_pods_in_order():
    cluster = Cluster()
    seen = []

    def note(change, resource, manifest, _old):
        if resource.qualified == "pods":
            ready = [
                pod["metadata"]["name"]
                for pod in cluster.list("pods")
                if any(
                    one["type"] == "Ready" and one["status"] == "True"
                    for one in pod["status"].get("conditions", [])
                )
            ]
            if change == "ADDED":
                seen.append((manifest["metadata"]["name"], ready))

    cluster.api.subscribe(note)
    cluster.create("statefulsets.apps", stateful_set())
    cluster.settle(3)

    assert seen == [("db-0", []), ("db-1", ["db-0"])]
    assert cluster.get("statefulsets.apps", "db")["status"] == {
        "observedGeneration": 1,
        "replicas": 2,
        "readyReplicas": 2,
        "currentReplicas": 2,
        "updatedReplicas": 2,
        "currentRevision": "db-5b65fd69c6",
        "updateRevision": "db-5b65fd69c6",
        "collisionCount": 0,
        "availableReplicas": 2,
    }
    assert cluster.get("pods", "db-0")["metadata"]["labels"] == {
        "app": "db",
        "apps.kubernetes.io/pod-index": "0",
        "controller-revision-hash": "db-5b65fd69c6",
        "statefulset.kubernetes.io/pod-name": "db-0",
    }


def test_a_stateful_set_updates_from_the_top_and_keeps_its_revisions():
    cluster = Cluster()
    cluster.create("statefulsets.apps", stateful_set())
    cluster.settle(3)

    cluster.change("statefulsets.apps", "db", set_image("db:2"))
    cluster.settle(5)

    status = cluster.get("statefulsets.apps", "db")["status"]
    assert images(cluster) == {"db-0": "db:2", "db-1": "db:2"}
    assert status["currentRevision"] == status["updateRevision"] == "db-74664958f"
    revisions = {
        one["metadata"]["name"]: one["revision"]
        for one in cluster.list("controllerrevisions.apps")
    }
    assert revisions == {"db-5b65fd69c6": 1, "db-74664958f": 2}
    deleted = [
        text for reason, text in cluster.events("StatefulSet") if "Del" in reason
    ]
    assert deleted == [
        "delete Pod db-1 in StatefulSet db successful",
        "delete Pod db-0 in StatefulSet db successful",
    ]


def test_a_partition_keeps_the_lower_pods_at_the_old_revision():
    cluster = Cluster()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    cluster.create("statefulsets.apps", stateful_set(updateStrategy=strategy))
    cluster.settle(3)

    cluster.change("statefulsets.apps", "db", set_image("db:2"))
    cluster.settle(5)
    assert images(cluster) == {"db-0": "db:1", "db-1": "db:2"}

    cluster.delete("pods", "db-0")
    cluster.settle(3)
    assert images(cluster) == {"db-0": "db:1", "db-1": "db:2"}


def test_a_stateful_set_shrinks_from_the_top():
    cluster = Cluster()
    cluster.create("statefulsets.apps", stateful_set(replicas=3))
    cluster.settle(5)

    cluster.change(
        "statefulsets.apps", "db", lambda one: one["spec"].update(replicas=1)
    )
    cluster.settle(5)

    assert list(images(cluster)) == ["db-0"]


def test_a_stateful_set_claims_volumes_that_stay():
    cluster = Cluster()
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    cluster.create("statefulsets.apps", stateful_set(volumeClaimTemplates=[claim]))
    cluster.settle(3)
    cluster.delete("pods", "db-0")
    cluster.settle(3)

    claims = [one["metadata"]["name"] for one in cluster.list("persistentvolumeclaims")]
    assert claims == ["data-db-0", "data-db-1"]
    assert list(images(cluster)) == ["db-0", "db-1"]


def test_a_daemon_set_runs_one_pod_on_the_node():
    cluster = Cluster()
    cluster.create("daemonsets.apps", daemon_set())
    cluster.settle(2)

    assert cluster.get("daemonsets.apps", "agent")["status"] == {
        "currentNumberScheduled": 1,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 1,
        "numberReady": 1,
        "observedGeneration": 1,
        "updatedNumberScheduled": 1,
        "numberAvailable": 1,
    }
    (pod,) = cluster.list("pods")
    assert pod["metadata"]["labels"]["controller-revision-hash"] == "b79d957f9"


def test_a_daemon_set_replaces_its_pod_on_an_update():
    cluster = Cluster()
    cluster.create("daemonsets.apps", daemon_set())
    cluster.settle(2)

    cluster.change("daemonsets.apps", "agent", set_image("agent:2"))
    cluster.settle(3)

    assert list(images(cluster).values()) == ["agent:2"]
    status = cluster.get("daemonsets.apps", "agent")["status"]
    assert status["updatedNumberScheduled"] == status["numberAvailable"] == 1


@pytest.mark.parametrize("image", ["broken:1", "crash:1", "notready:1"])
def test_a_set_whose_pods_fail_is_never_ready(image):
    cluster = Cluster()
    cluster.create("statefulsets.apps", stateful_set(image))
    cluster.create("daemonsets.apps", daemon_set(image))
    cluster.settle(30)

    status = cluster.get("statefulsets.apps", "db")["status"]
    assert status["replicas"] == 1
    assert "readyReplicas" not in status
    daemon = cluster.get("daemonsets.apps", "agent")["status"]
    assert daemon["numberReady"] == 0
    assert daemon["numberUnavailable"] == 1


def test_the_hash_of_a_daemon_set_is_that_of_its_template():
    assert template_hash(template("agent:1", "agent")) == "b79d957f9"

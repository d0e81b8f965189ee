from datetime import timedelta

from gitops_wf.sandbox.controllers.work import Pace
from tests.sandboxcluster import Cluster, deployment, reason_of, set_image

REVISION = "deployment.kubernetes.io/revision"


def names(manifests):
    return [one["metadata"]["name"] for one in manifests]


def annotations(cluster, name):
    return cluster.get("replicasets.apps", name)["metadata"]["annotations"]


def scale(replicas):
    return lambda manifest: manifest["spec"].update(replicas=replicas)


def test_a_deployment_becomes_available():
    cluster = Cluster()

    cluster.create("deployments.apps", deployment())
    cluster.settle(2)

    found = cluster.get("deployments.apps", "web")
    conditions = found["status"].pop("conditions")
    assert found["status"] == {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "terminatingReplicas": 0,
    }
    assert [one["type"] for one in conditions] == ["Available", "Progressing"]
    assert [one["message"] for one in conditions] == [
        "Deployment has minimum availability.",
        'ReplicaSet "web-56b55d7545" has successfully progressed.',
    ]
    assert found["metadata"]["annotations"] == {REVISION: "1"}


def test_the_status_moves_through_the_recorded_stages():
    cluster = Cluster()
    stages = []

    def note(_type, resource, manifest, _old):
        if resource.qualified == "deployments.apps":
            status = manifest["status"]
            stages.append(
                (
                    status.get("observedGeneration"),
                    status.get("updatedReplicas"),
                    status.get("availableReplicas"),
                    [one["reason"] for one in status.get("conditions", [])],
                )
            )

    cluster.api.subscribe(note)
    cluster.create("deployments.apps", deployment())
    cluster.settle(2)

    assert stages[:4] == [
        (None, None, None, []),
        (None, None, None, ["NewReplicaSetCreated"]),
        (1, None, None, ["NewReplicaSetCreated", "MinimumReplicasUnavailable"]),
        (1, 2, None, ["MinimumReplicasUnavailable", "ReplicaSetUpdated"]),
    ]
    assert stages[-1] == (
        1,
        2,
        2,
        ["MinimumReplicasAvailable", "NewReplicaSetAvailable"],
    )


def test_a_rolling_update_keeps_the_old_pods_until_new_ones_are_ready():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment())
    cluster.settle(2)
    ready = []

    def note(_type, resource, manifest, _old):
        if resource.qualified == "deployments.apps":
            ready.append(manifest["status"].get("availableReplicas", 0))

    cluster.api.subscribe(note)
    cluster.change("deployments.apps", "web", set_image("nginx:2"))
    cluster.settle(3)

    assert min(ready) >= 2
    assert [message for _, message in cluster.events("Deployment")] == [
        "Scaled up replica set web-56b55d7545 from 0 to 2",
        "Scaled up replica set web-5769c86b66 from 0 to 1",
        "Scaled down replica set web-56b55d7545 from 2 to 1",
        "Scaled up replica set web-5769c86b66 from 1 to 2",
        "Scaled down replica set web-56b55d7545 from 1 to 0",
    ]


def test_a_rollback_reuses_the_old_replica_set_with_a_new_revision():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment())
    cluster.settle(2)
    cluster.change("deployments.apps", "web", set_image("nginx:2"))
    cluster.settle(3)

    cluster.change("deployments.apps", "web", set_image("nginx:1"))
    cluster.settle(3)

    sets = names(cluster.list("replicasets.apps"))
    assert sets == ["web-56b55d7545", "web-5769c86b66"]
    assert annotations(cluster, "web-56b55d7545") == {
        "deployment.kubernetes.io/desired-replicas": "2",
        "deployment.kubernetes.io/max-replicas": "3",
        "deployment.kubernetes.io/revision": "3",
        "deployment.kubernetes.io/revision-history": "1",
    }
    found = cluster.get("deployments.apps", "web")
    assert found["metadata"]["annotations"][REVISION] == "3"
    assert len(cluster.list("pods")) == 2


def test_an_image_that_cannot_be_pulled_exceeds_the_deadline_and_stays_available():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment(progressDeadlineSeconds=5))
    cluster.settle(2)

    cluster.change("deployments.apps", "web", set_image("broken:1"))
    cluster.settle(4)
    early = reason_of(cluster.get("deployments.apps", "web"), "Progressing")
    cluster.settle(4)

    found = cluster.get("deployments.apps", "web")
    assert early == ("True", "ReplicaSetUpdated")
    assert reason_of(found, "Progressing") == ("False", "ProgressDeadlineExceeded")
    assert reason_of(found, "Available") == ("True", "MinimumReplicasAvailable")
    assert found["status"]["replicas"] == 3
    assert found["status"]["unavailableReplicas"] == 1


def test_a_paused_deployment_scales_but_does_not_roll():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment())
    cluster.settle(2)

    def pause(manifest):
        manifest["spec"].update(paused=True, replicas=3)
        set_image("nginx:2")(manifest)

    cluster.change("deployments.apps", "web", pause)
    cluster.settle(2)

    found = cluster.get("deployments.apps", "web")
    assert reason_of(found, "Progressing") == ("Unknown", "DeploymentPaused")
    assert names(cluster.list("replicasets.apps")) == ["web-56b55d7545"]
    assert found["status"]["replicas"] == 3

    cluster.change("deployments.apps", "web", lambda one: one["spec"].pop("paused"))
    cluster.settle(4)

    found = cluster.get("deployments.apps", "web")
    assert found["status"]["updatedReplicas"] == 3
    assert reason_of(found, "Progressing") == ("True", "NewReplicaSetAvailable")


def test_scaling_to_nothing_and_back():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment())
    cluster.settle(2)

    cluster.change("deployments.apps", "web", scale(0))
    cluster.settle(2)
    assert cluster.list("pods") == []

    cluster.change("deployments.apps", "web", scale(4))
    cluster.settle(2)

    assert cluster.get("deployments.apps", "web")["status"]["availableReplicas"] == 4
    assert len(cluster.list("pods")) == 4


def test_scaling_during_a_rollout_is_shared_among_the_replica_sets():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment(replicas=10))
    cluster.settle(2)
    cluster.change("deployments.apps", "web", set_image("broken:1"))
    cluster.settle(2)

    cluster.change("deployments.apps", "web", scale(20))
    cluster.settle(2)

    sizes = [one["spec"]["replicas"] for one in cluster.list("replicasets.apps")]
    assert sum(sizes) == 25
    assert min(sizes) > 5


def test_old_replica_sets_beyond_the_history_limit_are_deleted():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment(revisionHistoryLimit=1))
    cluster.settle(2)

    for number in (2, 3, 4):
        cluster.change("deployments.apps", "web", set_image(f"nginx:{number}"))
        cluster.settle(4)

    sets = cluster.list("replicasets.apps")
    assert sorted(one["metadata"]["annotations"][REVISION] for one in sets) == [
        "3",
        "4",
    ]


def test_recreate_stops_all_old_pods_before_it_starts_new_ones():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment(strategy={"type": "Recreate"}))
    cluster.settle(2)
    images = []

    def note(_type, resource, _manifest, _old):
        if resource.qualified == "pods":
            pods = cluster.list("pods")
            images.append({one["spec"]["containers"][0]["image"] for one in pods})

    cluster.api.subscribe(note)
    cluster.change("deployments.apps", "web", set_image("nginx:2"))
    cluster.settle(4)

    assert max(map(len, images)) == 1
    assert cluster.get("deployments.apps", "web")["status"]["updatedReplicas"] == 2


def test_min_ready_seconds_holds_availability_back():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment(minReadySeconds=10))
    cluster.settle(5)
    early = cluster.get("deployments.apps", "web")["status"]

    cluster.settle(10)

    assert early["readyReplicas"] == 2
    assert "availableReplicas" not in early
    assert cluster.get("deployments.apps", "web")["status"]["availableReplicas"] == 2


def test_a_replica_set_without_an_owner_is_adopted():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment())
    cluster.settle(2)
    cluster.delete("deployments.apps", "web", "Orphan")
    cluster.settle(1)
    orphan = cluster.get("replicasets.apps", "web-56b55d7545")
    before = names(cluster.list("pods"))

    cluster.create("deployments.apps", deployment())
    cluster.settle(2)

    assert "ownerReferences" not in orphan["metadata"]
    assert names(cluster.list("pods")) == before
    assert cluster.get("deployments.apps", "web")["status"]["availableReplicas"] == 2


def test_the_quiet_node_leaves_only_the_controllers_events():
    cluster = Cluster(pace=Pace(delay=timedelta(seconds=1), quiet=True))
    cluster.create("deployments.apps", deployment())
    cluster.settle(3)

    assert cluster.events("Pod") == []
    assert cluster.get("deployments.apps", "web")["status"]["readyReplicas"] == 2

"""Namespaces, garbage collection, Events, and a sandbox that starts again."""

from gitops_wf.sandbox.storage import Storage
from tests.sandboxcluster import Cluster, deployment, job


def config(name, owner=None, *, finalizers=(), blocking=False, namespace="default"):
    meta = {"name": name, "namespace": namespace, "finalizers": list(finalizers)}
    if owner is not None:
        meta["ownerReferences"] = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "blockOwnerDeletion": blocking,
            }
        ]
    return {"metadata": meta}


GHOST = {"metadata": {"name": "ghost", "uid": "0000"}}


def release(manifest):
    manifest["metadata"].pop("finalizers")


def test_a_fresh_cluster_has_its_namespaces_and_its_node():
    cluster = Cluster()

    names = [one["metadata"]["name"] for one in cluster.list("namespaces", None)]
    (node,) = cluster.list("nodes", None)
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert node["metadata"]["name"] == "node-1"
    assert node["status"]["conditions"][0]["status"] == "True"


def test_every_namespace_has_its_service_account_and_the_ca():
    cluster = Cluster()
    cluster.create("namespaces", {"metadata": {"name": "shop"}})
    cluster.settle()

    bundle = cluster.get("configmaps", "kube-root-ca.crt", "shop")
    assert bundle["data"] == {"ca.crt": "the CA"}
    assert cluster.find("serviceaccounts", "default", "shop") is not None

    cluster.delete("serviceaccounts", "default", namespace="shop")
    cluster.settle()
    assert cluster.find("serviceaccounts", "default", "shop") is not None


def test_a_namespace_takes_its_content_along():
    cluster = Cluster()
    cluster.create("namespaces", {"metadata": {"name": "shop"}})
    cluster.settle()
    web, seed = deployment(), job(image="hang:1")
    for resource, made in (("deployments.apps", web), ("jobs.batch", seed)):
        made["metadata"]["namespace"] = "shop"
        cluster.create(resource, made)
    cluster.settle(2)

    cluster.delete("namespaces", "shop")
    cluster.settle(3)

    assert cluster.find("namespaces", "shop") is None
    assert cluster.list("pods", "shop") == []


def test_a_finalizer_holds_a_namespace_and_is_named():
    cluster = Cluster()
    cluster.create("namespaces", {"metadata": {"name": "shop"}})
    held = config("held", finalizers=["example.com/hold"], namespace="shop")
    cluster.create("configmaps", held)

    cluster.delete("namespaces", "shop")
    cluster.settle(2)

    found = cluster.get("namespaces", "shop")
    texts = [one["message"] for one in found["status"]["conditions"]]
    assert found["status"]["phase"] == "Terminating"
    assert texts[3] == (
        "Some resources are remaining: configmaps. has 1 resource instances"
    )
    assert texts[4] == (
        "Some content in the namespace has finalizers remaining: "
        "example.com/hold in 1 resource instances"
    )

    cluster.change("configmaps", "held", release, "shop")
    cluster.settle()
    assert cluster.find("namespaces", "shop") is None


def test_dependents_go_in_the_background_with_their_owner():
    cluster = Cluster()
    owner = cluster.create("configmaps", config("owner"))
    child = cluster.create("configmaps", config("child", owner))
    cluster.create("configmaps", config("grandchild", child))

    cluster.delete("configmaps", "owner")
    cluster.settle()

    assert cluster.find("configmaps", "child") is None
    assert cluster.find("configmaps", "grandchild") is None


def test_an_owner_deleted_in_the_foreground_waits_for_what_blocks_it():
    cluster = Cluster()
    owner = cluster.create("configmaps", config("owner"))
    cluster.create("configmaps", config("child", owner))
    blocker = config("blocker", owner, finalizers=["example.com/hold"], blocking=True)
    cluster.create("configmaps", blocker)

    cluster.delete("configmaps", "owner", "Foreground")
    cluster.settle()

    assert cluster.find("configmaps", "child") is None
    assert cluster.find("configmaps", "owner") is not None
    assert "deletionTimestamp" in cluster.get("configmaps", "blocker")["metadata"]

    cluster.change("configmaps", "blocker", release)
    cluster.settle()
    assert cluster.find("configmaps", "owner") is None


def test_orphans_stay_without_their_owner():
    cluster = Cluster()
    owner = cluster.create("configmaps", config("owner"))
    cluster.create("configmaps", config("child", owner))

    cluster.delete("configmaps", "owner", "Orphan")
    cluster.settle()

    assert cluster.find("configmaps", "owner") is None
    assert "ownerReferences" not in cluster.get("configmaps", "child")["metadata"]


def test_an_object_whose_owner_never_was_is_collected():
    cluster = Cluster()
    cluster.create("configmaps", config("child", GHOST))
    cluster.settle()

    assert cluster.find("configmaps", "child") is None


def test_an_object_whose_owner_is_of_an_unknown_kind_stays():
    cluster = Cluster()
    made = config("child", GHOST)
    made["metadata"]["ownerReferences"][0]["apiVersion"] = "example.com/v1"
    cluster.create("configmaps", made)
    cluster.settle()

    assert cluster.find("configmaps", "child") is not None


def test_an_object_with_one_owner_left_stays():
    cluster = Cluster()
    first = cluster.create("configmaps", config("first"))
    second = cluster.create("configmaps", config("second"))
    made = config("child", first)
    other = config("child", second)["metadata"]["ownerReferences"]
    made["metadata"]["ownerReferences"] += other
    cluster.create("configmaps", made)

    cluster.delete("configmaps", "first")
    cluster.settle()

    (left,) = cluster.get("configmaps", "child")["metadata"]["ownerReferences"]
    assert left["name"] == "second"


def test_equal_events_are_counted_on_one():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment(image="crash:1", replicas=1))
    cluster.settle(30)

    counts = {one["reason"]: one["count"] for one in cluster.list("events")}
    assert counts["BackOff"] > 2
    assert counts["SuccessfulCreate"] == 1


def test_equal_events_are_counted_on_one_after_a_restart_too(tmp_path):
    path = tmp_path / "sandbox.db"
    first = Cluster(Storage(path))
    first.create("deployments.apps", deployment(image="crash:1", replicas=1))
    first.settle(5)
    first.loop.stop()
    first.api.storage.close()

    second = Cluster(Storage(path))
    second.settle(60)

    (event,) = [one for one in second.list("events") if one["reason"] == "BackOff"]
    assert event["count"] > 2


def test_events_are_forgotten_after_an_hour():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment())
    cluster.settle(5)
    assert cluster.list("events") != []

    cluster.settle(3700)

    assert cluster.list("events") == []


def test_a_sandbox_that_was_stopped_goes_on_where_it_was(tmp_path):
    path = tmp_path / "sandbox.db"
    first = Cluster(Storage(path))
    first.create("deployments.apps", deployment())
    first.create("jobs.batch", job())
    first.settle(0.2)
    first.loop.stop()
    first.api.storage.close()

    second = Cluster(Storage(path))
    second.settle(5)

    assert second.get("deployments.apps", "web")["status"]["availableReplicas"] == 2
    assert second.get("jobs.batch", "seed")["status"]["succeeded"] == 1
    assert len(second.list("pods")) == 3


class Killed(BaseException):
    """What a write may end with, as kill -9 does."""


def test_a_job_killed_at_any_write_counts_its_pods_once(tmp_path):
    for limit in range(1, 40):
        path = tmp_path / f"{limit}.db"
        first = Cluster(Storage(path))
        first.create("jobs.batch", job(image="fail:1", backoffLimit=0))
        writes = iter(range(1, 1000))

        def count(*_, writes=writes, limit=limit):
            if next(writes) == limit:
                raise Killed

        first.api.subscribe(count)
        try:
            first.settle(5)
            killed = False
        except Killed:
            killed = True
        first.api.storage.close()

        second = Cluster(Storage(path))
        second.settle(5)
        status = second.get("jobs.batch", "seed")["status"]
        second.api.storage.close()
        assert status["failed"] == 1, limit
        assert status["uncountedTerminatedPods"] == {}, limit
        if not killed:
            assert limit > 5
            return
    raise AssertionError("the job never settles")

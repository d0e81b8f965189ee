"""Claims find volumes, and nothing that is in use is taken away."""

from __future__ import annotations

import pytest

from tests.sandboxcluster import Cluster


@pytest.fixture
def cluster():
    return Cluster()


def claim(name="data", size="1Gi", **spec):
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            **spec,
        },
    }


def volume(name, size="1Gi", **spec):
    return {
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/data"},
            **spec,
        },
    }


def phase(cluster, resource, name, namespace="default"):
    return cluster.get(resource, name, namespace)["status"]["phase"]


def test_a_claim_takes_the_smallest_volume_that_is_large_enough(cluster):
    for name, size in (("small", "1Gi"), ("large", "9Gi"), ("right", "5Gi")):
        cluster.create("persistentvolumes", volume(name, size))
    cluster.settle()

    cluster.create("persistentvolumeclaims", claim(size="2Gi"))
    cluster.settle()

    bound = cluster.get("persistentvolumeclaims", "data")
    assert bound["spec"]["volumeName"] == "right"
    assert bound["status"]["phase"] == "Bound"
    assert bound["status"]["capacity"] == {"storage": "5Gi"}
    assert phase(cluster, "persistentvolumes", "right", "") == "Bound"
    assert phase(cluster, "persistentvolumes", "small", "") == "Available"


def test_a_claim_that_nothing_fits_waits_and_says_so(cluster):
    cluster.create("persistentvolumeclaims", claim())
    cluster.settle()

    assert phase(cluster, "persistentvolumeclaims", "data") == "Pending"
    assert (
        "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set",
    ) in cluster.events("PersistentVolumeClaim")

    cluster.create("persistentvolumes", volume("late"))
    cluster.settle()

    assert phase(cluster, "persistentvolumeclaims", "data") == "Bound"


def test_a_claim_stays_as_long_as_a_pod_mounts_it(cluster):
    cluster.create("persistentvolumeclaims", claim())
    mounted = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    pod = {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "a", "image": "a"}], "volumes": [mounted]},
    }
    cluster.create("pods", pod)
    cluster.settle()
    cluster.delete("persistentvolumeclaims", "data")
    cluster.settle(60)

    assert cluster.find("persistentvolumeclaims", "data")

    cluster.delete("pods", "p")
    cluster.settle(60)

    assert cluster.find("persistentvolumeclaims", "data") is None


@pytest.mark.parametrize(("policy", "left"), [("Retain", "Released"), ("Delete", "")])
def test_a_volume_outlives_its_claim_as_its_policy_says(cluster, policy, left):
    made = volume("v", persistentVolumeReclaimPolicy=policy)
    cluster.create("persistentvolumes", made)
    cluster.create("persistentvolumeclaims", claim())
    cluster.settle()
    cluster.delete("persistentvolumeclaims", "data")
    cluster.settle()

    found = cluster.find("persistentvolumes", "v", "")
    assert (found["status"]["phase"] if found else "") == left

from gitops_wf.sandbox.statuses import ApiError
from tests.sandboxcluster import Cluster, deployment, reason_of

REFUSAL = 'pods "web-x" is forbidden: exceeded quota: q'


class Full(Cluster):
    """A cluster that allows no Pods while `full` is set."""

    def __init__(self):
        super().__init__()
        self.full = True
        create = self.api.create

        def refuse(resource, manifest, **more):
            if resource.qualified == "pods" and self.full:
                raise ApiError(403, REFUSAL)
            return create(resource, manifest, **more)

        self.api.create = refuse


def test_pods_that_may_not_be_created_are_told_by_condition_and_event():
    cluster = Full()
    cluster.create("deployments.apps", deployment(replicas=1))
    cluster.settle(1)

    found = cluster.get("deployments.apps", "web")
    assert [one["type"] for one in found["status"]["conditions"]] == [
        "Progressing",
        "Available",
        "ReplicaFailure",
    ]
    assert reason_of(found, "ReplicaFailure") == ("True", "FailedCreate")
    told = ("FailedCreate", f"Error creating: {REFUSAL}")
    assert told in cluster.events("ReplicaSet")


def test_it_is_tried_again_and_the_condition_goes():
    cluster = Full()
    cluster.create("deployments.apps", deployment(replicas=1))
    cluster.settle(20)

    cluster.full = False
    cluster.settle(70)

    found = cluster.get("deployments.apps", "web")
    assert reason_of(found, "ReplicaFailure") is None
    assert found["status"]["availableReplicas"] == 1

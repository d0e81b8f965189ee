from datetime import timedelta

from gitops_wf.sandbox.controllers.work import Pace
from tests.sandboxcluster import Cluster

PACE = Pace(delay=timedelta(seconds=2))


def service(**spec):
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ports": [{"port": 80}], "type": "LoadBalancer", **spec},
    }


def addresses(cluster):
    status = cluster.get("services", "web")["status"]
    return status["loadBalancer"].get("ingress")


def test_a_load_balancer_gets_its_address_after_the_delay():
    cluster = Cluster(pace=PACE)
    cluster.create("services", service())
    cluster.settle(1)
    early = addresses(cluster)
    cluster.settle(2)

    [address] = addresses(cluster)
    assert early is None
    assert address["ip"].startswith("203.0.113.")
    assert address["ipMode"] == "VIP"


def test_other_services_and_other_classes_get_none():
    cluster = Cluster(pace=PACE)
    cluster.create("services", service(type="NodePort"))
    cluster.settle(3)
    other = Cluster(pace=PACE)
    other.create("services", service(loadBalancerClass="example.com/own"))
    other.settle(3)

    assert addresses(cluster) is None
    assert addresses(other) is None


def test_a_bare_api_server_gives_none():
    cluster = Cluster(pace=Pace(delay=timedelta(seconds=2), quiet=True))
    cluster.create("services", service())
    cluster.settle(3)

    assert addresses(cluster) is None

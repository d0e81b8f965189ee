from tests.sandboxcluster import Cluster, deployment


def service(**spec):
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
            **spec,
        },
    }


def slices(cluster):
    return cluster.list("endpointslices.discovery.k8s.io")


def test_a_service_gets_the_addresses_of_its_ready_pods():
    cluster = Cluster()
    cluster.create("services", service())
    cluster.create("deployments.apps", deployment())
    cluster.create("deployments.apps", deployment("other"))
    cluster.settle(2)

    addresses = {
        pod["status"]["podIP"]
        for pod in cluster.list("pods")
        if pod["metadata"]["labels"]["app"] == "web"
    }
    (found,) = slices(cluster)
    assert {one["addresses"][0] for one in found["endpoints"]} == addresses
    assert all(one["conditions"]["ready"] for one in found["endpoints"])
    assert found["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    (subset,) = cluster.get("endpoints", "web")["subsets"]
    assert {one["ip"] for one in subset["addresses"]} == addresses


def test_a_pod_that_is_not_ready_is_said_to_be_so():
    cluster = Cluster()
    cluster.create("services", service())
    cluster.create("deployments.apps", deployment(image="notready:1", replicas=1))
    cluster.settle(2)

    (found,) = slices(cluster)
    assert [one["conditions"]["ready"] for one in found["endpoints"]] == [False]
    (subset,) = cluster.get("endpoints", "web")["subsets"]
    assert "addresses" not in subset
    assert len(subset["notReadyAddresses"]) == 1


def test_the_endpoints_go_with_their_service():
    cluster = Cluster()
    cluster.create("services", service())
    cluster.settle()
    assert cluster.find("endpoints", "web") is not None

    cluster.delete("services", "web")
    cluster.settle()

    assert cluster.find("endpoints", "web") is None
    assert slices(cluster) == []


def test_a_service_without_a_selector_is_left_to_others():
    cluster = Cluster()
    cluster.create("services", service(selector=None))
    cluster.settle()

    assert cluster.find("endpoints", "web") is None
    assert slices(cluster) == []


def test_scaling_to_nothing_empties_the_endpoints():
    cluster = Cluster()
    cluster.create("services", service())
    cluster.create("deployments.apps", deployment())
    cluster.settle(2)

    cluster.change(
        "deployments.apps", "web", lambda one: one["spec"].update(replicas=0)
    )
    cluster.settle(2)

    (found,) = slices(cluster)
    assert not found["endpoints"]
    assert not cluster.get("endpoints", "web").get("subsets")

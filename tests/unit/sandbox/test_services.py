from __future__ import annotations

import ipaddress
from random import Random

import pytest

from gitops_wf.sandbox.services import CLUSTER_RANGE, NODE_PORTS, ServiceNetwork


@pytest.fixture
def network() -> ServiceNetwork:
    return ServiceNetwork(Random(1))


def a_service(kind: str = "ClusterIP", **spec) -> dict:
    ports = [{"port": 80, "protocol": "TCP"}]
    return {"metadata": {"name": "s"}, "spec": {"type": kind, "ports": ports, **spec}}


def test_a_service_gets_an_address_that_no_other_has(network):
    made: list[dict] = []
    for _ in range(50):
        service = a_service()
        network.prepare_create(service, made)
        made.append(service)

    addresses = {one["spec"]["clusterIP"] for one in made}
    assert len(addresses) == 50
    assert all(ipaddress.ip_address(one) in CLUSTER_RANGE for one in addresses)


def test_a_headless_service_without_a_selector_has_both_families(network):
    service = a_service(clusterIP="None")

    network.prepare_create(service, [])

    assert service["spec"]["clusterIPs"] == ["None"]
    assert service["spec"]["ipFamilyPolicy"] == "RequireDualStack"


def test_an_update_that_leaves_the_address_out_keeps_it(network):
    old = a_service()
    network.prepare_create(old, [])
    new = a_service()

    network.prepare_update(new, old, [])

    assert new["spec"]["clusterIP"] == old["spec"]["clusterIP"]


def test_node_ports_come_with_the_type_and_go_with_it(network):
    first = a_service()
    network.prepare_create(first, [])
    opened = a_service("NodePort")
    network.prepare_update(opened, first, [])
    kept = a_service("NodePort")
    network.prepare_update(kept, opened, [])
    closed = a_service(ports=[dict(opened["spec"]["ports"][0])])
    network.prepare_update(closed, opened, [])

    port = opened["spec"]["ports"][0]["nodePort"]
    assert port in NODE_PORTS
    assert kept["spec"]["ports"][0]["nodePort"] == port
    assert "nodePort" not in closed["spec"]["ports"][0]


def test_an_external_name_has_no_address(network):
    service = a_service("ExternalName", externalName="example.com")

    network.prepare_create(service, [])

    assert "clusterIP" not in service["spec"]

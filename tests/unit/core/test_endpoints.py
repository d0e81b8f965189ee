import pytest

from gitops_wf.core.endpoints import Around, endpoints_of, parents_of

NODE = {
    "status": {
        "addresses": [
            {"type": "InternalIP", "address": "10.0.0.7"},
            {"type": "ExternalIP", "address": "198.51.100.7"},
        ]
    }
}
INNER_NODE = {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.7"}]}}
GATEWAY_API = "gateway.networking.k8s.io/v1"


def an_object(version, kind, spec, status=None):
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec,
        "status": status or {},
    }


def service(type_="ClusterIP", ingress=(), **more):
    ports = [
        {"name": "http", "port": 80, "nodePort": 30080},
        {"name": "https", "port": 443, "nodePort": 30443},
    ]
    spec = {"type": type_, "ports": ports, **more}
    return an_object("v1", "Service", spec, {"loadBalancer": {"ingress": ingress}})


def gateway(*listeners, addresses=("203.0.113.9",)):
    given = [{"type": "IPAddress", "value": each} for each in addresses]
    spec = {"listeners": list(listeners)}
    return an_object(GATEWAY_API, "Gateway", spec, {"addresses": given})


def urls(live, outer=None, around=None):
    found = endpoints_of(live, around or Around(), outer=outer)
    return [each.url() for each in found.found] or found.pending


LISTENER = {"name": "web", "port": 443, "protocol": "HTTPS", "hostname": "*.example"}


@pytest.mark.parametrize(
    ("live", "outer", "expected"),
    [
        (
            service(),
            None,
            ["http://web.shop.svc:80", "https://web.shop.svc:443"],
        ),
        (service(), True, ""),
        (
            service("LoadBalancer", [{"ip": "203.0.113.9"}]),
            None,
            ["http://203.0.113.9:80", "https://203.0.113.9:443"],
        ),
        (
            service("LoadBalancer", [{"hostname": "lb.example"}]),
            True,
            ["http://lb.example:80", "https://lb.example:443"],
        ),
        (
            service("LoadBalancer", [{"ip": "2001:db8::1"}]),
            None,
            ["http://[2001:db8::1]:80", "https://[2001:db8::1]:443"],
        ),
        (
            service("LoadBalancer"),
            None,
            "Service/shop/web: its load balancer has no address yet",
        ),
        (
            service("LoadBalancer"),
            False,
            ["http://web.shop.svc:80", "https://web.shop.svc:443"],
        ),
        (
            service("ExternalName", externalName="db.example"),
            None,
            ["http://db.example:80", "https://db.example:443"],
        ),
    ],
)
def test_a_service_is_reached_by_its_type(live, outer, expected):
    assert urls(live, outer) == expected


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([NODE], ["198.51.100.7:30080", "198.51.100.7:30443"]),
        ([INNER_NODE], ["10.0.0.7:30080", "10.0.0.7:30443"]),
        ([], "Service/shop/web: no node has an address yet"),
        (None, "Service/shop/web: the cluster's nodes may not be read"),
    ],
)
def test_a_node_port_is_on_a_node(nodes, expected):
    found = endpoints_of(service("NodePort"), Around(nodes=nodes), outer=None)
    shown = [f"{each.host}:{each.port}" for each in found.found] or found.pending

    assert shown == expected


def test_the_protocol_of_a_port_decides_its_scheme():
    ports = [{"port": 8443, "appProtocol": "https"}, {"port": 50, "appProtocol": "h2c"}]
    live = an_object("v1", "Service", {"ports": ports})

    assert urls(live) == ["https://web.shop.svc:8443", "http://web.shop.svc:50"]


def test_an_ingress_is_reached_by_its_hosts_and_paths():
    live = an_object(
        "networking.k8s.io/v1",
        "Ingress",
        {
            "tls": [{"hosts": ["shop.example"]}],
            "rules": [
                {"host": "shop.example", "http": {"paths": [{"path": "/api"}]}},
                {"host": "plain.example", "http": {"paths": [{"path": "/"}]}},
            ],
        },
    )

    assert urls(live) == ["https://shop.example:443/api", "http://plain.example:80"]
    assert urls(live, outer=False) == ""


def test_an_ingress_without_a_host_waits_for_its_address():
    spec = {"defaultBackend": {"service": {"name": "web"}}}
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}

    without = an_object("networking.k8s.io/v1", "Ingress", spec)
    with_one = an_object("networking.k8s.io/v1", "Ingress", spec, status)

    assert "no address yet" in urls(without)
    assert urls(with_one) == ["http://203.0.113.9:80"]


def test_a_gateway_is_reached_by_its_listeners():
    named = {**LISTENER, "hostname": "shop.example"}

    assert urls(gateway(LISTENER)) == ["https://203.0.113.9:443"]
    assert urls(gateway(named, addresses=())) == ["https://shop.example:443"]
    assert "no address yet" in urls(gateway(LISTENER, addresses=()))


def test_a_route_has_its_own_hosts_and_its_gateways_ports():
    route = an_object(
        GATEWAY_API,
        "HTTPRoute",
        {
            "hostnames": ["shop.example"],
            "parentRefs": [{"name": "edge", "namespace": "infra"}],
            "rules": [{"matches": [{"path": {"value": "/cart"}}]}],
        },
    )
    around = Around(gateways={("infra", "edge"): gateway(LISTENER)})

    assert list(parents_of(route)) == [("infra", "edge")]
    assert urls(route, around=around) == ["https://shop.example:443/cart"]
    assert "no Gateway of it has an address yet" in urls(route)


def test_what_has_its_url_in_its_status_is_reached_there():
    kind = ("serving.knative.dev/v1", "Service")

    ready = an_object(*kind, {}, {"url": "https://web.shop.example/x"})

    assert urls(ready) == ["https://web.shop.example:443/x"]
    assert "no url yet" in urls(an_object(*kind, {}))


def test_an_endpoint_has_kubevelas_fields():
    [first, _] = endpoints_of(service(), Around(), outer=None).found

    assert first.as_json() == {
        "endpoint": {
            "protocol": "TCP",
            "appProtocol": "http",
            "host": "web.shop.svc",
            "port": 80,
            "portName": "http",
            "path": "",
            "inner": True,
        },
        "ref": {"kind": "Service", "namespace": "shop", "name": "web"},
        "url": "http://web.shop.svc:80",
    }

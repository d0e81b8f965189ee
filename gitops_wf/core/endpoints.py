"""Where what an environment delivers can be reached: hosts and ports of its objects.

Of Services, Ingresses, Gateways, HTTPRoutes, and what has its address in its status
(Knative, KServe). Pure: what an object refers to is given with it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitops_wf.core.inventory import Manifest, ObjectRef

SERVICE = ("", "Service")
INGRESS = ("networking.k8s.io", "Ingress")
GATEWAY = ("gateway.networking.k8s.io", "Gateway")
HTTP_ROUTE = ("gateway.networking.k8s.io", "HTTPRoute")
_BY_STATUS = frozenset(
    {("serving.knative.dev", "Service"), ("serving.kserve.io", "InferenceService")}
)
KINDS = frozenset({SERVICE, INGRESS, GATEWAY, HTTP_ROUTE}) | _BY_STATUS

_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\]]+\]|[^/:?#\[\]@]+)(?::(?P<port>\d{1,5}))?"
    r"(?P<path>/[^?#]*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A place to connect to. ``is_inner`` is one that only the cluster can reach."""

    ref: ObjectRef
    host: str
    port: int
    protocol: str = "TCP"
    scheme: str = ""
    port_name: str = ""
    path: str = ""
    is_inner: bool = False

    def url(self, scheme: str = "") -> str:
        """Return its URL, with that scheme or its own; ``http`` where none is known."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = self.path if self.path != "/" else ""
        return f"{scheme or self.scheme or self._guess()}://{host}:{self.port}{path}"

    def _guess(self) -> str:
        is_tls = self.port == _DEFAULT_PORTS["https"] or self.port_name == "https"
        return "https" if is_tls else "http"

    def as_json(self) -> dict[str, Any]:
        """Return it as expressions see it; the names are KubeVela's."""
        return {
            "endpoint": {
                "protocol": self.protocol,
                "appProtocol": self.scheme or self._guess(),
                "host": self.host,
                "port": self.port,
                "portName": self.port_name,
                "path": self.path,
                "inner": self.is_inner,
            },
            "ref": {
                "kind": self.ref.kind,
                "namespace": self.ref.namespace,
                "name": self.ref.name,
            },
            "url": self.url(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What endpoints are found by beside an object itself.

    ``nodes`` is None where they may not be read. ``gateways`` by namespace and name.
    """

    nodes: Sequence[Manifest] | None = ()
    gateways: Mapping[tuple[str, str], Manifest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Those of an object by now; ``pending`` is why there may be more later."""

    found: tuple[Endpoint, ...] = ()
    pending: str = ""


def endpoints_of(live: Manifest, around: Around, *, outer: bool | None) -> Endpoints:
    """Return an object's endpoints.

    ``outer`` asks for those from outside the cluster or for those inside it; None
    takes those from outside where the object is meant to have any.
    """
    ref = ObjectRef.of(live)
    kind = (ref.group, ref.kind)
    if kind == SERVICE:
        return _of_service(ref, live, around, outer=outer)
    if outer is False:
        return Endpoints()
    if kind == INGRESS:
        return _of_ingress(ref, live)
    if kind == GATEWAY:
        return _of_gateway(ref, live)
    if kind == HTTP_ROUTE:
        return _of_route(ref, live, around)
    return _of_status(ref, live)


def parents_of(route: Manifest) -> Iterator[tuple[str, str]]:
    """Yield the Gateways that an HTTPRoute names: namespace and name."""
    own = str((route.get("metadata") or {}).get("namespace") or "")
    for parent in _spec(route).get("parentRefs") or ():
        if parent.get("kind", "Gateway") == "Gateway":
            yield str(parent.get("namespace") or own), str(parent.get("name"))


def _of_service(
    ref: ObjectRef, live: Manifest, around: Around, *, outer: bool | None
) -> Endpoints:
    spec = _spec(live)
    kind = spec.get("type") or "ClusterIP"
    ports = spec.get("ports") or ()
    if kind == "ExternalName":
        hosts = [str(spec.get("externalName") or "")]
        return Endpoints(
            found=() if outer is False else tuple(_of_ports(ref, hosts, ports))
        )
    if outer is False or (outer is None and kind == "ClusterIP"):
        host = f"{ref.name}.{ref.namespace}.svc"
        return Endpoints(found=tuple(_of_ports(ref, [host], ports, is_inner=True)))
    if kind == "LoadBalancer":
        hosts = _balanced(live)
        if not hosts:
            return Endpoints(pending=f"{ref}: its load balancer has no address yet")
        return Endpoints(found=tuple(_of_ports(ref, hosts, ports)))
    if kind == "NodePort":
        return _of_nodes(ref, ports, around.nodes)
    return Endpoints()


def _of_nodes(
    ref: ObjectRef, ports: Iterable[Mapping[str, Any]], nodes: Sequence[Manifest] | None
) -> Endpoints:
    """Return the ports on one node: each node has them all."""
    if nodes is None:
        return Endpoints(pending=f"{ref}: the cluster's nodes may not be read")
    for kind in ("ExternalIP", "InternalIP"):
        for node in nodes:
            for address in (node.get("status") or {}).get("addresses") or ():
                if address.get("type") == kind:
                    hosts = [str(address["address"])]
                    found = _of_ports(ref, hosts, ports, key="nodePort")
                    return Endpoints(found=tuple(found))
    return Endpoints(pending=f"{ref}: no node has an address yet")


def _of_ports(
    ref: ObjectRef,
    hosts: Iterable[str],
    ports: Iterable[Mapping[str, Any]],
    *,
    key: str = "port",
    is_inner: bool = False,
) -> Iterator[Endpoint]:
    for host in hosts:
        for port in ports:
            if host and port.get(key):
                yield Endpoint(
                    ref=ref,
                    host=host,
                    port=int(port[key]),
                    protocol=str(port.get("protocol") or "TCP"),
                    scheme=_scheme(str(port.get("appProtocol") or "")),
                    port_name=str(port.get("name") or ""),
                    is_inner=is_inner,
                )


def _scheme(app_protocol: str) -> str:
    """Return the scheme that an appProtocol means, or nothing.

    https://kubernetes.io/docs/concepts/services-networking/service/#application-protocol
    """
    name = app_protocol.rpartition("/")[2].lower()
    if name in {"https", "wss"}:
        return "https"
    return "http" if name in {"http", "h2c", "ws"} else ""


def _of_ingress(ref: ObjectRef, live: Manifest) -> Endpoints:
    spec = _spec(live)
    secure: set[str] = set()
    all_secure = False
    for entry in spec.get("tls") or ():
        secure.update(entry.get("hosts") or ())
        all_secure |= not entry.get("hosts")
    addresses = _balanced(live)
    rules = spec.get("rules") or ([{}] if spec.get("defaultBackend") else [])
    found: list[Endpoint] = []
    for rule in rules:
        host = str(rule.get("host") or "")
        scheme = "https" if all_secure or host in secure else "http"
        paths: Sequence[Mapping[str, Any]] = (rule.get("http") or {}).get("paths") or [
            {}
        ]
        for name in [host] if host and "*" not in host else addresses:
            found += (
                Endpoint(
                    ref=ref,
                    host=name,
                    port=_DEFAULT_PORTS[scheme],
                    scheme=scheme,
                    port_name=scheme,
                    path=str(path.get("path") or ""),
                )
                for path in paths
            )
    if not found and rules:
        return Endpoints(pending=f"{ref}: its controller has given it no address yet")
    return Endpoints(found=tuple(found))


def _of_gateway(ref: ObjectRef, live: Manifest) -> Endpoints:
    listeners = _spec(live).get("listeners") or ()
    addresses = _gateway_addresses(live)
    found: list[Endpoint] = []
    for listener in listeners:
        host = str(listener.get("hostname") or "")
        for name in [host] if host and "*" not in host else addresses:
            scheme = _listener_scheme(listener)
            found.append(
                Endpoint(
                    ref=ref,
                    host=name,
                    port=int(listener["port"]),
                    protocol="UDP" if listener.get("protocol") == "UDP" else "TCP",
                    scheme=scheme,
                    port_name=str(listener.get("name") or ""),
                )
            )
    if not found and listeners:
        return Endpoints(pending=f"{ref}: it has no address yet")
    return Endpoints(found=tuple(found))


def _of_route(ref: ObjectRef, live: Manifest, around: Around) -> Endpoints:
    """Return a route's hosts, with the ports of the Gateways that it is for."""
    spec = _spec(live)
    names = [str(name) for name in spec.get("hostnames") or () if "*" not in str(name)]
    matches: list[Mapping[str, Any]] = [
        match for rule in spec.get("rules") or () for match in rule.get("matches") or ()
    ]
    paths = [str((each.get("path") or {}).get("value") or "") for each in matches]
    paths = list(dict.fromkeys(paths)) or [""]
    found: list[Endpoint] = []
    for parent in spec.get("parentRefs") or ():
        place = str(parent.get("namespace") or ref.namespace), str(parent.get("name"))
        gateway = around.gateways.get(place)
        if gateway is None:
            continue
        for listener in _spec(gateway).get("listeners") or ():
            section = parent.get("sectionName")
            if section and listener.get("name") != section:
                continue
            scheme = _listener_scheme(listener)
            for host in names or _gateway_addresses(gateway):
                found += (
                    Endpoint(
                        ref=ref,
                        host=host,
                        port=int(listener["port"]),
                        scheme=scheme,
                        port_name=str(listener.get("name") or ""),
                        path=path,
                    )
                    for path in paths
                )
    if not found:
        return Endpoints(pending=f"{ref}: no Gateway of it has an address yet")
    return Endpoints(found=tuple(found))


def _of_status(ref: ObjectRef, live: Manifest) -> Endpoints:
    """Return the address that a controller has written into the status."""
    found = _URL.match(str((live.get("status") or {}).get("url") or ""))
    if found is None:
        return Endpoints(pending=f"{ref}: its status has no url yet")
    return Endpoints(
        found=(
            Endpoint(
                ref=ref,
                host=found["host"].strip("[]"),
                port=int(found["port"] or _DEFAULT_PORTS[found["scheme"]]),
                scheme=found["scheme"],
                path=found["path"] or "",
            ),
        )
    )


def _listener_scheme(listener: Mapping[str, Any]) -> str:
    return {"HTTPS": "https", "TLS": "https", "HTTP": "http"}.get(
        str(listener.get("protocol")), ""
    )


def _gateway_addresses(gateway: Manifest) -> list[str]:
    addresses = (gateway.get("status") or {}).get("addresses") or ()
    return [str(each["value"]) for each in addresses if each.get("value")]


def _balanced(live: Manifest) -> list[str]:
    """Return the addresses of a load balancer, by name or number."""
    balancer = (live.get("status") or {}).get("loadBalancer") or {}
    return [
        str(each.get("hostname") or each.get("ip"))
        for each in balancer.get("ingress") or ()
        if each.get("hostname") or each.get("ip")
    ]


def _spec(live: Manifest) -> Mapping[str, Any]:
    return live.get("spec") or {}

"""Cluster IPs and node ports of Services, and what they default to."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from random import Random
from typing import Any

from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.statuses import StatusCause, invalid_value

CLUSTER_RANGE = ipaddress.ip_network("10.96.0.0/16")
NODE_PORTS = range(30000, 32768)


def _clusters(spec: dict[str, Any]) -> list[str]:
    addresses = spec.get("clusterIPs") or []
    if not addresses and spec.get("clusterIP"):
        addresses = [spec["clusterIP"]]
    return [one for one in addresses if one and one != "None"]


def _ports(spec: dict[str, Any]) -> list[int]:
    found = [port.get("nodePort") or 0 for port in spec.get("ports") or []]
    found.append(spec.get("healthCheckNodePort") or 0)
    return [port for port in found if port]


class ServiceNetwork:
    """Hands out addresses that no stored Service has."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def prepare_create(self, service: Manifest, others: Iterable[Manifest]) -> None:
        """Allocate for a new Service, in place."""
        self._allocate(service, list(others))

    def prepare_update(
        self, new: Manifest, old: Manifest, others: Iterable[Manifest]
    ) -> None:
        """Keep or release what was allocated, and allocate what the type needs now."""
        spec, before = new.setdefault("spec", {}), old.get("spec") or {}
        kind = spec.get("type", "ClusterIP")
        if kind != "ExternalName" and before.get("type") != "ExternalName":
            if not spec.get("clusterIP"):
                _take(spec, before, ("clusterIP", "clusterIPs"))
            elif not spec.get("clusterIPs"):
                same = spec["clusterIP"] == before.get("clusterIP")
                spec["clusterIPs"] = (
                    before.get("clusterIPs") if same else [spec["clusterIP"]]
                )
            elif spec["clusterIP"] != before.get("clusterIP") and spec.get(
                "clusterIPs"
            ) == before.get("clusterIPs"):
                spec["clusterIPs"] = [spec["clusterIP"]]
        if kind == "ExternalName":
            for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(key, None)
            spec.pop("internalTrafficPolicy", None)
        if kind in ("NodePort", "LoadBalancer"):
            _keep_node_ports(spec, before)
        elif before.get("type") in ("NodePort", "LoadBalancer"):
            _drop_node_ports(spec, before)
        if kind != "LoadBalancer" and before.get("type") == "LoadBalancer":
            spec.pop("allocateLoadBalancerNodePorts", None)
        self._allocate(new, list(others))

    def _allocate(self, service: Manifest, others: list[Manifest]) -> None:
        spec = service.setdefault("spec", {})
        kind = spec.get("type", "ClusterIP")
        if kind == "ExternalName":
            return
        if spec.get("clusterIP") == "None":
            spec["clusterIPs"] = ["None"]
            self._families(spec, headless=not spec.get("selector"))
            return
        taken = {one for other in others for one in _clusters(other.get("spec") or {})}
        if not spec.get("clusterIP"):
            spec["clusterIP"] = self._free_address(taken)
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        self._families(spec, headless=False)
        if kind in ("NodePort", "LoadBalancer") and spec.get(
            "allocateLoadBalancerNodePorts", True
        ):
            used = {one for other in others for one in _ports(other.get("spec") or {})}
            used.update(_ports(spec))
            for port in spec.get("ports") or []:
                if not port.get("nodePort"):
                    port["nodePort"] = self._free_port(used)
                    used.add(port["nodePort"])

    def _families(self, spec: dict[str, Any], *, headless: bool) -> None:
        if headless:
            # Without a selector nothing tells the families apart, so it gets both.
            spec.setdefault("ipFamilies", ["IPv4", "IPv6"])
            spec.setdefault("ipFamilyPolicy", "RequireDualStack")
        else:
            spec.setdefault("ipFamilies", ["IPv4"])
            spec.setdefault("ipFamilyPolicy", "SingleStack")

    def _free_address(self, taken: set[str]) -> str:
        while True:
            number = self._random.randrange(11, CLUSTER_RANGE.num_addresses - 1)
            address = str(CLUSTER_RANGE[number])
            if address not in taken:
                return address

    def _free_port(self, used: set[int]) -> int:
        return self._random.choice([port for port in NODE_PORTS if port not in used])


def _take(spec: dict[str, Any], before: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        spec.pop(key, None)
        if key in before:
            spec[key] = before[key]


def _keep_node_ports(spec: dict[str, Any], before: dict[str, Any]) -> None:
    had = {
        (port.get("port"), port.get("protocol", "TCP")): port.get("nodePort")
        for port in before.get("ports") or []
    }
    for port in spec.get("ports") or []:
        known = had.get((port.get("port"), port.get("protocol", "TCP")))
        if known and not port.get("nodePort"):
            port["nodePort"] = known


def _drop_node_ports(spec: dict[str, Any], before: dict[str, Any]) -> None:
    had = {port.get("nodePort") for port in before.get("ports") or []}
    for port in spec.get("ports") or []:
        if port.get("nodePort") in had:
            port.pop("nodePort", None)
    spec.pop("externalTrafficPolicy", None)


def check_node_ports(service: Manifest) -> list[StatusCause]:
    """Whether the node ports that were asked for lie in the range."""
    return [
        invalid_value(
            f"spec.ports[{index}].nodePort",
            str(port["nodePort"]),
            "provided port is not in the valid range. The range of valid ports is "
            f"{NODE_PORTS.start}-{NODE_PORTS.stop - 1}",
        )
        for index, port in enumerate((service.get("spec") or {}).get("ports") or [])
        if port.get("nodePort") and port["nodePort"] not in NODE_PORTS
    ]


def check_address(service: Manifest) -> list[StatusCause]:
    """Whether a cluster IP that was asked for lies in the range."""
    causes = []
    addresses = (service.get("spec") or {}).get("clusterIPs") or []
    for address in addresses:
        if address == "None":
            continue
        try:
            inside = ipaddress.ip_address(address) in CLUSTER_RANGE
        except ValueError:
            inside = False
        if not inside:
            causes.append(
                invalid_value(
                    "spec.clusterIPs",
                    json.dumps([address]),
                    f"failed to allocate IP {address}: the provided network does not "
                    "match the current range",
                )
            )
    return causes

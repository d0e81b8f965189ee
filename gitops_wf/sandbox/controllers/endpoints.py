"""The Endpoints and the EndpointSlice of a Service: the Pods behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gitops_wf.sandbox.controllers.reading import (
    controlled_by,
    format_time,
    is_ready,
    phase_of,
)
from gitops_wf.sandbox.controllers.work import (
    NOTHING,
    Outcome,
    Write,
    create,
    delete,
    update,
)
from gitops_wf.sandbox.objects import (
    Manifest,
    copy,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)

_TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
_MANAGED, _MANAGER = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
_SLICE = "endpointslices.discovery.k8s.io"


def reconcile(
    service: Manifest,
    pods: Sequence[Manifest],
    slices: Sequence[Manifest],
    known: Manifest | None,
    now: datetime,
) -> Outcome:
    """The next step of a Service with its slices and its Endpoints."""
    if is_deleting(service) or not service["spec"].get("selector"):
        return NOTHING
    behind = [
        pod
        for pod in pods
        if selects(service, pod)
        and (pod.get("status") or {}).get("podIP")
        and phase_of(pod) not in {"Succeeded", "Failed"}
    ]
    stamp = format_time(now)
    there = next((one for one in slices if one["kind"] == "EndpointSlice"), None)
    wanted = _slice(service, behind, stamp)
    writes = _write(_SLICE, there, wanted, ("endpoints", "ports"))
    wanted = _endpoints(service, behind, stamp)
    writes += _write("endpoints", known, wanted, ("subsets",))
    return Outcome(writes=tuple(writes))


def outlived(manifest: Manifest, service: Manifest | None) -> Outcome:
    """Delete Endpoints of ours whose Service is gone."""
    ours = labels_of(manifest).get(_MANAGED) == _MANAGER
    if service is not None or not ours or is_deleting(manifest):
        return NOTHING
    return Outcome(writes=(delete("endpoints", manifest),))


def selects(service: Manifest, pod: Manifest) -> bool:
    """Whether a Pod is behind a Service."""
    selector = service["spec"].get("selector")
    return bool(selector) and selector.items() <= labels_of(pod).items()


def _write(
    resource: str, there: Manifest | None, wanted: Manifest, fields: Sequence[str]
) -> list[Write]:
    if there is None:
        return [create(resource, wanted)]
    if all((there.get(field) or []) == (wanted.get(field) or []) for field in fields):
        return []
    changed = copy(there)
    changed["metadata"]["annotations"] = wanted["metadata"]["annotations"]
    for field in fields:
        changed[field] = wanted.get(field)
    return [update(resource, changed)]


def _target(pod: Manifest) -> dict[str, str]:
    return {
        "kind": "Pod",
        "namespace": namespace_of(pod),
        "name": name_of(pod),
        "uid": uid_of(pod),
    }


def _ports(service: Manifest, pods: Sequence[Manifest]) -> list[dict[str, Any]]:
    """The ports as the Pods have them; a named one is looked up in their containers."""
    ports = []
    for one in service["spec"].get("ports") or []:
        number = one.get("targetPort") or one["port"]
        if isinstance(number, str):
            found = [
                port["containerPort"]
                for pod in pods
                for container in pod["spec"]["containers"]
                for port in container.get("ports") or []
                if port.get("name") == number
            ]
            if not found:
                continue
            number = found[0]
        port = {"name": one.get("name", ""), "protocol": one.get("protocol", "TCP")}
        ports.append(port | {"port": number})
    return ports


def _slice(service: Manifest, pods: Sequence[Manifest], stamp: str) -> Manifest:
    endpoints = [
        {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {
                "ready": is_ready(pod) and not is_deleting(pod),
                "serving": is_ready(pod),
                "terminating": is_deleting(pod),
            },
            "targetRef": _target(pod),
            "nodeName": pod["spec"].get("nodeName"),
        }
        for pod in pods
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{name_of(service)}-",
            "namespace": namespace_of(service),
            "labels": {
                **labels_of(service),
                "endpointslice.kubernetes.io/managed-by": (
                    "endpointslice-controller.k8s.io"
                ),
                "kubernetes.io/service-name": name_of(service),
            },
            "annotations": {_TRIGGER: stamp},
            "ownerReferences": [controlled_by(service, "v1", "Service")],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": _ports(service, pods),
    }


def _endpoints(service: Manifest, pods: Sequence[Manifest], stamp: str) -> Manifest:
    groups: dict[str, list[dict[str, Any]]] = {"addresses": [], "notReadyAddresses": []}
    for pod in pods:
        if is_deleting(pod):
            continue
        kind = "addresses" if is_ready(pod) else "notReadyAddresses"
        address = {
            "ip": pod["status"]["podIP"],
            "nodeName": pod["spec"].get("nodeName"),
        }
        groups[kind].append(address | {"targetRef": _target(pod)})
    subset: dict[str, Any] = {key: one for key, one in groups.items() if one}
    ports = [
        {key: value for key, value in port.items() if value}
        for port in _ports(service, pods)
    ]
    made: Manifest = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": name_of(service),
            "namespace": namespace_of(service),
            "labels": {
                **labels_of(service),
                _MANAGED: _MANAGER,
            },
            "annotations": {_TRIGGER: stamp},
        },
    }
    if subset:
        made["subsets"] = [subset | {"ports": ports}]
    return made

"""What the server warns of in an object that it takes all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_wf.sandbox.fields.quantity import amount
from gitops_wf.sandbox.objects import Manifest, metadata
from gitops_wf.sandbox.resources import Resource

ENDPOINTS = (
    "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
)
# Well-known labels that were renamed.
_RENAMED = {
    "beta.kubernetes.io/arch": ("v1.14", "kubernetes.io/arch"),
    "beta.kubernetes.io/os": ("v1.14", "kubernetes.io/os"),
    "beta.kubernetes.io/instance-type": ("v1.17", "node.kubernetes.io/instance-type"),
    "failure-domain.beta.kubernetes.io/region": (
        "v1.17",
        "topology.kubernetes.io/region",
    ),
    "failure-domain.beta.kubernetes.io/zone": ("v1.17", "topology.kubernetes.io/zone"),
}
_TEMPLATES = {
    "daemonsets.apps": "spec.template.spec",
    "deployments.apps": "spec.template.spec",
    "jobs.batch": "spec.template.spec",
    "pods": "spec",
    "replicasets.apps": "spec.template.spec",
    "statefulsets.apps": "spec.template.spec",
}
_INGRESS_CLASS = "kubernetes.io/ingress.class"
_CLASS_ANNOTATION = (
    f'annotation "{_INGRESS_CLASS}" is deprecated, please use '
    "'spec.ingressClassName' instead"
)
_EXTERNAL = (
    "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
)


def warnings(resource: Resource, manifest: Manifest) -> list[str]:
    """The warnings of an object as it is stored."""
    match resource.qualified:
        case "ingresses.networking.k8s.io":
            if _INGRESS_CLASS in (metadata(manifest).get("annotations") or {}):
                return [_CLASS_ANNOTATION]
        case "services":
            if (manifest.get("spec") or {}).get("externalIPs"):
                return [_EXTERNAL]
        case qualified if qualified in _TEMPLATES:
            field = _TEMPLATES[qualified]
            spec: Any = manifest
            for name in field.split("."):
                spec = spec.get(name) or {}
            return list(_pod_spec(spec, field))
        case _:
            pass
    return []


def _pod_spec(spec: dict[str, Any], field: str) -> Iterator[str]:
    for key in sorted(spec.get("nodeSelector") or {}):
        if key in _RENAMED:
            since, instead = _RENAMED[key]
            yield (
                f"{field}.nodeSelector[{key}]: deprecated since {since}; use "
                f'"{instead}" instead'
            )
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or []):
            yield from _container(container, f"{field}.{group}[{index}]")


def _container(container: dict[str, Any], field: str) -> Iterator[str]:
    resources = container.get("resources") or {}
    for kind in ("limits", "requests"):
        for name in ("ephemeral-storage", "memory"):
            value = (resources.get(kind) or {}).get(name)
            if value is not None and amount(value) % 1:
                yield (
                    f"{field}.resources.{kind}[{name}]: fractional byte value "
                    f'"{value}" is invalid, must be an integer'
                )
    names: set[str] = set()
    for index, one in enumerate(container.get("env") or []):
        name = one.get("name") or ""
        if name in names and not _mentions(one, name):
            yield (
                f'{field}.env[{index}]: hides previous definition of "{name}", which '
                "may be dropped when using apply"
            )
        names.add(name)
    ports: dict[tuple[Any, Any], int] = {}
    for index, one in enumerate(container.get("ports") or []):
        key = (one.get("containerPort"), one.get("protocol", "TCP"))
        if key in ports:
            yield (
                f"{field}.ports[{index}]: duplicate port definition with "
                f"{field}.ports[{ports[key]}]"
            )
        ports.setdefault(key, index)


def _mentions(variable: dict[str, Any], name: str) -> bool:
    """Whether a variable is made of the one that it hides."""
    return f"$({name})" in (variable.get("value") or "")

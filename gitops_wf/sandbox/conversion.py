"""Objects that are stored in one version and served in several."""

from __future__ import annotations

from typing import Any

from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.resources import Resource

# events.k8s.io names for what the core Event calls otherwise.
_EVENT_NAMES = (
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
)


def to_stored(resource: Resource, manifest: Manifest) -> Manifest:
    """The stored form of an object that came in a resource's version."""
    if resource.group == "events.k8s.io":
        event = _renamed(manifest, {new: old for old, new in _EVENT_NAMES})
        event.setdefault("involvedObject", {})
        event.setdefault("source", {})
        event.setdefault("reportingInstance", "")
        event.setdefault("reportingComponent", "")
        event.setdefault("firstTimestamp", None)
        event.setdefault("lastTimestamp", None)
        return {**event, "apiVersion": "v1"}
    if resource.qualified == "horizontalpodautoscalers.autoscaling":
        if resource.version == "v1":
            return _autoscaler_to_v2(manifest)
        return manifest
    return manifest


def from_stored(resource: Resource, manifest: Manifest) -> Manifest:
    """A stored object in the version of a resource; the given one where it is that."""
    if resource.group == "events.k8s.io":
        event = _renamed(manifest, dict(_EVENT_NAMES))
        # What the core form always has, this form leaves out when empty.
        for key in ("reportingController", "reportingInstance"):
            if event.get(key) == "":
                del event[key]
        return {**event, "apiVersion": "events.k8s.io/v1"}
    if resource.qualified == "horizontalpodautoscalers.autoscaling":
        return _autoscaler_to_v1(manifest) if resource.version == "v1" else manifest
    if manifest.get("apiVersion") != resource.api_version:
        return {**manifest, "apiVersion": resource.api_version}
    return manifest


def _renamed(manifest: Manifest, names: dict[str, str]) -> Manifest:
    return {names.get(key, key): value for key, value in manifest.items()}


def _autoscaler_to_v2(manifest: Manifest) -> Manifest:
    spec: dict[str, Any] = {**(manifest.get("spec") or {})}
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        spec["metrics"] = [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": target},
                },
            }
        ]
    return {**manifest, "apiVersion": "autoscaling/v2", "spec": spec}


def _autoscaler_to_v1(manifest: Manifest) -> Manifest:
    spec: dict[str, Any] = {**(manifest.get("spec") or {})}
    for metric in spec.pop("metrics", None) or []:
        resource = metric.get("resource") or {}
        target = (resource.get("target") or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and target is not None:
            spec["targetCPUUtilizationPercentage"] = target
    spec.pop("behavior", None)
    status: dict[str, Any] = {**(manifest.get("status") or {})}
    status.pop("currentMetrics", None)
    status.pop("conditions", None)
    status.setdefault("currentReplicas", 0)
    return {**manifest, "apiVersion": "autoscaling/v1", "spec": spec, "status": status}

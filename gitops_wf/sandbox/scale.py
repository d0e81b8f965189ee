"""The scale subresource: replicas and selector of a workload as a Scale."""

from __future__ import annotations

from typing import Any

from gitops_wf.sandbox.fields.patch import json_patch, merge_patch
from gitops_wf.sandbox.mutation import PatchKind
from gitops_wf.sandbox.objects import Manifest, copy, metadata, name_of, revision_of
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import bad_request, invalid, invalid_value
from gitops_wf.sandbox.tables.workloads import selector_text

_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def of(resource: Resource, manifest: Manifest) -> Manifest:
    """The Scale of an object."""
    paths, meta = resource.scale, metadata(manifest)
    shown: dict[str, Any] = {"replicas": _at(manifest, paths.actual) or 0}
    text = _selector(resource, manifest)
    if text:
        shown["selector"] = text
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in _META if key in meta},
        "spec": {"replicas": _at(manifest, paths.wanted) or 0},
        "status": shown,
    }


def _at(manifest: Manifest, path: str) -> Any:
    """What stands at a path of names, as `.spec.replicas`; None where nothing does."""
    found: Any = manifest
    for name in path.strip(".").split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _selector(resource: Resource, manifest: Manifest) -> str:
    if resource.custom:
        path = resource.scale.selector
        return str(_at(manifest, path) or "") if path else ""
    selector = (manifest.get("spec") or {}).get("selector") or {}
    if resource.plural == "replicationcontrollers":
        selector = {"matchLabels": selector}
    text = selector_text(selector)
    return "" if text == "<none>" else text


def scaled(live: Manifest, scale: Manifest, resource: Resource) -> Manifest:
    """The object with the replicas of a Scale; ApiError 400 or 422."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: '
            "cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of "
            "type int32"
        )
    if replicas < 0:
        cause = invalid_value(
            "spec.replicas", str(replicas), "must be greater than or equal to 0"
        )
        raise invalid("Scale", name_of(live), [cause], group="autoscaling")
    new = copy(live)
    *parents, last = resource.scale.wanted.strip(".").split(".")
    place = new
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = replicas
    return new


def patched(
    live: Manifest,
    kind: PatchKind,
    patch: Any,
    resource: Resource,
) -> Manifest:
    """The object after a patch of its Scale; raises the errors of `fields`."""
    before = of(resource, live)
    # A Scale has no lists, so a strategic merge patch is a merge patch.
    after = json_patch(before, patch) if kind == "json" else merge_patch(before, patch)
    new = scaled(live, after, resource)
    revision = revision_of(after)
    if revision:
        metadata(new)["resourceVersion"] = revision
    return new


def applied(live: Manifest, scale: Manifest, resource: Resource) -> Manifest:
    """What an apply of a Scale applies to the object itself."""
    spec = scale.get("spec") or {}
    if isinstance(spec.get("replicas"), int):
        scaled(live, scale, resource)
    wanted = {key: spec[key] for key in ("replicas",) if key in spec}
    meta = {
        key: value
        for key, value in metadata(scale).items()
        if key in ("name", "namespace", "resourceVersion", "uid")
    }
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": meta,
        "spec": wanted,
    }


def forget_time(manifest: Manifest, manager: str) -> None:
    """Drop the time of a scaler's entry, which the server keeps without one."""
    for entry in metadata(manifest).get("managedFields") or []:
        if entry.get("subresource") == "scale" and entry.get("manager") == manager:
            entry.pop("time", None)

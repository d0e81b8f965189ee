"""LimitRanges: the resources that a Pod gets where it names none, and their bounds.

https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gitops_wf.sandbox.fields.quantity import amount
from gitops_wf.sandbox.objects import Manifest, metadata
from gitops_wf.sandbox.usage import pod_resources

_ANNOTATION = "kubernetes.io/limit-ranger"
Amounts = dict[str, str]


def set_defaults(pod: Manifest, ranges: Iterable[Manifest]) -> None:
    """Give the containers of a new Pod their default requests and limits, in place."""
    told: list[str] = []
    for one in ranges:
        requests, limits = _defaults(one)
        spec = pod.get("spec") or {}
        for key, what in (
            ("containers", "container"),
            ("initContainers", "init container"),
        ):
            for container in spec.get(key) or []:
                told += _complete(container, what, requests, limits)
    if told:
        text = "LimitRanger plugin set: " + "; ".join(told)
        metadata(pod).setdefault("annotations", {})[_ANNOTATION] = text


def _defaults(limit_range: Manifest) -> tuple[Amounts, Amounts]:
    requests: Amounts = {}
    limits: Amounts = {}
    for item in _items(limit_range, "Container"):
        requests.update(item.get("defaultRequest") or {})
        limits.update(item.get("default") or {})
    return requests, limits


def _items(limit_range: Manifest, kind: str) -> Iterator[dict[str, Any]]:
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        if item.get("type") == kind:
            yield item


def _complete(
    container: dict[str, Any], what: str, requests: Amounts, limits: Amounts
) -> Iterator[str]:
    resources = container.setdefault("resources", {})
    for key, word, defaults in (
        ("requests", "request", requests),
        ("limits", "limit", limits),
    ):
        there = resources.get(key) or {}
        added = {name: one for name, one in defaults.items() if name not in there}
        if added:
            resources[key] = {**there, **added}
            names = ", ".join(sorted(added))
            yield f"{names} {word} for {what} {container.get('name')}"


def violations(resource: str, manifest: Manifest, ranges: Iterable[Manifest]) -> str:
    """What of a new Pod or claim is out of bounds; '' where nothing is."""
    found: list[str] = []
    for one in ranges:
        if resource == "pods":
            found += _pod_violations(manifest, one)
        elif resource == "persistentvolumeclaims":
            asked = (manifest.get("spec") or {}).get("resources") or {}
            for item in _items(one, "PersistentVolumeClaim"):
                found += _claim_violations(item, asked.get("requests") or {})
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]" if found else ""


def _pod_violations(pod: Manifest, limit_range: Manifest) -> Iterator[str]:
    spec = pod.get("spec") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        if item.get("type") == "Container":
            for container in containers:
                yield from _violations(item, container.get("resources") or {})
        elif item.get("type") == "Pod":
            yield from _violations(item, pod_resources(pod))


def _violations(item: dict[str, Any], resources: dict[str, Any]) -> Iterator[str]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    kind = item["type"]
    for name, bound in (item.get("min") or {}).items():
        head = f"minimum {name} usage per {kind} is {bound}"
        if name not in requests:
            yield f"{head}.  No request is specified"
        elif amount(requests[name]) < amount(bound):
            yield f"{head}, but request is {requests[name]}"
        elif name in limits and amount(limits[name]) < amount(bound):
            yield f"{head}, but limit is {limits[name]}"
    for name, bound in (item.get("max") or {}).items():
        head = f"maximum {name} usage per {kind} is {bound}"
        if name not in limits:
            yield f"{head}.  No limit is specified"
        elif amount(limits[name]) > amount(bound):
            yield f"{head}, but limit is {limits[name]}"
        elif name in requests and amount(requests[name]) > amount(bound):
            yield f"{head}, but request is {requests[name]}"
    for name, bound in (item.get("maxLimitRequestRatio") or {}).items():
        head = f"{name} max limit to request ratio per {kind} is {bound}"
        if not amount(requests.get(name, "0")):
            yield f"{head}, but no request is specified or request is 0"
        elif name not in limits:
            yield f"{head}, but no limit is specified"
        else:
            ratio = amount(limits[name]) / amount(requests[name])
            if ratio > amount(bound):
                yield f"{head}, but provided ratio is {ratio:f}"


def _claim_violations(item: dict[str, Any], requests: Amounts) -> Iterator[str]:
    for name, bound in (item.get("min") or {}).items():
        head = f"minimum {name} usage per PersistentVolumeClaim is {bound}"
        if name not in requests:
            yield f"{head}.  No request is specified"
        elif amount(requests[name]) < amount(bound):
            yield f"{head}, but request is {requests[name]}"
    for name, bound in (item.get("max") or {}).items():
        head = f"maximum {name} usage per PersistentVolumeClaim is {bound}"
        if name not in requests:
            yield f"{head}.  No request is specified"
        elif amount(requests[name]) > amount(bound):
            yield f"{head}, but request is {requests[name]}"

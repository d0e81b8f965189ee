"""The life of a namespace: what every one holds, and how its content goes with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gitops_wf.sandbox.controllers.index import Seen
from gitops_wf.sandbox.controllers.reading import (
    find_condition,
    format_time,
)
from gitops_wf.sandbox.controllers.work import (
    NOTHING,
    Outcome,
    Situation,
    Verb,
    Write,
    create,
    delete,
    update_status,
)
from gitops_wf.sandbox.objects import (
    Manifest,
    copy,
    finalizers_of,
    is_deleting,
    name_of,
)

_CA_NOTE = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using "
    "internal endpoints such as the internal service IP or kubernetes.default.svc. No "
    "other usage is guaranteed across distributions of Kubernetes clusters."
)


def reconcile(situation: Situation, content: Sequence[Seen], ca: str) -> Outcome:
    """The next step of a namespace with this content."""
    namespace = situation.object
    if not is_deleting(namespace):
        return Outcome(writes=tuple(_furniture(name_of(namespace), content, ca)))
    return _empty(namespace, content, situation.now)


def _furniture(name: str, content: Sequence[Seen], ca: str) -> list[Write]:
    """The ServiceAccount `default` and the CA's ConfigMap, where they are missing."""
    there = {(one.key.resource, one.key.name) for one in content}
    writes = []
    if ("serviceaccounts", "default") not in there:
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": name},
        }
        writes.append(create("serviceaccounts", account))
    if ("configmaps", "kube-root-ca.crt") not in there:
        bundle = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "kube-root-ca.crt",
                "namespace": name,
                "annotations": {"kubernetes.io/description": _CA_NOTE},
            },
            "data": {"ca.crt": ca},
        }
        writes.append(create("configmaps", bundle))
    return writes


def _empty(namespace: Manifest, content: Sequence[Seen], now: datetime) -> Outcome:
    waiting = [one for one in content if not is_deleting(one.object)]
    if waiting:
        writes = tuple(delete(one.key.resource, one.object) for one in waiting)
        return Outcome(writes=writes)
    if content:
        status = copy(namespace.get("status") or {})
        status["conditions"] = _remaining(status.get("conditions"), content, now)
        if status == namespace.get("status"):
            return NOTHING
        return Outcome(
            writes=(update_status("namespaces", namespace | {"status": status}),)
        )
    if "kubernetes" not in (namespace["spec"].get("finalizers") or []):
        return NOTHING
    changed = copy(namespace)
    finalizers = [one for one in changed["spec"]["finalizers"] if one != "kubernetes"]
    changed["spec"]["finalizers"] = finalizers
    return Outcome(
        writes=(
            Write(
                verb=Verb.UPDATE,
                resource="namespaces",
                object=changed,
                subresource="finalize",
            ),
        )
    )


def _remaining(
    old: Sequence[dict[str, Any]] | None, content: Sequence[Seen], now: datetime
) -> list[dict[str, Any]]:
    kinds = Counter(_dotted(one.key.resource) for one in content)
    remain = ", ".join(
        f"{kind} has {kinds[kind]} resource instances" for kind in sorted(kinds)
    )
    finalizers = Counter(
        finalizer for one in content for finalizer in finalizers_of(one.object)
    )
    held = ", ".join(
        f"{name} in {finalizers[name]} resource instances"
        for name in sorted(finalizers)
    )
    texts = [
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            "True",
            "SomeResourcesRemain",
            f"Some resources are remaining: {remain}",
        ),
        (
            "NamespaceFinalizersRemaining",
            "True" if held else "False",
            "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
            f"Some content in the namespace has finalizers remaining: {held}"
            if held
            else "All content-preserving finalizers finished",
        ),
    ]
    conditions = []
    for kind, status, reason, message in texts:
        before = find_condition(old, kind)
        since = format_time(now)
        if before is not None and before["status"] == status:
            since = before["lastTransitionTime"]
        conditions.append(
            {
                "type": kind,
                "status": status,
                "lastTransitionTime": since,
                "reason": reason,
                "message": message,
            }
        )
    return conditions


def _dotted(resource: str) -> str:
    """`configmaps.`, as the message names a resource of the core group."""
    return resource if "." in resource else f"{resource}."

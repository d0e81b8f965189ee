"""HorizontalPodAutoscalers in a cluster without a metrics API.

As there, they keep their target between its bounds and say what they lack.
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gitops_wf.sandbox.controllers.index import Index, Key
from gitops_wf.sandbox.controllers.reading import find_condition, format_time
from gitops_wf.sandbox.controllers.work import (
    NOTHING,
    Outcome,
    Situation,
    Verb,
    Write,
    update_status,
)
from gitops_wf.sandbox.objects import Manifest, is_deleting, name_of, namespace_of

AUTOSCALERS = "horizontalpodautoscalers.autoscaling"
_TARGETS = {
    ("apps", "Deployment"): "deployments.apps",
    ("apps", "ReplicaSet"): "replicasets.apps",
    ("apps", "StatefulSet"): "statefulsets.apps",
}
_NO_METRICS = (
    "the HPA was unable to compute the replica count: failed to get cpu utilization: "
    "unable to get metrics for resource cpu: unable to fetch metrics from resource "
    "metrics API: the server could not find the requested resource (get "
    "pods.metrics.k8s.io)"
)


def wakes(key: Key, _manifest: Manifest, index: Index) -> Iterable[Key]:
    """The autoscalers that a change may concern."""
    if key.resource == AUTOSCALERS:
        return [key]
    if key.resource in _TARGETS.values():
        return [one.key for one in index.of_resource(AUTOSCALERS, key.namespace)]
    return []


def reconcile(situation: Situation, index: Index) -> Outcome:
    """The next step of an autoscaler."""
    scaler = situation.object
    if is_deleting(scaler):
        return NOTHING
    spec, before = scaler["spec"], scaler.get("status") or {}
    reference = spec.get("scaleTargetRef") or {}
    group = str(reference.get("apiVersion", "")).rpartition("/")[0]
    resource = _TARGETS.get((group, reference.get("kind", "")))
    target = None
    if resource is not None:
        target = index.get(Key(resource, namespace_of(scaler), reference["name"]))
    stamp = format_time(situation.now)
    if resource is None or target is None:
        kind = (resource or str(reference.get("kind", "")).lower()).partition(".")[0]
        text = (
            "the HPA controller was unable to get the target's current scale: "
            f'{kind}.{group} "{reference.get("name", "")}" not found'
        )
        status = {
            **before,
            "conditions": _conditions(
                before, stamp, ("AbleToScale", "False", "FailedGetScale", text)
            ),
        }
        return _told(scaler, status)
    size = target.object["spec"].get("replicas", 1)
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", size)
    wanted = min(max(size, least), most)
    if wanted != size and size:
        scaled = Write(
            verb=Verb.UPDATE,
            resource=resource,
            object={
                "metadata": {
                    "name": name_of(target.object),
                    "namespace": namespace_of(scaler),
                },
                "spec": {"replicas": wanted},
            },
            subresource="scale",
        )
        status = {
            **before,
            "lastScaleTime": stamp,
            "currentReplicas": size,
            "desiredReplicas": wanted,
        }
        told = update_status(AUTOSCALERS, scaler | {"status": status})
        return Outcome(writes=(scaled, told))
    status = {
        **before,
        "currentReplicas": (target.object.get("status") or {}).get("replicas", 0),
        "desiredReplicas": wanted,
        "currentMetrics": [{"type": ""}],
        "conditions": _conditions(
            before,
            stamp,
            (
                "AbleToScale",
                "True",
                "SucceededGetScale",
                "the HPA controller was able to get the target's current scale",
            ),
            ("ScalingActive", "False", "FailedGetResourceMetric", _NO_METRICS),
        ),
    }
    return _told(scaler, status)


def _told(scaler: Manifest, status: dict[str, Any]) -> Outcome:
    if status == scaler.get("status"):
        return NOTHING
    return Outcome(writes=(update_status(AUTOSCALERS, scaler | {"status": status}),))


def _conditions(
    before: dict[str, Any], stamp: str, *wanted: tuple[str, str, str, str]
) -> list[dict[str, str]]:
    made = []
    for kind, status, reason, message in wanted:
        old = find_condition(before.get("conditions"), kind) or {}
        same = old.get("status") == status
        made.append(
            {
                "type": kind,
                "status": status,
                "lastTransitionTime": old["lastTransitionTime"] if same else stamp,
                "reason": reason,
                "message": message,
            }
        )
    return made

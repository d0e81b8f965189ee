"""PodDisruptionBudgets: how many Pods may go at this moment.

https://kubernetes.io/docs/tasks/run-application/configure-pdb/
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from gitops_wf.sandbox.controllers.index import Index, Key
from gitops_wf.sandbox.controllers.reading import (
    controller_of,
    find_condition,
    format_time,
    is_ready,
    phase_of,
)
from gitops_wf.sandbox.controllers.work import (
    NOTHING,
    Outcome,
    Situation,
    update_status,
)
from gitops_wf.sandbox.objects import Manifest, is_deleting, labels_of, namespace_of
from gitops_wf.sandbox.selectors import selects

BUDGETS = "poddisruptionbudgets.policy"
_OWNERS = {
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "ReplicationController": "replicationcontrollers",
}


def wakes(key: Key, _manifest: Manifest, index: Index) -> Iterable[Key]:
    """The budgets that a change may concern."""
    if key.resource == BUDGETS:
        return [key]
    if key.resource == "pods" or key.resource in _OWNERS.values():
        return [one.key for one in index.of_resource(BUDGETS, key.namespace)]
    return []


def reconcile(situation: Situation, index: Index) -> Outcome:
    """The budget with its numbers."""
    budget = situation.object
    if is_deleting(budget):
        return NOTHING
    spec, before = budget["spec"], budget.get("status") or {}
    pods = [
        one.object
        for one in index.of_resource("pods", namespace_of(budget))
        if selects(spec.get("selector"), labels_of(one.object))
        and phase_of(one.object) not in {"Failed", "Succeeded"}
    ]
    healthy = sum(is_ready(pod) and not is_deleting(pod) for pod in pods)
    expected, desired = _numbers(spec, pods, index)
    allowed = max(healthy - desired, 0) if expected else 0
    is_enough = allowed > 0
    old = find_condition(before.get("conditions"), "DisruptionAllowed") or {}
    text = "True" if is_enough else "False"
    since = old.get("lastTransitionTime")
    if old.get("status") != text or since is None:
        since = format_time(situation.now)
    status = {
        **before,
        "observedGeneration": budget["metadata"].get("generation", 1),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": [
            {
                "type": "DisruptionAllowed",
                "status": text,
                "observedGeneration": budget["metadata"].get("generation", 1),
                "lastTransitionTime": since,
                "reason": "SufficientPods" if is_enough else "InsufficientPods",
                "message": "",
            }
        ],
    }
    if status == before:
        return NOTHING
    return Outcome(writes=(update_status(BUDGETS, budget | {"status": status}),))


def _numbers(
    spec: dict[str, Any], pods: list[Manifest], index: Index
) -> tuple[int, int]:
    """How many Pods are expected, and how many of them have to be healthy."""
    if "maxUnavailable" in spec:
        expected = _expected(pods, index)
        return expected, max(expected - _share(spec["maxUnavailable"], expected), 0)
    least = spec.get("minAvailable", 1)
    if isinstance(least, int):
        return len(pods), least
    expected = _expected(pods, index)
    return expected, _share(least, expected)


def _share(value: Any, whole: int) -> int:
    if isinstance(value, int):
        return value
    return math.ceil(whole * int(str(value).rstrip("%")) / 100)


def _expected(pods: list[Manifest], index: Index) -> int:
    """The sum of what the owners of the Pods want."""
    owners: dict[str, int] = {}
    for pod in pods:
        reference = controller_of(pod)
        if reference is None:
            continue
        owner = index.by_uid(reference["uid"])
        wanted = 1 if owner is None else (owner.object["spec"].get("replicas") or 0)
        owners[reference["uid"]] = wanted
    return sum(owners.values())

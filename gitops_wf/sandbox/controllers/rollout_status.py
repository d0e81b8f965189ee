"""The status of a Deployment: its counts and its conditions.

After `syncRolloutStatus` and `calculateStatus` of the Deployment controller; the order
of conditions and the moments at which they change are those of a real one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.sandbox.controllers.reading import (
    find_condition,
    format_time,
    parse_time,
    without_empty,
)
from gitops_wf.sandbox.controllers.rollout_sizes import (
    max_unavailable,
    reported,
    size_of,
    wanted,
)
from gitops_wf.sandbox.objects import Manifest, name_of

AVAILABLE_REASON = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
# Kubernetes reads this deadline as "none".
NO_DEADLINE = 2**31 - 1


def has_deadline(deployment: Manifest) -> bool:
    """Whether progress is watched at all."""
    deadline = deployment["spec"].get("progressDeadlineSeconds")
    return deadline is not None and deadline != NO_DEADLINE


def new_condition(
    kind: str, status: str, reason: str, message: str, now: datetime
) -> dict[str, Any]:
    """A Deployment condition as of now."""
    stamp = format_time(now)
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": stamp,
        "lastTransitionTime": stamp,
        "reason": reason,
        "message": message,
    }


def set_condition(
    conditions: Sequence[Mapping[str, Any]], condition: dict[str, Any]
) -> list[Any]:
    """The conditions with one set: unchanged, or replaced at the end of the list."""
    current = find_condition(conditions, condition["type"])
    if current is not None and current["status"] == condition["status"]:
        if current.get("reason") == condition["reason"]:
            return list(conditions)
        condition = condition | {"lastTransitionTime": current["lastTransitionTime"]}
    return [*without_condition(conditions, condition["type"]), condition]


def without_condition(conditions: Sequence[Mapping[str, Any]], kind: str) -> list[Any]:
    """The conditions less those of a type."""
    return [one for one in conditions if one["type"] != kind]


def calculate_status(
    deployment: Manifest,
    new: Manifest | None,
    all_sets: Sequence[Manifest],
    now: datetime,
) -> dict[str, Any]:
    """Counts and the condition Available; Progressing as it was."""
    available = reported(all_sets, "availableReplicas")
    old = deployment.get("status") or {}
    counts = without_empty(
        {
            "observedGeneration": deployment["metadata"].get("generation", 1),
            "replicas": reported(all_sets, "replicas"),
            "updatedReplicas": reported([new] if new else [], "replicas"),
            "readyReplicas": reported(all_sets, "readyReplicas"),
            "availableReplicas": available,
            "unavailableReplicas": max(0, sum(map(size_of, all_sets)) - available),
            "collisionCount": old.get("collisionCount"),
        }
    )
    counts["terminatingReplicas"] = reported(all_sets, "terminatingReplicas")
    if available >= wanted(deployment) - max_unavailable(deployment):
        condition = new_condition(
            "Available",
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
            now,
        )
    else:
        condition = new_condition(
            "Available",
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
            now,
        )
    return counts | {
        "conditions": set_condition(old.get("conditions") or [], condition)
    }


def rollout_status(
    deployment: Manifest,
    new: Manifest | None,
    all_sets: Sequence[Manifest],
    now: datetime,
) -> dict[str, Any]:
    """The status during and after a rollout, with Progressing and ReplicaFailure."""
    status = calculate_status(deployment, new, all_sets, now)
    old = deployment.get("status") or {}
    current = find_condition(old.get("conditions"), "Progressing")
    conditions = status["conditions"]
    if not has_deadline(deployment):
        conditions = without_condition(conditions, "Progressing")
    elif not _is_settled(status, current):
        conditions = _with_progress(deployment, new, status, current, now)
    failure = _replica_failure(new, all_sets, now)
    if failure is not None:
        conditions = set_condition(conditions, failure)
    else:
        conditions = without_condition(conditions, "ReplicaFailure")
    return status | {"conditions": conditions}


def _is_settled(status: Mapping[str, Any], current: Mapping[str, Any] | None) -> bool:
    return (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current.get("reason") == AVAILABLE_REASON
    )


def is_complete(deployment: Manifest, status: Mapping[str, Any]) -> bool:
    """Whether every wanted Pod is of the new template, available, and alone."""
    total = wanted(deployment)
    counts = ("updatedReplicas", "replicas", "availableReplicas")
    observed = status.get("observedGeneration", 0)
    return all(status.get(count, 0) == total for count in counts) and bool(
        observed >= deployment["metadata"].get("generation", 1)
    )


def _is_progressing(status: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    def count(of: Mapping[str, Any], name: str) -> int:
        return int(of.get(name) or 0)

    def outdated(of: Mapping[str, Any]) -> int:
        return count(of, "replicas") - count(of, "updatedReplicas")

    return (
        count(status, "updatedReplicas") > count(old, "updatedReplicas")
        or outdated(status) < outdated(old)
        or count(status, "readyReplicas") > count(old, "readyReplicas")
        or count(status, "availableReplicas") > count(old, "availableReplicas")
    )


def _with_progress(
    deployment: Manifest,
    new: Manifest | None,
    status: Mapping[str, Any],
    current: Mapping[str, Any] | None,
    now: datetime,
) -> list[Any]:
    conditions: list[Any] = status["conditions"]
    subject = f'Deployment "{name_of(deployment)}"'
    if new is not None:
        subject = f'ReplicaSet "{name_of(new)}"'
    if is_complete(deployment, status):
        message = f"{subject} has successfully progressed."
        done = new_condition("Progressing", "True", AVAILABLE_REASON, message, now)
        return set_condition(conditions, done)
    if _is_progressing(status, deployment.get("status") or {}):
        message = f"{subject} is progressing."
        going = new_condition("Progressing", "True", "ReplicaSetUpdated", message, now)
        if current is not None and current["status"] == "True":
            going["lastTransitionTime"] = current["lastTransitionTime"]
        return [*without_condition(conditions, "Progressing"), going]
    due = deadline_of(deployment, conditions)
    if due is not None and due <= now:
        message = f"{subject} has timed out progressing."
        late = new_condition("Progressing", "False", TIMED_OUT, message, now)
        return set_condition(conditions, late)
    return conditions


def deadline_of(
    deployment: Manifest, conditions: Sequence[Mapping[str, Any]]
) -> datetime | None:
    """When a rollout without further progress has timed out; None: it can't now."""
    current = find_condition(conditions, "Progressing")
    if not has_deadline(deployment) or current is None:
        return None
    if current.get("reason") in {AVAILABLE_REASON, TIMED_OUT}:
        return None
    since = parse_time(current.get("lastUpdateTime"))
    if since is None:
        return None
    # Stored times are cut to seconds, and the deadline must have passed wholly.
    seconds = deployment["spec"]["progressDeadlineSeconds"] + 1
    return since + timedelta(seconds=seconds)


def _replica_failure(
    new: Manifest | None, all_sets: Sequence[Manifest], now: datetime
) -> dict[str, Any] | None:
    candidates = [*([new] if new else []), *all_sets]
    for one in candidates:
        found = find_condition(
            (one.get("status") or {}).get("conditions"), "ReplicaFailure"
        )
        if found is not None:
            return new_condition(
                "ReplicaFailure",
                found["status"],
                found.get("reason", ""),
                found.get("message", ""),
                now,
            )
    return None

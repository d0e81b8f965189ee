"""The ReplicaSet controller: as many Pods as wanted, and their counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gitops_wf.sandbox.controllers.pod_of_template import claim, first_to_go, pod_of
from gitops_wf.sandbox.controllers.reading import (
    available_from,
    find_condition,
    format_time,
    is_active,
    is_ready,
    phase_of,
    without_empty,
)
from gitops_wf.sandbox.controllers.rollout_sizes import size_of
from gitops_wf.sandbox.controllers.work import (
    Emit,
    Outcome,
    Situation,
    Write,
    create,
    delete,
    update_status,
)
from gitops_wf.sandbox.objects import Manifest, is_deleting, labels_of

COMPONENT = "replicaset-controller"
# Kubernetes creates at most this many in one go.
BURST = 500


def reconcile(situation: Situation) -> Outcome:
    """The next step of a ReplicaSet; `owned` are its Pods."""
    replica_set, now = situation.object, situation.now
    pods, adoptions = claim(replica_set, "apps/v1", "ReplicaSet", situation.owned)
    if adoptions:
        return Outcome(writes=tuple(adoptions))
    active = [pod for pod in pods if is_active(pod)]
    writes: list[Write | Emit] = []
    missing = size_of(replica_set) - len(active)
    if not is_deleting(replica_set):
        if situation.failure:
            writes.append(_failed_create(situation))
        elif missing > 0:
            pod = pod_of(replica_set, "apps/v1", "ReplicaSet")
            made = Emit(
                about=replica_set,
                reason="SuccessfulCreate",
                message="Created pod: {name}",
                component=COMPONENT,
            )
            writes += [create("pods", pod, made)] * min(missing, BURST)
        elif missing < 0:
            gone = Emit(
                about=replica_set,
                reason="SuccessfulDelete",
                message="Deleted pod: {name}",
                component=COMPONENT,
            )
            surplus = first_to_go(active)[:-missing]
            writes += [delete("pods", pod, event=gone) for pod in surplus]
    status = _status(situation, pods, active, missing)
    if status != replica_set.get("status"):
        changed = replica_set | {"status": status}
        writes.append(update_status("replicasets.apps", changed))
    due = _next_available(replica_set, active, now)
    if situation.failure:
        again = now + timedelta(seconds=min(2**situation.failures, 60))
        due = min(due, again) if due else again
    return Outcome(writes=tuple(writes), due=due)


def _failed_create(situation: Situation) -> Emit:
    return Emit(
        about=situation.object,
        reason="FailedCreate",
        message=f"Error creating: {situation.failure}",
        component=COMPONENT,
        warning=True,
    )


def _status(
    situation: Situation,
    pods: Sequence[Manifest],
    active: Sequence[Manifest],
    missing: int,
) -> Manifest:
    replica_set, now = situation.object, situation.now
    seconds = replica_set["spec"].get("minReadySeconds") or 0
    labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    available = [available_from(pod, seconds) for pod in active]
    gone = [
        pod
        for pod in pods
        if is_deleting(pod) and phase_of(pod) not in {"Succeeded", "Failed"}
    ]
    counts = without_empty(
        {
            "fullyLabeledReplicas": sum(
                labels.items() <= labels_of(pod).items() for pod in active
            ),
            "readyReplicas": sum(is_ready(pod) for pod in active),
            "availableReplicas": sum(
                one is not None and one <= now for one in available
            ),
        }
    )
    status: Manifest = {"replicas": len(active)} | counts
    status["terminatingReplicas"] = len(gone)
    status["observedGeneration"] = replica_set["metadata"].get("generation", 1)
    old = (replica_set.get("status") or {}).get("conditions")
    failed = find_condition(old, "ReplicaFailure")
    if situation.failure and failed is None:
        failed = {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": format_time(now),
            "reason": "FailedCreate",
            "message": situation.failure,
        }
    if failed is not None and (situation.failure or missing > 0):
        status["conditions"] = [failed]
    return status


def _next_available(
    replica_set: Manifest, active: Sequence[Manifest], now: datetime
) -> datetime | None:
    seconds = replica_set["spec"].get("minReadySeconds") or 0
    moments = [available_from(pod, seconds) for pod in active]
    return min((one for one in moments if one is not None and one > now), default=None)

"""The DaemonSet controller, on a cluster of one node."""

from __future__ import annotations

from gitops_wf.sandbox.controllers.kubelet import NODE
from gitops_wf.sandbox.controllers.pod_of_template import claim, pod_of
from gitops_wf.sandbox.controllers.reading import (
    annotations_of,
    available_from,
    is_ready,
    phase_of,
    without_empty,
)
from gitops_wf.sandbox.controllers.revisions import (
    HASH_LABEL,
    forget_revisions,
    note_revision,
    wanted_revision,
)
from gitops_wf.sandbox.controllers.work import (
    NOTHING,
    Emit,
    Outcome,
    Situation,
    Write,
    create,
    delete,
    update_status,
)
from gitops_wf.sandbox.objects import Manifest, is_deleting, labels_of, name_of

COMPONENT = "daemonset-controller"
_GENERATION = "deprecated.daemonset.template.generation"
_TAINTS = {
    "not-ready": "NoExecute",
    "unreachable": "NoExecute",
    "disk-pressure": "NoSchedule",
    "memory-pressure": "NoSchedule",
    "pid-pressure": "NoSchedule",
    "unschedulable": "NoSchedule",
}


def reconcile(situation: Situation) -> Outcome:
    """The next step of a DaemonSet; `owned` are its Pods and revisions."""
    owner, now = situation.object, situation.now
    if is_deleting(owner):
        return NOTHING
    known = [one for one in situation.owned if one["kind"] == "ControllerRevision"]
    found = [one for one in situation.owned if one["kind"] == "Pod"]
    pods, adoptions = claim(owner, "apps/v1", "DaemonSet", found)
    if adoptions:
        return Outcome(writes=tuple(adoptions))
    wanted = wanted_revision(owner)
    noted = note_revision(wanted, known)
    if noted is not None:
        return Outcome(writes=(noted,))
    digest = labels_of(wanted)[HASH_LABEL]
    live = [pod for pod in pods if not is_deleting(pod)]
    writes: list[Write | Emit] = []
    if not pods and not situation.failure:
        made = _event(owner, "SuccessfulCreate", "Created pod: {name}")
        writes.append(create("pods", _pod(owner, digest), made))
    for pod in live:
        if phase_of(pod) in {"Failed", "Succeeded"} or (
            labels_of(pod).get(HASH_LABEL) != digest and _rolls(owner)
        ):
            gone = _event(owner, "SuccessfulDelete", "Deleted pod: {name}")
            writes.append(delete("pods", pod, event=gone))
    seconds = owner["spec"].get("minReadySeconds") or 0
    ready = [pod for pod in live if is_ready(pod)]
    moments = [available_from(pod, seconds) for pod in ready]
    available = sum(one is not None and one <= now for one in moments)
    updated = sum(labels_of(pod).get(HASH_LABEL) == digest for pod in live)
    status = {
        "currentNumberScheduled": min(len(live), 1),
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 1,
        "numberReady": len(ready),
        "observedGeneration": owner["metadata"].get("generation", 1),
    } | without_empty(
        {
            "updatedNumberScheduled": updated,
            "numberAvailable": available,
            "numberUnavailable": 1 - min(available, 1),
        }
    )
    if status != owner.get("status"):
        writes.append(update_status("daemonsets.apps", owner | {"status": status}))
    used = {f"{name_of(owner)}-{labels_of(pod).get(HASH_LABEL)}" for pod in pods}
    writes += forget_revisions(owner, known, {name_of(wanted), *used})
    due = min((one for one in moments if one and one > now), default=None)
    return Outcome(writes=tuple(writes), due=due)


def _rolls(owner: Manifest) -> bool:
    strategy = owner["spec"].get("updateStrategy") or {}
    return bool(strategy.get("type", "RollingUpdate") == "RollingUpdate")


def _event(owner: Manifest, reason: str, message: str) -> Emit:
    return Emit(about=owner, reason=reason, message=message, component=COMPONENT)


def _pod(owner: Manifest, digest: str) -> Manifest:
    pod = pod_of(owner, "apps/v1", "DaemonSet")
    meta, spec = pod["metadata"], pod["spec"]
    generation = annotations_of(owner).get(_GENERATION, "1")
    meta["labels"] = (meta.get("labels") or {}) | {
        HASH_LABEL: digest,
        "pod-template-generation": generation,
    }
    field = {"key": "metadata.name", "operator": "In", "values": [NODE]}
    affinity = dict(spec.get("affinity") or {})
    affinity["nodeAffinity"] = {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchFields": [field]}]
        }
    }
    spec["affinity"] = affinity
    spec["tolerations"] = [
        *(spec.get("tolerations") or []),
        *(
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
            for key, effect in _TAINTS.items()
        ),
    ]
    return pod

"""The StatefulSet controller: Pods with fixed names, made and updated in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gitops_wf.sandbox.controllers.pod_of_template import claim, pod_of
from gitops_wf.sandbox.controllers.reading import (
    available_from,
    is_ready,
    phase_of,
    without_empty,
)
from gitops_wf.sandbox.controllers.revisions import (
    HASH_LABEL,
    forget_revisions,
    note_revision,
    template_of,
    wanted_revision,
)
from gitops_wf.sandbox.controllers.rollout_sizes import size_of
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
from gitops_wf.sandbox.objects import (
    Manifest,
    copy,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
)

COMPONENT = "statefulset-controller"


def reconcile(situation: Situation) -> Outcome:
    """The next step of a StatefulSet; `owned` are its Pods and revisions."""
    owner = situation.object
    if is_deleting(owner):
        return NOTHING
    known = [one for one in situation.owned if one["kind"] == "ControllerRevision"]
    found = [one for one in situation.owned if one["kind"] == "Pod"]
    pods, adoptions = claim(owner, "apps/v1", "StatefulSet", found)
    if adoptions:
        return Outcome(writes=tuple(adoptions))
    wanted = wanted_revision(owner)
    noted = note_revision(wanted, known)
    if noted is not None:
        return Outcome(writes=(noted,))
    new = name_of(wanted)
    old = (owner.get("status") or {}).get("currentRevision") or new
    by_ordinal = {_ordinal(owner, pod): pod for pod in pods}
    status = _status(owner, pods, old, new, situation.now)
    writes: list[Write | Emit] = []
    if status != owner.get("status"):
        changed = owner | {"status": status}
        writes.append(update_status("statefulsets.apps", changed))
    templates = {name_of(one): template_of(one) for one in known}
    if not situation.failure:
        writes += _pod_writes(owner, by_ordinal, old, new, templates)
    writes += forget_revisions(owner, known, {old, new})
    seconds = owner["spec"].get("minReadySeconds") or 0
    moments = [available_from(pod, seconds) for pod in pods]
    due = min((one for one in moments if one and one > situation.now), default=None)
    return Outcome(writes=tuple(writes), due=due)


def _ordinal(owner: Manifest, pod: Manifest) -> int:
    text = name_of(pod).removeprefix(f"{name_of(owner)}-")
    return int(text) if text.isdigit() else -1


def _ordinals(owner: Manifest) -> range:
    start = (owner["spec"].get("ordinals") or {}).get("start", 0)
    return range(start, start + size_of(owner))


def _pod_writes(
    owner: Manifest,
    pods: Mapping[int, Manifest],
    old: str,
    new: str,
    templates: Mapping[str, Manifest],
) -> list[Write]:
    """Creates and deletes, one at a time unless the Pods are managed in parallel."""
    ordered = owner["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    writes: list[Write] = []
    for ordinal in _ordinals(owner):
        pod = pods.get(ordinal)
        if pod is None:
            revision = old if _stays_old(owner, ordinal, old, new) else new
            writes += _creates(owner, ordinal, revision, templates)
        elif phase_of(pod) in {"Failed", "Succeeded"} and not is_deleting(pod):
            writes.append(_delete(owner, pod))
        elif is_ready(pod) and not is_deleting(pod):
            continue
        if ordered:
            return writes
    surplus = [
        pods[at] for at in sorted(pods, reverse=True) if at not in _ordinals(owner)
    ]
    for pod in surplus:
        if not is_deleting(pod):
            writes.append(_delete(owner, pod))
        if ordered:
            return writes
    return writes or _update_one(owner, pods, new)


def _partition(owner: Manifest) -> int:
    strategy = owner["spec"].get("updateStrategy") or {}
    return int((strategy.get("rollingUpdate") or {}).get("partition") or 0)


def _stays_old(owner: Manifest, ordinal: int, old: str, new: str) -> bool:
    return old != new and ordinal < _partition(owner)


def _update_one(owner: Manifest, pods: Mapping[int, Manifest], new: str) -> list[Write]:
    """The delete of the highest Pod of an old revision, once those above are ready."""
    strategy = (owner["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")
    if strategy != "RollingUpdate":
        return []
    for ordinal in sorted(pods, reverse=True):
        pod = pods[ordinal]
        if ordinal < _partition(owner):
            break
        if labels_of(pod).get(HASH_LABEL) != new:
            return [] if is_deleting(pod) else [_delete(owner, pod)]
        if is_deleting(pod) or not is_ready(pod):
            break
    return []


def _event(owner: Manifest, verb: str) -> Emit:
    return Emit(
        about=owner,
        reason=f"Successful{verb.capitalize()}",
        message=f"{verb} Pod {{name}} in StatefulSet {name_of(owner)} successful",
        component=COMPONENT,
    )


def _delete(owner: Manifest, pod: Manifest) -> Write:
    return delete("pods", pod, event=_event(owner, "delete"))


def _creates(
    owner: Manifest, ordinal: int, revision: str, templates: Mapping[str, Manifest]
) -> list[Write]:
    """A Pod, and before it its claims; those that are there already stay."""
    template = templates.get(revision, owner["spec"]["template"])
    with_template = owner | {"spec": owner["spec"] | {"template": template}}
    pod = pod_of(with_template, "apps/v1", "StatefulSet")
    name = f"{name_of(owner)}-{ordinal}"
    meta, spec = pod["metadata"], pod["spec"]
    meta["name"] = name
    meta["labels"] = (meta.get("labels") or {}) | {
        "apps.kubernetes.io/pod-index": str(ordinal),
        HASH_LABEL: revision,
        "statefulset.kubernetes.io/pod-name": name,
    }
    spec["hostname"] = name
    if owner["spec"].get("serviceName"):
        spec["subdomain"] = owner["spec"]["serviceName"]
    claims = []
    for claim_template in owner["spec"].get("volumeClaimTemplates") or []:
        made: Manifest = copy(claim_template)
        volume = name_of(claim_template)
        made["metadata"] = {
            "name": f"{volume}-{name}",
            "namespace": namespace_of(owner),
            "labels": labels_of(claim_template)
            | (owner["spec"]["selector"].get("matchLabels") or {}),
        }
        made.pop("status", None)
        source = {"claimName": f"{volume}-{name}"}
        spec["volumes"] = [
            *(one for one in spec.get("volumes") or [] if one["name"] != volume),
            {"name": volume, "persistentVolumeClaim": source},
        ]
        claims.append(create("persistentvolumeclaims", made, exists_ok=True))
    return [*claims, create("pods", pod, _event(owner, "create"))]


def _status(
    owner: Manifest, pods: Sequence[Manifest], old: str, new: str, now: datetime
) -> dict[str, Any]:
    seconds = owner["spec"].get("minReadySeconds") or 0
    live = [pod for pod in pods if not is_deleting(pod)]
    ready = [pod for pod in live if is_ready(pod)]
    updated = sum(labels_of(pod).get(HASH_LABEL) == new for pod in live)
    available = [available_from(pod, seconds) for pod in ready]
    size = size_of(owner)
    if updated == len(pods) == len(ready) == size:
        old = new
    current = sum(labels_of(pod).get(HASH_LABEL) == old for pod in live)
    counts = {
        "readyReplicas": len(ready),
        "currentReplicas": current,
        "updatedReplicas": updated,
    }
    status: dict[str, Any] = {
        "observedGeneration": owner["metadata"].get("generation", 1),
        "replicas": len(pods),
    }
    return (
        status
        | without_empty(counts)
        | {
            "currentRevision": old,
            "updateRevision": new,
            "collisionCount": 0,
            "availableReplicas": sum(
                one is not None and one <= now for one in available
            ),
        }
    )

"""The Deployment controller: ReplicaSets, rolling updates, revisions and rollbacks.

One call does one step of `syncDeployment`; the write that it asks for wakes it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from gitops_wf.sandbox.controllers.reading import (
    annotations_of,
    controlled_by,
    controller_of,
    created_at,
    find_condition,
    owner_references,
)
from gitops_wf.sandbox.controllers.replica_set_of_template import (
    REVISION,
    is_of_template,
    new_replica_set,
    revision_of,
    with_revision,
    with_size,
)
from gitops_wf.sandbox.controllers.rollout_sizes import (
    Sizes,
    is_rolling,
    is_scaled,
    proportional_sizes,
    reported,
    size_of,
    size_of_new,
    sizes_of_old,
    wanted,
)
from gitops_wf.sandbox.controllers.rollout_status import (
    PAUSED,
    TIMED_OUT,
    calculate_status,
    deadline_of,
    has_deadline,
    is_complete,
    new_condition,
    rollout_status,
    set_condition,
)
from gitops_wf.sandbox.controllers.work import (
    NOTHING,
    Emit,
    Outcome,
    Situation,
    Write,
    create,
    delete,
    update,
    update_status,
)
from gitops_wf.sandbox.objects import (
    Manifest,
    copy,
    is_deleting,
    labels_of,
    name_of,
    uid_of,
)
from gitops_wf.sandbox.selectors import selects

COMPONENT = "deployment-controller"


def reconcile(situation: Situation) -> Outcome:
    """The next step of a Deployment; `owned` are its ReplicaSets."""
    deployment = situation.object
    mine, adopted = _claim(deployment, situation.owned)
    if adopted:
        return Outcome(writes=tuple(adopted))
    new, old = _split(deployment, mine)
    paused = bool(deployment["spec"].get("paused"))
    if is_deleting(deployment):
        return _status_only(situation, new, mine)
    condition = _pause_condition(situation, paused=paused)
    if condition is not None:
        return Outcome(writes=(condition,))
    if paused or is_scaled(deployment, mine):
        return _scale(situation, new, old, paused=paused)
    if is_rolling(deployment):
        return _roll(situation, new, old)
    return _recreate(situation, new, old)


def _claim(
    deployment: Manifest, sets: Sequence[Manifest]
) -> tuple[list[Manifest], list[Write]]:
    """The ReplicaSets that are its own, and adoptions of those without an owner."""
    mine, writes = [], []
    for one in sets:
        owner = controller_of(one)
        if owner is not None and owner["uid"] == uid_of(deployment):
            mine.append(one)
        elif (
            owner is None
            and not is_deleting(one)
            and not is_deleting(deployment)
            and selects(deployment["spec"].get("selector"), labels_of(one))
        ):
            adopted = copy(one)
            adopted["metadata"]["ownerReferences"] = [
                *owner_references(one),
                controlled_by(deployment, "apps/v1", "Deployment"),
            ]
            writes.append(update("replicasets.apps", adopted))
    return mine, writes


def _split(
    deployment: Manifest, sets: Sequence[Manifest]
) -> tuple[Manifest | None, list[Manifest]]:
    """The oldest ReplicaSet of the Deployment's template, and all others."""
    ordered = sorted(sets, key=lambda one: (created_at(one), name_of(one)))
    new = next((one for one in ordered if is_of_template(one, deployment)), None)
    return new, [one for one in ordered if one is not new]


def _status_only(
    situation: Situation, new: Manifest | None, sets: Sequence[Manifest]
) -> Outcome:
    status = calculate_status(situation.object, new, sets, situation.now)
    return Outcome(writes=tuple(_status_write(situation.object, status)))


def _status_write(deployment: Manifest, status: Manifest) -> list[Write]:
    if status == deployment.get("status"):
        return []
    return [update_status("deployments.apps", deployment | {"status": status})]


def _pause_condition(situation: Situation, *, paused: bool) -> Write | None:
    deployment = situation.object
    if not has_deadline(deployment):
        return None
    conditions = (deployment.get("status") or {}).get("conditions") or []
    current = find_condition(conditions, "Progressing")
    reason = current.get("reason") if current else ""
    if reason == TIMED_OUT or paused == (reason == PAUSED):
        return None
    text = ("DeploymentPaused", "Deployment is paused")
    if not paused:
        text = ("DeploymentResumed", "Deployment is resumed")
    condition = new_condition("Progressing", "Unknown", *text, situation.now)
    status = dict(deployment.get("status") or {})
    status["conditions"] = set_condition(conditions, condition)
    return update_status("deployments.apps", deployment | {"status": status})


def _scale(
    situation: Situation,
    new: Manifest | None,
    old: Sequence[Manifest],
    *,
    paused: bool,
) -> Outcome:
    deployment = situation.object
    sets = [*old, *([new] if new else [])]
    writes = _resize(deployment, proportional_sizes(deployment, new, old))
    if not writes:
        # The sizes fit already, so only their annotations are of another number.
        writes = _resize(
            deployment, [(one, size_of(one)) for one in sets if size_of(one)]
        )
    if paused:
        writes += _clean_up(deployment, old)
    sets = _as_resized(sets, writes)
    newer = next((one for one in sets if new and name_of(one) == name_of(new)), None)
    status = calculate_status(deployment, newer, sets, situation.now)
    return Outcome(writes=(*writes, *_status_write(deployment, status)))


def _resize(deployment: Manifest, sizes: Sizes) -> list[Write | Emit]:
    writes: list[Write | Emit] = []
    for replica_set, size in sizes:
        resized = with_size(replica_set, size, deployment)
        if resized == replica_set:
            continue
        writes.append(update("replicasets.apps", resized))
        before = size_of(replica_set)
        if before != size:
            way = "up" if before < size else "down"
            change = f"{name_of(replica_set)} from {before} to {size}"
            text = f"Scaled {way} replica set {change}"
            writes.append(_event(deployment, text))
    return writes


def _event(deployment: Manifest, text: str) -> Emit:
    return Emit(
        about=deployment, reason="ScalingReplicaSet", message=text, component=COMPONENT
    )


def _as_resized(
    sets: Sequence[Manifest], writes: Sequence[Write | Emit]
) -> list[Manifest]:
    changed = {
        name_of(one.object): one.object
        for one in writes
        if isinstance(one, Write) and one.resource == "replicasets.apps"
    }
    return [changed.get(name_of(one), one) for one in sets]


def _ensure_new(
    situation: Situation, new: Manifest | None, old: Sequence[Manifest]
) -> Outcome | None:
    """The steps that make the new ReplicaSet and note its revision; None: done."""
    deployment, now = situation.object, situation.now
    revision = max((revision_of(one) for one in old), default=0) + 1
    if new is None:
        made = new_replica_set(deployment, revision)
        made["spec"]["replicas"] = size_of_new(deployment, old, 0)
        writes: list[Write | Emit] = [create("replicasets.apps", made)]
        name, size = name_of(made), size_of(made)
        if size:
            text = f"Scaled up replica set {name} from 0 to {size}"
            writes.append(_event(deployment, text))
        noted = _noted(
            deployment,
            str(revision),
            new_condition(
                "Progressing",
                "True",
                "NewReplicaSetCreated",
                f'Created new replica set "{name}"',
                now,
            ),
        )
        return Outcome(writes=(*writes, *noted))
    revised = with_revision(new, deployment, revision)
    if revised != new:
        return Outcome(writes=(update("replicasets.apps", revised),))
    condition = None
    conditions = (deployment.get("status") or {}).get("conditions")
    if find_condition(conditions, "Progressing") is None:
        message = f'Found new replica set "{name_of(new)}"'
        condition = new_condition(
            "Progressing", "True", "FoundNewReplicaSet", message, now
        )
    noted = _noted(deployment, annotations_of(new)[REVISION], condition)
    return Outcome(writes=tuple(noted)) if noted else None


def _noted(
    deployment: Manifest, revision: str, condition: Manifest | None
) -> list[Write]:
    """The write that puts revision and condition on the Deployment, if it is needed."""
    noted = copy(deployment)
    noted["metadata"]["annotations"] = annotations_of(noted) | {REVISION: revision}
    if condition is not None and has_deadline(deployment):
        status = noted.setdefault("status", {})
        status["conditions"] = set_condition(status.get("conditions") or [], condition)
    return [update_status("deployments.apps", noted)] if noted != deployment else []


def _roll(
    situation: Situation, new: Manifest | None, old: Sequence[Manifest]
) -> Outcome:
    deployment = situation.object
    first = _ensure_new(situation, new, old)
    if first is not None or new is None:
        return first or NOTHING
    size = size_of_new(deployment, [*old, new], size_of(new))
    writes = _resize(deployment, [(new, size)] if size != size_of(new) else [])
    if not writes:
        writes = _resize(deployment, sizes_of_old(deployment, new, old))
    return _finish(situation, new, old, writes)


def _recreate(
    situation: Situation, new: Manifest | None, old: Sequence[Manifest]
) -> Outcome:
    deployment = situation.object
    writes = _resize(deployment, [(one, 0) for one in old if size_of(one)])
    running = reported(old, "replicas") + reported(old, "terminatingReplicas")
    if writes or running:
        return _finish(situation, new, old, writes)
    first = _ensure_new(situation, new, old)
    if first is not None or new is None:
        return first or NOTHING
    if size_of(new) != wanted(deployment):
        writes = _resize(deployment, [(new, wanted(deployment))])
    return _finish(situation, new, old, writes)


def _finish(
    situation: Situation,
    new: Manifest | None,
    old: Sequence[Manifest],
    writes: list[Write | Emit],
) -> Outcome:
    deployment = situation.object
    sets = _as_resized([*old, *([new] if new else [])], writes)
    newer = next((one for one in sets if new and name_of(one) == name_of(new)), None)
    status = rollout_status(deployment, newer, sets, situation.now)
    if is_complete(deployment, deployment.get("status") or {}):
        writes += _clean_up(deployment, old)
    return Outcome(
        writes=(*writes, *_status_write(deployment, status)),
        due=deadline_of(deployment, status["conditions"]),
    )


def _clean_up(deployment: Manifest, old: Sequence[Manifest]) -> list[Write]:
    """Deletes of the oldest empty ReplicaSets beyond revisionHistoryLimit."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    alive = [one for one in old if not is_deleting(one)]
    if limit is None or len(alive) <= limit:
        return []
    oldest = sorted(alive, key=revision_of)[: len(alive) - limit]
    return [
        delete("replicasets.apps", one)
        for one in oldest
        if size_of(one) == 0 and reported([one], "replicas") == 0
    ]

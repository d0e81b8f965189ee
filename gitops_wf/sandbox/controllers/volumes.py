"""Claims and volumes: bound to each other, and protected as long as they are used.

Nothing is provisioned, as in a cluster without a StorageClass: a claim waits for a
volume that fits. https://kubernetes.io/docs/concepts/storage/persistent-volumes/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gitops_wf.sandbox.controllers.index import Index, Key
from gitops_wf.sandbox.controllers.reading import annotations_of, format_time, phase_of
from gitops_wf.sandbox.controllers.work import (
    NOTHING,
    Emit,
    Outcome,
    Situation,
    Write,
    delete,
    update,
    update_status,
)
from gitops_wf.sandbox.fields.quantity import amount
from gitops_wf.sandbox.objects import (
    Manifest,
    copy,
    finalizers_of,
    is_deleting,
    name_of,
    namespace_of,
    revision_of,
    uid_of,
)

CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
COMPONENT = "persistentvolume-controller"
_COMPLETED = "pv.kubernetes.io/bind-completed"
_BY_US = "pv.kubernetes.io/bound-by-controller"


def wake_claims(key: Key, _manifest: Manifest, index: Index) -> Iterable[Key]:
    """The claims that a change may concern."""
    if key.resource == CLAIMS:
        return [key]
    if key.resource == VOLUMES:
        return [one.key for one in index.everywhere(CLAIMS)]
    if key.resource == "pods":
        return [one.key for one in index.of_resource(CLAIMS, key.namespace)]
    return []


def wake_volumes(key: Key, manifest: Manifest, _index: Index) -> Iterable[Key]:
    """The volumes that a change may concern."""
    if key.resource == VOLUMES:
        return [key]
    if key.resource == CLAIMS:
        name = (manifest.get("spec") or {}).get("volumeName")
        return [Key(VOLUMES, "", name)] if name else []
    return []


def claim(situation: Situation, index: Index) -> Outcome:
    """The next step of a claim."""
    wanted = situation.object
    if is_deleting(wanted):
        return _unprotected(CLAIMS, wanted, used=_is_mounted(wanted, index))
    if phase_of(wanted) != "Pending":
        return NOTHING
    volume = _volume_for(wanted, index)
    if volume is not None:
        return Outcome(writes=tuple(_bound(wanted, volume, format_time(situation.now))))
    return Outcome(writes=tuple(_unbound(wanted, index)))


def _is_mounted(wanted: Manifest, index: Index) -> bool:
    for one in index.of_resource("pods", namespace_of(wanted)):
        if phase_of(one.object) in {"Failed", "Succeeded"}:
            continue
        for volume in (one.object.get("spec") or {}).get("volumes") or ():
            source = volume.get("persistentVolumeClaim") or {}
            if source.get("claimName") == name_of(wanted):
                return True
    return False


def _unprotected(resource: str, manifest: Manifest, *, used: bool) -> Outcome:
    kind = "pvc" if resource == CLAIMS else "pv"
    left = [
        one
        for one in finalizers_of(manifest)
        if one != f"kubernetes.io/{kind}-protection"
    ]
    if used or left == finalizers_of(manifest):
        return NOTHING
    changed = copy(manifest)
    changed["metadata"]["finalizers"] = left
    return Outcome(writes=(update(resource, changed),))


def _volume_for(wanted: Manifest, index: Index) -> Manifest | None:
    """The volume that the claim names, or the smallest that fits."""
    named = wanted["spec"].get("volumeName")
    fitting = [
        one.object
        for one in index.of_resource(VOLUMES, "")
        if not is_deleting(one.object)
        and (one.key.name == named if named else _fits(wanted, one.object))
        and _is_free(wanted, one.object)
    ]
    return min(fitting, key=_capacity, default=None)


def _is_free(wanted: Manifest, volume: Manifest) -> bool:
    reference = volume["spec"].get("claimRef")
    if reference is None:
        return phase_of(volume) in {"Available", "Pending"}
    return (reference.get("namespace"), reference.get("name")) == (
        namespace_of(wanted),
        name_of(wanted),
    ) and reference.get("uid") in (None, "", uid_of(wanted))


def _fits(wanted: Manifest, volume: Manifest) -> bool:
    spec, offered = wanted["spec"], volume["spec"]
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "0")
    return (
        (spec.get("storageClassName") or "") == (offered.get("storageClassName") or "")
        and spec.get("volumeMode") == offered.get("volumeMode")
        and set(spec.get("accessModes") or ()) <= set(offered.get("accessModes") or ())
        and amount(asked) <= _capacity(volume)
    )


def _capacity(volume: Manifest) -> Any:
    return amount((volume["spec"].get("capacity") or {}).get("storage", "0"))


def _bound(wanted: Manifest, volume: Manifest, stamp: str) -> Iterator[Write]:
    """The volume's side first, each with its status after it, as in Kubernetes."""
    taken = copy(volume)
    if not (taken["spec"].get("claimRef") or {}).get("uid"):
        taken["spec"]["claimRef"] = {
            "kind": "PersistentVolumeClaim",
            "namespace": namespace_of(wanted),
            "name": name_of(wanted),
            "uid": uid_of(wanted),
            "apiVersion": "v1",
            "resourceVersion": revision_of(wanted),
        }
        notes = {**annotations_of(taken), _BY_US: "yes"}
        taken["metadata"]["annotations"] = notes
        yield update(VOLUMES, taken)
        return
    if phase_of(volume) != "Bound":
        status = {
            **(volume.get("status") or {}),
            "phase": "Bound",
            "lastPhaseTransitionTime": stamp,
        }
        yield update_status(VOLUMES, volume | {"status": status})
        return
    mine = copy(wanted)
    notes = {**annotations_of(mine), _COMPLETED: "yes"}
    if not mine["spec"].get("volumeName"):
        notes[_BY_US] = "yes"
        mine["spec"]["volumeName"] = name_of(volume)
    if notes != annotations_of(wanted):
        mine["metadata"]["annotations"] = notes
        yield update(CLAIMS, mine)
        return
    status = {
        "phase": "Bound",
        "accessModes": volume["spec"].get("accessModes"),
        "capacity": volume["spec"].get("capacity"),
    }
    yield update_status(CLAIMS, wanted | {"status": status})


def _unbound(wanted: Manifest, index: Index) -> Iterator[Emit]:
    name = wanted["spec"].get("storageClassName")
    if wanted["spec"].get("volumeName"):
        return
    if not name:
        yield Emit(
            about=wanted,
            reason="FailedBinding",
            message="no persistent volumes available for this claim and no storage "
            "class is set",
            component=COMPONENT,
        )
    elif index.get(Key("storageclasses.storage.k8s.io", "", name)) is None:
        yield Emit(
            about=wanted,
            reason="ProvisioningFailed",
            message=f'storageclass.storage.k8s.io "{name}" not found',
            component=COMPONENT,
            warning=True,
        )


def volume(situation: Situation, index: Index) -> Outcome:
    """The next step of a volume."""
    offered = situation.object
    phase = phase_of(offered)
    reference = offered["spec"].get("claimRef") or {}
    if is_deleting(offered):
        return _unprotected(VOLUMES, offered, used=phase == "Bound")
    wanted = "Available"
    if reference.get("uid"):
        key = Key(CLAIMS, reference.get("namespace", ""), reference.get("name", ""))
        owner = index.get(key)
        if owner is not None and uid_of(owner.object) == reference["uid"]:
            return NOTHING
        wanted = "Released"
        policy = offered["spec"].get("persistentVolumeReclaimPolicy")
        if phase == wanted and policy == "Delete":
            return Outcome(writes=(delete(VOLUMES, offered),))
    if phase == wanted:
        return NOTHING
    status = {
        **(offered.get("status") or {}),
        "phase": wanted,
        "lastPhaseTransitionTime": format_time(situation.now),
    }
    return Outcome(writes=(update_status(VOLUMES, offered | {"status": status}),))

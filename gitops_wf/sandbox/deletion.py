"""What a DELETE does: at once, after a grace period, or once finalizers are gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_wf.sandbox.clocks import parse_stamp, stamp
from gitops_wf.sandbox.objects import (
    Manifest,
    copy,
    finalizers_of,
    is_deleting,
    metadata,
    name_of,
    revision_of,
    uid_of,
)
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import forbidden, precondition_failed

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set "
    "propagationPolicy=Background to remove them or set propagationPolicy=Orphan to "
    "suppress this warning"
)
# Kinds whose dependents are orphaned when nothing is said.
_ORPHANING = frozenset({"jobs.batch", "replicationcontrollers"})
# Kinds whose DELETE answers the object even when it is gone at once.
OBJECT_ANSWER = frozenset(
    {"namespaces", "persistentvolumes", "pods", "resourcequotas", "services"}
)
_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_PROTECTED_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preconditions:
    """What must hold of an object that is to be deleted; '' is not asked."""

    uid: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of a deleted object: its new state, or None for no change."""

    state: Manifest | None
    gone: bool


def check(resource: Resource, manifest: Manifest, wanted: Preconditions | None) -> None:
    """Raise ApiError where a precondition does not hold or the object is protected."""
    name = name_of(manifest)
    if wanted and wanted.uid and wanted.uid != uid_of(manifest):
        raise precondition_failed(
            resource,
            name,
            f"the UID in the precondition ({wanted.uid}) does not match the UID in "
            f"record ({uid_of(manifest)}). The object might have been deleted and then "
            "recreated",
        )
    if wanted and wanted.revision and wanted.revision != revision_of(manifest):
        raise precondition_failed(
            resource,
            name,
            f"the ResourceVersion in the precondition ({wanted.revision}) does not "
            f"match the ResourceVersion in record ({revision_of(manifest)}). The "
            "object might have been modified",
        )


def check_protected(resource: Resource, name: str) -> None:
    """Raise ApiError for the namespaces that stay."""
    if resource.qualified == "namespaces" and name in _PROTECTED_NAMESPACES:
        raise forbidden(resource, name, "this namespace may not be deleted")


def orphans_by_default(resource: Resource) -> bool:
    """Whether dependents stay when no propagation policy is given."""
    return resource.qualified in _ORPHANING


def begin(
    resource: Resource,
    live: Manifest,
    *,
    propagation: str | None,
    grace_seconds: int | None,
    now: datetime,
) -> Outcome:
    """What a DELETE makes of the live object."""
    finalizers = _finalizers(resource, live, propagation)
    if resource.qualified == "namespaces":
        return _begin_namespace(live, finalizers, now)
    if resource.qualified == "customresourcedefinitions.apiextensions.k8s.io":
        return _begin_definition(live, finalizers, now)
    grace = 0
    if resource.qualified == "pods":
        grace = _pod_grace(live, grace_seconds)
        if is_deleting(live) and finalizers == finalizers_of(live):
            period = metadata(live).get("deletionGracePeriodSeconds", 0)
            if (period > 0 and grace >= period) or (period == 0 and finalizers):
                return Outcome(state=None, gone=False)
    if is_deleting(live) and resource.qualified != "pods":
        if finalizers == finalizers_of(live):
            return Outcome(state=None, gone=not finalizers)
        state = copy(live)
        _set_finalizers(state, finalizers)
        return Outcome(state=state, gone=not finalizers)
    if not finalizers and grace == 0 and resource.qualified != "pods":
        return Outcome(state=copy(live), gone=True)
    state = copy(live)
    _mark(state, grace, now)
    _set_finalizers(state, finalizers)
    return Outcome(state=state, gone=not finalizers and grace == 0)


def _begin_namespace(live: Manifest, finalizers: list[str], now: datetime) -> Outcome:
    gone = not finalizers and not (live.get("spec") or {}).get("finalizers")
    if is_deleting(live) and finalizers == finalizers_of(live):
        return Outcome(state=copy(live) if gone else None, gone=gone)
    state = copy(live)
    if not is_deleting(live):
        metadata(state)["deletionTimestamp"] = stamp(now)
        state.setdefault("status", {})["phase"] = "Terminating"
    _set_finalizers(state, finalizers)
    return Outcome(state=state, gone=gone)


def _begin_definition(live: Manifest, finalizers: list[str], now: datetime) -> Outcome:
    """A definition stays until its objects are gone."""
    if is_deleting(live):
        return Outcome(state=None, gone=False)
    state = copy(live)
    metadata(state)["deletionTimestamp"] = stamp(now)
    if _CLEANUP not in finalizers:
        finalizers = [*finalizers, _CLEANUP]
    _set_finalizers(state, finalizers)
    conditions = state.setdefault("status", {}).get("conditions") or []
    state["status"]["conditions"] = [
        *conditions,
        {
            "type": "Terminating",
            "status": "True",
            "lastTransitionTime": stamp(now),
            "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource "
            "deletion will begin soon",
        },
    ]
    return Outcome(state=state, gone=False)


def _pod_grace(live: Manifest, asked: int | None) -> int:
    spec, status = live.get("spec") or {}, live.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Failed", "Succeeded"):
        return 0
    if asked is None:
        asked = spec.get("terminationGracePeriodSeconds", 30)
    # A negative period means "soon", which is one second.
    return asked if asked >= 0 else 1


def _finalizers(
    resource: Resource, live: Manifest, propagation: str | None
) -> list[str]:
    kept = [one for one in finalizers_of(live) if one not in (ORPHAN, FOREGROUND)]
    if propagation is None:
        if orphans_by_default(resource):
            return [*kept, ORPHAN]
        return list(finalizers_of(live))
    if propagation == "Orphan":
        return [*kept, ORPHAN]
    if propagation == "Foreground":
        return [*kept, FOREGROUND]
    return kept


def _set_finalizers(state: Manifest, finalizers: list[str]) -> None:
    metadata(state).pop("finalizers", None)
    if finalizers:
        metadata(state)["finalizers"] = finalizers


def _mark(state: Manifest, grace: int, now: datetime) -> None:
    meta = metadata(state)
    already = meta.get("deletionTimestamp")
    if already:
        # A shorter period counts from when deletion began.
        began = parse_stamp(already) - timedelta(
            seconds=meta.get("deletionGracePeriodSeconds", 0)
        )
        meta["deletionTimestamp"] = stamp(began + timedelta(seconds=grace))
    else:
        meta["deletionTimestamp"] = stamp(now + timedelta(seconds=grace))
        if meta.get("generation", 0) > 0:
            meta["generation"] += 1
    meta["deletionGracePeriodSeconds"] = grace


def is_done(resource: Resource, manifest: Manifest) -> bool:
    """Whether an object that is being deleted has nothing left to wait for."""
    if not is_deleting(manifest) or finalizers_of(manifest):
        return False
    if resource.qualified == "namespaces":
        return not (manifest.get("spec") or {}).get("finalizers")
    return not metadata(manifest).get("deletionGracePeriodSeconds")

"""Deleting what left Git: only what the inventory names, and never by accident.

The rules, in order: only after a complete and valid render was applied; only
objects that this step owns; never all of them, unless `allowEmpty`; Namespaces,
CustomResourceDefinitions and PersistentVolumeClaims only with the annotation
`gitops-wf.io/prune: allowed`; nothing that says it is to be kept; nothing that
another environment has taken over, or may be about to (`yielding`); and the very
object that was looked at (its uid), not one of the same name.

Wave after wave backwards (`ordering`): a wave may wait until the one after it is gone,
as Argo CD has it, for what is left of that may still need it.
https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitops_wf.core.changeset import Change, ChangeEntry, ChangeSet, Leaving
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.inventory import (
    Inventory,
    InventoryEntry,
    Manifest,
    ObjectRef,
    annotations_of,
)
from gitops_wf.delivery.marks import kept_by_mark
from gitops_wf.delivery.names import (
    ENVIRONMENT_LABEL,
    PRUNE_ANNOTATIONS,
    label_value,
)
from gitops_wf.delivery.ordering import prune_waves
from gitops_wf.ports.cluster import Cluster, ResourceConflictError, UnknownKindError

OPT_IN_KINDS = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
"""Kinds whose deletion takes data or other people's objects along."""


def everything(_ref: ObjectRef) -> bool:
    """Whether a prune is about an object, where it is about all."""
    return True


def left_behind(
    old: Inventory,
    wanted: Iterable[ObjectRef],
    *,
    steps: Iterable[str],
    concerns: Callable[[ObjectRef], bool] = everything,
    allow_empty: bool,
) -> tuple[InventoryEntry, ...]:
    """Return the entries of these steps that are no longer wanted.

    ``concerns`` says which of their objects it is about.

    Errors: TerminalError (PruneToEmpty) where that would be all of them.
    """
    kept, owners = set(wanted), set(steps)
    mine = [e for e in old.entries if e.step in owners and concerns(e.ref)]
    gone = tuple(entry for entry in mine if entry.ref not in kept)
    if gone and not kept and not allow_empty:
        raise TerminalError(
            f"nothing is rendered, so all {len(gone)} objects would be deleted: "
            "they stay; set `allowEmpty: true` in environment.yaml if that is meant",
            reason="PruneToEmpty",
        )
    return gone


def left_by_others(
    old: Inventory, *, steps: Iterable[str], allow_empty: bool
) -> tuple[InventoryEntry, ...]:
    """Return the entries of all other steps: those that left the workflow.

    Errors: TerminalError (PruneToEmpty) where that would be all there are.
    """
    owners = set(steps)
    gone = tuple(entry for entry in old.entries if entry.step not in owners)
    if gone and len(gone) == len(old.entries) and not allow_empty:
        raise TerminalError(
            f"no step of the workflow owns any object, so all {len(gone)} objects of "
            f"steps that left it would be deleted: they stay; set `allowEmpty: true` "
            "in environment.yaml if that is meant",
            reason="PruneToEmpty",
        )
    return gone


def kept_because(ref: ObjectRef, live: Manifest) -> str:
    """Return why an object may not be pruned, or nothing."""
    metadata: Mapping[str, Any] = live.get("metadata") or {}
    marks = {**(metadata.get("labels") or {}), **annotations_of(live)}
    mark = kept_by_mark(live)
    if mark:
        return f"kept: {mark}"
    if (ref.group, ref.kind) in OPT_IN_KINDS and marks.get(PRUNE_ANNOTATIONS[0]) != (
        "allowed"
    ):
        return (
            f"kept: a {ref.kind} is deleted only with the annotation "
            f"{PRUNE_ANNOTATIONS[0]}: allowed"
        )
    if not (metadata.get("labels") or {}).get(ENVIRONMENT_LABEL):
        return f"kept: its label {ENVIRONMENT_LABEL} was removed"
    return ""


def taken_by(
    ref: ObjectRef,
    live: Manifest,
    environment: EnvironmentId,
    elsewhere: Mapping[ObjectRef, EnvironmentId],
) -> str:
    """Return whose an object is by now, or nothing."""
    owner = ((live.get("metadata") or {}).get("labels") or {}).get(ENVIRONMENT_LABEL)
    if owner and owner != label_value(environment):
        return str(owner)
    return elsewhere.get(ref, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a prune did, and the entries that stay in the inventory."""

    changes: ChangeSet
    kept: tuple[InventoryEntry, ...]


def nobody() -> Sequence[EnvironmentId]:
    """Await nobody."""
    return ()


def prune(
    cluster: Cluster,
    environment: EnvironmentId,
    entries: Iterable[InventoryEntry],
    elsewhere: Callable[[], Mapping[ObjectRef, EnvironmentId]],
    *,
    waits: bool = False,
    claimants: Callable[[], Sequence[EnvironmentId]] = nobody,
) -> Pruned:
    """Delete what may be deleted, in the reverse order of an apply.

    ``elsewhere`` are the objects that other environments' inventories name.
    An object that is still there afterwards (finalizers) stays in the inventory,
    and so does one that is kept; one that another environment took does not.
    With ``waits`` a wave is only deleted once all of the one after it is gone, pods
    included; to be called again until nothing holds it up. Nor is anything deleted
    while there are ``claimants``, who are only asked for where something would be.
    """
    by_ref = {entry.ref: entry for entry in entries}
    found = {ref: _live(cluster, entry) for ref, entry in by_ref.items()}
    there = {ref: live for ref, live in found.items() if live is not None}
    may_go = any(
        not taken_by(ref, live, environment, {}) and not kept_because(ref, live)
        for ref, live in there.items()
    )
    # Before the inventories are read: who is no claimant any more stands in them.
    awaited = tuple(claimants()) if may_go else ()
    others = elsewhere() if there else {}
    waves = prune_waves(there)
    changes: list[ChangeEntry] = []
    kept: list[InventoryEntry] = []
    holding: list[Leaving] = []
    pending: list[ObjectRef] = []
    for number, wave in enumerate(waves, 1):
        if holding:
            pending += wave
            continue
        is_awaited = waits and number < len(waves)
        for ref in wave:
            entry, live = by_ref[ref], there[ref]
            owner = taken_by(ref, live, environment, others)
            why = (
                f"kept: now of environment {owner}"
                if owner
                else kept_because(ref, live)
            )
            if why:
                changes.append(ChangeEntry(ref=ref, change=Change.SKIPPED, message=why))
                if not owner:
                    kept.append(entry)
                continue
            if awaited:
                pending.append(ref)
                continue
            changes.append(_delete(cluster, entry, live, with_pods=is_awaited))
            if changes[-1].change is Change.SKIPPED:
                continue
            left = _live(cluster, entry)
            if left is not None:
                kept.append(entry)
                holding += [Leaving.of(left)] if is_awaited else []
    kept += [by_ref[ref] for ref in pending]
    told = ChangeSet(
        entries=tuple(changes),
        holding=tuple(holding),
        pending=tuple(pending),
        awaited=awaited if pending else (),
    )
    return Pruned(changes=told, kept=tuple(kept))


def _delete(
    cluster: Cluster, entry: InventoryEntry, live: Manifest, *, with_pods: bool
) -> ChangeEntry:
    """Delete the very object; ``with_pods`` lets it stay until its own are gone."""
    uid = str((live.get("metadata") or {}).get("uid", ""))
    propagation = "Foreground" if with_pods else "Background"
    try:
        cluster.delete(entry.ref, entry.version, uid=uid, propagation=propagation)
    except ResourceConflictError:
        # Another object has its name by now: that one is not ours.
        why = "kept: replaced by another object meanwhile"
        return ChangeEntry(ref=entry.ref, change=Change.SKIPPED, message=why)
    return ChangeEntry(ref=entry.ref, change=Change.DELETED)


def _live(cluster: Cluster, entry: InventoryEntry) -> Manifest | None:
    ref = entry.ref
    version = f"{ref.group}/{entry.version}" if ref.group else entry.version
    try:
        resource = cluster.resource(version, ref.kind)
    except UnknownKindError:
        # The CRD is gone, and its objects with it.
        return None
    return cluster.get(resource, ref.namespace, ref.name)

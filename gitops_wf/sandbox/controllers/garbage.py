"""The garbage collector: dependents go with their owners, or are let go.

Background: an object whose owners are all gone is deleted. Foreground: an owner waits
for the dependents that block it. Orphan: the dependents lose the reference to it.
https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gitops_wf.sandbox.controllers.index import Index, Seen
from gitops_wf.sandbox.controllers.reading import owner_references
from gitops_wf.sandbox.controllers.work import NOTHING, Outcome, Write, delete, update
from gitops_wf.sandbox.objects import Manifest, copy, finalizers_of, is_deleting, uid_of

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


def collect(seen: Seen, index: Index, is_known: Callable[[str, str], bool]) -> Outcome:
    """The next step for one object, as an owner and as a dependent.

    `is_known` says whether an apiVersion and kind are served: an owner of a kind that
    nobody knows may exist all the same.
    """
    manifest = seen.object
    if is_deleting(manifest):
        if ORPHAN in finalizers_of(manifest):
            return Outcome(writes=tuple(_orphan(seen, index)))
        if FOREGROUND in finalizers_of(manifest):
            return Outcome(writes=tuple(_go_first(seen, index)))
        return NOTHING
    references = owner_references(manifest)
    if not references:
        return NOTHING
    gone, waiting, solid = _owners(references, index, is_known)
    if gone and not solid and not waiting:
        return Outcome(writes=(delete(seen.key.resource, manifest),))
    if waiting and not solid:
        return Outcome(writes=(_delete_in_turn(seen, index),))
    if (gone or waiting) and solid:
        left = [one for one in references if one not in gone and one not in waiting]
        return Outcome(writes=(_with_owners(seen, left),))
    return NOTHING


def _owners(
    references: Sequence[dict[str, Any]],
    index: Index,
    is_known: Callable[[str, str], bool],
) -> tuple[list[Any], list[Any], list[Any]]:
    """Owner references whose owner is gone, goes after us, or stays."""
    gone: list[Any] = []
    waiting: list[Any] = []
    solid: list[Any] = []
    for reference in references:
        owner = index.by_uid(reference["uid"])
        if owner is None:
            known = is_known(reference["apiVersion"], reference["kind"])
            (gone if known else solid).append(reference)
        elif is_deleting(owner.object) and FOREGROUND in finalizers_of(owner.object):
            waiting.append(reference)
        else:
            solid.append(reference)
    return gone, waiting, solid


def _with_owners(seen: Seen, references: Sequence[dict[str, Any]]) -> Write:
    changed = copy(seen.object)
    changed["metadata"].pop("ownerReferences", None)
    if references:
        changed["metadata"]["ownerReferences"] = list(references)
    return update(seen.key.resource, changed)


def _without_finalizer(seen: Seen, finalizer: str) -> Write:
    changed = copy(seen.object)
    left = [one for one in finalizers_of(seen.object) if one != finalizer]
    changed["metadata"].pop("finalizers")
    if left:
        changed["metadata"]["finalizers"] = left
    return update(seen.key.resource, changed)


def _orphan(owner: Seen, index: Index) -> list[Write]:
    uid = uid_of(owner.object)
    writes = []
    for one in index.dependents(uid):
        left = [ref for ref in owner_references(one.object) if ref["uid"] != uid]
        writes.append(_with_owners(one, left))
    return [*writes, _without_finalizer(owner, ORPHAN)]


def _go_first(owner: Seen, index: Index) -> list[Write]:
    """Deletes of the dependents; the owner's release when none blocks it any more."""
    dependents = index.dependents(uid_of(owner.object))
    if not any(_blocks(one.object, owner.object) for one in dependents):
        return [_without_finalizer(owner, FOREGROUND)]
    return [
        _delete_in_turn(one, index) for one in dependents if not is_deleting(one.object)
    ]


def _blocks(dependent: Manifest, owner: Manifest) -> bool:
    return any(
        one["uid"] == uid_of(owner) and one.get("blockOwnerDeletion")
        for one in owner_references(dependent)
    )


def _delete_in_turn(seen: Seen, index: Index) -> Write:
    """A delete that waits for the object's own dependents, if any block it."""
    uid = uid_of(seen.object)
    blocked = any(_blocks(one.object, seen.object) for one in index.dependents(uid))
    return delete(
        seen.key.resource,
        seen.object,
        propagation="Foreground" if blocked else "Background",
    )

"""What one apply did, object by object."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.inventory import Manifest, ObjectRef


class Change(StrEnum):
    """What happened to an object (Flux's words)."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEntry:
    """One object and what happened to it."""

    ref: ObjectRef
    change: Change
    message: str = ""

    def __str__(self) -> str:
        """Return ``Kind/namespace/name action``."""
        return f"{self.ref} {self.change}"


_COLLECTORS = "foregroundDeletion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """An object whose deletion was asked for, and that is still there.

    ``finalizers`` are without the garbage collector's own: that is there while what
    belongs to the object is deleted, and goes by itself.
    https://kubernetes.io/docs/concepts/architecture/garbage-collection/
    """

    ref: ObjectRef
    finalizers: tuple[str, ...]

    def __str__(self) -> str:
        """Return what holds it: ``PersistentVolumeClaim/shop/data (finalizers: …)``."""
        names = ", ".join(self.finalizers)
        return f"{self.ref} (finalizers: {names})" if names else str(self.ref)

    @classmethod
    def of(cls, live: Manifest) -> "Leaving":
        """Return an object that is on its way out."""
        names = (live.get("metadata") or {}).get("finalizers") or ()
        held = tuple(name for name in names if name != _COLLECTORS)
        return cls(ref=ObjectRef.of(live), finalizers=held)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """The result of an apply.

    ``pending`` are objects that are deleted once those that are ``holding`` are gone,
    and the environments that are ``awaited`` have said what they take over.
    """

    entries: tuple[ChangeEntry, ...] = ()
    holding: tuple[Leaving, ...] = ()
    pending: tuple[ObjectRef, ...] = ()
    awaited: tuple[EnvironmentId, ...] = ()

    def __str__(self) -> str:
        """Return the counts that are not zero: ``2 created, 1 unchanged``."""
        return summary(Counter(entry.change for entry in self.entries))


def summary(counts: Mapping[Change, int]) -> str:
    """Return the counts that are not zero, as text."""
    parts = [f"{counts[change]} {change}" for change in Change if counts.get(change)]
    return ", ".join(parts) or "nothing to apply"

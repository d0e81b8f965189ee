"""The objects that an environment owns on a target."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Manifest = Mapping[str, Any]
"""A Kubernetes object as plain JSON."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which `kubectl apply` repeats an object, its Secrets included."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectRef:
    """Identity of an object; the version only says how to address it.

    ``namespace`` is empty for what is cluster-wide. Prints as Flux does:
    ``Kind/namespace/name``.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return ``Kind/namespace/name``, or ``Kind/name`` without namespace."""
        parts = (self.kind, self.namespace, self.name)
        return "/".join(part for part in parts if part)

    @classmethod
    def of(cls, manifest: Manifest) -> "ObjectRef":
        """Return the identity of a manifest that has kind and name."""
        group, slash, _ = str(manifest.get("apiVersion", "")).rpartition("/")
        metadata = manifest.get("metadata") or {}
        return cls(
            group=group if slash else "",
            kind=str(manifest.get("kind", "")),
            namespace=str(metadata.get("namespace") or ""),
            name=str(metadata.get("name", "")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryEntry:
    """An owned object, the version that addresses it, and the step that applied it."""

    ref: ObjectRef
    version: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What an environment owns on one target.

    ``instance`` is the daemon that wrote it, and ``written`` when. ``number`` and
    ``commit`` are of the newest revision that was applied there; ``completed`` is,
    for each step, the inputs digest of the revision that it last completed.
    """

    entries: tuple[InventoryEntry, ...] = ()
    instance: str = ""
    written: datetime | None = None
    number: int = 0
    commit: str = ""
    completed: Mapping[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> str:
        """The inputs digest that every step completed, or empty."""
        digests = set(self.completed.values())
        owners = {entry.step for entry in self.entries}
        if len(digests) != 1 or owners - set(self.completed):
            return ""
        return digests.pop()


def annotations_of(manifest: Manifest) -> Mapping[str, Any]:
    """Return an object's annotations."""
    annotations: Mapping[str, Any] = (manifest.get("metadata") or {}).get(
        "annotations"
    ) or {}
    return annotations

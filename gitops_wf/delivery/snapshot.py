"""LISTs shared by all environments of the process, for a moment."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import Manifest
from gitops_wf.ports.cluster import ApiResource, Cluster

KEEP = 30.0
"""Seconds after which a list is dropped, asked for or not."""

Key = tuple[TargetName, str, str, str, str, Cluster]
"""With the cluster as its one identity sees it: another may see less, or more."""


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    objects: Sequence[Manifest] = ()
    begun: float = float("-inf")
    """When the LIST was sent: what it shows is not older."""
    written: float = float("-inf")
    """When we last wrote there: a LIST sent before that is worth nothing."""


class Snapshots:
    """One LIST per target, kind, namespace and identity, however many ask at once.

    Thread-safe. Who asks while a LIST is on its way waits for it, and takes it
    where it is young enough.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._slots: dict[Key, _Slot] = {}

    def list(
        self,
        target: TargetName,
        cluster: Cluster,
        resource: ApiResource,
        namespace: str,
        *,
        selector: str = "",
        max_age: timedelta,
    ) -> Sequence[Manifest]:
        """Return the objects of a kind as they were at most `max_age` ago."""
        asked = self._monotonic()
        kind = (resource.group, resource.kind)
        slot = self._slot((target, *kind, namespace, selector, cluster))
        with slot.lock:
            oldest = asked - max_age.total_seconds()
            if slot.begun < oldest or slot.begun <= slot.written:
                begun = self._monotonic()
                slot.objects = cluster.list(resource, namespace, selector)
                slot.begun = begun
            return slot.objects

    def written(
        self, target: TargetName, group: str, kind: str, namespace: str
    ) -> None:
        """Say that objects of this kind were just written there."""
        now = self._monotonic()
        with self._lock:
            for key, slot in self._slots.items():
                if key[:4] == (target, group, kind, namespace):
                    slot.written = now

    def _slot(self, key: Key) -> _Slot:
        now = self._monotonic()
        with self._lock:
            stale = [
                other
                for other, slot in self._slots.items()
                if slot.begun < now - KEEP and other != key and not slot.lock.locked()
            ]
            for other in stale:
                del self._slots[other]
            return self._slots.setdefault(key, _Slot())

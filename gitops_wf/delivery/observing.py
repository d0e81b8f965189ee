"""How the objects of an inventory are: read from shared LISTs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from gitops_wf.core.health import (
    NO_RULES,
    Health,
    HealthRules,
    HealthStatus,
    Surroundings,
    health_of,
    workload_health,
)
from gitops_wf.core.health.failfast import current_pods, is_workload
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import InventoryEntry, Manifest, ObjectRef
from gitops_wf.delivery.names import ENVIRONMENT_LABEL
from gitops_wf.delivery.snapshot import Snapshots
from gitops_wf.ports.cluster import (
    ApiResource,
    Cluster,
    ClusterRefusalError,
    UnknownKindError,
)

DONE = frozenset({Health.CURRENT, Health.SUSPENDED})
"""A paused Deployment or suspended CronJob is as Git wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHealth:
    """One object of an environment and how it is."""

    ref: ObjectRef
    status: HealthStatus

    def __str__(self) -> str:
        """Return ``Deployment/shop/web: 1 of 3 replicas ready``."""
        return f"{self.ref}: {self.status.message or self.status.health}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Looks at one cluster, once; `max_age` is how old a shared LIST may be.

    Whatever it has listed it does not list again. `rules` are for custom kinds.
    """

    target: TargetName
    cluster: Cluster
    snapshots: Snapshots
    max_age: timedelta
    rules: HealthRules = NO_RULES
    _listed: dict[tuple[ApiResource, str, str], Sequence[Manifest]] = field(
        default_factory=dict
    )
    _around: dict[tuple[str, bool], Surroundings] = field(default_factory=dict)

    def observe(self, entries: Iterable[InventoryEntry]) -> list[ObjectHealth]:
        """Return the health of objects, in the order of their names."""
        found = self.live(entries)
        return [
            ObjectHealth(ref=ref, status=self.health(live))
            for ref, live in sorted(found.items())
        ]

    def live(
        self, entries: Iterable[InventoryEntry]
    ) -> dict[ObjectRef, Manifest | None]:
        """Return each object as it is now, None where it is not there."""
        groups: dict[tuple[str, str, str], list[InventoryEntry]] = defaultdict(list)
        for entry in entries:
            ref = entry.ref
            version = f"{ref.group}/{entry.version}" if ref.group else entry.version
            groups[version, ref.kind, ref.namespace].append(entry)
        found: dict[ObjectRef, Manifest | None] = {}
        for (version, kind, namespace), members in groups.items():
            try:
                resource = self.cluster.resource(version, kind)
            except UnknownKindError:
                found.update((entry.ref, None) for entry in members)
                continue
            listed = {
                ObjectRef.of(live): live
                for live in self._list(resource, namespace, ENVIRONMENT_LABEL)
            }
            for entry in members:
                # A label that somebody removed hides an object from the LIST.
                found[entry.ref] = listed.get(entry.ref) or self.cluster.get(
                    resource, namespace, entry.ref.name
                )
        return found

    def health(self, live: Manifest | None) -> HealthStatus:
        """Return how an object is; None is one that is not there."""
        if live is None:
            return health_of(None)
        if not self.cluster.has_status:
            return HealthStatus(health=Health.CURRENT, message="written")
        if not is_workload(live):
            return health_of(live, self.rules)
        status = health_of(live, self.rules)
        if status.health not in {Health.IN_PROGRESS, Health.FAILED}:
            return status
        namespace = ObjectRef.of(live).namespace
        around = self._surroundings(namespace)
        status = workload_health(live, around, self.rules)
        if status.health is Health.FAILED or not current_pods(live, around):
            # Only now are the events worth their LIST: they may be many.
            around = self._surroundings(namespace, with_events=True)
            status = workload_health(live, around, self.rules)
        return status

    def _surroundings(
        self, namespace: str, *, with_events: bool = False
    ) -> Surroundings:
        key = (namespace, with_events)
        if key not in self._around:
            self._around[key] = Surroundings(
                replica_sets=self._kind("apps/v1", "ReplicaSet", namespace),
                pods=self._kind("v1", "Pod", namespace),
                events=self._kind("v1", "Event", namespace) if with_events else (),
            )
        return self._around[key]

    def _kind(self, version: str, kind: str, namespace: str) -> Sequence[Manifest]:
        """Return what tells more of a workload; nothing where we may not see it."""
        try:
            return self._list(self.cluster.resource(version, kind), namespace, "")
        except ClusterRefusalError as exc:
            if exc.status != 403:
                raise
            return ()

    def _list(
        self, resource: ApiResource, namespace: str, selector: str
    ) -> Sequence[Manifest]:
        key = (resource, namespace, selector)
        if key not in self._listed:
            self._listed[key] = self.snapshots.list(
                self.target,
                self.cluster,
                resource,
                namespace,
                selector=selector,
                max_age=self.max_age,
            )
        return self._listed[key]

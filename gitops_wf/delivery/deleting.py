"""Deleting objects because a step says so: whose they may be, and when they are gone.

All that a step means is looked at first: where one of its objects may not be deleted,
none is. An object that another environment's inventory names, or that is part of one
(a Pod of its Deployment), is never touched; nor is an inventory.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitops_wf.core.changeset import Change, ChangeEntry, ChangeSet, Leaving
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.core.planned import Planned
from gitops_wf.delivery.allowing import refusal
from gitops_wf.delivery.claims import Claims
from gitops_wf.delivery.inventories import InventoryStore
from gitops_wf.delivery.marks import kept_by_mark
from gitops_wf.delivery.names import CLAIMED
from gitops_wf.delivery.planning import plan
from gitops_wf.delivery.pruning import OPT_IN_KINDS, taken_by
from gitops_wf.delivery.rehearsing import RehearsedCluster
from gitops_wf.ports.cluster import (
    ApiResource,
    Cluster,
    ClusterRefusalError,
    Clusters,
    ResourceConflictError,
    UnknownKindError,
)

_MOST_OWNERS = 5
"""How far up an object's controllers are followed: a Pod of a CronJob has two."""


def takes_all(live: Manifest) -> bool:
    """Return that every object that the selector finds is meant."""
    del live
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Which objects of a kind are to go: one by its name, or those of a selector.

    ``namespace`` is empty for the target's own. ``filter`` leaves some of a selector's
    objects alone.
    """

    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""
    selector: str = ""
    propagation: str = "Background"
    filter: Callable[[Manifest], bool] = takes_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletions:
    """Deletes objects of targets for environments; keeps nothing between calls."""

    clusters: Clusters

    def delete(
        self, environment: EnvironmentId, target: TargetName, meant: Meant
    ) -> ChangeSet:
        """Ask for the deletion of all that is meant; what is gone already is no error.

        Errors: UnknownKindError; TerminalError where one of them may not be deleted,
        before any is.
        """
        cluster = self.clusters.cluster(target, environment)
        found = self._found(cluster, target, meant)
        going = [each for each in found if not _is_going(each)]
        self._check(cluster, environment, target, meant, going)
        changes: list[ChangeEntry] = []
        for live in going:
            ref = ObjectRef.of(live)
            version = meant.api_version.rpartition("/")[2]
            try:
                cluster.delete(
                    ref,
                    version,
                    uid=str((live.get("metadata") or {}).get("uid") or ""),
                    propagation=meant.propagation,
                )
            except ResourceConflictError:
                why = "kept: replaced by another object meanwhile"
                changes.append(ChangeEntry(ref=ref, change=Change.SKIPPED, message=why))
                continue
            changes.append(ChangeEntry(ref=ref, change=Change.DELETED))
        return ChangeSet(entries=tuple(changes))

    def leaving(
        self, environment: EnvironmentId, target: TargetName, meant: Meant
    ) -> list[Leaving]:
        """Return what is meant, on its way out, and not gone yet."""
        cluster = self.clusters.cluster(target, environment)
        try:
            found = self._found(cluster, target, meant)
        except UnknownKindError:
            return []  # the kind went with its objects
        return [Leaving.of(live) for live in found if _is_going(live)]

    def plan(
        self, environment: EnvironmentId, target: TargetName, meant: Meant
    ) -> Planned:
        """Return what `delete` would do; the clusters are rehearsed."""
        cluster = self.clusters.cluster(target, environment)
        if not isinstance(cluster, RehearsedCluster):
            raise TypeError("a plan is made on clusters that write nothing")
        return plan(cluster, (), lambda _: self.delete(environment, target, meant))

    def inventoried(
        self, environment: EnvironmentId, target: TargetName
    ) -> frozenset[ObjectRef]:
        """Return the objects that the environment's own inventory there names."""
        store = InventoryStore(
            cluster=self.clusters.cluster(target, environment),
            namespace=self.clusters.namespace(target),
            environment=environment,
        )
        return frozenset(entry.ref for entry in store.read().entries)

    def _found(
        self,
        cluster: Cluster,
        target: TargetName,
        meant: Meant,
    ) -> Sequence[Manifest]:
        """Return what is meant, as it is now."""
        resource = cluster.resource(meant.api_version, meant.kind)
        if not resource.is_namespaced and meant.namespace:
            raise TerminalError(
                f"{meant.kind} objects have no namespace: remove `namespace`",
                reason=Reason.INVALID_DEFINITION,
            )
        place = meant.namespace or self.clusters.namespace(target)
        namespace = place if resource.is_namespaced else ""
        if not meant.name:
            self._check_place(resource, namespace, target)
            listed = cluster.list(resource, namespace, meant.selector)
            return [each for each in listed if meant.filter(each)]
        live = cluster.get(resource, namespace, meant.name)
        return () if live is None else (live,)

    def _check_place(
        self, resource: ApiResource, namespace: str, target: TargetName
    ) -> None:
        """Refuse a list of what may not be looked at; no object has a star's name."""
        every = ObjectRef(
            group=resource.group, kind=resource.kind, namespace=namespace, name="*"
        )
        if resource.kind == "Namespace":
            return  # each by its name
        self._refuse(every, target)

    def _refuse(self, ref: ObjectRef, target: TargetName) -> None:
        refused = refusal(ref, self.clusters.allowed(target))
        if refused:
            raise TerminalError(refused, reason=Reason.TARGET_NOT_ALLOWED)

    def _check(
        self,
        cluster: Cluster,
        environment: EnvironmentId,
        target: TargetName,
        meant: Meant,
        going: Iterable[Manifest],
    ) -> None:
        going = list(going)
        if not going:
            return
        owners = _Owners(
            cluster=cluster,
            environment=environment,
            elsewhere=Claims(
                cluster=cluster,
                namespace=self.clusters.namespace(target),
                environment=environment,
            ).elsewhere(),
        )
        for live in going:
            ref = ObjectRef.of(live)
            self._refuse(ref, target)
            _check_kept(ref, live, is_named=bool(meant.name))
            other = owners.of(live)
            if other:
                raise TerminalError(
                    f"{ref} is of environment {other}: nothing is deleted; "
                    f"{environment} may delete only what is its own, or nobody's",
                    reason=CLAIMED,
                )


@dataclass(slots=True, kw_only=True)
class _Owners:
    """Whose objects are: their own labels, inventories, and their controllers'."""

    cluster: Cluster
    environment: EnvironmentId
    elsewhere: Mapping[ObjectRef, EnvironmentId]
    known: dict[str, str] = field(default_factory=dict)

    def of(self, live: Manifest, depth: int = 0) -> str:
        """Return the other environment that an object is of, or nothing."""
        uid = str((live.get("metadata") or {}).get("uid") or id(live))
        if uid not in self.known:
            self.known[uid] = self._found(live, depth)
        return self.known[uid]

    def _found(self, live: Manifest, depth: int) -> str:
        ref = ObjectRef.of(live)
        other = taken_by(ref, live, self.environment, self.elsewhere)
        if other or depth == _MOST_OWNERS:
            return other
        metadata: Mapping[str, Any] = live.get("metadata") or {}
        for owner in metadata.get("ownerReferences") or ():
            above = (
                self._read(owner, ref.namespace) if owner.get("controller") else None
            )
            if above is not None:
                return self.of(above, depth + 1)
        return ""

    def _read(self, owner: Mapping[str, Any], namespace: str) -> Manifest | None:
        try:
            resource = self.cluster.resource(owner["apiVersion"], owner["kind"])
            place = namespace if resource.is_namespaced else ""
            return self.cluster.get(resource, place, owner["name"])
        except (ClusterRefusalError, UnknownKindError):
            return None  # what the environment may not see is none of its own


def _check_kept(ref: ObjectRef, live: Manifest, *, is_named: bool) -> None:
    """Refuse what is marked to stay, and the dangerous kinds."""
    mark = kept_by_mark(live)
    if mark:
        raise TerminalError(
            f"{ref} is to be kept, it says {mark}: take that off it first",
            reason="ObjectKept",
        )
    if (ref.group, ref.kind) in OPT_IN_KINDS and not is_named:
        raise TerminalError(
            f"{ref}: a {ref.kind} takes data or other objects along, so it is deleted "
            "by its `name` only, never by a selector",
            reason="ObjectKept",
        )


def _is_going(live: Manifest) -> bool:
    return bool((live.get("metadata") or {}).get("deletionTimestamp"))

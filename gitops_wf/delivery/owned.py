"""The objects that an environment owns on a target, for steps that look at them."""

from collections.abc import Sequence
from dataclasses import dataclass

from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import InventoryEntry, Manifest, ObjectRef
from gitops_wf.delivery.inventories import InventoryStore
from gitops_wf.ports.cluster import ClusterRefusalError, Clusters, UnknownKindError
from gitops_wf.ports.runner import Capabilities, StepContext

_NOT_ALLOWED = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedObjects:
    """Reads with the identity of the environment; keeps nothing between calls."""

    clusters: Clusters

    def entries(
        self, context: StepContext, target: TargetName
    ) -> Sequence[InventoryEntry]:
        """Return what the environment's inventory on the target names."""
        store = InventoryStore(
            cluster=self.clusters.cluster(target, context.subject.environment),
            namespace=self.clusters.namespace(target),
            environment=context.subject.environment,
        )
        return store.read().entries

    def live(
        self, context: StepContext, target: TargetName, entry: InventoryEntry
    ) -> Manifest | None:
        """Return one of them as it is now."""
        ref = entry.ref
        version = f"{ref.group}/{entry.version}" if ref.group else entry.version
        return self.referred(context, target, version, ref)

    def referred(
        self, context: StepContext, target: TargetName, api_version: str, ref: ObjectRef
    ) -> Manifest | None:
        """Return an object that one of them refers to; None where there is none.

        Nor where the environment's identity may not read it.
        """
        cluster = self.clusters.cluster(target, context.subject.environment)
        try:
            resource = cluster.resource(api_version, ref.kind)
            return cluster.get(resource, ref.namespace, ref.name)
        except UnknownKindError:
            return None
        except ClusterRefusalError as exc:
            if exc.status != _NOT_ALLOWED:
                raise
            return None

    def nodes(
        self, context: StepContext, target: TargetName
    ) -> Sequence[Manifest] | None:
        """Return the cluster's nodes; None where they may not be read."""
        cluster = self.clusters.cluster(target, context.subject.environment)
        try:
            return cluster.list(cluster.resource("v1", "Node"))
        except ClusterRefusalError as exc:
            if exc.status != _NOT_ALLOWED:
                raise
            return None


def owned_for(capabilities: Capabilities) -> OwnedObjects:
    """Return what reads them for a step type."""
    return OwnedObjects(clusters=capabilities.clusters)

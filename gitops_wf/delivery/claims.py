"""Whose an object is, where two environments meet: the inventories decide.

A label on an object only says who wrote it last. An object moves to another
environment when the inventory of the first no longer names it; until then the second
waits. What another inventory names is never deleted, so a move deletes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gitops_wf.core.errors import TransientError
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.delivery.inventories import all_inventories, inventory_of_label
from gitops_wf.delivery.names import ENVIRONMENT_LABEL
from gitops_wf.ports.cluster import Cluster


class ObjectClaimedError(TransientError):
    """Another environment has an object in its inventory: perhaps not for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What the other environments of a namespace have."""

    cluster: Cluster
    namespace: str
    environment: EnvironmentId

    def check(self, ref: ObjectRef, label: str) -> None:
        """Let an object be taken over that carries another environment's label.

        Errors: ObjectClaimedError where its inventory names the object, or cannot
        be found here to say that it does not.
        """
        found = inventory_of_label(self.cluster, self.namespace, label)
        if found is not None and all(e.ref != ref for e in found[1].entries):
            return
        other = label.replace(".", "/") if found is None else found[0]
        raise ObjectClaimedError(
            f"{ref} is claimed by two environments: {self.environment} wants it, and "
            f"{other} has it; remove it from one of them, or, where {other} is gone, "
            f"take the label {ENVIRONMENT_LABEL} off the object"
        )

    def elsewhere(self) -> Mapping[ObjectRef, EnvironmentId]:
        """Return the objects that other environments' inventories name."""
        return {
            entry.ref: other
            for other, inventory in all_inventories(self.cluster, self.namespace)
            if other != self.environment
            for entry in inventory.entries
        }

"""ResourceQuotas: what a write would use is weighed against what is left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from gitops_wf.sandbox.fields.quantity import amount
from gitops_wf.sandbox.mutation import Mutation
from gitops_wf.sandbox.objects import (
    Manifest,
    Manifests,
    copy,
    name_of,
    namespace_of,
)
from gitops_wf.sandbox.resources import Resource, ResourceTable
from gitops_wf.sandbox.statuses import forbidden
from gitops_wf.sandbox.storage import Storage
from gitops_wf.sandbox.usage import (
    Amounts,
    added,
    in_scope,
    missing_of,
    subtracted,
    usage,
)

_QUOTAS = "resourcequotas"
# Of these an update may use more than before.
_GROWING = frozenset({"persistentvolumeclaims", "services"})


class Quotas:
    """Weighs writes by the quotas of their namespace, and notes what they use.

    As in Kubernetes a quota counts from the moment at which its controller has counted
    first, which `status.hard` tells.
    """

    def __init__(
        self,
        storage: Storage,
        table: ResourceTable,
        mutation: Mutation,
        now: Callable[[], datetime],
    ) -> None:
        self._storage, self._mutation, self._now = storage, mutation, now
        self._resource = table.named(_QUOTAS)

    def weigh(
        self, resource: Resource, new: Manifest, old: Manifest | None = None
    ) -> Manifests:
        """The quotas as they are once this is written; ApiError 403 where it may not.

        What is returned is still to be noted; call under the storage's lock.
        """
        if not resource.namespaced or resource.qualified == "events":
            return []
        if old is not None and resource.qualified not in _GROWING:
            return []
        wanted = usage(resource.qualified, new)
        if old is not None:
            wanted = subtracted(wanted, usage(resource.qualified, old))
            wanted = {name: one for name, one in wanted.items() if amount(one) > 0}
        changed = []
        for quota in self._storage.list(_QUOTAS, namespace_of(new)):
            hard = (quota.get("status") or {}).get("hard") or {}
            if in_scope(quota, resource.qualified, new):
                counted = self._weighed(resource, new, quota, hard, wanted)
                if counted is not None:
                    changed.append(counted)
        return changed

    def _weighed(
        self,
        resource: Resource,
        new: Manifest,
        quota: Manifest,
        hard: Amounts,
        wanted: Amounts,
    ) -> Manifest | None:
        name = name_of(new)
        if resource.qualified == "pods":
            missing = missing_of(new, hard)
            if missing:
                why = f"failed quota: {name_of(quota)}: {missing}"
                raise forbidden(resource, name, why)
        asked = {key: one for key, one in wanted.items() if key in hard}
        if not asked:
            return None
        used = (quota.get("status") or {}).get("used") or {}
        total = added({key: used.get(key, "0") for key in asked}, asked)
        over = [
            key
            for key, one in total.items()
            if amount(one) > amount(hard[key]) and amount(asked[key]) > 0
        ]
        if over:
            raise forbidden(
                resource,
                name,
                f"exceeded quota: {name_of(quota)}, requested: {_listed(asked, over)}, "
                f"used: {_listed(used, over)}, limited: {_listed(hard, over)}",
            )
        state = copy(quota)
        state["status"]["used"] = {**used, **total}
        return state

    def note(self, quotas: Manifests) -> None:
        """Store what `weigh` returned."""
        for quota in quotas:
            live = self._storage.get(_QUOTAS, namespace_of(quota), name_of(quota))
            tracked = self._mutation.track(
                self._resource,
                live,
                quota,
                manager="kube-apiserver",
                now=self._now(),
                subresource="status",
            )
            if tracked != live:
                self._storage.put(_QUOTAS, tracked)


def _listed(amounts: Amounts, names: list[str]) -> str:
    return ",".join(f"{name}={amounts.get(name, '0')}" for name in sorted(names))

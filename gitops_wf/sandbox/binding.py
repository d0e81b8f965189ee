"""The binding of a Pod to a node: a subresource of its own kind."""

from __future__ import annotations

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.clocks import stamp
from gitops_wf.sandbox.objects import Manifest, copy, is_deleting
from gitops_wf.sandbox.statuses import ApiError, not_found


def bind(api: ObjectApi, namespace: str, name: str, node: str) -> Manifest:
    """Put a Pod on a node; ApiError 404 and 409 where that can't be.

    As in Kubernetes, no field manager owns what a binding sets.
    """
    pods = api.resources.named("pods")
    with api.storage.lock:
        live = api.storage.get("pods", namespace, name)
        if live is None:
            raise not_found(pods, name)
        bound_to = live["spec"].get("nodeName")
        if bound_to or is_deleting(live):
            why = f"pod {name} is being deleted, cannot be assigned to a host"
            if bound_to:
                why = f'pod {name} is already assigned to node "{bound_to}"'
            raise ApiError(
                409,
                f'Operation cannot be fulfilled on pods/binding "{name}": {why}',
                reason="Conflict",
                details={"name": name, "kind": "pods/binding"},
            )
        pod: Manifest = copy(live)
        pod["spec"]["nodeName"] = node
        status = pod.setdefault("status", {})
        status["conditions"] = [
            *(
                one
                for one in status.get("conditions") or []
                if one["type"] != "PodScheduled"
            ),
            {
                "type": "PodScheduled",
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": stamp(api.now()),
            },
        ]
        return copy(api.storage.put("pods", pod))

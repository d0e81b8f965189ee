"""Addresses of load balancers, as a cloud gives them to Services.

Nothing listens there: the range is that of documentation (RFC 5737).
https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer
"""

from __future__ import annotations

from binascii import crc32

from gitops_wf.sandbox.controllers.work import (
    NOTHING,
    Outcome,
    Pace,
    Situation,
    update_status,
)
from gitops_wf.sandbox.objects import Manifest, is_deleting, name_of, namespace_of

SERVICES = "services"
_MANAGER = "cloud-controller-manager"


def reconcile(situation: Situation, pace: Pace) -> Outcome:
    """The next step of a Service; one with a loadBalancerClass is somebody else's."""
    service = situation.object
    spec, status = service.get("spec") or {}, service.get("status") or {}
    if spec.get("type") != "LoadBalancer" or spec.get("loadBalancerClass"):
        return NOTHING
    has_one = (status.get("loadBalancer") or {}).get("ingress")
    # A bare API server, as behind the transcripts, has no cloud.
    if pace.quiet or has_one or is_deleting(service):
        return NOTHING
    due = situation.since + pace.delay
    if situation.now < due:
        return Outcome(due=due)
    address = {"ip": _address(service), "ipMode": "VIP"}
    changed = {**status, "loadBalancer": {"ingress": [address]}}
    write = update_status(SERVICES, service | {"status": changed}, _MANAGER)
    return Outcome(writes=(write,))


def _address(service: Manifest) -> str:
    name = f"{namespace_of(service)}/{name_of(service)}"
    return f"203.0.113.{1 + crc32(name.encode()) % 254}"

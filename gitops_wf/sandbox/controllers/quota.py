"""The quota controller: what the objects of a namespace use, counted anew."""

from __future__ import annotations

from collections.abc import Iterable

from gitops_wf.sandbox.controllers.work import NOTHING, Outcome, update_status
from gitops_wf.sandbox.objects import Manifest, is_deleting
from gitops_wf.sandbox.usage import added, in_scope, usage


def reconcile(quota: Manifest, content: Iterable[tuple[str, Manifest]]) -> Outcome:
    """The quota with its hard limits in force and its uses counted.

    `content` is all in its namespace, each with its resource, as it stood together
    with this version of the quota.
    """
    if is_deleting(quota):
        return NOTHING
    hard = (quota.get("spec") or {}).get("hard") or {}
    used = dict.fromkeys(hard, "0")
    for resource, one in content:
        if resource != "events" and in_scope(quota, resource, one):
            counted = usage(resource, one)
            used = added(
                used, {name: value for name, value in counted.items() if name in hard}
            )
    status = {**(quota.get("status") or {}), "hard": dict(hard), "used": used}
    if status == quota.get("status"):
        return NOTHING
    return Outcome(
        writes=(update_status("resourcequotas", quota | {"status": status}),)
    )

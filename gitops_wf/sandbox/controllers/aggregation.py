"""Aggregated ClusterRoles: their rules are those of the roles that they select.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitops_wf.sandbox.controllers.index import Seen
from gitops_wf.sandbox.controllers.work import NOTHING, Outcome, update
from gitops_wf.sandbox.objects import Manifest, is_deleting, labels_of, name_of
from gitops_wf.sandbox.selectors import selects

ROLES = "clusterroles.rbac.authorization.k8s.io"


def reconcile(role: Manifest, roles: Sequence[Seen]) -> Outcome:
    """The role with the rules of all that it selects among these."""
    wanted = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    if not wanted or is_deleting(role):
        return NOTHING
    rules: list[Any] = []
    for one in roles:
        if one.key.name == name_of(role):
            continue
        if any(selects(selector, labels_of(one.object)) for selector in wanted):
            rules += [
                rule for rule in one.object.get("rules") or () if rule not in rules
            ]
    if rules == (role.get("rules") or []):
        return NOTHING
    return Outcome(writes=(update(ROLES, role | {"rules": rules}),))

"""Aggregated ClusterRoles: their rules are those of the roles that they select.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gitops_wf.sandbox.controllers.index import Index, Key
from gitops_wf.sandbox.controllers.work import NOTHING, Outcome, Situation, update
from gitops_wf.sandbox.objects import Manifest, is_deleting, labels_of, name_of
from gitops_wf.sandbox.selectors import selects

ROLES = "clusterroles.rbac.authorization.k8s.io"


def wakes(key: Key, _manifest: Manifest, index: Index) -> Iterable[Key]:
    """The roles that a change may concern."""
    if key.resource != ROLES:
        return []
    return [one.key for one in index.of_resource(ROLES, "")]


def reconcile(situation: Situation, index: Index) -> Outcome:
    """The role with the rules of all that it selects."""
    role = situation.object
    wanted = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    if not wanted or is_deleting(role):
        return NOTHING
    rules: list[Any] = []
    for one in index.of_resource(ROLES, ""):
        if one.key.name == name_of(role):
            continue
        if any(selects(selector, labels_of(one.object)) for selector in wanted):
            rules += [
                rule for rule in one.object.get("rules") or () if rule not in rules
            ]
    if rules == (role.get("rules") or []):
        return NOTHING
    return Outcome(writes=(update(ROLES, role | {"rules": rules}),))

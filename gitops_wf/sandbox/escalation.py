"""Nobody may grant, by roles or bindings, what they may not do themselves.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from gitops_wf.sandbox.asking import Call
from gitops_wf.sandbox.authorization import Attributes, Authorizer, Rule
from gitops_wf.sandbox.objects import Manifest, name_of
from gitops_wf.sandbox.statuses import ApiError, forbidden, object_details
from gitops_wf.sandbox.users import CONTROLLERS, MASTERS

_GROUP = "rbac.authorization.k8s.io"
_ROLES = frozenset({"clusterroles", "roles"})
_BINDINGS = frozenset({"clusterrolebindings", "rolebindings"})
_ALL: tuple[Rule, ...] = (
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
)


class Escalation:
    """Judges writes of roles and bindings."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def check(self, asked: Call, new: Manifest, old: Manifest | None) -> None:
        """ApiError 403 where the write would grant more than its user has."""
        if asked.resource.group != _GROUP or asked.user == CONTROLLERS:
            return
        if MASTERS in asked.user.groups:
            return
        if asked.resource.plural in _ROLES:
            self._check_role(asked, new, old)
        elif asked.resource.plural in _BINDINGS:
            self._check_binding(asked, new)

    def _check_role(self, asked: Call, new: Manifest, old: Manifest | None) -> None:
        if self._may(asked, "escalate", asked.resource.plural, asked.name):
            return
        if new.get("aggregationRule") and self._missing(asked, _ALL):
            raise forbidden(
                asked.resource,
                name_of(new),
                "must have cluster-admin privileges to use the aggregationRule",
            )
        rules = new.get("rules") or []
        if old is None or rules != (old.get("rules") or []):
            self._check_rules(asked, name_of(new), rules)

    def _check_binding(self, asked: Call, new: Manifest) -> None:
        reference = new.get("roleRef") or {}
        plural = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
        name = str(reference.get("name", ""))
        if self._may(asked, "bind", plural, name):
            return
        rules = self._authorizer.rules(reference, asked.namespace)
        if rules is None:
            raise ApiError(
                404,
                f'{plural}.{_GROUP} "{name}" not found',
                reason="NotFound",
                details={**object_details(asked.resource, name), "kind": plural},
            )
        self._check_rules(asked, name_of(new), rules)

    def _may(self, asked: Call, verb: str, plural: str, name: str) -> bool:
        attributes = Attributes(
            verb=verb,
            group=_GROUP,
            resource=plural,
            namespace=asked.namespace,
            name=name,
        )
        return self._authorizer.decide(asked.user, attributes).is_allowed

    def _check_rules(self, asked: Call, name: str, rules: Iterable[Rule]) -> None:
        missing = self._missing(asked, rules)
        if not missing:
            return
        groups = " ".join(json.dumps(one) for one in asked.user.groups)
        lines = "\n".join(sorted(_compact(missing)))
        raise forbidden(
            asked.resource,
            name,
            f'user "{asked.user.name}" (groups=[{groups}]) is attempting to grant RBAC '
            f"permissions not currently held:\n{lines}",
        )

    def _missing(self, asked: Call, rules: Iterable[Rule]) -> list[Rule]:
        held = [
            grant.rule for grant in self._authorizer.grants(asked.user, asked.namespace)
        ]
        return [
            one
            for rule in rules
            for one in _parts(rule)
            if not any(_covers(mine, one) for mine in held)
        ]


def _parts(rule: Rule) -> Iterator[Rule]:
    """The rule as rules of one verb, group and resource, or one path, each."""
    verbs = rule.get("verbs") or ()
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in verbs:
                part = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                for name in rule.get("resourceNames") or ():
                    yield part | {"resourceNames": [name]}
                if not rule.get("resourceNames"):
                    yield part
    for path in rule.get("nonResourceURLs") or ():
        for verb in verbs:
            yield {"nonResourceURLs": [path], "verbs": [verb]}


def _covers(mine: Rule, part: Rule) -> bool:
    if not _within(mine, "verbs", part["verbs"][0]):
        return False
    if "nonResourceURLs" in part:
        path = part["nonResourceURLs"][0]
        return any(
            one in ("*", path)
            or (one.endswith("*") and path.startswith(one.rstrip("*")))
            for one in mine.get("nonResourceURLs") or ()
        )
    resource = part["resources"][0]
    _, slash, sub = resource.partition("/")
    names, wanted = mine.get("resourceNames") or (), part.get("resourceNames") or ()
    return (
        _within(mine, "apiGroups", part["apiGroups"][0])
        and (
            _within(mine, "resources", resource)
            or bool(slash and f"*/{sub}" in (mine.get("resources") or ()))
        )
        and (not names or bool(wanted and wanted[0] in names))
    )


def _within(rule: Rule, key: str, value: str) -> bool:
    values = rule.get(key) or ()
    return "*" in values or value in values


def _compact(parts: Iterable[Rule]) -> Iterator[str]:
    """The parts in Go's words, those that only differ in their verb as one."""
    together: dict[tuple[Any, ...], list[str]] = {}
    for part in parts:
        key = tuple(
            (label, tuple(part[field]))
            for label, field in (
                ("APIGroups", "apiGroups"),
                ("Resources", "resources"),
                ("NonResourceURLs", "nonResourceURLs"),
                ("ResourceNames", "resourceNames"),
            )
            if part.get(field)
        )
        together.setdefault(key, []).extend(part["verbs"])
    for key, verbs in together.items():
        terms = [*key, ("Verbs", verbs)]
        shown = (
            f"{label}:[{' '.join(json.dumps(one) for one in values)}]"
            for label, values in terms
        )
        yield f"{{{', '.join(shown)}}}"

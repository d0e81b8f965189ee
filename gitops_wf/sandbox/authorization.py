"""RBAC: what the stored roles and bindings let a user do.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_wf.sandbox.objects import Manifest, name_of, namespace_of
from gitops_wf.sandbox.statuses import ApiError
from gitops_wf.sandbox.storage import Storage
from gitops_wf.sandbox.users import MASTERS, User, service_account

Rule = Mapping[str, Any]

_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What a request is about to do; with a `path`, to no resource.

    An empty `namespace` is the cluster scope, an empty `name` no single object.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """`deployments/scale`, as rules name a subresource."""
        if self.subresource:
            return f"{self.resource}/{self.subresource}"
        return self.resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether it may, and what of the roles says so."""

    is_allowed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A rule that a binding gives to a user; `source` names binding, role, subject."""

    rule: Rule
    source: str


class Authorizer:
    """Decides by the Roles, ClusterRoles and bindings of a storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def decide(self, user: User, asked: Attributes) -> Decision:
        """Whether the user may do it."""
        if MASTERS in user.groups:
            return Decision(is_allowed=True)
        missing: list[str] = []
        for grant in self.grants(user, asked.namespace, missing):
            if allows(grant.rule, asked):
                reason = f"RBAC: allowed by {grant.source}"
                return Decision(is_allowed=True, reason=reason)
        if not missing:
            return Decision(is_allowed=False)
        shown = missing[0] if len(missing) == 1 else f"[{', '.join(missing)}]"
        return Decision(is_allowed=False, reason=f"RBAC: {shown}")

    def check(self, user: User, asked: Attributes) -> None:
        """ApiError 403 where the user may not."""
        decision = self.decide(user, asked)
        if not decision.is_allowed:
            raise forbidden_to(user, asked, decision.reason)

    def grants(
        self, user: User, namespace: str, missing: list[str] | None = None
    ) -> Iterator[Grant]:
        """What the user is given in a namespace ('' for the cluster's own scope).

        `missing` gets a text for each role that a binding of the user's names and that
        is not there.
        """
        for binding in self._bindings(namespace):
            subject = _subject_of(binding, user)
            if subject is None:
                continue
            reference = binding.get("roleRef") or {}
            rules = self.rules(reference, namespace_of(binding))
            if rules is None:
                if missing is not None:
                    kind = str(reference.get("kind", "")).lower()
                    name = reference.get("name", "")
                    missing.append(f'{kind}.{_GROUP} "{name}" not found')
                continue
            source = _source(binding, reference, subject)
            for rule in rules:
                yield Grant(rule=rule, source=source)

    def _bindings(self, namespace: str) -> Iterator[Manifest]:
        yield from self._storage.list(f"clusterrolebindings.{_GROUP}")
        if namespace:
            yield from self._storage.list(f"rolebindings.{_GROUP}", namespace)

    def rules(self, reference: Rule, namespace: str) -> list[Rule] | None:
        """The rules of the role that a `roleRef` names; None where it is not there."""
        is_cluster = reference.get("kind") == "ClusterRole"
        role = self._storage.get(
            f"{'clusterroles' if is_cluster else 'roles'}.{_GROUP}",
            "" if is_cluster else namespace,
            str(reference.get("name", "")),
        )
        return None if role is None else list(role.get("rules") or ())


def _subject_of(binding: Manifest, user: User) -> Rule | None:
    """The first subject of a binding that the user is."""
    subjects: list[Rule] = binding.get("subjects") or []
    for subject in subjects:
        match subject.get("kind"):
            case "User" if subject.get("name") == user.name:
                return subject
            case "Group" if subject.get("name") in user.groups:
                return subject
            case "ServiceAccount":
                space = subject.get("namespace") or namespace_of(binding)
                account = service_account(space, str(subject.get("name", "")))
                if space and account.name == user.name:
                    return subject
            case _:
                pass
    return None


def _source(binding: Manifest, reference: Rule, subject: Rule) -> str:
    space = namespace_of(binding)
    kind = "RoleBinding" if space else "ClusterRoleBinding"
    name = f"{name_of(binding)}/{space}" if space else name_of(binding)
    who = str(subject.get("name"))
    if subject.get("kind") == "ServiceAccount":
        who = f"{who}/{subject.get('namespace') or space}"
    return (
        f'{kind} "{name}" of {reference.get("kind")} "{reference.get("name")}" to '
        f'{subject.get("kind")} "{who}"'
    )


def allows(rule: Rule, asked: Attributes) -> bool:
    """Whether one rule lets this be done."""
    if not _holds(rule, "verbs", asked.verb):
        return False
    if asked.path:
        return any(
            one in ("*", asked.path)
            or (one.endswith("*") and asked.path.startswith(one.rstrip("*")))
            for one in rule.get("nonResourceURLs") or ()
        )
    names = rule.get("resourceNames") or ()
    return (
        _holds(rule, "apiGroups", asked.group)
        and _holds_resource(rule.get("resources") or (), asked)
        and (not names or asked.name in names)
    )


def _holds(rule: Rule, key: str, value: str) -> bool:
    values = rule.get(key) or ()
    return "*" in values or value in values


def _holds_resource(resources: Any, asked: Attributes) -> bool:
    return (
        "*" in resources
        or asked.full_resource in resources
        or bool(asked.subresource and f"*/{asked.subresource}" in resources)
    )


def forbidden_to(user: User, asked: Attributes, reason: str = "") -> ApiError:
    """The 403 of a request that its user may not make."""
    if asked.path:
        what = f'path "{asked.path}"'
        head, details = "", {}
    else:
        where = "at the cluster scope"
        if asked.namespace:
            where = f'in the namespace "{asked.namespace}"'
        what = f'resource "{asked.full_resource}" in API group "{asked.group}" {where}'
        head = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
        head += f' "{asked.name}" is ' if asked.name else " is "
        details = {
            "name": asked.name,
            "group": asked.group,
            "kind": asked.resource,
        }
    message = f'{head}forbidden: User "{user.name}" cannot {asked.verb} {what}'
    return ApiError(
        403,
        f"{message}: {reason}" if reason else message,
        reason="Forbidden",
        details={key: value for key, value in details.items() if value},
    )

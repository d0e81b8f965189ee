"""Who asks: a user with groups, as authentication and impersonation make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EVERYONE_KNOWN = "system:authenticated"
MASTERS = "system:masters"
_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A name, an opaque uid ('' for none) and groups in their order."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()

    def info(self) -> dict[str, Any]:
        """The user as a `userInfo` of authentication.k8s.io/v1."""
        found: dict[str, Any] = {"username": self.name}
        if self.uid:
            found["uid"] = self.uid
        if self.groups:
            found["groups"] = list(self.groups)
        return found


UNKNOWN = User(name="")
"""Whoever asks, before authentication."""
ADMIN = User(name="admin", uid="admin-uid", groups=(MASTERS, EVERYONE_KNOWN))
ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",))
CONTROLLERS = User(name="system:kube-controller-manager", groups=(EVERYONE_KNOWN,))


def service_account(namespace: str, name: str, uid: str = "") -> User:
    """The user that a ServiceAccount is."""
    return User(
        name=f"{_ACCOUNT}{namespace}:{name}",
        uid=uid,
        groups=(
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            EVERYONE_KNOWN,
        ),
    )


def impersonated(name: str, uid: str, groups: tuple[str, ...]) -> User:
    """The user that a request asks to be, with the groups that the server adds."""
    if not groups and name.startswith(_ACCOUNT):
        namespace, _, account = name.removeprefix(_ACCOUNT).partition(":")
        if namespace and account and ":" not in account:
            return service_account(namespace, account, uid)
    if name == ANONYMOUS.name:
        added = () if ANONYMOUS.groups[0] in groups else ANONYMOUS.groups
    else:
        added = () if EVERYONE_KNOWN in groups else (EVERYONE_KNOWN,)
    return User(name=name, uid=uid, groups=(*groups, *added))

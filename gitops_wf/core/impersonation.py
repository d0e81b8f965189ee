"""As whom the daemon asks an API server, where not as itself.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gitops_wf.core.identifiers import EnvironmentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user of a cluster.

    Without ``groups`` the server gives those that every user has, and a service
    account its own.
    """

    user: str
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as messages name it."""
        groups = f" of {', '.join(self.groups)}" if self.groups else ""
        return f"{self.user}{groups}"


def service_account(namespace: str, name: str) -> Identity:
    """Return the user that a ServiceAccount is."""
    return Identity(user=f"system:serviceaccount:{namespace}:{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpersonationRule:
    """As whom the environments that a glob matches are delivered.

    The globs are over ``<repository>/<environment>``, never over the bare name, as
    those of secrets: what they give is a permission.
    """

    environments: tuple[str, ...]
    identity: Identity

    def applies_to(self, environment: EnvironmentId) -> bool:
        """Whether a glob matches."""
        return any(fnmatchcase(environment, glob) for glob in self.environments)


def identity_for(
    rules: Iterable[ImpersonationRule], environment: EnvironmentId
) -> Identity | None:
    """Return that of the first rule that matches; None where none does."""
    return next((r.identity for r in rules if r.applies_to(environment)), None)

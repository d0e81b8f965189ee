"""Who makes a write, and what is told of it to those who have a say in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_wf.sandbox.objects import Manifest, name_of, namespace_of
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.users import CONTROLLERS, User

Warn = Callable[[str], None]


def _unheard(_warning: str) -> None:
    """A caller in this process has nobody to warn."""


def _allowed() -> None:
    """A caller in this process may do all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A write that admission looks at."""

    operation: str
    """CREATE, UPDATE or DELETE."""
    resource: Resource
    namespace: str
    name: str
    user: User
    subresource: str
    dry_run: bool
    options: Mapping[str, Any]
    warn: Warn


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The user of a request, its options, and where its warnings go.

    `check_create` raises ApiError where the user may not create what an apply, which
    is a patch, turns out to create.
    """

    user: User
    warn: Warn = _unheard
    check_create: Callable[[], None] = _allowed
    options: Mapping[str, Any] = field(default_factory=dict)

    def call(
        self,
        operation: str,
        resource: Resource,
        manifest: Manifest,
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Call:
        """The call for an object as it was sent."""
        return self.call_on(
            operation,
            resource,
            namespace_of(manifest),
            name_of(manifest),
            subresource=subresource,
            dry_run=dry_run,
        )

    def call_on(
        self,
        operation: str,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Call:
        """The call for an object by its name."""
        options = {
            # An apply is a patch to its sender; here it creates or updates.
            "kind": f"{operation.capitalize()}Options",
            "apiVersion": "meta.k8s.io/v1",
            **self.options,
        }
        return Call(
            operation=operation,
            resource=resource,
            namespace=namespace if resource.namespaced else "",
            name=name,
            user=self.user,
            subresource=subresource,
            dry_run=dry_run,
            options=options,
            warn=self.warn,
        )


CONTROLLER = Asker(user=CONTROLLERS)

"""What a request path names."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_wf.sandbox.resources import Resource, ResourceTable
from gitops_wf.sandbox.statuses import not_found, resource_not_found


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A collection (no name), an object, or a subresource of one."""

    resource: Resource
    namespace: str | None
    name: str
    subresource: str
    watch: bool

    @property
    def is_collection(self) -> bool:
        """Whether no single object is named."""
        return not self.name


class UnknownPath(Exception):  # noqa: N818 - it says what the path is
    """A path of no known group: answered as plain text."""


def resolve(path: str, table: ResourceTable) -> Target | tuple[str, str]:
    """The target of a path, or (group, version) for a discovery document.

    Version is '' for a group's own document. Raises UnknownPath, or ApiError 404 for
    an unknown version or resource of a known group.
    """
    parts = [part for part in path.split("/") if part]
    if not parts:
        raise UnknownPath
    if parts[0] == "api":
        group, rest = "", parts[1:]
    elif parts[0] == "apis" and len(parts) > 1:
        group, rest = parts[1], parts[2:]
    else:
        raise UnknownPath
    known = {one.name: one.versions for one in table.groups()}
    if group not in known:
        raise UnknownPath
    if not rest:
        return group, ""
    version = rest[0]
    if version not in known[group]:
        raise resource_not_found()
    if len(rest) == 1:
        return group, version
    return _resource_target(group, version, rest[1:], table)


def _resource_target(
    group: str, version: str, rest: list[str], table: ResourceTable
) -> Target:
    watch = rest[0] == "watch" and len(rest) > 1
    if watch:
        rest = rest[1:]
    namespace: str | None = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _OF_NAMESPACE:
        namespace, rest = rest[1], rest[2:]
    resource = table.find(group, version, rest[0])
    if resource is None or len(rest) > 3:
        raise resource_not_found()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if resource.namespaced is (namespace is None) and (not resource.namespaced or name):
        raise resource_not_found()
    if subresource and subresource not in resource.subresources:
        raise not_found(resource, name) if resource.custom else resource_not_found()
    return Target(
        resource=resource,
        namespace=namespace,
        name=name,
        subresource=subresource,
        watch=watch,
    )


_OF_NAMESPACE = frozenset({"status", "finalize"})

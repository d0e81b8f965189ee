"""Server-side apply: merging what a manager applies, and finding whom it contradicts.

The steps are those of structured-merge-diff's `Updater.Apply` inside the API server's
chain of field managers (apimachinery, pkg/util/managedfields/internal).
"""

import json
from collections.abc import Mapping
from typing import Any

from gitops_wf.sandbox.fields import fieldset
from gitops_wf.sandbox.fields.comparing import compare
from gitops_wf.sandbox.fields.conformance import Violation, violations
from gitops_wf.sandbox.fields.defaults import apply_defaults
from gitops_wf.sandbox.fields.errors import (
    ApplyConflict,
    Conflict,
    FieldError,
    bad_request,
)
from gitops_wf.sandbox.fields.fieldset import Fields
from gitops_wf.sandbox.fields.managed import (
    Entry,
    ManagedFieldsError,
    Owner,
    Owners,
    after_loss,
    decode,
    ignored,
    strip_untracked,
    updated_owners,
    with_managed_fields,
    without_managed_fields,
)
from gitops_wf.sandbox.fields.merging import merge
from gitops_wf.sandbox.fields.owning import remove, to_fields, with_named
from gitops_wf.sandbox.fields.schema import Schema
from gitops_wf.sandbox.fields.stored import empty_object, stored_form
from gitops_wf.sandbox.fields.typed import same

Object = dict[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation of client-side `kubectl apply`."""
BEFORE_FIRST_APPLY = "before-first-apply"
"""Owns what was there before the first apply, if nobody was tracked."""


def server_side_apply(
    live: Object | None,
    applied: Object,
    *,
    manager: str,
    force: bool,
    schema: Schema,
    now: str,
    subresource: str = "",
) -> Object:
    """The object after an apply, with defaults and managedFields.

    `live` is None where there is no such object yet. If nothing changes, the answer
    equals `live`, except that a manager who newly shares a field has an entry without
    a time. Raises ApplyConflict (never with `force`) and FieldError: 400 for set
    managedFields, 500 for a body that is not of the type.
    """
    _check(applied, schema)
    try:
        owners = decode((live or {}).get("metadata", {}).get("managedFields"))
    except ManagedFieldsError as exc:
        raise FieldError(f"failed to decode managed fields: {exc}") from exc
    before = without_managed_fields(live) if live is not None else empty_object(schema)
    if live is not None and not owners:
        nobody = Owner("Update", BEFORE_FIRST_APPLY, schema.api_version, subresource)
        empty = empty_object(schema)
        owners = updated_owners(empty, before, {}, nobody, schema=schema, now=now)
    owner = Owner("Apply", manager, "", subresource)
    applying = _Applying(schema, before, applied, owners, owner)
    conflicts = applying.conflicts()
    if conflicts and not force:
        if manager == "kubectl":
            conflicts = _not_client_side(conflicts, before, schema)
        if conflicts:
            raise ApplyConflict(_conflicts(conflicts))
    changed = live is None or not same(before, applying.merged)
    times = {known: entry.time for known, entry in owners.items()}
    result = applying.owners_after(now if changed else times.get(owner))
    obj = before
    if changed:
        obj = apply_defaults(stored_form(applying.merged, schema), schema)
    if manager == "kubectl":
        obj = _with_last_applied(obj, applied)
    return with_managed_fields(obj, result)


def _check(applied: Object, schema: Schema) -> None:
    metadata = applied.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    problems = list(violations(schema, applied))
    if problems:
        raise FieldError(f"{_unreadable(applied)}: {_listed(problems)}")


def _unreadable(obj: Mapping[str, Any]) -> str:
    """`failed to create typed patch object (ns/name; apps/v1, Kind=Deployment)`."""
    metadata = obj.get("metadata") or {}
    api_version = str(obj.get("apiVersion", ""))
    group_version = api_version if "/" in api_version else f"/{api_version}"
    return (
        "failed to create typed patch object "
        f"({metadata.get('namespace', '')}/{metadata.get('name', '')}; "
        f"{group_version}, Kind={obj.get('kind', '')})"
    )


def _listed(problems: list[Violation]) -> str:
    lines = [f"{path}: {text}" if path else text for path, text in problems]
    if len(lines) == 1:
        return lines[0]
    return "\n".join(["errors:", *(f"  {line}" for line in lines)])


class _Applying:
    """One apply: the merged object, and what it does to the other managers."""

    def __init__(
        self,
        schema: Schema,
        live: Object,
        applied: Object,
        owners: Owners,
        owner: Owner,
    ) -> None:
        self._owners = owners
        self._owner = owner
        fields = ignored(to_fields(schema, applied), schema, owner.subresource)
        self._entry = Entry(api_version=schema.api_version, fields=fields)
        merged = merge(schema, live, applied)
        last = owners.get(owner)
        if last is not None:
            held = owners | {owner: self._entry}
            merged = _pruned(schema, merged, last.fields, held) or {}
        self.merged: Object = merged
        removed, modified, added = (
            ignored(part, schema, owner.subresource)
            for part in compare(schema, live, merged)
        )
        self._removed = removed
        self._written = fieldset.union(modified, added)

    def conflicts(self) -> dict[Owner, Fields]:
        """What others own of the fields that would be written."""
        found = {
            owner: fieldset.intersection(entry.fields, self._written)
            for owner, entry in self._owners.items()
            if owner != self._owner
        }
        return {owner: fields for owner, fields in found.items() if fields}

    def owners_after(self, time: str | None) -> Owners:
        others = {o: e for o, e in self._owners.items() if o != self._owner}
        result = after_loss(others, self._written, self._removed)
        fields = strip_untracked(self._entry.fields)
        if fields:
            version = self._entry.api_version
            result[self._owner] = Entry(api_version=version, fields=fields, time=time)
        return result


def _pruned(schema: Schema, merged: Any, last: Fields, owners: Owners) -> Any:
    """Merged without what the manager applied last time and nobody owns any more."""
    held: Fields = {}
    for entry in owners.values():
        held = fieldset.union(held, entry.fields)
    if not fieldset.difference(last, held):
        return merged
    last = with_named(schema, last)
    pruned = remove(schema, merged, last)
    in_merged = with_named(schema, to_fields(schema, merged))
    in_pruned = with_named(schema, to_fields(schema, pruned))
    # Back comes what somebody owns …
    keep = fieldset.union(in_pruned, with_named(schema, held))
    pruned = remove(schema, merged, fieldset.difference(in_merged, keep))
    # … and what was not the manager's to remove.
    in_pruned = with_named(schema, to_fields(schema, pruned))
    gone = fieldset.difference(in_merged, in_pruned)
    return remove(schema, merged, fieldset.intersection(gone, last))


def _conflicts(found: Mapping[Owner, Fields]) -> list[Conflict]:
    return [
        Conflict(manager=_printed(owner), field=fieldset.path_text(path))
        for owner, fields in sorted(found.items())
        for path in fieldset.paths(fields)
    ]


def _printed(owner: Owner) -> str:
    text = json.dumps(owner.manager)
    if owner.subresource:
        text += f" with subresource {json.dumps(owner.subresource)}"
    return f"{text} using {owner.api_version}" if owner.operation == "Update" else text


def _not_client_side(
    conflicts: dict[Owner, Fields], live: Object, schema: Schema
) -> dict[Owner, Fields]:
    """Conflicts about other than what client-side apply set: that kubectl may take.

    Only for the manager "kubectl" (apimachinery, lastappliedmanager.go).
    """
    text = (live.get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
    try:
        last = json.loads(text) if text else None
    except ValueError:
        last = None
    if not isinstance(last, dict) or last.get("apiVersion") != schema.api_version:
        return conflicts
    if next(violations(schema, last), None) is not None:
        return conflicts
    allowed = to_fields(schema, last)
    for part in compare(schema, last, live):
        allowed = fieldset.difference(allowed, part)
    left = {o: fieldset.difference(f, allowed) for o, f in conflicts.items()}
    return {owner: fields for owner, fields in left.items() if fields}


def _with_last_applied(obj: Object, applied: Object) -> Object:
    """The object with the annotation rewritten to what was applied, if it has one."""
    metadata = obj["metadata"]
    annotations = metadata.get("annotations") or {}
    if not annotations.get(LAST_APPLIED):
        return obj
    own = {
        name: value
        for name, value in (applied["metadata"].get("annotations") or {}).items()
        if name != LAST_APPLIED
    }
    applied_metadata = {
        name: value
        for name, value in applied["metadata"].items()
        if name != "annotations"
    }
    if own:
        applied_metadata["annotations"] = own
    text = json.dumps(
        applied | {"metadata": applied_metadata},
        separators=(",", ":"),
        sort_keys=True,
        ensure_ascii=False,
    )
    annotations = annotations | {LAST_APPLIED: f"{text}\n"}
    return obj | {"metadata": metadata | {"annotations": annotations}}

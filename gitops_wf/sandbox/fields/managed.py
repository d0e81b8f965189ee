"""metadata.managedFields: who owns which field, after a create, update or patch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from gitops_wf.sandbox.fields import fieldset
from gitops_wf.sandbox.fields.comparing import compare
from gitops_wf.sandbox.fields.fieldset import Fields
from gitops_wf.sandbox.fields.schema import Schema
from gitops_wf.sandbox.fields.stored import empty_object
from gitops_wf.sandbox.fields.typed import same

Object = dict[str, Any]

MAX_UPDATERS = 10
"""More Update entries than this are joined (apimachinery, capmanagers.go)."""

_DELETION = frozenset({"deletionTimestamp", "deletionGracePeriodSeconds"})
_UNTRACKED: Fields = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
        "f:name": {},
        "f:namespace": {},
        "f:creationTimestamp": {},
        "f:selfLink": {},
        "f:uid": {},
        "f:clusterName": {},
        "f:generation": {},
        "f:managedFields": {},
        "f:resourceVersion": {},
    },
}
"""Fields that no manager owns (apimachinery, stripmeta.go)."""

_ALSO_RESET: Mapping[tuple[str, str], Fields] = {
    ("Deployment", "status"): {"f:metadata": {"f:labels": {}}},
    ("Pod", "status"): {
        "f:metadata": {"f:deletionTimestamp": {}, "f:ownerReferences": {}}
    },
}
"""What else a subresource leaves alone, from the kind's strategy (GetResetFields)."""


class Owner(NamedTuple):
    """What makes an entry of managedFields one of its own."""

    operation: str
    """Apply or Update."""
    manager: str
    api_version: str
    """Empty for Apply: an applier has one entry, whatever version it applied."""
    subresource: str


@dataclass(slots=True, kw_only=True)
class Entry:
    """An entry of managedFields; `time` is None where the server leaves it out."""

    api_version: str
    fields: Fields
    time: str | None = None


Owners = dict[Owner, Entry]


class ManagedFieldsError(ValueError):
    """managedFields that can't be read; the server then falls back on the live ones."""


def decode(entries: Iterable[Mapping[str, Any]] | None) -> Owners:
    """The owners in `metadata.managedFields`."""
    owners: Owners = {}
    for index, entry in enumerate(entries or ()):
        operation = entry.get("operation")
        if operation not in {"Apply", "Update"}:
            raise ManagedFieldsError("operation must be `Apply` or `Update`")
        version = entry.get("apiVersion")
        if not version:
            raise ManagedFieldsError("apiVersion must not be empty")
        if entry.get("fieldsType") != "FieldsV1":
            raise ManagedFieldsError(
                f"missing fieldsType in managed fields entry {index}"
            )
        owner = Owner(
            operation,
            entry.get("manager", ""),
            version if operation == "Update" else "",
            entry.get("subresource", ""),
        )
        owners[owner] = Entry(
            api_version=version,
            fields=entry.get("fieldsV1") or {},
            time=entry.get("time"),
        )
    return owners


def encode(owners: Owners) -> list[Object]:
    """`metadata.managedFields`: appliers first, then by time, then by name."""
    entries = []
    for owner, entry in owners.items():
        out: Object = {"manager": owner.manager, "operation": owner.operation}
        out["apiVersion"] = entry.api_version
        if entry.time is not None:
            out["time"] = entry.time
        out["fieldsType"] = "FieldsV1"
        out["fieldsV1"] = entry.fields
        if owner.subresource:
            out["subresource"] = owner.subresource
        entries.append(out)
    entries.sort(
        key=lambda e: (
            e["operation"],
            e.get("time", ""),
            e["manager"],
            e["apiVersion"],
            e.get("subresource", ""),
        )
    )
    return entries


def with_managed_fields(obj: Object, owners: Owners) -> Object:
    """A copy of the object with these owners; no managedFields if there are none."""
    metadata = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    if owners:
        metadata["managedFields"] = encode(owners)
    return obj | {"metadata": metadata}


def without_managed_fields(obj: Object) -> Object:
    """The object as it is compared: its managedFields own nothing."""
    metadata = obj.get("metadata")
    if not metadata or "managedFields" not in metadata:
        return obj
    rest = {k: v for k, v in metadata.items() if k != "managedFields"}
    return obj | {"metadata": rest}


def ignored(fields: Fields, schema: Schema, subresource: str) -> Fields:
    """The set without what a request to this (sub)resource does not write."""
    if subresource == "status":
        if schema.custom:
            status = fields.get("f:status")
            return {} if status is None else {"f:status": status}
        also = _ALSO_RESET.get((schema.kind, subresource), {})
        return fieldset.without(fields, {"f:spec": {}, **also})
    if subresource == "" and schema.status_subresource:
        return fieldset.without(fields, {"f:status": {}})
    return fields


def strip_untracked(fields: Fields) -> Fields:
    """The set without the names and versions that the server itself keeps."""
    return fieldset.difference(fields, _UNTRACKED)


def track_update(
    old: Object | None,
    new: Object,
    *,
    manager: str,
    schema: Schema,
    now: str,
    subresource: str = "",
) -> Object:
    """`new` with the managedFields of a POST, PUT, patch or controller's write.

    `old` is the live object, None for a create; `new` has its defaults, but not yet
    what the storage allocates (a clusterIP). An object made without any field of its
    own is not tracked until the first apply.
    """
    live = empty_object(schema) if old is None else old
    if old is None:
        new = _without_deletion(new)
    owners = _owners_before(live, new, subresource)
    if not owners and old is not None:
        return with_managed_fields(new, {})
    owner = Owner("Update", manager or "unknown", schema.api_version, subresource)
    updated = updated_owners(live, new, owners, owner, schema=schema, now=now)
    return with_managed_fields(new, updated)


def _without_deletion(new: Object) -> Object:
    """A new object is not being deleted, whatever the request says."""
    metadata = {k: v for k, v in new["metadata"].items() if k not in _DELETION}
    return new | {"metadata": metadata}


def _owners_before(live: Object, new: Object, subresource: str) -> Owners:
    """Those the request brought along if it may and they can be read, else the live."""
    given = None if subresource else new.get("metadata", {}).get("managedFields")
    if given is not None and (not given or given == [{}]):
        return {}
    try:
        owners = decode(given)
    except ManagedFieldsError:
        owners = {}
    if owners:
        return owners
    try:
        return decode(live.get("metadata", {}).get("managedFields"))
    except ManagedFieldsError:
        return {}


def updated_owners(
    live: Object,
    new: Object,
    owners: Owners,
    owner: Owner,
    *,
    schema: Schema,
    now: str,
) -> Owners:
    """The owners after `owner` made `new` out of `live`."""
    difference = compare(
        schema, without_managed_fields(live), without_managed_fields(new)
    )
    removed, modified, added = (
        ignored(part, schema, owner.subresource) for part in difference
    )
    written = fieldset.union(modified, added)
    result = after_loss(owners, written, removed)
    fields = strip_untracked(ignored(written, schema, owner.subresource))
    if fields:
        before = result.get(owner)
        joined = fieldset.union(fields, before.fields) if before else fields
        result[owner] = Entry(api_version=owner.api_version, fields=joined, time=now)
    return _capped(result)


def after_loss(owners: Owners, written: Fields, removed: Fields) -> Owners:
    """The owners without what somebody else wrote or removed; empty ones are gone."""
    result: Owners = {}
    for owner, entry in owners.items():
        fields = fieldset.difference(entry.fields, written)
        fields = fieldset.difference(fields, removed)
        if fields:
            kept = Entry(api_version=entry.api_version, fields=fields, time=entry.time)
            result[owner] = kept
    return result


def _capped(owners: Owners) -> Owners:
    """At most MAX_UPDATERS Update entries: the oldest become `ancient-changes`."""
    updaters = [owner for owner in owners if owner.operation == "Update"]
    excess = len(updaters) - MAX_UPDATERS
    if excess <= 0:
        return owners
    updaters.sort(key=lambda owner: (owners[owner].time or "", owner.manager))
    result = dict(owners)
    first: dict[str, Owner] = {}
    for owner in updaters:
        if excess <= 0:
            break
        version = owner.api_version
        if version not in first:
            first[version] = owner
            continue
        bucket = Owner("Update", "ancient-changes", version, "")
        if bucket not in result:
            result[bucket] = result.pop(first[version])
        entry = result.pop(owner)
        joined = fieldset.union(entry.fields, result[bucket].fields)
        result[bucket] = Entry(api_version=version, fields=joined, time=entry.time)
        excess -= 1
    return result


def keep_times(live: Object, new: Object) -> Object:
    """`new`, or `live` if they differ in nothing but the times in managedFields.

    A write that changes nothing must not make a new version; the server compares the
    objects without these times (fieldmanager/equality.go).
    """
    before = live.get("metadata", {})
    after = new.get("metadata", {})
    if _timeless(before.get("managedFields")) != _timeless(after.get("managedFields")):
        return new
    own = {"managedFields", "resourceVersion"}
    rest_before = {k: v for k, v in before.items() if k not in own}
    rest_after = {k: v for k, v in after.items() if k not in own}
    unchanged = same(rest_before, rest_after) and same(
        live | {"metadata": None}, new | {"metadata": None}
    )
    if not unchanged:
        return new
    if "managedFields" not in before:
        return new
    return new | {"metadata": after | {"managedFields": before["managedFields"]}}


def _timeless(entries: Iterable[Mapping[str, Any]] | None) -> list[Object]:
    return [{k: v for k, v in e.items() if k != "time"} for e in entries or ()]

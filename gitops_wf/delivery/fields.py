"""What managedFields say of an object: whose a field is, and what a share is worth.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from gitops_wf.core.inventory import Manifest

Owner = tuple[str, str, str]
"""A manager, its operation (Apply or Update) and its subresource."""


def owners(manifest: Manifest) -> frozenset[Owner]:
    """Return those that own fields of an object."""
    return frozenset(_owner(entry) for entry in _entries(manifest))


def without_share(manifest: Manifest, gone: Collection[Owner]) -> Manifest:
    """Return an object without the fields that only these own, and without them.

    As an apply leaves it whose manager has taken their share over: what it does not
    name itself, and nobody else owns, goes.
    """
    theirs = [each for each in _entries(manifest) if _owner(each) in gone]
    if not theirs:
        return manifest
    others = [each for each in _entries(manifest) if _owner(each) not in gone]
    kept: Mapping[str, Any] = {}
    for entry in others:
        kept = union(kept, entry.get("fieldsV1") or {})
    found: Any = manifest
    for entry in theirs:
        found = _without(found, entry.get("fieldsV1") or {}, kept)
    metadata = {**found["metadata"], "managedFields": others}
    return {**found, "metadata": metadata}


def is_same(before: Manifest, after: Manifest) -> bool:
    """Whether a write would have changed nothing: then none is made.

    Times of managedFields and the resourceVersion are what a write adds by itself.
    """
    return _compared(before) == _compared(after)


def union(left: Mapping[str, Any], right: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of two sets, as fieldsV1 writes them."""
    return {
        **left,
        **{key: union(left.get(key) or {}, value) for key, value in right.items()},
    }


def _entries(manifest: Manifest) -> Collection[Mapping[str, Any]]:
    return (manifest.get("metadata") or {}).get("managedFields") or ()


def _owner(entry: Mapping[str, Any]) -> Owner:
    return (
        str(entry.get("manager", "")),
        str(entry.get("operation", "")),
        str(entry.get("subresource") or ""),
    )


def _without(value: Any, gone: Mapping[str, Any], kept: Mapping[str, Any]) -> Any:
    """Return a value without the fields of one set that are not in the other."""
    if isinstance(value, Mapping):
        left = dict(value)
        for key, below in gone.items():
            name = key[2:]
            if key == "." or name not in left:
                continue
            if key not in kept and _is_whole(below):
                del left[name]
            else:
                left[name] = _without(left[name], below, kept.get(key) or {})
        return left
    if isinstance(value, list):
        items: list[Any] = list(value)
        for key, below in gone.items():
            index = _index(key, items)
            if index is None:
                continue
            if key not in kept and _is_whole(below):
                del items[index]
            else:
                items[index] = _without(items[index], below, kept.get(key) or {})
        return items
    return value


def _is_whole(below: Mapping[str, Any]) -> bool:
    """Whether a path itself is owned, and not only what stands below it."""
    return not below or "." in below


def _index(key: str, items: Collection[Any]) -> int | None:
    """Return where in a list that is which `k:{…}` or `v:…` names."""
    kind, wanted = key[:2], key[2:]
    if kind not in {"k:", "v:"}:
        return None
    value = json.loads(wanted)
    for index, item in enumerate(items):
        if kind == "v:" and item == value:
            return index
        if (
            kind == "k:"
            and isinstance(item, Mapping)
            and all(item.get(name) == each for name, each in value.items())
        ):
            return index
    return None


def _compared(manifest: Manifest) -> Mapping[str, Any]:
    metadata = {
        key: value
        for key, value in (manifest.get("metadata") or {}).items()
        if key not in {"resourceVersion", "managedFields"}
    }
    shares = sorted(
        json.dumps({**entry, "time": None}, sort_keys=True)
        for entry in _entries(manifest)
    )
    return {**manifest, "metadata": {**metadata, "managedFields": shares}}

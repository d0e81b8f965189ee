"""Whether an apply would change nothing, told from the live object alone.

Server-side apply changes nothing exactly when the live object has our values and
our entry in managedFields is our set of fields. Where that cannot be told for
certain (a value that the server normalises, a default inside a list key) the
answer is no, and the apply itself finds out: it keeps the resourceVersion.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gitops_wf.core.inventory import Manifest

FIELD_MANAGER = "gitops-wf"
KEY_DEFAULTS = {"protocol": "TCP"}
"""List keys that the server defaults before it merges: ports of Services and
containers are nearly always written without."""


def is_settled(desired: Manifest, live: Manifest) -> bool:
    """Whether applying `desired` over `live` would change nothing."""
    fields = applied_fields(live, str(desired.get("apiVersion", "")))
    if fields is None or (live.get("metadata") or {}).get("deletionTimestamp"):
        return False
    return _agrees(_own(desired), live, fields)


def applied_fields(live: Manifest, api_version: str) -> Mapping[str, Any] | None:
    """Return our entry of managedFields; None where it is of another version."""
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if (
            entry.get("manager") == FIELD_MANAGER
            and entry.get("operation") == "Apply"
            and not entry.get("subresource")
            and entry.get("apiVersion") == api_version
        ):
            fields: Mapping[str, Any] = entry.get("fieldsV1") or {}
            return fields
    return None


def _own(desired: Manifest) -> dict[str, Any]:
    """Return what managedFields track: not what identifies the object."""
    body = {
        key: value
        for key, value in desired.items()
        if key not in {"apiVersion", "kind"}
    }
    metadata = {
        key: value
        for key, value in (desired.get("metadata") or {}).items()
        if key not in {"name", "namespace"}
    }
    body.pop("metadata", None)
    return {**body, "metadata": metadata} if metadata else body


def _agrees(desired: object, live: object, fields: Mapping[str, Any]) -> bool:
    tracked = [key for key in fields if key != "."]
    if isinstance(desired, Mapping):
        if not fields:
            return _equal(desired, live)
        return (
            isinstance(live, Mapping)
            and set(tracked) == {f"f:{key}" for key in desired}
            and all(
                key in live and _agrees(value, live[key], fields[f"f:{key}"])
                for key, value in desired.items()
            )
        )
    if isinstance(desired, list) and tracked:
        if not isinstance(live, list) or len(tracked) != len(desired):
            return False
        if all(key.startswith("k:") for key in tracked):
            return _agrees_by_key(desired, live, fields, tracked)
        if all(key.startswith("v:") for key in tracked):
            wanted = [json.loads(key[2:]) for key in tracked]
            return all(value in wanted for value in desired) and _in_order(
                [_position(value, live) for value in desired]
            )
        return False
    return not tracked and _equal(desired, live)


def _agrees_by_key(
    desired: Sequence[Any],
    live: Sequence[Any],
    fields: Mapping[str, Any],
    tracked: Sequence[str],
) -> bool:
    """Compare the items of a keyed list (containers by name), and their order."""
    positions = []
    for item in desired:
        if not isinstance(item, Mapping):
            return False
        for entry in tracked:
            key = json.loads(entry[2:])
            if all(
                _equal(item.get(name, KEY_DEFAULTS.get(name)), value)
                for name, value in key.items()
            ):
                break
        else:
            return False
        position = next(
            (
                index
                for index, other in enumerate(live)
                if isinstance(other, Mapping)
                and all(_equal(other.get(name), value) for name, value in key.items())
            ),
            -1,
        )
        if position < 0 or not _agrees(item, live[position], fields[entry]):
            return False
        positions.append(position)
    return _in_order(positions)


def _position(value: object, values: Sequence[Any]) -> int:
    return values.index(value) if value in values else -1


def _in_order(positions: Sequence[int]) -> bool:
    return -1 not in positions and list(positions) == sorted(set(positions))


def _equal(left: object, right: object) -> bool:
    """Compare as JSON does: true is not 1, in maps and lists as well."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(
            _equal(value, right[key]) for key, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return isinstance(left, bool) is isinstance(right, bool) and left == right

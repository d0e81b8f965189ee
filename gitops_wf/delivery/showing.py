"""An object as a person may see it: without bookkeeping, values of Secrets masked."""

from collections.abc import Mapping
from typing import Any

from gitops_wf.core.inventory import LAST_APPLIED, Manifest, ObjectRef
from gitops_wf.core.secret import MASK

_BOOKKEEPING = frozenset(
    {
        "managedFields",
        "resourceVersion",
        "uid",
        "generation",
        "creationTimestamp",
        "selfLink",
    }
)
_VALUES = ("data", "stringData")


def shown(
    before: Manifest | None, after: Manifest | None
) -> tuple[Manifest | None, Manifest | None]:
    """Return both sides of a change.

    A masked value that changes is seen to: as ``kubectl diff`` has it, it is
    ``*** (before)`` on one side and ``*** (after)`` on the other.
    """
    left, right = _plain(before), _plain(after)
    for place in (
        *((key,) for key in _VALUES if _is_secret(before) or _is_secret(after)),
        ("metadata", "annotations"),
    ):
        old, new = _map_at(left, place), _map_at(right, place)
        for key in {*old, *new}:
            if place[0] == "metadata" and key != LAST_APPLIED:
                continue
            is_same = old.get(key) == new.get(key) or not (key in old and key in new)
            if key in old:
                old[key] = MASK if is_same else f"{MASK} (before)"
            if key in new:
                new[key] = MASK if is_same else f"{MASK} (after)"
    return left, right


def told(live: Manifest) -> dict[str, Any]:
    """Return a live object as expressions and outputs may have it.

    All of it, but for managedFields and what holds a Secret's values.
    """
    metadata = {
        key: value
        for key, value in (live.get("metadata") or {}).items()
        if key != "managedFields"
    }
    annotations = metadata.get("annotations")
    if isinstance(annotations, Mapping):
        metadata["annotations"] = {
            key: value for key, value in annotations.items() if key != LAST_APPLIED
        }
    body = {**live, "metadata": metadata}
    if _is_secret(live):
        for key in _VALUES:
            if isinstance(body.get(key), Mapping):
                body[key] = dict.fromkeys(body[key], MASK)
    return body


def _plain(manifest: Manifest | None) -> dict[str, Any] | None:
    if manifest is None:
        return None
    metadata = {
        key: dict(value) if isinstance(value, Mapping) else value
        for key, value in (manifest.get("metadata") or {}).items()
        if key not in _BOOKKEEPING
    }
    body = {key: value for key, value in manifest.items() if key != "status"}
    for key in _VALUES:
        if isinstance(body.get(key), Mapping):
            body[key] = dict(body[key])
    return {**body, "metadata": metadata}


def _is_secret(manifest: Manifest | None) -> bool:
    ref = ObjectRef.of(manifest or {})
    return (ref.group, ref.kind) == ("", "Secret")


def _map_at(manifest: Manifest | None, place: tuple[str, ...]) -> dict[str, Any]:
    """Return a map of a plain object, to be changed; an empty one for none."""
    value: Any = manifest or {}
    for key in place:
        value = value.get(key) or {}
    return value if isinstance(value, dict) else {}

"""Whether an apply would change nothing, told from the live object alone.

Server-side apply changes nothing exactly when the live object has our values and
our entry in managedFields is our set of fields. Where that cannot be told for
certain (a value that the server normalises in a way that `normalised` does not hold)
the answer is no, and the apply itself finds out: it keeps the resourceVersion.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gitops_wf.core.inventory import Manifest
from gitops_wf.delivery.memory import Memory
from gitops_wf.delivery.normalised import (
    Path,
    defaults_at,
    is_built_in,
    is_same_quantity,
)

FIELD_MANAGER = "gitops-wf"
KEY_DEFAULTS = {"protocol": "TCP"}
"""List keys that the server defaults before it merges: ports of Services and
containers are nearly always written without."""

_NONE: Mapping[str, Any] = {}
_Key = tuple[tuple[bool, str | int | float], ...]
"""The values of a list key; each with whether it is a bool, for true is not 1."""


def is_settled(desired: Manifest, live: Manifest) -> bool:
    """Whether applying `desired` over `live` would change nothing."""
    api_version = str(desired.get("apiVersion", ""))
    fields = applied_fields(live, api_version)
    if fields is None or (live.get("metadata") or {}).get("deletionTimestamp"):
        return False
    comparison = _Comparison(has_defaults=is_built_in(api_version))
    return comparison.agrees(_own(desired), live, fields, ())


def is_known_settled(desired: Manifest, live: Manifest, memory: Memory) -> bool:
    """As `is_settled`; an object that has not changed since is not compared again.

    Two versions of an object with one resourceVersion are one.
    https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    metadata = live.get("metadata") or {}
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    if not (uid and version):
        return is_settled(desired, live)
    text = f"{version} {json.dumps(desired)}"
    state = hashlib.sha256(text.encode()).digest()
    if memory.knows(uid, state):
        return True
    settled = is_settled(desired, live)
    if settled:
        memory.learn(uid, state)
    return settled


def applied_fields(live: Manifest, api_version: str) -> Mapping[str, Any] | None:
    """Return our entry of managedFields; None where it is of another version."""
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if is_our_apply(entry) and entry.get("apiVersion") == api_version:
            fields: Mapping[str, Any] = entry.get("fieldsV1") or {}
            return fields
    return None


def is_our_apply(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of managedFields is of what we applied."""
    return (
        entry.get("manager") == FIELD_MANAGER
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
    )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """Compares what is wanted with what is there; a path leads down to both.

    ``has_defaults`` says that the server fills in what it knows of the kind.
    """

    has_defaults: bool

    def agrees(
        self, desired: object, live: object, fields: Mapping[str, Any], path: Path
    ) -> bool:
        """Whether live has these values, and `fields` are exactly theirs."""
        if not fields:
            return self._equal(desired, live, path)
        count = len(fields) - ("." in fields)
        if isinstance(desired, Mapping):
            return isinstance(live, Mapping) and count == self._agreeing(
                desired, live, fields, path
            )
        if not count:
            return self._equal(desired, live, path)
        if not (isinstance(desired, list) and isinstance(live, list)):
            return False
        tracked = [key for key in fields if key != "."]
        if count != len(desired):
            return False
        if all(key.startswith("k:") for key in tracked):
            return self._agrees_by_key(desired, live, fields, path)
        if all(key.startswith("v:") for key in tracked):
            wanted = [_parsed(key) for key in tracked]
            return all(value in wanted for value in desired) and _in_order(
                [_position(value, live) for value in desired]
            )
        return False

    def _agreeing(
        self,
        desired: Mapping[str, Any],
        live: Mapping[str, Any],
        fields: Mapping[str, Any],
        path: Path,
    ) -> int:
        """Return how many of the fields are wanted as they are; -1: one is not."""
        count = 0
        for key, value in desired.items():
            entry = fields.get(f"f:{key}")
            if entry is None:
                if value == []:
                    continue  # an empty list by keys has no item that could be owned
                return -1
            count += 1
            if not entry and not value and isinstance(value, Mapping | list):
                continue  # empty and ours: often not even stored
            if key not in live:
                return -1
            there = live[key]
            if not entry and value.__class__ is str and value == there:
                continue  # most of what there is
            if not self.agrees(value, there, entry, (*path, key)):
                return -1
        return count

    def _agrees_by_key(
        self,
        desired: Sequence[Any],
        live: Sequence[Any],
        fields: Mapping[str, Any],
        path: Path,
    ) -> bool:
        """Compare the items of a keyed list (containers by name), and their order."""
        keys = {entry: _parsed(entry) for entry in fields if entry != "."}
        names = tuple(next(iter(keys.values())))
        entries = {_key(key, names): entry for entry, key in keys.items()}
        there: dict[_Key | None, int] = {}
        for index, other in enumerate(live):
            if isinstance(other, Mapping):
                there.setdefault(_key(other, names), index)
        positions = []
        for item in desired:
            key = _key(item, names, KEY_DEFAULTS) if isinstance(item, Mapping) else None
            entry, position = entries.get(key), there.get(key, -1)
            if (
                key is None
                or entry is None
                or position < 0
                or not self.agrees(item, live[position], fields[entry], path)
            ):
                return False
            positions.append(position)
        return _in_order(positions)

    def _equal(self, desired: object, live: object, path: Path) -> bool:
        """Compare what is owned as a whole, less what the server makes of it."""
        if isinstance(desired, Mapping) and isinstance(live, Mapping):
            added = live.keys() - desired.keys()
            defaults = defaults_at(path) if added and self.has_defaults else {}
            return (
                desired.keys() <= live.keys()
                and all(
                    key in defaults and _same(defaults[key], live[key]) for key in added
                )
                and all(
                    self._equal(value, live[key], (*path, key))
                    for key, value in desired.items()
                )
            )
        if isinstance(desired, list) and isinstance(live, list):
            return len(desired) == len(live) and all(
                self._equal(left, right, path)
                for left, right in zip(desired, live, strict=True)
            )
        return _same(desired, live) or (
            self.has_defaults and is_same_quantity(desired, live, path)
        )


def _key(
    item: Mapping[str, Any], names: Sequence[str], defaults: Mapping[str, Any] = _NONE
) -> _Key | None:
    """Return an item's values under the names of a list key; None: it has no such."""
    values = [item.get(name, defaults.get(name)) for name in names]
    if not all(isinstance(value, str | int | float) for value in values):
        return None
    return tuple((isinstance(value, bool), value) for value in values)


@lru_cache(maxsize=4096)
def _parsed(entry: str) -> Any:
    """Return the JSON of a list key, ``k:{"name":"web"}``: most stand often."""
    return json.loads(entry[2:])


def entry_of(item: object, tracked: Iterable[str]) -> str | None:
    """Return which of the keys of managedFields (`k:{"name":"web"}`) an item has."""
    if not isinstance(item, Mapping):
        return None
    for entry in tracked:
        key = _parsed(entry)
        if all(
            _same(item.get(name, KEY_DEFAULTS.get(name)), value)
            for name, value in key.items()
        ):
            return entry
    return None


def position_of(entry: str, live: Sequence[Any]) -> int:
    """Return where in a list the item with such a key is; -1 where it is not."""
    for index, other in enumerate(live):
        if isinstance(other, Mapping) and all(
            _same(other.get(name), value) for name, value in _parsed(entry).items()
        ):
            return index
    return -1


def _position(value: object, values: Sequence[Any]) -> int:
    return values.index(value) if value in values else -1


def _in_order(positions: Sequence[int]) -> bool:
    return -1 not in positions and list(positions) == sorted(set(positions))


def _same(left: object, right: object) -> bool:
    """Compare as JSON does: true is not 1, in maps and lists as well."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(
            _same(value, right[key]) for key, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, bool) is isinstance(right, bool) and left == right

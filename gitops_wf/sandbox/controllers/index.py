"""All objects by name, uid and owner, as the loop has seen them.

Built once from the storage and then kept by its changes. Only the loop's thread uses
it, and the objects in it are the stored ones: read, never changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from gitops_wf.sandbox.controllers.reading import controller_of, owner_references
from gitops_wf.sandbox.objects import Manifest, name_of, namespace_of, uid_of

_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class Key:
    """One object: its resource as in `deployments.apps`, namespace and name."""

    resource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Seen:
    """An object, and since when it is in this version."""

    key: Key
    object: Manifest
    since: datetime


def key_of(resource: str, manifest: Manifest) -> Key:
    """The key of an object."""
    return Key(resource, namespace_of(manifest), name_of(manifest))


class Index:
    """The objects of a cluster."""

    def __init__(self) -> None:
        self._objects: dict[Key, Seen] = {}
        self._uids: dict[str, Key] = {}
        self._dependents: defaultdict[str, set[Key]] = defaultdict(set)
        self._free: defaultdict[tuple[str, str], set[Key]] = defaultdict(set)
        self._kinds: defaultdict[tuple[str, str], set[Key]] = defaultdict(set)
        self._spaces: defaultdict[str, set[Key]] = defaultdict(set)

    def put(self, resource: str, manifest: Manifest, since: datetime) -> None:
        """Note an object that was made or changed."""
        key = key_of(resource, manifest)
        self.drop(key)
        self._objects[key] = Seen(key, manifest, since)
        self._uids[uid_of(manifest)] = key
        for reference in owner_references(manifest):
            self._dependents[reference["uid"]].add(key)
        if controller_of(manifest) is None:
            self._free[resource, key.namespace].add(key)
        self._kinds[resource, key.namespace].add(key)
        if key.namespace:
            self._spaces[key.namespace].add(key)

    def drop(self, key: Key) -> None:
        """Forget an object that is gone."""
        before = self._objects.pop(key, None)
        if before is None:
            return
        self._uids.pop(uid_of(before.object), None)
        for reference in owner_references(before.object):
            _discard(self._dependents, reference["uid"], key)
        _discard(self._free, (key.resource, key.namespace), key)
        _discard(self._kinds, (key.resource, key.namespace), key)
        _discard(self._spaces, key.namespace, key)

    def get(self, key: Key) -> Seen | None:
        """The object of a key, or None."""
        return self._objects.get(key)

    def by_uid(self, uid: str) -> Seen | None:
        """The object with a uid, or None."""
        key = self._uids.get(uid)
        return self._objects[key] if key else None

    def dependents(self, uid: str) -> list[Seen]:
        """The objects that name this uid as an owner."""
        return self._in_order(self._dependents.get(uid, ()))

    def without_controller(self, resource: str, namespace: str) -> list[Seen]:
        """The objects of a resource that a controller might adopt."""
        return self._in_order(self._free.get((resource, namespace), ()))

    def in_namespace(self, namespace: str) -> list[Seen]:
        """Everything in a namespace."""
        return self._in_order(self._spaces.get(namespace, ()))

    def of_resource(self, resource: str, namespace: str) -> list[Seen]:
        """The objects of one resource in a namespace."""
        return self._in_order(self._kinds.get((resource, namespace), ()))

    def everywhere(self, resource: str) -> list[Seen]:
        """The objects of one resource in all namespaces."""
        kinds = [keys for (kind, _), keys in self._kinds.items() if kind == resource]
        return self._in_order(key for keys in kinds for key in keys)

    def _in_order(self, keys: Iterable[Key]) -> list[Seen]:
        ordered = sorted(keys, key=lambda key: (key.resource, key.namespace, key.name))
        return [self._objects[key] for key in ordered]


def _discard(table: dict[_K, set[Key]], at: _K, key: Key) -> None:
    keys = table.get(at)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del table[at]

"""The verbs of the API without HTTP: what controllers call and what HTTP wraps."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any, Literal

from gitops_wf.sandbox import deletion, strategies
from gitops_wf.sandbox.admission import admit_create, random_suffix
from gitops_wf.sandbox.clocks import stamp, system_now
from gitops_wf.sandbox.conversion import from_stored, to_stored
from gitops_wf.sandbox.deletion import Preconditions
from gitops_wf.sandbox.mutation import Mutation
from gitops_wf.sandbox.objects import (
    Manifest,
    Manifests,
    copy,
    is_deleting,
    metadata,
    name_of,
    namespace_of,
    revision_of,
    uid_of,
)
from gitops_wf.sandbox.resources import Resource, ResourceTable
from gitops_wf.sandbox.selectors import LabelSelector, parse_labels
from gitops_wf.sandbox.services import ServiceNetwork, check_address
from gitops_wf.sandbox.statuses import (
    already_exists,
    bad_request,
    conflict,
    deleted,
    internal,
    invalid_object,
    namespace_terminating,
    not_found,
)
from gitops_wf.sandbox.storage import Change, Storage
from gitops_wf.sandbox.validation import validate_create, validate_update

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Subscriber = Callable[[EventType, Resource, Manifest, Manifest | None], None]
_NAME_ATTEMPTS = 8


class ObjectApi:
    """Objects by resource, namespace and name. Every refusal is an ApiError.

    What is returned is a copy that the caller may change. Thread-safe.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        resources: ResourceTable | None = None,
        clock: Callable[[], datetime] = system_now,
        random: Random | None = None,
    ) -> None:
        self.storage = storage
        self.resources = resources or ResourceTable()
        self.mutation = Mutation()
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - names, not secrets
        self._network = ServiceNetwork(self._random)
        self._namespaces = self.resources.named("namespaces")

    def now(self) -> datetime:
        """The cluster's time."""
        return self._clock()

    # Reads

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest:
        """One object; ApiError 404 where it is not there."""
        return copy(from_stored(resource, self._live(resource, namespace, name)))

    def _live(self, resource: Resource, namespace: str, name: str) -> Manifest:
        space = namespace if resource.namespaced else ""
        found = self.storage.get(resource.collection, space, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        selector: str | LabelSelector | None = None,
    ) -> Manifests:
        """The objects in order of namespace and name; None is every namespace."""
        if isinstance(selector, str):
            selector = parse_labels(selector)
        return [
            copy(from_stored(resource, one))
            for one in self.storage.list(resource.collection, namespace)
            if selector is None or selector.matches(one)
        ]

    # Create

    def create(
        self,
        resource: Resource,
        manifest: Manifest,
        *,
        manager: str,
        dry_run: bool = False,
    ) -> Manifest:
        """Store a new object; its namespace is that of its metadata."""
        new = self._decoded(resource, manifest)
        new = self._tracked(resource, None, new, manager=manager)
        return self._store_new(resource, new, dry_run=dry_run)

    def _decoded(self, resource: Resource, manifest: Manifest) -> Manifest:
        new: Manifest = copy(manifest)
        new["apiVersion"], new["kind"] = resource.api_version, resource.kind
        if not isinstance(new.get("metadata"), dict):
            new["metadata"] = {}
        return self.mutation.complete(resource, new)

    def _tracked(
        self,
        resource: Resource,
        old: Manifest | None,
        new: Manifest,
        *,
        manager: str,
        subresource: str = "",
    ) -> Manifest:
        return self.mutation.track(
            resource,
            old,
            new,
            manager=manager,
            now=self.now(),
            subresource=subresource,
        )

    def _store_new(
        self, resource: Resource, new: Manifest, *, dry_run: bool
    ) -> Manifest:
        with self.storage.lock:
            meta = metadata(new)
            if not resource.namespaced:
                meta.pop("namespace", None)
            self._admit_namespace(resource, new)
            generated = bool(meta.get("generateName"))
            revision = revision_of(new)
            self._begin_metadata(resource, new)
            admit_create(resource, new, self._random)
            strategies.prepare_create(resource, new)
            stored = to_stored(resource, new)
            causes = validate_create(resource, stored)
            if resource.qualified == "services" and not causes:
                others = self.storage.list("services")
                self._network.prepare_create(stored, others)
                causes = check_address(stored)
            if causes:
                raise invalid_object(resource, name_of(new), causes)
            if revision not in ("", "0"):
                raise internal(
                    "resourceVersion should not be set on objects to be created"
                )
            existing = self.storage.get(
                resource.collection, namespace_of(new), name_of(new)
            )
            if existing is not None:
                raise already_exists(
                    resource,
                    name_of(new),
                    deleting=is_deleting(existing),
                    generated=generated,
                )
            if not dry_run:
                stored = self.storage.put(resource.collection, stored)
            return copy(from_stored(resource, stored))

    def _admit_namespace(self, resource: Resource, new: Manifest) -> None:
        if not resource.namespaced:
            return
        name = namespace_of(new)
        if not name:
            raise bad_request("an empty namespace may not be set during creation")
        space = self.storage.get("namespaces", "", name)
        if space is None:
            raise not_found(self._namespaces, name)
        if is_deleting(space):
            raise namespace_terminating(resource, name_of(new), name)

    def _begin_metadata(self, resource: Resource, new: Manifest) -> None:
        meta = metadata(new)
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            meta.pop(key, None)
        meta.pop("resourceVersion", None)
        meta["uid"] = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        meta["creationTimestamp"] = stamp(self.now())
        prefix = meta.get("generateName")
        if prefix and not meta.get("name"):
            space = namespace_of(new)
            for _ in range(_NAME_ATTEMPTS):
                meta["name"] = prefix + random_suffix(self._random)
                if not self.storage.get(resource.collection, space, meta["name"]):
                    break

    # Update

    def update(
        self,
        resource: Resource,
        manifest: Manifest,
        *,
        manager: str,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """Replace an object, or what a subresource of it may write.

        With a resourceVersion in its metadata it is refused (409) unless that is the
        live one's. A write that changes nothing keeps the resourceVersion.
        """
        with self.storage.lock:
            live = self._live(resource, namespace_of(manifest), name_of(manifest))
            self._check_identity(resource, manifest, live)
            old = from_stored(resource, live)
            new = self._decoded(resource, manifest)
            metadata(new).setdefault("uid", uid_of(live))
            new = self._tracked(
                resource, old, new, manager=manager, subresource=subresource
            )
            return self._store_changed(
                resource, new, live, subresource=subresource, dry_run=dry_run
            )

    def _check_identity(
        self, resource: Resource, manifest: Manifest, live: Manifest
    ) -> None:
        name = name_of(manifest)
        wanted = uid_of(manifest)
        if wanted and wanted != uid_of(live):
            space = namespace_of(live)
            key = f"/registry/{resource.plural}/{f'{space}/' if space else ''}{name}"
            raise conflict(
                resource,
                name,
                f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: "
                f"0, AdditionalErrorMsg: Precondition failed: UID in precondition: "
                f"{wanted}, UID in object meta: {uid_of(live)}",
            )
        revision = revision_of(manifest)
        if revision and not revision.isdigit():
            raise internal(f'strconv.ParseUint: parsing "{revision}": invalid syntax')
        if revision not in ("", "0", revision_of(live)):
            raise conflict(resource, name)

    def _store_changed(
        self,
        resource: Resource,
        new: Manifest,
        live: Manifest,
        *,
        subresource: str,
        dry_run: bool,
    ) -> Manifest:
        old = from_stored(resource, live)
        metadata(new)["resourceVersion"] = revision_of(live)
        strategies.prepare_update(resource, new, old, subresource)
        stored = to_stored(resource, new)
        if resource.qualified == "services" and not subresource:
            others = [
                one
                for one in self.storage.list("services")
                if uid_of(one) != uid_of(live)
            ]
            self._network.prepare_update(stored, live, others)
        if not subresource:
            causes = validate_update(resource, stored, live)
            if causes:
                raise invalid_object(resource, name_of(new), causes)
        if _same_but_for_times(stored, live):
            stored = copy(live)
        elif deletion.is_done(resource, stored):
            if not dry_run:
                self.storage.remove(resource.collection, copy(stored))
        elif not dry_run:
            stored = self.storage.put(resource.collection, stored)
        return copy(from_stored(resource, stored))

    # Delete

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        propagation: str | None = None,
        preconditions: Preconditions | None = None,
        grace_seconds: int | None = None,
        dry_run: bool = False,
    ) -> Manifest:
        """Delete an object, or mark it; returns what a DELETE request answers.

        That is the object where it stays for now (and for a few kinds always), else a
        Status that says what is gone. `propagation` is Background, Foreground or
        Orphan.
        """
        with self.storage.lock:
            deletion.check_protected(resource, name)
            live = self._live(resource, namespace, name)
            deletion.check(resource, live, preconditions)
            outcome = deletion.begin(
                resource,
                live,
                propagation=propagation,
                grace_seconds=grace_seconds,
                now=self.now(),
            )
            state = outcome.state if outcome.state is not None else copy(live)
            if not dry_run:
                if outcome.gone:
                    state = self.storage.remove(resource.collection, state)
                elif outcome.state is not None:
                    state = self.storage.put(resource.collection, state)
            if outcome.gone and resource.qualified not in deletion.OBJECT_ANSWER:
                return deleted(resource, name, uid_of(live))
            return copy(from_stored(resource, state))

    # Changes

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call back after each change, in order; returns what ends it.

        The callback runs under the storage's lock and gets the stored objects: it must
        be quick and change nothing.
        """

        def relay(change: Change) -> None:
            resource = self.resources.of_collection(change.collection)
            if resource is not None:
                kind: Any = change.type
                callback(kind, resource, change.object, change.old)

        return self.storage.subscribe(relay)


def _same_but_for_times(new: Manifest, old: Manifest) -> bool:
    """Whether two states differ in nothing but the times of managedFields."""
    if new == old:
        return True
    return _timeless(new) == _timeless(old)


def _timeless(manifest: Manifest) -> Manifest:
    meta = {
        key: value
        for key, value in metadata(manifest).items()
        if key not in ("managedFields", "resourceVersion")
    }
    meta["managedFields"] = [
        {key: value for key, value in entry.items() if key != "time"}
        for entry in metadata(manifest).get("managedFields") or []
    ]
    return {**manifest, "metadata": meta}

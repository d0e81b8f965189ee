"""The verbs of the API without HTTP: what controllers call and what HTTP wraps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any, Literal

from gitops_wf.sandbox import deletion, scale
from gitops_wf.sandbox.clocks import system_now
from gitops_wf.sandbox.conversion import from_stored
from gitops_wf.sandbox.custom import CustomResources
from gitops_wf.sandbox.deletion import Preconditions
from gitops_wf.sandbox.mutation import Level, Mutation, PatchKind, refusals
from gitops_wf.sandbox.objects import (
    Manifest,
    Manifests,
    copy,
    metadata,
    name_of,
    namespace_of,
    revision_of,
    uid_of,
)
from gitops_wf.sandbox.resources import Resource, ResourceTable
from gitops_wf.sandbox.selectors import LabelSelector, parse_labels
from gitops_wf.sandbox.statuses import bad_request, deleted, forbidden, not_found
from gitops_wf.sandbox.storage import Change, Storage
from gitops_wf.sandbox.writes import Writes

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Subscriber = Callable[[EventType, Resource, Manifest, Manifest | None], None]
Warn = Callable[[str], None]


def _unheard(_warning: str) -> None:
    """A caller in this process has nobody to warn."""


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
        self.mutation = Mutation(self.resources)
        self._clock = clock
        self._writes = Writes(
            storage,
            self.resources,
            self.mutation,
            now=self.now,
            random=random or Random(),  # noqa: S311 - names, not secrets
        )
        self._customs = CustomResources(self, self.resources, self.mutation)

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

    # Writes

    def create(
        self,
        resource: Resource,
        manifest: Manifest,
        *,
        manager: str,
        dry_run: bool = False,
    ) -> Manifest:
        """Store a new object; its namespace is that of its metadata."""
        new = self._complete(resource, manifest)
        revision = revision_of(new)
        new = self._tracked(resource, None, new, manager=manager)
        return self._made(resource, new, revision=revision, dry_run=dry_run)

    def _made(
        self, resource: Resource, new: Manifest, *, revision: str, dry_run: bool
    ) -> Manifest:
        with self.storage.lock:
            if resource.custom and self._customs.is_ending(resource):
                raise forbidden(
                    resource,
                    name_of(new),
                    "create not allowed while custom resource definition is "
                    "terminating",
                )
            made = self._writes.create(
                resource, new, revision=revision, dry_run=dry_run
            )
            self._customs.after_write(resource, name_of(made))
            return made

    def review_form(
        self, resource: Resource, manifest: Manifest, *, manager: str
    ) -> Manifest:
        """A review as a new object would be, though nothing is stored."""
        new = self._complete(resource, manifest)
        return self._tracked(resource, None, new, manager=manager)

    def _complete(self, resource: Resource, manifest: Manifest) -> Manifest:
        new = copy(manifest)
        new["apiVersion"], new["kind"] = resource.api_version, resource.kind
        if not isinstance(new.get("metadata"), dict):
            new["metadata"] = {}
        # Only the server ends an object's life, so nobody can come to own this.
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds"):
            metadata(new).pop(key, None)
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
        live one's. A write that changes nothing keeps the resourceVersion. For
        `scale` the manifest is a Scale, and so is the answer.
        """
        with self.storage.lock:
            live = self._live(resource, namespace_of(manifest), name_of(manifest))
            if subresource != "scale":
                self._writes.check_has_revision(resource, manifest)
            self._writes.check_revision(resource, manifest, live)
            self._writes.check_replaced_uid(resource, manifest, live)
            old = from_stored(resource, live)
            if subresource == "scale":
                new = scale.scaled(old, manifest)
            else:
                new = self._complete(resource, manifest)
            return self._changed(
                resource,
                new,
                live,
                manager=manager,
                subresource=subresource,
                dry_run=dry_run,
            )

    def _changed(
        self,
        resource: Resource,
        new: Manifest,
        live: Manifest,
        *,
        manager: str,
        subresource: str,
        dry_run: bool,
    ) -> Manifest:
        old = from_stored(resource, live)
        # What the server itself keeps must not look like a change of the client's.
        for key in (
            "uid",
            "creationTimestamp",
            "namespace",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ):
            if key in metadata(old):
                metadata(new)[key] = metadata(old)[key]
        new = self._tracked(
            resource, old, new, manager=manager, subresource=subresource
        )
        if subresource == "scale":
            scale.forget_time(new, manager)
        return self._stored(
            resource, new, live, subresource=subresource, dry_run=dry_run
        )

    def _stored(
        self,
        resource: Resource,
        new: Manifest,
        live: Manifest,
        *,
        subresource: str,
        dry_run: bool,
    ) -> Manifest:
        stored = self._writes.change(
            resource, new, live, subresource=subresource, dry_run=dry_run
        )
        self._customs.after_write(resource, name_of(live))
        return self._answered(resource, stored, subresource)

    def _answered(
        self, resource: Resource, stored: Manifest, subresource: str
    ) -> Manifest:
        if subresource != "scale":
            return stored
        return self.mutation.stored_scale(scale.of(resource, stored))

    def get_scale(self, resource: Resource, namespace: str, name: str) -> Manifest:
        """The Scale of an object."""
        live = from_stored(resource, self._live(resource, namespace, name))
        return self._answered(resource, live, "scale")

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        kind: PatchKind,
        patch: Any,
        *,
        manager: str,
        subresource: str = "",
        dry_run: bool = False,
        level: Level = "Ignore",
        warn: Warn = _unheard,
    ) -> Manifest:
        """Change an object by a JSON, merge or strategic merge patch."""
        with self.storage.lock:
            live = self._live(resource, namespace, name)
            old = from_stored(resource, live)
            if subresource == "scale":
                with refusals():
                    new = scale.patched(old, kind, patch, resource)
            else:
                new = self.mutation.patched(
                    resource, old, kind, patch, level=level, warn=warn
                )
                self._check_name(resource, new, namespace, name)
                new = self._complete(resource, new)
            self._writes.check_revision(resource, new, live)
            self._writes.check_patched_uid(resource, new, live)
            return self._changed(
                resource,
                new,
                live,
                manager=manager,
                subresource=subresource,
                dry_run=dry_run,
            )

    def apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        applied: Manifest,
        *,
        manager: str,
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
    ) -> tuple[Manifest, bool]:
        """Server-side apply; also says whether the object was made by it."""
        with self.storage.lock:
            space = namespace if resource.namespaced else ""
            live = self.storage.get(resource.collection, space, name)
            if live is None and subresource:
                raise not_found(resource, name)
            old = None if live is None else from_stored(resource, live)
            if subresource == "scale":
                assert old is not None
                applied = scale.applied(old, applied, resource)
            new = self.mutation.apply(
                resource,
                old,
                applied,
                manager=manager,
                force=force,
                now=self.now(),
                subresource=subresource,
            )
            if resource.namespaced:
                metadata(new)["namespace"] = namespace
            if live is None:
                made = self._made(resource, new, revision="", dry_run=dry_run)
                return made, True
            self._writes.check_revision(resource, applied, live)
            self._writes.check_patched_uid(resource, applied, live)
            stored = self._stored(
                resource, new, live, subresource=subresource, dry_run=dry_run
            )
            return stored, False

    def _check_name(
        self, resource: Resource, new: Manifest, namespace: str, name: str
    ) -> None:
        if name_of(new) != name:
            raise bad_request(
                f"the name of the object ({name_of(new)}) does not match the name on "
                f"the URL ({name})"
            )
        if resource.namespaced and namespace_of(new) not in ("", namespace):
            raise bad_request(
                "the namespace of the provided object does not match the namespace "
                "sent on the request"
            )

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
                    last = self.storage.remove(
                        resource.collection, namespace_of(live), name
                    )
                    metadata(state)["resourceVersion"] = revision_of(last)
                elif outcome.state is not None:
                    state = self.storage.put(resource.collection, state)
            self._customs.after_write(resource, name)
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

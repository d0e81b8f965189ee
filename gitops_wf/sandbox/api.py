"""The verbs of the API without HTTP: what controllers call and what HTTP wraps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from random import Random
from typing import Any, Literal

from gitops_wf.sandbox import deletion, scale
from gitops_wf.sandbox.asking import CONTROLLER, Asker, Call
from gitops_wf.sandbox.authorization import Authorizer
from gitops_wf.sandbox.clocks import system_now
from gitops_wf.sandbox.conversion import from_stored
from gitops_wf.sandbox.custom import CustomResources
from gitops_wf.sandbox.deletion import Preconditions
from gitops_wf.sandbox.escalation import Escalation
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
from gitops_wf.sandbox.statuses import (
    ApiError,
    bad_request,
    conflict,
    deleted,
    forbidden,
    not_found,
)
from gitops_wf.sandbox.storage import Change, Storage
from gitops_wf.sandbox.validation.warnings import warnings
from gitops_wf.sandbox.webhooks import Webhooks
from gitops_wf.sandbox.writes import Writes

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Subscriber = Callable[[EventType, Resource, Manifest, Manifest | None], None]
# How often a write is made anew because others wrote while a webhook was asked.
_ATTEMPTS = 5


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
        self._escalation = Escalation(Authorizer(storage))
        self._webhooks = Webhooks(storage, self.resources)
        self._customs = CustomResources(self, self.resources, self.mutation)

    @property
    def may_wait(self) -> bool:
        """Whether a write may have to wait for somebody outside, as webhooks are."""
        return self._webhooks.are_registered

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
        asker: Asker = CONTROLLER,
    ) -> Manifest:
        """Store a new object; its namespace is that of its metadata."""
        new = self._complete(resource, manifest)
        revision = revision_of(new)
        new = self._tracked(resource, None, new, manager=manager)
        return self._made(resource, new, asker, revision=revision, dry_run=dry_run)

    def _made(
        self,
        resource: Resource,
        new: Manifest,
        asker: Asker,
        *,
        revision: str,
        dry_run: bool,
    ) -> Manifest:
        asked = asker.call("CREATE", resource, new, dry_run=dry_run)
        with self._alone(asked):
            if resource.custom and self._customs.is_ending(resource):
                raise forbidden(
                    resource,
                    name_of(new),
                    "create not allowed while custom resource definition is "
                    "terminating",
                )
            self._writes.admit(resource, new)
            new = self._mutated(asked, new, None)
            self._escalation.check(asked, new, None)
            stored = self._writes.prepared(resource, new, revision=revision)
            self._warn(asked, stored)
            self._webhooks.validate(asked, from_stored(resource, stored), None)
            with self.storage.lock:
                made = self._writes.add(resource, stored, dry_run=dry_run)
                self._customs.after_write(resource, name_of(made))
                return made

    @staticmethod
    def _warn(asked: Call, stored: Manifest) -> None:
        if not asked.subresource:
            for text in warnings(asked.resource, stored):
                asked.warn(text)

    def _alone(self, asked: Call) -> AbstractContextManager[object]:
        """The storage's lock from here to the write, unless somebody has to be asked.

        A webhook may take its time, and may look at the cluster itself.
        """
        return nullcontext() if self._webhooks.concern(asked) else self.storage.lock

    def _mutated(self, asked: Call, new: Manifest, old: Manifest | None) -> Manifest:
        resource = asked.resource
        return self._webhooks.mutate(
            asked, new, old, lambda one: self.mutation.complete(resource, one)
        )

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
        asker: Asker = CONTROLLER,
    ) -> Manifest:
        """Replace an object, or what a subresource of it may write.

        With a resourceVersion in its metadata it is refused (409) unless that is the
        live one's. A write that changes nothing keeps the resourceVersion. For
        `scale` the manifest is a Scale, and so is the answer.
        """

        def changed(live: Manifest) -> Manifest:
            if subresource != "scale":
                self._writes.check_has_revision(resource, manifest)
            self._writes.check_revision(resource, manifest, live)
            self._writes.check_replaced_uid(resource, manifest, live)
            old = from_stored(resource, live)
            if subresource == "scale":
                new = scale.scaled(old, manifest, resource)
            else:
                new = self._complete(resource, manifest)
            return self._changed(
                resource, new, live, manager=manager, subresource=subresource
            )

        asked = asker.call(
            "UPDATE", resource, manifest, subresource=subresource, dry_run=dry_run
        )
        return self._rewritten(asked, changed)

    def _changed(
        self,
        resource: Resource,
        new: Manifest,
        live: Manifest,
        *,
        manager: str,
        subresource: str,
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
        if subresource == "scale" and resource.custom:
            # The server keeps no owner of a scale that it reads by a path.
            return new
        new = self._tracked(
            resource, old, new, manager=manager, subresource=subresource
        )
        if subresource == "scale":
            scale.forget_time(new, manager)
        return new

    def _rewritten(
        self, asked: Call, changed: Callable[[Manifest], Manifest]
    ) -> Manifest:
        """Store what `changed` makes of the live object, once all have agreed to it.

        Made anew where the object was written while a webhook was being asked.
        """
        resource, sub = asked.resource, asked.subresource
        for _ in range(_ATTEMPTS):
            with self._alone(asked):
                with self.storage.lock:
                    live = self._live(resource, asked.namespace, asked.name)
                    new = changed(live)
                old = from_stored(resource, live)
                new = self._mutated(asked, new, old)
                self._escalation.check(asked, new, old)
                draft = self._writes.drafted(resource, new, live, subresource=sub)
                if draft is not live:
                    self._warn(asked, draft)
                self._webhooks.validate(asked, from_stored(resource, draft), old)
                with self.storage.lock:
                    if self._live(resource, asked.namespace, asked.name) is not live:
                        continue
                    stored = self._writes.replace(
                        resource, draft, live, dry_run=asked.dry_run
                    )
                    self._customs.after_write(resource, name_of(live))
                    return self._answered(resource, stored, sub)
        raise conflict(resource, asked.name)

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
        asker: Asker = CONTROLLER,
    ) -> Manifest:
        """Change an object by a JSON, merge or strategic merge patch."""

        def changed(live: Manifest) -> Manifest:
            old = from_stored(resource, live)
            if subresource == "scale":
                with refusals():
                    new = scale.patched(old, kind, patch, resource)
            else:
                new = self.mutation.patched(
                    resource, old, kind, patch, level=level, warn=asker.warn
                )
                self._check_name(resource, new, namespace, name)
                new = self._complete(resource, new)
            self._writes.check_revision(resource, new, live)
            self._writes.check_patched_uid(resource, new, live)
            return self._changed(
                resource, new, live, manager=manager, subresource=subresource
            )

        asked = asker.call_on(
            "UPDATE",
            resource,
            namespace,
            name,
            subresource=subresource,
            dry_run=dry_run,
        )
        return self._rewritten(asked, changed)

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
        asker: Asker = CONTROLLER,
    ) -> tuple[Manifest, bool]:
        """Server-side apply; also says whether the object was made by it."""

        def changed(live: Manifest | None) -> Manifest:
            old = None if live is None else from_stored(resource, live)
            wanted = applied
            if subresource == "scale":
                assert old is not None
                wanted = scale.applied(old, applied, resource)
            new = self.mutation.apply(
                resource,
                old,
                wanted,
                manager=manager,
                force=force,
                now=self.now(),
                subresource=subresource,
            )
            if resource.namespaced:
                metadata(new)["namespace"] = namespace
            if live is not None:
                self._writes.check_revision(resource, applied, live)
                self._writes.check_patched_uid(resource, applied, live)
            return new

        if not subresource:
            made = self._applied_anew(
                resource, namespace, name, changed, asker, dry_run=dry_run
            )
            if made is not None:
                return made, True
        asked = asker.call_on(
            "UPDATE",
            resource,
            namespace,
            name,
            subresource=subresource,
            dry_run=dry_run,
        )
        return self._rewritten(asked, changed), False

    def _applied_anew(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        changed: Callable[[Manifest | None], Manifest],
        asker: Asker,
        *,
        dry_run: bool,
    ) -> Manifest | None:
        """What an apply creates; None where the object is there already."""
        space = namespace if resource.namespaced else ""
        with self._alone(asker.call_on("CREATE", resource, namespace, name)):
            if self.storage.get(resource.collection, space, name) is not None:
                return None
            asker.check_create()
            new = changed(None)
            try:
                return self._made(resource, new, asker, revision="", dry_run=dry_run)
            except ApiError as error:
                # Somebody made it while a webhook was being asked.
                if error.reason == "AlreadyExists":
                    return None
                raise

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
        asker: Asker = CONTROLLER,
    ) -> Manifest:
        """Delete an object, or mark it; returns what a DELETE request answers.

        That is the object where it stays for now (and for a few kinds always), else a
        Status that says what is gone. `propagation` is Background, Foreground or
        Orphan.
        """
        asked = asker.call_on("DELETE", resource, namespace, name, dry_run=dry_run)
        if self._webhooks.concern(asked):
            old = self.get(resource, namespace, name)
            self._webhooks.validate(asked, None, old)
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

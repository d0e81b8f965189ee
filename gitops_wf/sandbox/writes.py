"""What happens to every object on its way into storage, new or changed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from random import Random

from gitops_wf.sandbox import deletion, strategies
from gitops_wf.sandbox.admission import Admission, random_suffix
from gitops_wf.sandbox.clocks import stamp
from gitops_wf.sandbox.conversion import from_stored, to_stored
from gitops_wf.sandbox.mutation import Mutation
from gitops_wf.sandbox.objects import (
    Manifest,
    copy,
    is_deleting,
    metadata,
    name_of,
    namespace_of,
    revision_of,
    uid_of,
)
from gitops_wf.sandbox.quotas import Quotas
from gitops_wf.sandbox.resources import Resource, ResourceTable
from gitops_wf.sandbox.services import (
    ServiceNetwork,
    check_address,
    check_node_ports,
)
from gitops_wf.sandbox.statuses import (
    already_exists,
    bad_request,
    conflict,
    internal,
    invalid,
    invalid_object,
    invalid_value,
    namespace_terminating,
    not_found,
)
from gitops_wf.sandbox.storage import Storage
from gitops_wf.sandbox.validation import validate_create, validate_update

_NAME_ATTEMPTS = 8


class Writes:
    """Stores objects whose fields are complete and tracked; holds no state."""

    def __init__(
        self,
        storage: Storage,
        table: ResourceTable,
        mutation: Mutation,
        *,
        now: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._storage, self._mutation = storage, mutation
        self._now, self._random = now, random
        self._network = ServiceNetwork(random)
        self._admission = Admission(storage, random)
        self._quotas = Quotas(storage, table, mutation, now)
        self._namespaces = table.named("namespaces")

    def admit(self, resource: Resource, new: Manifest) -> None:
        """Let a new object in, with what admission adds in place; ApiError 403, 404."""
        if not resource.namespaced:
            metadata(new).pop("namespace", None)
        self._admit_namespace(resource, new)
        self._admission.complete(resource, new)

    def prepared(self, resource: Resource, new: Manifest, *, revision: str) -> Manifest:
        """The new object as it would be stored; ApiError 422.

        `revision` is the resourceVersion that it came with.
        """
        self._begin_metadata(resource, new)
        strategies.prepare_create(resource, new)
        stored = to_stored(resource, new)
        causes = validate_create(resource, stored)
        causes += self._mutation.invalid(resource, stored, None)
        if resource.qualified == "services" and not causes:
            others = self._storage.list("services")
            self._network.prepare_create(stored, others)
            causes = [*check_address(stored), *check_node_ports(stored)]
        if causes:
            raise invalid_object(resource, name_of(new), causes)
        if revision not in ("", "0"):
            raise internal("resourceVersion should not be set on objects to be created")
        return stored

    def add(self, resource: Resource, new: Manifest, *, dry_run: bool) -> Manifest:
        """Store a new object that is prepared; ApiError 403, 409."""
        with self._storage.lock:
            self._admit_namespace(resource, new)
            self._admission.judge(resource, new)
            quotas = self._quotas.weigh(resource, new)
            existing = self._storage.get(
                resource.collection, namespace_of(new), name_of(new)
            )
            if existing is not None:
                raise already_exists(
                    resource,
                    name_of(new),
                    deleting=is_deleting(existing),
                    generated=bool(metadata(new).get("generateName")),
                )
            if not dry_run:
                self._quotas.note(quotas)
                new = self._storage.put(resource.collection, new)
            return copy(from_stored(resource, new))

    def _admit_namespace(self, resource: Resource, new: Manifest) -> None:
        if not resource.namespaced:
            return
        name = namespace_of(new)
        if not name:
            raise bad_request("an empty namespace may not be set during creation")
        space = self._storage.get("namespaces", "", name)
        if space is None:
            raise not_found(self._namespaces, name)
        if is_deleting(space):
            raise namespace_terminating(resource, name_of(new), name)

    def _begin_metadata(self, resource: Resource, new: Manifest) -> None:
        meta = metadata(new)
        for key in (
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
            "selfLink",
        ):
            meta.pop(key, None)
        meta["uid"] = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        meta["creationTimestamp"] = stamp(self._now())
        prefix = meta.get("generateName")
        if prefix and not meta.get("name"):
            space = namespace_of(new)
            for _ in range(_NAME_ATTEMPTS):
                meta["name"] = prefix + random_suffix(self._random)
                if not self._storage.get(resource.collection, space, meta["name"]):
                    break

    def check_revision(
        self, resource: Resource, manifest: Manifest, live: Manifest
    ) -> None:
        """ApiError where a write names another version than the live one."""
        revision = revision_of(manifest)
        if revision and not revision.isdigit():
            raise internal(f'strconv.ParseUint: parsing "{revision}": invalid syntax')
        if revision not in ("", "0", revision_of(live)):
            raise conflict(resource, name_of(live))

    def check_has_revision(self, resource: Resource, manifest: Manifest) -> None:
        """ApiError 422 where a PUT of a custom object names no version."""
        if resource.custom and not revision_of(manifest):
            cause = invalid_value(
                "metadata.resourceVersion", "0", "must be specified for an update"
            )
            name = name_of(manifest)
            raise invalid(resource.plural, name, [cause], group=resource.group)

    def check_replaced_uid(
        self, resource: Resource, manifest: Manifest, live: Manifest
    ) -> None:
        """ApiError 409 where a PUT names another object of that name."""
        wanted = uid_of(manifest)
        if not wanted or wanted == uid_of(live):
            return
        space, name = namespace_of(live), name_of(live)
        key = f"/registry/{resource.plural}/{f'{space}/' if space else ''}{name}"
        raise conflict(
            resource,
            name,
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, "
            f"AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, "
            f"UID in object meta: {uid_of(live)}",
        )

    def check_patched_uid(
        self, resource: Resource, manifest: Manifest, live: Manifest
    ) -> None:
        """ApiError 422 where a patch changes the uid."""
        wanted = uid_of(manifest)
        if wanted and wanted != uid_of(live):
            cause = invalid_value("metadata.uid", f'"{wanted}"', "field is immutable")
            # The server checks this in two places and so says it twice.
            raise invalid_object(resource, name_of(live), [cause, cause])

    def drafted(
        self, resource: Resource, new: Manifest, live: Manifest, *, subresource: str
    ) -> Manifest:
        """The changed object as it would be stored: the live one if nothing differs."""
        old = from_stored(resource, live)
        metadata(new)["resourceVersion"] = revision_of(live)
        strategies.prepare_update(resource, new, old, subresource)
        stored = to_stored(resource, new)
        if resource.qualified == "services" and not subresource:
            others = [
                one
                for one in self._storage.list("services")
                if uid_of(one) != uid_of(live)
            ]
            self._network.prepare_update(stored, live, others)
        causes = self._mutation.invalid(resource, stored, old)
        if subresource in ("", "scale"):
            causes = [*validate_update(resource, stored, live), *causes]
        if causes:
            raise invalid_object(resource, name_of(new), causes)
        return self._mutation.keep_times(live, stored)

    def replace(
        self, resource: Resource, draft: Manifest, live: Manifest, *, dry_run: bool
    ) -> Manifest:
        """Store a draft in the place of the live object; one that is equal stays."""
        if draft == live:
            return copy(from_stored(resource, live))
        quotas = self._quotas.weigh(resource, draft, live)
        if dry_run:
            return copy(from_stored(resource, draft))
        self._quotas.note(quotas)
        if deletion.is_done(resource, draft):
            self._storage.remove(resource.collection, namespace_of(live), name_of(live))
        else:
            draft = self._storage.put(resource.collection, draft)
        return copy(from_stored(resource, draft))

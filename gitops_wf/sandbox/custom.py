"""Custom resources: what a stored CustomResourceDefinition makes the server serve."""

from __future__ import annotations

from typing import Any, Protocol

from gitops_wf.sandbox.clocks import stamp
from gitops_wf.sandbox.mutation import Mutation
from gitops_wf.sandbox.objects import (
    Manifest,
    copy,
    finalizers_of,
    is_deleting,
    metadata,
    name_of,
    namespace_of,
)
from gitops_wf.sandbox.resources import Column, Resource, ResourceTable, ScalePaths
from gitops_wf.sandbox.storage import Change, Storage

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_VERBS = (
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
)
_SUB_VERBS = ["get", "patch", "update"]
_SERVER = "kube-apiserver"


class _Api(Protocol):
    storage: Storage

    def now(self) -> Any: ...

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest: ...

    def update(
        self,
        resource: Resource,
        manifest: Manifest,
        *,
        manager: str,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Manifest: ...

    def delete(self, resource: Resource, namespace: str, name: str) -> Manifest: ...


def is_established(definition: Manifest) -> bool:
    """Whether the objects of a definition are served."""
    return any(
        one.get("type") == "Established" and one.get("status") == "True"
        for one in (definition.get("status") or {}).get("conditions") or []
    )


def served(definition: Manifest) -> list[tuple[Resource, dict[str, Any]]]:
    """The resources of a definition, a version each, with their schemas."""
    spec = definition.get("spec") or {}
    names = spec.get("names") or {}
    found = []
    for version in spec.get("versions") or []:
        if version.get("served"):
            resource = _resource(spec, names, version)
            schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
            found.append((resource, schema))
    return found


def _resource(
    spec: dict[str, Any], names: dict[str, Any], version: dict[str, Any]
) -> Resource:
    group, kind = spec["group"], names["kind"]
    given = version.get("subresources") or {}
    subresources = [one for one in ("status", "scale") if one in given]
    this = {"group": group, "version": version["name"], "kind": kind}
    scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    singular = names.get("singular") or kind.lower()
    discovery: dict[str, Any] = {
        "resource": names["plural"],
        "responseKind": this,
        "scope": spec.get("scope", "Namespaced"),
        "singularResource": singular,
        "verbs": list(_VERBS),
        "subresources": [
            {
                "subresource": one,
                "responseKind": scale if one == "scale" else this,
                "verbs": _SUB_VERBS,
            }
            for one in subresources
        ],
    }
    for key in ("shortNames", "categories"):
        if names.get(key):
            discovery[key] = names[key]
    return Resource(
        group=group,
        version=version["name"],
        plural=names["plural"],
        singular=singular,
        kind=kind,
        list_kind=names.get("listKind") or "",
        namespaced=spec.get("scope") == "Namespaced",
        verbs=_VERBS,
        short_names=tuple(names.get("shortNames") or ()),
        subresources=tuple(subresources),
        categories=tuple(names.get("categories") or ()),
        custom=True,
        columns=tuple(
            Column(
                name=one["name"],
                type=one["type"],
                format=one.get("format") or "",
                description=one.get("description") or "",
                priority=one.get("priority") or 0,
                path=one["jsonPath"],
            )
            for one in version.get("additionalPrinterColumns") or []
        ),
        scale=_scale(given.get("scale") or {}),
        discovery=discovery,
    )


def _scale(given: dict[str, Any]) -> ScalePaths:
    return ScalePaths(
        wanted=given.get("specReplicasPath") or ".spec.replicas",
        actual=given.get("statusReplicasPath") or ".status.replicas",
        selector=given.get("labelSelectorPath") or "",
    )


class CustomResources:
    """Keeps what is served in line with the stored definitions."""

    def __init__(self, api: _Api, table: ResourceTable, mutation: Mutation) -> None:
        self._api, self._table, self._mutation = api, table, mutation
        self._settling = False
        with api.storage.lock:
            for definition in api.storage.list(DEFINITIONS):
                self._serve(definition)
            api.storage.subscribe(self._changed)

    def _changed(self, change: Change) -> None:
        if change.collection != DEFINITIONS:
            return
        if change.type == "DELETED":
            spec = change.object["spec"]
            self._table.set_custom(spec["group"], spec["names"]["plural"], [])
        else:
            self._serve(change.object)

    def _serve(self, definition: Manifest) -> None:
        if not is_established(definition):
            return
        found = served(definition)
        for resource, schema in found:
            self._mutation.set_custom(resource, schema)
        spec = definition["spec"]
        resources = [resource for resource, _ in found]
        self._table.set_custom(spec["group"], spec["names"]["plural"], resources)

    def is_ending(self, resource: Resource) -> bool:
        """Whether the definition of a custom resource is being deleted."""
        definition = self._api.storage.get(DEFINITIONS, "", resource.qualified)
        return definition is not None and is_deleting(definition)

    def after_write(self, resource: Resource, name: str) -> None:
        """Do what the server's own controllers do after such a write.

        Called under the storage's lock; the writes that this makes are not looked at
        again.
        """
        if self._settling:
            return
        self._settling = True
        try:
            if resource.qualified == DEFINITIONS:
                self._settle(resource, name)
            elif resource.custom and self.is_ending(resource):
                self._settle(self._table.named(DEFINITIONS), resource.qualified)
        finally:
            self._settling = False

    def _settle(self, definitions: Resource, name: str) -> None:
        definition = self._api.storage.get(DEFINITIONS, "", name)
        if definition is None:
            return
        if is_deleting(definition):
            self._clean_up(definition)
        elif not is_established(definition):
            self._establish(definitions, name, established=False)
            self._establish(definitions, name, established=True)

    def _establish(
        self, definitions: Resource, name: str, *, established: bool
    ) -> None:
        definition = self._api.get(definitions, "", name)
        moment = stamp(self._api.now())
        status = definition.setdefault("status", {})
        status["acceptedNames"] = copy(definition["spec"]["names"])
        status["conditions"] = [
            {
                "type": "NamesAccepted",
                "status": "True",
                "lastTransitionTime": moment,
                "reason": "NoConflicts",
                "message": "no conflicts found",
            },
            {
                "type": "Established",
                "status": "True" if established else "False",
                "lastTransitionTime": moment,
                "reason": "InitialNamesAccepted" if established else "Installing",
                "message": "the initial names have been accepted",
            },
        ]
        self._api.update(definitions, definition, manager=_SERVER, subresource="status")

    def _clean_up(self, definition: Manifest) -> None:
        storage = self._api.storage
        collection = name_of(definition)
        kinds = served(definition)
        for one in storage.list(collection):
            if kinds and not is_deleting(one):
                self._api.delete(kinds[0][0], namespace_of(one), name_of(one))
        live = storage.get(DEFINITIONS, "", collection)
        if storage.list(collection) or live is None:
            return
        left = [one for one in finalizers_of(live) if one != CLEANUP]
        if not left:
            storage.remove(DEFINITIONS, "", collection)
        elif CLEANUP in finalizers_of(live):
            state = copy(live)
            metadata(state)["finalizers"] = left
            storage.put(DEFINITIONS, state)

"""Whoever brings custom objects to a state: a cloud's controller, played on request.

Only objects with an annotation are touched. `sandbox.gitops-wf.io/status` is the status
that such an object gets, as YAML, and `sandbox.gitops-wf.io/secret` the data of the
Secret that is written for it: of the name in `sandbox.gitops-wf.io/secret-name`, else
in the `spec.writeConnectionSecretToRef` of the object, as Crossplane and Terraform
have it. It takes as long as a Pod does, or `sandbox.gitops-wf.io/delay`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import yaml

from gitops_wf.sandbox.controllers.faults import delay_of
from gitops_wf.sandbox.controllers.index import Index, Key
from gitops_wf.sandbox.controllers.reading import annotations_of
from gitops_wf.sandbox.controllers.work import (
    NOTHING,
    Emit,
    Outcome,
    Situation,
    Verb,
    Write,
    update,
    update_status,
)
from gitops_wf.sandbox.objects import (
    Manifest,
    is_deleting,
    name_of,
    namespace_of,
    uid_of,
)

STATUS = "sandbox.gitops-wf.io/status"
SECRET = "sandbox.gitops-wf.io/secret"  # noqa: S105 - an annotation
SECRET_NAME = "sandbox.gitops-wf.io/secret-name"  # noqa: S105 - an annotation
MANAGER = "sandbox-cloud"

_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


def wakes(key: Key, manifest: Manifest, index: Index) -> Iterable[Key]:
    """The object itself, where it asks for it; for its Secret the owner."""
    if key.resource == "secrets":
        owners = (manifest.get("metadata") or {}).get("ownerReferences") or ()
        found = [index.by_uid(owner["uid"]) for owner in owners]
        return [one.key for one in found if one is not None and _asks(one.object)]
    return [key] if _asks(manifest) else []


def reconcile(situation: Situation, index: Index, default: timedelta) -> Outcome:
    """The next step: the Secret before the status that says it is there."""
    custom = situation.object
    seen = index.by_uid(uid_of(custom))
    if seen is None or is_deleting(custom):
        return NOTHING
    resource = seen.key.resource
    definition = index.get(Key(_DEFINITIONS, "", resource))
    if definition is None:
        return NOTHING
    if situation.failure:
        return _warned(custom, situation.failure)
    try:
        status = _map(custom, STATUS)
        data = _map(custom, SECRET)
    except ValueError as error:
        return _warned(custom, str(error))
    secret = None if data is None else _secret(custom, data, index)
    if isinstance(secret, str):
        return _warned(custom, secret)
    told = status is not None and custom.get("status") != status
    if not (secret or told):
        return NOTHING
    ready = situation.since + delay_of(custom, default)
    if situation.now < ready:
        return Outcome(due=ready)
    writes = [] if secret is None else [secret]
    if told:
        # A subresource of its own, or a field like any other.
        write = update_status if _has_status(definition.object, custom) else update
        writes.append(write(resource, custom | {"status": status}, MANAGER))
    return Outcome(writes=tuple(writes))


def _asks(manifest: Manifest) -> bool:
    annotations = annotations_of(manifest)
    return STATUS in annotations or SECRET in annotations


def _warned(custom: Manifest, message: str) -> Outcome:
    """Say what is wrong with what an object asks for."""
    emit = Emit(
        about=custom,
        reason="CannotPlayCloud",
        message=message,
        component=MANAGER,
        warning=True,
    )
    return Outcome(writes=(emit,))


def _map(custom: Manifest, annotation: str) -> dict[str, Any] | None:
    text = annotations_of(custom).get(annotation)
    if text is None:
        return None
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{annotation} is no YAML") from error
    if not isinstance(value, dict):
        raise ValueError(f"{annotation} must be a map")  # noqa: TRY004
    return value


def _secret(
    custom: Manifest, data: Mapping[str, Any], index: Index
) -> Write | str | None:
    """The write that brings the Secret to its data, what is wrong, or None."""
    spec = custom.get("spec")
    reference = spec.get("writeConnectionSecretToRef") if isinstance(spec, dict) else {}
    reference = reference if isinstance(reference, dict) else {}
    name = annotations_of(custom).get(SECRET_NAME) or reference.get("name")
    space = reference.get("namespace") or namespace_of(custom)
    if not (name and space):
        return f"{SECRET}: there is no name and namespace for the Secret"
    encoded = {
        str(key): base64.b64encode(str(value).encode()).decode()
        for key, value in data.items()
    }
    seen = index.get(Key("secrets", space, str(name)))
    if seen is None:
        metadata: Manifest = {"name": str(name), "namespace": space}
        if space == namespace_of(custom) or not namespace_of(custom):
            metadata["ownerReferences"] = [
                {
                    "apiVersion": custom["apiVersion"],
                    "kind": custom["kind"],
                    "name": name_of(custom),
                    "uid": uid_of(custom),
                }
            ]
        made = {"metadata": metadata, "type": "Opaque", "data": encoded}
        return Write(verb=Verb.CREATE, resource="secrets", object=made, manager=MANAGER)
    if seen.object.get("data") == encoded:
        return None
    return update("secrets", seen.object | {"data": encoded}, MANAGER)


def _has_status(definition: Manifest, custom: Manifest) -> bool:
    """Whether the version of a custom object has a status of its own."""
    version = str(custom["apiVersion"]).rpartition("/")[2]
    return any(
        "status" in (one.get("subresources") or {})
        for one in definition["spec"]["versions"]
        if one["name"] == version
    )

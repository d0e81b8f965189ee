"""OpenAPI documents for kubectl: the published types, without the operations' prose."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
from importlib import resources as package_files
from typing import Any

from gitops_wf.sandbox.http.answers import Answer, encode
from gitops_wf.sandbox.resources import Resource, ResourceTable

_PATCHES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


@functools.cache
def _definitions() -> dict[str, Any]:
    path = package_files.files("gitops_wf.sandbox") / "data" / "openapi.json.gz"
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def answer(path: str, table: ResourceTable) -> Answer:
    """`/openapi/v3`, its documents and `/openapi/v2`."""
    if path == "/openapi/v2":
        return Answer(200, encode(_version_two(table)))
    if path == "/openapi/v3":
        return Answer(200, encode(_index(table)), "text/plain; charset=utf-8")
    parts = path.removeprefix("/openapi/v3/").split("/")
    if parts[0] == "api" and len(parts) == 2:
        group, version = "", parts[1]
    elif parts[0] == "apis" and len(parts) == 3:
        group, version = parts[1], parts[2]
    else:
        return Answer(404, b"", "text/plain; charset=utf-8")
    if not table.of_version(group, version):
        return Answer(404, b"", "text/plain; charset=utf-8")
    return Answer(200, encode(_version_three(table, group, version)))


def _index(table: ResourceTable) -> dict[str, Any]:
    paths = {}
    for group in table.groups():
        for version in group.versions:
            name = f"apis/{group.name}/{version}" if group.name else f"api/{version}"
            kinds = ",".join(one.kind for one in table.of_version(group.name, version))
            digest = hashlib.sha256(f"{name} {kinds}".encode()).hexdigest().upper()
            url = f"/openapi/v3/{name}?hash={digest}"
            paths[name] = {"serverRelativeURL": url}
    return {"paths": paths}


def _root(resource: Resource) -> str:
    base = f"/apis/{resource.group}" if resource.group else "/api"
    space = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"{base}/{resource.version}{space}/{resource.plural}"


def _kind(resource: Resource) -> dict[str, str]:
    return {
        "group": resource.group,
        "kind": resource.kind,
        "version": resource.version,
    }


def _paths(resources: list[Resource], *, three: bool) -> dict[str, Any]:
    """The operations that kubectl looks at: which options a write understands."""
    found: dict[str, Any] = {}
    for resource in resources:
        write = _operation(resource, three=three)
        found[_root(resource)] = {"post": write}
        patch = dict(write)
        if three:
            body = {one: {"schema": {"type": "object"}} for one in _PATCHES}
            patch["requestBody"] = {"content": body, "required": True}
        else:
            patch["consumes"] = list(_PATCHES)
        found[_root(resource) + "/{name}"] = {"put": write, "patch": patch}
    return found


def _operation(resource: Resource, *, three: bool) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    for name in ("dryRun", "fieldManager", "fieldValidation"):
        one: dict[str, Any] = {"name": name, "in": "query"}
        if three:
            one["schema"] = {"type": "string", "uniqueItems": True}
        else:
            one |= {"type": "string", "uniqueItems": True}
        parameters.append(one)
    return {
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-group-version-kind": _kind(resource),
    }


def _version_two(table: ResourceTable) -> dict[str, Any]:
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "1.36"},
        "paths": _paths([one for one in table if not one.custom], three=False),
        "definitions": _definitions(),
    }


def _version_three(table: ResourceTable, group: str, version: str) -> dict[str, Any]:
    resources = table.of_version(group, version)
    wanted = {one.kind for one in resources}
    definitions = _definitions()
    roots = [
        name
        for name, definition in definitions.items()
        if any(
            kind["group"] == group
            and kind["version"] == version
            and (kind["kind"] in wanted or kind["kind"].removesuffix("List") in wanted)
            for kind in definition.get("x-kubernetes-group-version-kind", ())
        )
    ]
    schemas: dict[str, Any] = {}
    _collect(roots, definitions, schemas)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.2"},
        "paths": _paths(resources, three=True),
        "components": {"schemas": schemas},
    }


def _collect(
    names: list[str], definitions: dict[str, Any], into: dict[str, Any]
) -> None:
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in into:
            continue
        into[name] = _translated(definitions[name], waiting)


def _translated(value: Any, waiting: list[str]) -> Any:
    """A definition with its references pointing where version 3 keeps them."""
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            name = reference.removeprefix("#/definitions/")
            waiting.append(name)
            rest = {
                key: _translated(one, waiting)
                for key, one in value.items()
                if key != "$ref"
            }
            return {**rest, "allOf": [{"$ref": f"#/components/schemas/{name}"}]}
        return {key: _translated(one, waiting) for key, one in value.items()}
    if isinstance(value, list):
        return [_translated(one, waiting) for one in value]
    return value

"""Discovery documents, the version, and what kubectl reads before anything else."""

from __future__ import annotations

from typing import Any

from gitops_wf.sandbox.resources import Group, Resource, ResourceTable
from gitops_wf.sandbox.statuses import resource_not_found

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERSION = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "gitops-wf-sandbox",
    "gitTreeState": "clean",
    "buildDate": "2026-06-09T00:00:00Z",
    "goVersion": "python",
    "compiler": "gc",
    "platform": "linux/amd64",
}


def wants_aggregated(accept: str) -> bool | None:
    """Whether the client asks for aggregated discovery; None: only in other versions.

    The plain documents are given to whoever also takes plain JSON.
    """
    other = False
    for clause in accept.split(","):
        parts = {part.strip() for part in clause.split(";")}
        if "as=APIGroupDiscoveryList" in parts:
            if "v=v2" in parts:
                return True
            other = True
        elif parts & {"application/json", "*/*", "application/*"}:
            return False
    return None if other else False


def versions(address: str) -> dict[str, Any]:
    """`/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [
            {"clientCIDR": "0.0.0.0/0", "serverAddress": address}
        ],
    }


def _group(group: Group) -> dict[str, Any]:
    found = [
        {"groupVersion": f"{group.name}/{version}", "version": version}
        for version in group.versions
    ]
    return {"name": group.name, "versions": found, "preferredVersion": found[0]}


def groups(table: ResourceTable) -> dict[str, Any]:
    """`/apis`."""
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(one) for one in table.groups() if one.name],
    }


def group(table: ResourceTable, name: str) -> dict[str, Any]:
    """`/apis/GROUP`."""
    for one in table.groups():
        if one.name == name and name:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(one)}
    raise resource_not_found()


def resources(table: ResourceTable, name: str, version: str) -> dict[str, Any]:
    """`/api/v1` and `/apis/GROUP/VERSION`."""
    listed: list[dict[str, Any]] = []
    for resource in table.of_version(name, version):
        listed += _described(resource)
    if not any(one.custom for one in table.of_version(name, version)):
        listed.sort(key=lambda one: one["name"])
    head: dict[str, Any] = {"kind": "APIResourceList"}
    if name:
        head["apiVersion"] = "v1"
    head["groupVersion"] = f"{name}/{version}" if name else version
    return {**head, "resources": listed}


def _described(resource: Resource) -> list[dict[str, Any]]:
    entry = resource.discovery
    main: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        main["shortNames"] = list(resource.short_names)
    if resource.categories:
        main["categories"] = list(resource.categories)
    if "storageVersionHash" in entry:
        main["storageVersionHash"] = entry["storageVersionHash"]
    found = [main]
    for sub in entry.get("subresources", ()):
        kind = sub["responseKind"]
        described: dict[str, Any] = {
            "name": f"{resource.plural}/{sub['subresource']}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind["kind"],
            "verbs": sub["verbs"],
        }
        if kind.get("version"):
            described["group"] = kind.get("group", "")
            described["version"] = kind["version"]
        found.append(described)
    return found


def aggregated(table: ResourceTable, *, core: bool) -> dict[str, Any]:
    """`/api` or `/apis` as one APIGroupDiscoveryList."""
    items = []
    for one in table.groups():
        if bool(one.name) is core:
            continue
        found = []
        for version in one.versions:
            listed = [
                {k: v for k, v in res.discovery.items() if k != "storageVersionHash"}
                for res in table.of_version(one.name, version)
            ]
            found.append(
                {"version": version, "resources": listed, "freshness": "Current"}
            )
        meta = {"name": one.name} if one.name else {}
        items.append({"metadata": meta, "versions": found})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }

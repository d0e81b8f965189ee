"""A Table of objects: columns of the kind, a row each, the objects as asked for."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Sequence
from datetime import datetime
from importlib import resources as package_files
from typing import Any, Literal

from gitops_wf.sandbox.objects import Manifest, metadata, name_of
from gitops_wf.sandbox.resources import Column, Resource
from gitops_wf.sandbox.tables.ages import UNKNOWN, since
from gitops_wf.sandbox.tables.cells import CELLS
from gitops_wf.sandbox.tables.paths import find
from gitops_wf.sandbox.tables.pods import pod_row_conditions

IncludeObject = Literal["Metadata", "Object", "None"]

_PLAIN_COLUMNS = [
    {
        "name": "Name",
        "type": "string",
        "format": "name",
        "description": "Name must be unique within a namespace.",
        "priority": 0,
    },
    {
        "name": "Created At",
        "type": "date",
        "format": "",
        "description": "The time at which the server created this object.",
        "priority": 0,
    },
]


_NAME_TEXT = (
    "Name must be unique within a namespace. Is required when creating resources, "
    "although some resources may allow a client to request the generation of an "
    "appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_PATH_TEXT = "Custom resource definition column (in JSONPath format): "
_AGE = Column(
    name="Age",
    type="date",
    format="",
    description=(
        "CreationTimestamp is a timestamp representing the server time when this "
        "object was created. It is not guaranteed to be set in happens-before order "
        "across separate operations. Clients may not set this value. It is represented "
        "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null "
        "for lists. More info: https://git.k8s.io/community/contributors/devel/"
        "sig-architecture/api-conventions.md#metadata"
    ),
    priority=0,
    path=".metadata.creationTimestamp",
)


@functools.cache
def _recorded_columns() -> dict[str, list[dict[str, Any]]]:
    path = package_files.files("gitops_wf.sandbox") / "data" / "columns.json.gz"
    found: dict[str, list[dict[str, Any]]] = json.loads(
        gzip.decompress(path.read_bytes())
    )
    return found


def partial(manifest: Manifest) -> Manifest:
    """The metadata of an object alone."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": manifest.get("metadata") or {},
    }


def _columns(resource: Resource) -> list[dict[str, Any]]:
    if resource.qualified not in CELLS:
        return _custom_columns(resource)
    return _recorded_columns()[resource.qualified]


def _custom_columns(resource: Resource) -> list[dict[str, Any]]:
    if not resource.custom:
        return _PLAIN_COLUMNS
    return [
        {**_PLAIN_COLUMNS[0], "description": _NAME_TEXT},
        *(
            {
                "name": one.name,
                "type": one.type,
                "format": one.format,
                "description": one.description or _PATH_TEXT + one.path,
                "priority": one.priority,
            }
            for one in resource.columns or (_AGE,)
        ),
    ]


def _custom_cells(resource: Resource, manifest: Manifest, now: datetime) -> list[Any]:
    cells: list[Any] = [name_of(manifest)]
    for column in resource.columns or (_AGE,):
        found = find(manifest, column.path)
        value = found[0] if found else None
        if column.type == "date":
            cells.append(since(value, now) if isinstance(value, str) else None)
        elif isinstance(value, dict | list):
            cells.append(json.dumps(value, separators=(",", ":")))
        elif column.type == "string" and value is not None:
            cells.append(",".join(str(one) for one in found))
        else:
            cells.append(value)
    return cells


def _cells(resource: Resource, manifest: Manifest, now: datetime) -> list[Any]:
    known = CELLS.get(resource.qualified)
    if known is not None:
        return known(manifest, now)
    if resource.custom:
        return _custom_cells(resource, manifest, now)
    return [name_of(manifest), metadata(manifest).get("creationTimestamp")]


def _row(
    resource: Resource, manifest: Manifest, now: datetime, include: IncludeObject
) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": _cells(resource, manifest, now)}
    if resource.qualified == "pods":
        conditions = pod_row_conditions(manifest)
        if conditions:
            row["conditions"] = conditions
    match include:
        case "Metadata":
            row["object"] = partial(_internal(resource, manifest))
        case "Object":
            row["object"] = manifest
        case "None":
            row["object"] = None
    return row


def _internal(resource: Resource, manifest: Manifest) -> Manifest:
    """The object as Tables are made of it, before its version is converted to."""
    if resource.qualified != "daemonsets.apps":
        return manifest
    meta = {**metadata(manifest)}
    kept = {
        key: value
        for key, value in (meta.pop("annotations", None) or {}).items()
        if key != "deprecated.daemonset.template.generation"
    }
    if kept:
        meta["annotations"] = kept
    return {**manifest, "metadata": meta}


def _head(
    list_metadata: dict[str, Any], columns: list[dict[str, Any]] | None
) -> dict[str, Any]:
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_metadata,
        "columnDefinitions": columns,
    }


def table(
    resource: Resource,
    manifests: Sequence[Manifest],
    *,
    now: datetime,
    list_metadata: dict[str, Any],
    include: IncludeObject = "Metadata",
    columns: bool = True,
) -> dict[str, Any]:
    """A Table; without columns for all but the first event of a watch."""
    return {
        **_head(list_metadata, _columns(resource) if columns else None),
        "rows": [_row(resource, one, now, include) for one in manifests],
    }


def bookmark_table(
    resource: Resource, bookmark: Manifest, *, columns: bool, include: IncludeObject
) -> dict[str, Any]:
    """A bookmark as a Table: one row of empty cells."""
    definitions = _columns(resource)
    empty: dict[str, Any] = {"integer": 0, "boolean": False}
    cells: list[Any] = [
        UNKNOWN
        if column["name"] in ("Age", "Last Seen", "First Seen")
        else empty.get(column["type"], "")
        for column in definitions
    ]
    if resource.qualified in ("configmaps", "secrets"):
        # Their Data column is declared a string and holds a number.
        cells = [
            0 if column["name"] == "Data" else cell
            for column, cell in zip(definitions, cells, strict=True)
        ]
    row: dict[str, Any] = {"cells": cells, "object": None}
    if include == "Metadata":
        row["object"] = partial(bookmark)
    elif include == "Object":
        row["object"] = bookmark
    meta = {"resourceVersion": metadata(bookmark).get("resourceVersion", "")}
    return {**_head(meta, definitions if columns else None), "rows": [row]}

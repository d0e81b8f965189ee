"""Answers: the encoding of objects, errors and forms of the asked representation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import yaml

from gitops_wf.sandbox.http.negotiation import Representation
from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import ApiError, bad_request
from gitops_wf.sandbox.tables.render import IncludeObject, partial, table

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(slots=True)
class Answer:
    """A whole answer."""

    code: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    revision: str = ""


class _Dumper(yaml.SafeDumper):
    """Writes texts that look like something else in double quotes, as Go does."""

    def choose_scalar_style(self) -> Any:
        style = super().choose_scalar_style()
        return '"' if style == "'" else style

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - its signature
        return True


def encode(value: Any) -> bytes:
    """JSON as it goes over the wire."""
    return (
        json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"
    ).encode()


def structured(code: int, value: Any, shape: Representation) -> Answer:
    """An answer in JSON or YAML."""
    if shape.yaml:
        body = yaml.dump(
            value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True
        )
        return Answer(code, body.encode(), "application/yaml")
    return Answer(code, encode(value))


def text(code: int, body: str) -> Answer:
    """A plain text."""
    return Answer(code, body.encode(), TEXT)


def not_found_text() -> Answer:
    """The 404 of a path of no known group."""
    return text(404, "404 page not found\n")


def failure(error: ApiError) -> Answer:
    """A refusal; always JSON, whatever was asked for."""
    answer = Answer(error.code, encode(error.body()))
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def include_object(asked: str) -> IncludeObject:
    """The includeObject option of a Table; ApiError 400."""
    if asked in ("", "Metadata", "Object", "None"):
        return cast("IncludeObject", asked or "Metadata")
    raise bad_request(
        "Unable to convert to Table as requested: includeObject: Invalid value: "
        f"\"{asked}\": must be 'Metadata', 'Object', 'None', or empty"
    )


def object_form(
    resource: Resource,
    manifest: Manifest,
    shape: Representation,
    *,
    now: datetime,
    include: str,
) -> Mapping[str, Any]:
    """An object in the asked form."""
    match shape.form:
        case "Table":
            meta = {"resourceVersion": manifest["metadata"].get("resourceVersion", "")}
            return table(
                resource,
                [manifest],
                now=now,
                list_metadata=meta,
                include=include_object(include),
            )
        case "PartialObjectMetadata":
            return partial(manifest)
        case "PartialObjectMetadataList":
            raise ApiError(
                406,
                "you requested PartialObjectMetadataList, but the requested object is "
                f"not a list (*{_package(resource)}.{resource.kind})",
                reason="NotAcceptable",
            )
        case "object":
            return manifest


def list_form(
    resource: Resource,
    items: list[Manifest],
    listed: Mapping[str, Any],
    shape: Representation,
    *,
    now: datetime,
    include: str,
) -> Mapping[str, Any]:
    """A list in the asked form; `listed` is the plain List."""
    match shape.form:
        case "Table":
            return table(
                resource,
                items,
                now=now,
                list_metadata=_bare(listed["metadata"]),
                include=include_object(include),
            )
        case "PartialObjectMetadataList":
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": _bare(listed["metadata"]),
                "items": [partial(one) for one in items],
            }
        case "PartialObjectMetadata":
            raise ApiError(
                406,
                "you requested PartialObjectMetadata, but the requested object is a "
                f"list (*{_package(resource)}.{resource.kind_of_list})",
                reason="NotAcceptable",
            )
        case "object":
            return listed


def _bare(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """List metadata without an empty continue token, which only plain lists have."""
    return {key: value for key, value in metadata.items() if value != ""}


def _package(resource: Resource) -> str:
    return resource.group.partition(".")[0] or "core"

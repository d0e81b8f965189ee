"""Request bodies: JSON, YAML 1.1 and protobuf, with the errors of Go's decoders."""

from __future__ import annotations

import json
from typing import Any

import yaml

from gitops_wf.sandbox.fields.decode import Document, json_document, yaml_document
from gitops_wf.sandbox.http.protobuf import decode_envelope
from gitops_wf.sandbox.resources import Resource, ResourceTable
from gitops_wf.sandbox.statuses import ApiError, bad_request
from gitops_wf.sandbox.validation.texts import go_json_error

LIMIT = 3 * 1024 * 1024
_UNKNOWN_FORMAT = (
    "the body of the request was in an unknown format - accepted media types include: "
    "application/json, application/yaml, application/vnd.kubernetes.protobuf"
)
_SCHEME = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"
_TYPE_META = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)


def too_large() -> ApiError:
    """413."""
    return ApiError(
        413,
        "Request entity too large: limit is 3145728",
        reason="RequestEntityTooLarge",
    )


def media_type(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def decode_object(
    raw: bytes, content_type: str, resource: Resource, table: ResourceTable
) -> Document:
    """The object in the body of a POST or PUT; ApiError 400 or 415."""
    media = media_type(content_type)
    if media not in (
        "",
        "application/json",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
    ):
        raise ApiError(415, _UNKNOWN_FORMAT, reason="UnsupportedMediaType")
    if media == "application/vnd.kubernetes.protobuf":
        decoded = Document(value=decode_envelope(raw))
    elif media == "application/yaml":
        decoded = decode_yaml(raw)
    else:
        decoded = _decode_json(raw, resource)
    _check_type(decoded.value, raw, resource, table)
    return decoded


def _unrecognized(resource: Resource, why: str, shown: str) -> ApiError:
    return bad_request(
        f"the object provided is unrecognized (must be of type {resource.kind}): "
        f"couldn't get version/kind; json parse error: {why} ({shown})"
    )


def _decode_json(raw: bytes, resource: Resource) -> Document:
    if not raw.strip():
        raise _unrecognized(resource, "unexpected end of JSON input", "<empty>")
    try:
        return json_document(raw)
    except ValueError:
        text = raw.decode(errors="replace")
        raise _unrecognized(resource, go_json_error(text), _shown(raw)) from None


def _shown(raw: bytes) -> str:
    """A body in an error: as text where it looks like JSON, else in hexadecimal."""
    text = raw.decode(errors="replace")
    if text.lstrip().startswith("{"):
        return text if len(text) <= 1024 else text[:1024] + " ..."
    return raw[:1024].hex()


def _check_type(
    value: Any, raw: bytes, resource: Resource, table: ResourceTable
) -> None:
    if not isinstance(value, dict):
        kind = "array" if isinstance(value, list) else go_type(value)
        why = f"json: cannot unmarshal {kind} into Go value of type {_TYPE_META}"
        raise _unrecognized(resource, why, _shown(raw))
    api_version = value.get("apiVersion") or resource.api_version
    kind = value.get("kind") or resource.kind
    if api_version == resource.api_version and kind == resource.kind:
        return
    if resource.custom:
        raise _other_custom(api_version, kind, resource)
    version = api_version.rpartition("/")[2]
    unable = f'{kind} in version "{version}" cannot be handled as a {resource.kind}'
    if table.by_kind(api_version, kind) is None:
        raise bad_request(
            f'{unable}: no kind "{kind}" is registered for version "{api_version}" in '
            f'scheme "{_SCHEME}"'
        )
    group = resource.group.partition(".")[0] or "core"
    raise bad_request(
        f"{unable}: converting (v1.{kind}) to ({group}.{resource.kind}): unknown "
        "conversion"
    )


def _other_custom(api_version: str, kind: str, resource: Resource) -> ApiError:
    if api_version != resource.api_version:
        return bad_request(
            f"the API version in the data ({api_version}) does not match the expected "
            f"API version ({resource.api_version})"
        )
    return bad_request(
        f"the kind in the data ({kind}) does not match the expected kind "
        f"({resource.kind})"
    )


def go_type(value: Any) -> str:
    """The JSON type of a value in the words of Go."""
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "null"


def decode_apply(raw: bytes) -> Document:
    """The YAML or JSON body of an apply; ApiError 400 where it does not parse."""
    document = decode_yaml(raw)
    if not isinstance(document.value, dict):
        kind = go_type(document.value)
        raise bad_request(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: "
            f"cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        )
    return document


def decode_yaml(raw: bytes) -> Document:
    """YAML data; ApiError 400 where it does not parse."""
    try:
        return yaml_document(raw)
    except yaml.YAMLError as exc:
        raise bad_request(f"error decoding YAML: {_yaml_error(exc)}") from None


def _yaml_error(exc: yaml.YAMLError) -> str:
    mark = getattr(exc, "problem_mark", None)
    problem = getattr(exc, "problem", None) or "could not be parsed"
    line = mark.line + 1 if mark is not None else 1
    if problem.startswith("expected the node content"):
        # libyaml's words for what PyYAML says longer.
        problem = "did not find expected node content"
    return f"error converting YAML to JSON: yaml: line {line}: {problem}"


def decode_patch(raw: bytes) -> Any:
    """The JSON body of a patch; ApiError 400 where it does not parse."""
    try:
        return json.loads(raw)
    except ValueError:
        why = go_json_error(raw.decode(errors="replace"))
        raise bad_request(f"error decoding patch: {why}") from None


def decode_delete(raw: bytes, content_type: str) -> dict[str, Any] | None:
    """The DeleteOptions in the body of a DELETE, or None without one."""
    if not raw.strip():
        return None
    media = media_type(content_type)
    if media == "application/vnd.kubernetes.protobuf":
        value = decode_envelope(raw)
    elif media == "application/yaml":
        value = decode_yaml(raw).value
    else:
        try:
            value = json.loads(raw)
        except ValueError:
            why = go_json_error(raw.decode(errors="replace"))
            raise bad_request(
                "couldn't get version/kind; json parse error: " + why
            ) from None
    if not isinstance(value, dict):
        raise bad_request("the body of a delete must be DeleteOptions")
    kind = value.get("kind") or "DeleteOptions"
    if kind != "DeleteOptions":
        version = value.get("apiVersion") or "v1"
        raise bad_request(
            f'no kind "{kind}" is registered for version "{version}" in scheme '
            '"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"'
        )
    return value

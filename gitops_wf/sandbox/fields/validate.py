"""Whether an object can be read as its kind: wrong types and unknown fields.

The texts are those of Go's JSON decoder, which the API server answers with. What a
well-formed built-in object may not hold is not judged here.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

from gitops_wf.sandbox.fields import quantity
from gitops_wf.sandbox.fields.errors import Cause, FieldError, PatchError, bad_request
from gitops_wf.sandbox.fields.patch import json_kind
from gitops_wf.sandbox.fields.schema import Schema
from gitops_wf.sandbox.fields.structural import structural_causes
from gitops_wf.sandbox.fields.typed import go_value

Object = dict[str, Any]

FieldValidation = Literal["", "Strict", "Warn", "Ignore"]
"""The query parameter `fieldValidation`; empty is Warn."""

_SCHEME = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_QUANTITY = (
    "quantities must match the regular expression "
    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


def unknown_fields(obj: Any, schema: Schema) -> list[str]:
    """Paths of fields that the type does not have, in the order of the object.

    Those of a custom resource are sorted. An item is named by its place, as in
    `spec.template.spec.containers[0].imagePullPolicyy`.
    """
    found: list[str] = []
    _unknown(obj, schema, "", found)
    return sorted(found) if schema.custom else found


def _unknown(value: Any, schema: Schema, path: str, found: list[str]) -> None:
    if schema.type == "map" and isinstance(value, dict):
        for name, child in value.items():
            below = f"{path}.{name}" if path else name
            child_type = schema.field_type(name)
            if child_type is None:
                found.append(below)
            elif isinstance(child, dict | list):
                _unknown(child, child_type, below, found)
    elif schema.type == "list" and isinstance(value, list) and schema.items:
        for index, item in enumerate(value):
            _unknown(item, schema.items, f"{path}[{index}]", found)


def decoding_problem(obj: Object, schema: Schema) -> str:
    """Why the object can't be read as its kind, in Go's words; empty if it can.

    The first problem in the order of the object, as Go reports but one.
    """
    if schema.custom:
        metadata = schema.fields["metadata"].schema
        return _problem(obj.get("metadata"), metadata, "ObjectMeta", "metadata")
    return _problem(obj, schema, schema.kind, "")


def _problem(value: Any, schema: Schema, struct: str, path: str) -> str:
    if value is None:
        return ""
    if schema.type == "map":
        if not isinstance(value, dict):
            return _mismatch(value, schema, struct, path)
        own = _struct_name(schema) or struct
        for name, child in value.items():
            child_type = schema.field_type(name)
            if child_type is None:
                continue
            declared = name in schema.fields
            below = (f"{path}.{name}" if path else name) if declared else path
            problem = _problem(child, child_type, own, below)
            if problem:
                return problem
        return ""
    if schema.type == "list":
        if not isinstance(value, list):
            return _mismatch(value, schema, struct, path)
        items = schema.items or Schema()
        problems = (_problem(item, items, struct, path) for item in value)
        return next((problem for problem in problems if problem), "")
    if schema.type == "scalar":
        return _scalar_problem(value, schema, struct, path)
    return ""


def _scalar_problem(value: Any, schema: Schema, struct: str, path: str) -> str:
    if schema.form == "quantity":
        return "" if quantity.is_quantity(value) else _QUANTITY
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if schema.form == "int-or-string":
        fits = isinstance(value, str) or (number and isinstance(value, int))
    elif schema.scalar == "numeric":
        whole = schema.format in {"int32", "int64"}
        fits = number and (not whole or value == int(value))
    elif schema.scalar == "boolean":
        fits = isinstance(value, bool)
    elif schema.scalar == "string":
        fits = isinstance(value, str)
        if fits and schema.format == "byte":
            return _base64_problem(value)
    else:
        fits = not isinstance(value, dict | list)
    return "" if fits else _mismatch(value, schema, struct, path)


def _mismatch(value: Any, schema: Schema, struct: str, path: str) -> str:
    return (
        f"json: cannot unmarshal {json_kind(value)} into Go struct field "
        f"{struct}.{path} of type {_go_type(schema)}"
    )


def _struct_name(schema: Schema) -> str:
    return schema.kind or schema.definition.rpartition(".")[2]


def _go_type(schema: Schema) -> str:
    if schema.type == "list":
        return f"[]{_go_type(schema.items or Schema())}"
    if schema.type == "map":
        if schema.definition:
            return ".".join(schema.definition.split(".")[-2:])
        return f"map[string]{_go_type(schema.values or Schema())}"
    if schema.scalar == "numeric":
        return schema.format if schema.format.startswith("int") else "float64"
    if schema.scalar == "boolean":
        return "bool"
    return "[]uint8" if schema.format == "byte" else "string"


def _base64_problem(text: str) -> str:
    at = _corrupt_at(text)
    return "" if at is None else f"illegal base64 data at input byte {at}"


def _corrupt_at(text: str) -> int | None:
    """Where Go's encoding/base64 stops reading; None if the text is well-formed."""
    raw = text.encode()
    quantum = 0
    for at, byte in enumerate(raw):
        if byte in b"\r\n":
            continue
        if byte == ord("="):
            return _bad_padding(raw, at, quantum)
        if byte not in _BASE64:
            return at
        quantum = (quantum + 1) % 4
    return len(raw) - quantum if quantum else None


def _bad_padding(raw: bytes, at: int, quantum: int) -> int | None:
    if quantum < 2:
        return at
    rest = [place for place in range(at + 1, len(raw)) if raw[place] not in b"\r\n"]
    if quantum == 2:
        if not rest:
            return len(raw)
        if raw[rest[0]] != ord("="):
            return rest[0] - 1
        rest = rest[1:]
    return rest[0] if rest else None


def strict_problem(duplicates: Sequence[str], unknown: Sequence[str]) -> str:
    """`strict decoding error: unknown field "x"`; empty if there is nothing."""
    lines = [text for text in duplicates if text.startswith("line ")]
    # What a YAML reader finds is one error of several lines.
    yaml = ["\n  ".join(["yaml: unmarshal errors:", *lines])] if lines else []
    fields = [text for text in duplicates if text not in lines]
    parts = [*yaml, *fields, *(f'unknown field "{path}"' for path in unknown)]
    return f"strict decoding error: {', '.join(parts)}" if parts else ""


def validate(obj: Object, schema: Schema, old: Object | None = None) -> list[Cause]:
    """What is wrong with a custom resource by its schema, for a 422 Status.

    Built-in kinds have rules of their own beside their types; none of them are here.
    """
    if not schema.custom:
        return []
    return structural_causes(obj, schema.openapi, old)


def check_decoding(
    obj: Object,
    schema: Schema,
    *,
    validation: FieldValidation = "",
    duplicates: Sequence[str] = (),
) -> list[str]:
    """Warnings of a POST or PUT body (`unknown field "x"`), in their order.

    Raises FieldError 400 where it can't be read, and under Strict for what would
    else be a warning.
    """
    problem = decoding_problem(obj, schema)
    if problem:
        raise _cannot_be_handled(schema, problem)
    if validation == "Ignore":
        return []
    unknown = unknown_fields(obj, schema)
    if validation == "Strict":
        strict = strict_problem(duplicates, unknown)
        if strict:
            raise _cannot_be_handled(schema, strict)
        return []
    return [*duplicates, *(f'unknown field "{path}"' for path in unknown)]


def check_applied(applied: Object, schema: Schema) -> None:
    """Raise FieldError 500 where what was applied fits its types and yet can't be read.

    So the server answers an apply of text that is no base64, or no quantity.
    """
    problem = "" if schema.custom else decoding_problem(applied, schema)
    if not problem:
        return
    metadata = applied.get("metadata") or {}
    name = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
    version = schema.api_version
    kind = f"{version if '/' in version else f'/{version}'}, Kind={schema.kind}"
    if problem != _QUANTITY:
        problem = f"error decoding from json: {problem}"
    raise FieldError(
        f"failed to convert new object ({name}; {kind}) to proper version: unable to "
        f"convert unstructured object to {kind}: {problem}"
    )


def _cannot_be_handled(schema: Schema, problem: str) -> FieldError:
    version = schema.api_version.rpartition("/")[2]
    return bad_request(
        f'{schema.kind} in version "{version}" cannot be handled as a '
        f"{schema.kind}: {problem}"
    )


def check_patched(
    patched: Object,
    schema: Schema,
    known: Callable[[str, str], Schema | None],
    *,
    patch: Any = None,
    validation: FieldValidation = "",
) -> list[str]:
    """Warnings of the result of a JSON, merge or strategic merge patch.

    `patch` is that of a strategic merge patch, whose errors show the patch instead of
    the result; `known` finds the type of an apiVersion and kind. Raises PatchError
    (422) where the result can't be read as what its apiVersion and kind now say it
    is, and under Strict for unknown fields.
    """
    api_version, kind = patched.get("apiVersion"), patched.get("kind")
    if (api_version, kind) != (schema.api_version, schema.kind):
        other = known(str(api_version), str(kind))
        if other is None:
            raise PatchError(
                _shown(patched, patch),
                f'no kind "{kind}" is registered for version "{api_version}" in '
                f'scheme "{_SCHEME}"',
            )
        schema = other
    problem = decoding_problem(patched, schema)
    unknown = [] if validation == "Ignore" else unknown_fields(patched, schema)
    if not problem and validation == "Strict":
        problem = strict_problem((), unknown)
    if problem:
        raise PatchError(_shown(patched, patch), problem)
    return [f'unknown field "{path}"' for path in unknown]


def _shown(patched: Object, patch: Any) -> str:
    if patch is not None:
        return go_value(patch)
    return json.dumps(patched, separators=(",", ":"), ensure_ascii=False)

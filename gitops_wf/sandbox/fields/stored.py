"""The form in which the server keeps an object: what Go makes of the JSON it was sent.

A built-in object passes through a Go struct, so unknown fields and nulls are gone,
empty lists and maps too, structs are always there, and quantities are canonical.
"""

from typing import Any

from gitops_wf.sandbox.fields import quantity
from gitops_wf.sandbox.fields.schema import Empty, Field, Schema

Object = dict[str, Any]

_ZERO = {"string": "", "numeric": 0, "boolean": False}


def stored_form(obj: Object, schema: Schema) -> Object:
    """A copy of the object as it is stored, before defaults.

    A custom resource keeps what its schema knows (pruning), and nulls where the schema
    says nullable.
    """
    out: Object = _pruned(obj, schema) if schema.custom else _map(obj, schema)
    out["apiVersion"], out["kind"] = schema.api_version, schema.kind
    metadata = obj.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") == []:
        # An empty list asks for a reset, where none at all does not.
        out["metadata"]["managedFields"] = []
    return out


def empty_object(schema: Schema) -> Object:
    """What the server compares a new object with."""
    if schema.custom:
        return {"apiVersion": schema.api_version, "kind": schema.kind}
    return stored_form({}, schema)


def _pruned(value: Any, schema: Schema) -> Any:
    if schema.type == "map" and isinstance(value, dict):
        metadata = schema.fields.get("metadata")
        out = {}
        for name, child in value.items():
            child_type = schema.field_type(name)
            if child_type is None or _dropped_null(child, child_type):
                continue
            if metadata is not None and child_type is metadata.schema:
                out[name] = _map(child if isinstance(child, dict) else {}, child_type)
            else:
                out[name] = _pruned(child, child_type)
        return out
    if schema.type == "list" and isinstance(value, list) and schema.items:
        return [_pruned(item, schema.items) for item in value]
    return _copied(value)


def _dropped_null(value: Any, schema: Schema) -> bool:
    return value is None and schema.type != "any" and not schema.nullable


def _copied(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)  # as Go writes it
    if isinstance(value, dict):
        return {name: _copied(child) for name, child in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _map(obj: Object, schema: Schema) -> Object:
    out: Object = {}
    for name, prop in schema.fields.items():
        if name in obj:
            _field(out, name, obj[name], prop)
        elif prop.empty in {Empty.STRUCT, Empty.WRITTEN}:
            out[name] = _zero(prop)
    if schema.values is not None:
        for name, value in obj.items():
            if name not in schema.fields:
                made = _value(value, schema.values)
                # A null in a map of strings is Go's zero value.
                out[name] = _ZERO.get(schema.values.scalar) if made is None else made
    return out


def _field(out: Object, name: str, value: Any, prop: Field) -> None:
    made = _value(value, prop.schema)
    if prop.empty is Empty.POINTER:
        if made is not None:
            out[name] = made
    elif prop.empty is Empty.OMIT:
        if made or (made == 0 and prop.schema.form in {"int-or-string", "quantity"}):
            out[name] = made
    elif prop.empty is Empty.ZERO:
        if made:
            out[name] = made
    else:
        out[name] = _zero(prop) if made is None else made


def _zero(prop: Field) -> Any:
    schema = prop.schema
    if schema.type == "map":
        return _map({}, schema) if prop.empty is Empty.STRUCT else None
    if schema.form == "quantity":
        return "0"
    if schema.form == "int-or-string":
        return 0
    if schema.type == "scalar" and schema.form != "time":
        return _ZERO.get(schema.scalar)
    return None


def _value(value: Any, schema: Schema) -> Any:
    if value is None:
        return None
    if schema.type == "map":
        return _map(value, schema) if isinstance(value, dict) else value
    if schema.type == "list":
        if not isinstance(value, list) or schema.items is None:
            return value
        return [_item(item, schema.items) for item in value]
    if schema.form == "quantity":
        return quantity.canonical(value)
    return _copied(value)


def _item(item: Any, schema: Schema) -> Any:
    if item is None:
        return _map({}, schema) if schema.type == "map" else _ZERO.get(schema.scalar)
    return _value(item, schema)

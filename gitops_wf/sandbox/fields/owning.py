"""The fields that a value is made of, and a value without some of them."""

from typing import Any

from gitops_wf.sandbox.fields import fieldset
from gitops_wf.sandbox.fields.fieldset import Fields
from gitops_wf.sandbox.fields.schema import Schema
from gitops_wf.sandbox.fields.typed import atom, by_element, is_atomic, item_element


def to_fields(schema: Schema, value: Any) -> Fields:
    """The fields that a manager who applies this value owns."""
    return _owned(schema, value)[1]


def _owned(schema: Schema, value: Any) -> tuple[bool, Fields]:
    """Whether the value is a field of its own, and the fields below it."""
    form = atom(schema, value)
    if form == "scalar" or is_atomic(schema, form):
        return True, {}
    out: Fields = {}
    if form == "map" and isinstance(value, dict):
        for name, child in value.items():
            child_type = schema.field_type(name)
            if child_type is None:
                continue
            member, below = _owned(child_type, child)
            declared = name in schema.fields
            member = member or child is None or child == {} or not declared
            node = fieldset.node_of(below, member=member)
            if node is not None:
                out[f"f:{name}"] = node
    elif form == "list" and isinstance(value, list):
        for element, items in by_element(schema, value).items():
            if len(items) > 1:
                out[element] = {}
                continue
            _, below = _owned(schema.items or schema, items[0])
            out[element] = {".": {}, **below} if below else {}
    return False, out


def remove(schema: Schema, value: Any, fields: Fields) -> Any:
    """The value without these fields; null where a map or list lost everything."""
    form = atom(schema, value)
    if form == "scalar":
        return value
    if is_atomic(schema, form) or not value:
        return None
    if form == "map":
        out = {}
        for name, child in value.items():
            node = fields.get(f"f:{name}")
            if node is None:
                out[name] = child
            elif not fieldset.is_member(node):
                out[name] = remove(schema.field_type(name) or schema, child, node)
        return out or None
    kept = []
    for item in value:
        node = fields.get(item_element(schema, item))
        if node is None:
            kept.append(item)
        elif not fieldset.is_member(node):
            kept.append(remove(schema.items or schema, item, node))
    return kept or None


def with_named(schema: Schema, fields: Fields) -> Fields:
    """The set and the declared fields on the way to its members.

    A set made of `a.b.c` then holds `a` as well, if `a` is a declared field; so an
    object that is left without anything in it goes along (EnsureNamedFieldsAreMembers).
    """
    out: Fields = {}
    for element, node in fields.items():
        below = fieldset.children(node)
        if not below:
            out[element] = node
            continue
        named = element.startswith("f:") and element[2:] in schema.fields
        if element.startswith("f:"):
            child = schema.field_type(element[2:])
        else:
            child = schema.items
        inner = with_named(child or schema, below)
        made = fieldset.node_of(inner, member=named or fieldset.is_member(node))
        out[element] = made if made is not None else {}
    return out

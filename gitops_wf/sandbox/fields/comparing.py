"""What changed between two objects (structured-merge-diff, compare.go)."""

from typing import Any

from gitops_wf.sandbox.fields.fieldset import Fields
from gitops_wf.sandbox.fields.schema import Schema
from gitops_wf.sandbox.fields.typed import MISSING, atom, by_element, is_atomic, same

Difference = tuple[Fields, Fields, Fields]
"""Fields that were removed, modified, added."""


def compare(schema: Schema, left: Any, right: Any) -> Difference:
    """What changed from left to right."""
    removed: Fields = {}
    modified: Fields = {}
    added: Fields = {}
    _compare_maps(schema, left, right, (removed, modified, added))
    return removed, modified, added


def _compare(
    schema: Schema, element: str, left: Any, right: Any, into: Difference
) -> None:
    if left is MISSING or right is MISSING:
        node = _all_fields(schema, left if right is MISSING else right)
        into[0 if right is MISSING else 2][element] = node
        return
    if left is right:
        return
    form = atom(schema, right if right is not None else left)
    if form == "scalar" or is_atomic(schema, form) or (not left and not right):
        if not same(left, right):
            into[1][element] = {}
        return
    below: Difference = ({}, {}, {})
    if form == "map":
        _compare_maps(schema, left, right, below)
    else:
        _compare_lists(schema, left, right, below)
    for whole, part in zip(into, below, strict=True):
        if part:
            whole[element] = part


def _compare_maps(schema: Schema, left: Any, right: Any, into: Difference) -> None:
    ours: dict[str, Any] = left if isinstance(left, dict) else {}
    theirs: dict[str, Any] = right if isinstance(right, dict) else {}
    for name in ours | theirs:
        child = schema.field_type(name)
        if child is None:
            continue
        _compare(
            child,
            f"f:{name}",
            ours.get(name, MISSING),
            theirs.get(name, MISSING),
            into,
        )


def _compare_lists(schema: Schema, left: Any, right: Any, into: Difference) -> None:
    items = schema.items or schema
    ours = by_element(schema, left if isinstance(left, list) else [])
    theirs = by_element(schema, right if isinstance(right, list) else [])
    for element in ours | theirs:
        mine, other = ours.get(element, []), theirs.get(element, [])
        if len(mine) <= 1 and len(other) <= 1:
            before = mine[0] if mine else MISSING
            after = other[0] if other else MISSING
            _compare(items, element, before, after, into)
        elif len(mine) > 1 and len(other) > 1:
            if not same(mine, other):
                into[1][element] = {}
        elif len(mine) > 1:
            if other:
                _compare(items, element, MISSING, other[0], into)
            into[0][element] = {}
        else:
            if mine:
                _compare(items, element, mine[0], MISSING, into)
            into[2][element] = {}


def _all_fields(schema: Schema, value: Any) -> Fields:
    """A node with every field of a value that is new or gone as a whole."""
    form = atom(schema, value)
    if not value or form == "scalar" or is_atomic(schema, form):
        return {}
    out: Fields = {".": {}}
    if form == "map" and isinstance(value, dict):
        for name, child in value.items():
            child_type = schema.field_type(name)
            if child_type is not None:
                out[f"f:{name}"] = _all_fields(child_type, child)
    elif form == "list" and isinstance(value, list):
        for element, items in by_element(schema, value).items():
            one = len(items) == 1
            out[element] = _all_fields(schema.items or schema, items[0]) if one else {}
    return out

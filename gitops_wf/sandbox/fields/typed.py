"""Objects seen through their schema: checked, listed, merged, compared and pruned.

The rules are those of structured-merge-diff v6 (its package `typed`): an atomic map or
list is one field, an associative list is merged by its keys, a null or empty map or
list meets the other side as a leaf.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, Final, Literal

from gitops_wf.sandbox.fields import fieldset
from gitops_wf.sandbox.fields.fieldset import Fields
from gitops_wf.sandbox.fields.schema import Schema


class _Missing(Enum):
    MISSING = 0


MISSING: Final = _Missing.MISSING
"""No value at all, where None is JSON's null."""

Violation = tuple[str, str]
"""A path (`.spec.replicas`) and what is wrong there."""


class KeyFieldError(ValueError):
    """A list item that has no place in an associative list."""


def item_element(schema: Schema, item: Any) -> str:
    """The path element of an item of an associative list."""
    if not schema.keys:
        if isinstance(item, dict):
            raise KeyFieldError(
                "associative list without keys has an element that's a map type"
            )
        if isinstance(item, list):
            raise KeyFieldError(
                "not supported: associative list with lists as elements"
            )
        if item is None:
            raise KeyFieldError(
                "associative list without keys has an element that's an explicit null"
            )
        return fieldset.value_element(item)
    if item is None:
        raise KeyFieldError("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise KeyFieldError("associative list with keys may not have non-map elements")
    keys = {}
    declared = schema.items.fields if schema.items else {}
    for name in schema.keys:
        if name in item:
            keys[name] = item[name]
        elif name in declared and declared[name].default is not None:
            keys[name] = declared[name].default
    if not keys:
        names = " ".join(f'"{name}"' for name in schema.keys)
        raise KeyFieldError(
            "associative list with keys has an element that omits all key fields "
            f"[{names}] (and doesn't have default values for any key fields)"
        )
    return fieldset.key_element(keys)


def atom(schema: Schema, value: Any) -> Literal["map", "list", "scalar"]:
    """Which form of the type a value is seen as; `any` follows the value."""
    if schema.type != "any":
        return schema.type
    if isinstance(value, list):
        return "list"
    return "map" if isinstance(value, dict) or value is None else "scalar"


def is_atomic(schema: Schema, form: str) -> bool:
    """Whether a value of this type is one field, whatever is in it."""
    if schema.type == "any":
        return form == "list" or schema.atomic
    return schema.atomic


def violations(
    schema: Schema, value: Any, *, duplicates: bool = False
) -> Iterator[Violation]:
    """Why a value is not of the type, each with its path."""
    form = atom(schema, value)
    if value is None:
        return
    if form == "scalar":
        problem = _scalar_problem(schema, value)
        if problem:
            yield "", problem
    elif form == "map":
        if not isinstance(value, dict):
            yield "", f"expected map, got {go_value(value)}"
            return
        for name, child in value.items():
            child_type = schema.field_type(name)
            if child_type is None:
                yield f".{name}", "field not declared in schema"
                continue
            for path, problem in violations(child_type, child, duplicates=duplicates):
                yield f".{name}{path}", problem
    elif not isinstance(value, list):
        yield "", f"expected list, got {go_value(value)}"
    else:
        yield from _list_violations(schema, value, duplicates=duplicates)


def _list_violations(
    schema: Schema, value: Sequence[Any], *, duplicates: bool
) -> Iterator[Violation]:
    items = schema.items or schema
    associative = not is_atomic(schema, "list")
    seen = set()
    for index, item in enumerate(value):
        element = f"i:{index}"
        if associative:
            try:
                element = item_element(schema, item)
            except KeyFieldError as exc:
                yield "", f"element {index}: {exc}"
                return
            if element in seen and not duplicates:
                yield "", f"duplicate entries for key {fieldset.element_text(element)}"
            seen.add(element)
        for path, problem in violations(items, item, duplicates=duplicates):
            yield fieldset.element_text(element) + path, problem


def _scalar_problem(schema: Schema, value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if schema.scalar == "numeric" and schema.form == "":
        return (
            ""
            if number
            else f"expected numeric (int or float), got {go_type_name(value)}"
        )
    if schema.scalar == "string" and schema.form not in {"int-or-string", "quantity"}:
        if isinstance(value, str):
            return ""
        return f"expected string, got &value.valueUnstructured{{Value:{_go(value)}}}"
    if schema.scalar == "boolean":
        if isinstance(value, bool):
            return ""
        return f"expected boolean, got {go_value(value)}"
    if isinstance(value, dict | list):
        return f"expected any scalar, got {go_value(value)}"
    return ""


def go_type_name(value: Any) -> str:
    """The Go type of a decoded JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "[]interface {}"
    if isinstance(value, dict):
        return "map[string]interface {}"
    return "int64" if isinstance(value, int) else "float64"


def go_value(value: Any) -> str:
    """Go's %v of a decoded JSON value: `map[image:x]`."""
    if isinstance(value, dict):
        inner = " ".join(f"{k}:{go_value(v)}" for k, v in sorted(value.items()))
        return f"map[{inner}]"
    if isinstance(value, list):
        return "[" + " ".join(go_value(v) for v in value) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _go(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else go_value(value)


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
        for element, items in _by_element(schema, value).items():
            if len(items) > 1:
                out[element] = {}
                continue
            _, below = _owned(schema.items or schema, items[0])
            out[element] = {".": {}, **below} if below else {}
    return False, out


def _by_element(schema: Schema, value: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in value:
        try:
            found.setdefault(item_element(schema, item), []).append(item)
        except KeyFieldError:
            continue
    return found


def merge(schema: Schema, left: Any, right: Any) -> Any:
    """Left with right laid over it; either may be MISSING."""
    if right is MISSING:
        return left
    if left is MISSING:
        return right
    form = atom(schema, right if right is not None else left)
    if form == "scalar" or is_atomic(schema, form) or (not left and not right):
        return right
    if form == "map":
        ours = left if isinstance(left, dict) else {}
        theirs = right if isinstance(right, dict) else {}
        out = dict(ours)
        for name, value in theirs.items():
            child = schema.field_type(name)
            if name in ours and child is not None:
                out[name] = merge(child, ours[name], value)
            else:
                out[name] = value
        return out
    return _merge_lists(
        schema,
        left if isinstance(left, list) else [],
        right if isinstance(right, list) else [],
    )


def _merge_lists(schema: Schema, left: list[Any], right: list[Any]) -> list[Any]:
    """Items of both in an order that keeps each side's own (mergingWalker)."""
    items = schema.items or schema
    l_elements = [item_element(schema, item) for item in left]
    r_elements = [item_element(schema, item) for item in right]
    mine: dict[str, Any] = {}
    for element, item in zip(l_elements, left, strict=True):
        # What is there twice is not merged with the new value.
        mine[element] = None if element in mine else item
    theirs = dict(zip(r_elements, right, strict=True))
    shared = [element for element in r_elements if element in mine]
    shared_at = 0
    merged: set[str] = set()
    out: list[Any] = []

    def take_right(element: str) -> None:
        merged.add(element)
        out.append(merge(items, mine.get(element, MISSING), theirs[element]))

    l_at = r_at = 0
    while l_at < len(left) or r_at < len(right):
        upcoming = shared[shared_at] if shared_at < len(shared) else None
        if l_at < len(left) and r_at < len(right):
            element = l_elements[l_at]
            if element == r_elements[r_at]:
                take_right(element)
                l_at, r_at, shared_at = l_at + 1, r_at + 1, shared_at + 1
                continue
            if element in theirs and upcoming is not None and upcoming != element:
                l_at += 1
                continue
        if l_at < len(left):
            element = l_elements[l_at]
            if element not in theirs:
                out.append(left[l_at])
                l_at += 1
                continue
            if element in merged:
                l_at += 1
        if r_at < len(right):
            element = r_elements[r_at]
            take_right(element)
            r_at += 1
            if upcoming == element:
                shared_at += 1
    return out


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
    ours = _by_element(schema, left if isinstance(left, list) else [])
    theirs = _by_element(schema, right if isinstance(right, list) else [])
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
        for element, items in _by_element(schema, value).items():
            one = len(items) == 1
            out[element] = _all_fields(schema.items or schema, items[0]) if one else {}
    return out


def same(left: Any, right: Any) -> bool:
    """Equal as JSON values: true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            same(value, right[name]) for name, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


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

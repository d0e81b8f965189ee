"""What a value is by its type: its form, its place in a list, its equality.

The rules are those of structured-merge-diff v6 (its package `typed`): an atomic map or
list is one field, an associative list is merged by its keys, a null or empty map or
list meets the other side as a leaf.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Final, Literal

from gitops_wf.sandbox.fields import fieldset
from gitops_wf.sandbox.fields.schema import Schema


class _Missing(Enum):
    MISSING = 0


MISSING: Final = _Missing.MISSING
"""No value at all, where None is JSON's null."""


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


def by_element(schema: Schema, value: Sequence[Any]) -> dict[str, list[Any]]:
    """Items of an associative list by their element; more than one is a duplicate."""
    found: dict[str, list[Any]] = {}
    for item in value:
        try:
            found.setdefault(item_element(schema, item), []).append(item)
        except KeyFieldError:
            continue
    return found


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


def same(left: Any, right: Any) -> bool:
    """Equal as JSON values: true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            same(value, right[name]) for name, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)

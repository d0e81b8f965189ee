"""Strategic merge patches: lists are merged by key, and directives steer the rest.

The rules are those of apimachinery's pkg/util/strategicpatch. Directives: `$patch`
(replace, delete, merge), `$retainKeys`, `$setElementOrder/list` and
`$deleteFromPrimitiveList/list`.
"""

from collections.abc import Sequence
from typing import Any

from gitops_wf.sandbox.fields.errors import FieldError, bad_request
from gitops_wf.sandbox.fields.patch import json_kind
from gitops_wf.sandbox.fields.schema import Field, Schema
from gitops_wf.sandbox.fields.typed import go_value, same

Object = dict[str, Any]

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"


def strategic_merge_patch(live: Object, patch: Any, schema: Schema) -> Object:
    """A copy of the object with the patch merged into it.

    Raises FieldError: 400 if the patch is no object, 500 for a list item without its
    merge key, as the real server does.
    """
    if not isinstance(patch, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal "
            f"{json_kind(patch)} into Go value of type map[string]interface {{}}"
        )
    return _merge_map(live, patch, schema)


def _merge_map(original: Object, patch: Object, schema: Schema) -> Object:
    patch = dict(patch)
    if _DIRECTIVE in patch:
        directive = patch.pop(_DIRECTIVE)
        if directive == "replace":
            return patch
        if directive == "delete":
            return {}
        if directive != "merge":
            raise FieldError(f"unknown patch type: {directive}")
    out = _retained(original, patch)
    _merge_ordered(out, patch, schema)
    for name, value in patch.items():
        if name.startswith(_DELETE):
            _delete_items(out, name.removeprefix(_DELETE), value)
        elif value is None:
            out.pop(name, None)
        elif name not in out:
            out[name] = _clean(value)
        else:
            out[name] = _merge_value(name, out[name], value, schema)
    return out


def _merge_value(name: str, original: Any, value: Any, schema: Schema) -> Any:
    field = schema.fields.get(name) or Field(schema=_element(schema, name))
    if isinstance(original, dict) and isinstance(value, dict):
        if "replace" in field.patch_strategy:
            return _clean(value)
        return _merge_map(original, value, field.schema)
    if isinstance(original, list) and isinstance(value, list):
        return _merge_list(original, value, field)
    return _clean(value)


def _element(schema: Schema, name: str) -> Schema:
    return schema.field_type(name) or Schema()


def _retained(original: Object, patch: Object) -> Object:
    """The original, or only the keys that `$retainKeys` lists."""
    keep = patch.pop(_RETAIN, None)
    if keep is None:
        return dict(original)
    if not isinstance(keep, list):
        raise FieldError("invalid patch format of retain keys")
    stray = [name for name in patch if not name.startswith("$") and name not in keep]
    if stray:
        raise FieldError(
            "patch contains fields not present in retainKeys list: "
            f"{go_value(sorted(stray))}"
        )
    return {name: value for name, value in original.items() if name in keep}


def _merge_ordered(out: Object, patch: Object, schema: Schema) -> None:
    """Lists with a `$setElementOrder`: merged, then put into that order."""
    for directive in [name for name in patch if name.startswith(_ORDER)]:
        order = patch.pop(directive)
        name = directive.removeprefix(_ORDER)
        field = schema.fields.get(name) or Field(schema=_element(schema, name))
        original, value = out.get(name), patch.pop(name, None)
        if not isinstance(order, list):
            raise FieldError("invalid patch format of setElementOrder list")
        if isinstance(original, list):
            items = value if isinstance(value, list) else []
            merged = _merge_list(original, items, field) if items else original
        elif isinstance(value, list):
            original, merged = [], _clean(value)
        else:
            continue
        out[name] = _ordered(merged, order, original, field.patch_key)


def _delete_items(out: Object, name: str, items: Any) -> None:
    original = out.get(name)
    if isinstance(original, list) and isinstance(items, list):
        out[name] = [item for item in original if item not in items]


def _merge_list(original: list[Any], patch: list[Any], field: Field) -> list[Any]:
    if "merge" not in field.patch_strategy:
        return [_clean(item) for item in patch]
    if not original and not patch:
        return original
    key = field.patch_key
    if not any(isinstance(item, dict) for item in [*original, *patch]):
        merged = _unique([*original, *patch])
        return _ordered(merged, patch, original, "")
    if not key:
        raise FieldError("cannot merge lists without merge key")
    out, items = _special_items(original, patch, key)
    element = field.schema.items or Schema()
    for item in items:
        at = _index(out, _key_of(item, key), key)
        if at is None:
            out.append(_clean(item))
        else:
            out[at] = _merge_map(out[at], item, element)
    return _ordered(out, items, original, key) if items else out


def _special_items(
    original: list[Any], patch: list[Any], key: str
) -> tuple[list[Any], list[Any]]:
    """The original after items with `$patch`, and the items without."""
    out, plain, replace = list(original), [], False
    for item in patch:
        directive = item.get(_DIRECTIVE) if isinstance(item, dict) else None
        if directive is None:
            plain.append(item)
        elif directive == "delete":
            value = _key_of(item, key)
            out = [known for known in out if not same(known.get(key), value)]
        elif directive == "replace":
            replace = True
        else:
            raise FieldError(f"unknown patch type: {directive}")
    return ([_clean(item) for item in plain], []) if replace else (out, plain)


def _key_of(item: Any, key: str) -> Any:
    if not isinstance(item, dict) or key not in item:
        raise FieldError(
            f"map: {go_value(item)} does not contain declared merge key: {key}"
        )
    return item[key]


def _index(items: Sequence[Any], value: Any, key: str) -> int | None:
    for at, item in enumerate(items):
        found = item.get(key) if key and isinstance(item, dict) else item
        if same(found, value):
            return at
    return None


def _ordered(
    merged: list[Any], patch_order: list[Any], server_order: list[Any], key: str
) -> list[Any]:
    """Items of the patch in its order, those of the server before what they preceded.

    (normalizeElementOrder and mergeSortedSlice.)
    """

    def value(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    def place(order: list[Any], item: Any) -> int:
        at = _index(order, value(item), key)
        return -1 if at is None else at

    right = [item for item in merged if place(patch_order, item) >= 0]
    left = [item for item in merged if place(patch_order, item) < 0]
    right.sort(key=lambda item: place(patch_order, item))
    left.sort(key=lambda item: place(server_order, item))
    out: list[Any] = []
    while left and right:
        first, second = place(server_order, left[0]), place(server_order, right[0])
        before = 0 <= first < second
        out.append(left.pop(0) if before else right.pop(0))
    return out + left + right


def _unique(items: list[Any]) -> list[Any]:
    out: list[Any] = []
    for item in items:
        if not any(same(item, known) for known in out):
            out.append(item)
    return out


def _clean(value: Any) -> Any:
    """What the patch adds, without its nulls and directives."""
    if isinstance(value, dict):
        return {
            name: _clean(child)
            for name, child in value.items()
            if child is not None and not name.startswith("$")
        }
    if isinstance(value, list):
        return [
            _clean(item)
            for item in value
            if not (isinstance(item, dict) and _DIRECTIVE in item)
        ]
    return value

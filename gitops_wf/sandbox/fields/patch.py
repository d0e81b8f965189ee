"""JSON patches (RFC 6902) and merge patches (RFC 7386) as the API server does them.

It uses evanphx/json-patch v4, whose habits are kept: `replace` of a missing key adds
it, a negative index counts from the end, and a map that was touched has sorted keys
(one sees that where an error shows the patched object).
"""

from collections.abc import Callable, Mapping
from typing import Any

from gitops_wf.sandbox.fields.errors import bad_request, rejected_patch
from gitops_wf.sandbox.fields.typed import go_type_name, same

Object = dict[str, Any]

MAX_OPERATIONS = 10_000
"""Of one JSON patch; more are refused (413 on the real server)."""


def json_patch(live: Object, ops: Any) -> Object:
    """A copy of the object after the operations; all of them, or an error.

    Raises FieldError: 400 if `ops` is no list of operations, 422 without details if
    one of them fails.
    """
    if not isinstance(ops, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal "
            f"{json_kind(ops)} into Go value of type []handlers.jsonPatchOp"
        )
    if len(ops) > MAX_OPERATIONS:
        raise rejected_patch()
    result: Any = live
    for operation in ops:
        handler = (
            _OPERATIONS.get(operation.get("op"))
            if isinstance(operation, dict)
            else None
        )
        if handler is None:
            raise rejected_patch()
        result = handler(result, operation)
    if not isinstance(result, dict):
        raise rejected_patch()
    return result


def json_kind(value: Any) -> str:
    """A JSON value's kind as Go's decoder names it in errors."""
    if value is None:
        return "null"
    kinds = {"map[string]interface {}": "object", "[]interface {}": "array"}
    name = go_type_name(value)
    return kinds.get(name, "number" if name in {"int64", "float64"} else name)


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise rejected_patch()
    tokens = text.split("/")[1:]
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def _index(place: str, length: int, *, insert: bool) -> int:
    if insert and place == "-":
        return length
    try:
        index = int(place)
    except ValueError:
        raise rejected_patch() from None
    if index < 0:
        index += length + insert
    if not 0 <= index < length + insert:
        raise rejected_patch()
    return index


def _get(document: Any, tokens: list[str]) -> Any:
    for token in tokens:
        if isinstance(document, list):
            document = document[_index(token, len(document), insert=False)]
        elif isinstance(document, dict) and token in document:
            document = document[token]
        else:
            raise rejected_patch()
    return document


def _sorted(items: Mapping[str, Any]) -> Object:
    return dict(sorted(items.items()))


def _changed(
    document: Any, tokens: list[str], change: Callable[[Any, str], Any]
) -> Any:
    """A copy with `change(parent, last token)` in place of the parent."""
    if not tokens:
        raise rejected_patch()
    if len(tokens) == 1:
        return change(document, tokens[0])
    head, rest = tokens[0], tokens[1:]
    if isinstance(document, list):
        index = _index(head, len(document), insert=False)
        below = _changed(document[index], rest, change)
        return [*document[:index], below, *document[index + 1 :]]
    if not isinstance(document, dict) or head not in document:
        raise rejected_patch()
    return _sorted(document | {head: _changed(document[head], rest, change)})


def _put(document: Any, pointer: Any, value: Any, *, replace: bool) -> Any:
    tokens = _pointer(pointer)
    if not tokens:
        return value

    def change(parent: Any, token: str) -> Any:
        if isinstance(parent, list):
            index = _index(token, len(parent), insert=not replace)
            return [*parent[:index], value, *parent[index + replace :]]
        if isinstance(parent, dict):
            return _sorted(parent | {token: value})
        raise rejected_patch()

    return _changed(document, tokens, change)


def _without(document: Any, pointer: Any) -> Any:
    def change(parent: Any, token: str) -> Any:
        if isinstance(parent, list):
            index = _index(token, len(parent), insert=False)
            return [*parent[:index], *parent[index + 1 :]]
        if isinstance(parent, dict) and token in parent:
            return _sorted({k: v for k, v in parent.items() if k != token})
        raise rejected_patch()

    return _changed(document, _pointer(pointer), change)


def _add(document: Any, operation: Object) -> Any:
    value = operation.get("value")
    return _put(document, operation.get("path"), value, replace=False)


def _replace(document: Any, operation: Object) -> Any:
    value = operation.get("value")
    return _put(document, operation.get("path"), value, replace=True)


def _remove(document: Any, operation: Object) -> Any:
    return _without(document, operation.get("path"))


def _move(document: Any, operation: Object) -> Any:
    value = _get(document, _pointer(operation.get("from")))
    rest = _without(document, operation.get("from"))
    return _put(rest, operation.get("path"), value, replace=False)


def _copy(document: Any, operation: Object) -> Any:
    value = _get(document, _pointer(operation.get("from")))
    return _put(document, operation.get("path"), value, replace=False)


def _test(document: Any, operation: Object) -> Any:
    tokens = _pointer(operation.get("path"))
    expected = operation.get("value")
    parent = _get(document, tokens[:-1])
    missing = isinstance(parent, dict) and tokens and tokens[-1] not in parent
    if missing and expected is None:
        return document
    if not same(_get(document, tokens), expected):
        raise rejected_patch()
    return document


_OPERATIONS: Mapping[Any, Callable[[Any, Object], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def merge_patch(live: Object, patch: Any) -> Object:
    """A copy of the object with the patch laid over it; null removes a key.

    Raises FieldError 400 if the patch is no object.
    """
    if not isinstance(patch, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal "
            f"{json_kind(patch)} into Go value of type map[string]interface {{}}"
        )
    merged: Object = _merged(live, patch)
    return merged


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = _merged(out.get(name), value)
    return _sorted(out)

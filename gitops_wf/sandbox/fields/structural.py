"""What a custom resource may not hold, by the `openAPIV3Schema` of its CRD.

The texts are those of kube-openapi's validator as the API server words its errors;
`x-kubernetes-validations` are evaluated as CEL with `self` and `oldSelf`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from gitops_wf.sandbox.fields import typed
from gitops_wf.sandbox.fields.errors import Cause

Spec = Mapping[str, Any]

_BLOCKING = frozenset(
    {
        "FieldValueRequired",
        "FieldValueTypeInvalid",
        "FieldValueNotSupported",
        "FieldValueTooLong",
        "FieldValueTooMany",
    }
)
_NOT_CHECKED = Cause(
    reason="FieldValueInvalid",
    message=(
        "Invalid value: null: some validation rules were not checked because the "
        "object was invalid; correct the existing errors to complete validation"
    ),
    field="<nil>",
)
_RULES = "x-kubernetes-validations"


def structural_causes(obj: Any, spec: Spec, old: Any = None) -> list[Cause]:
    """What is wrong with a custom resource; `old` is what it was before an update."""
    causes = [*_value(obj, spec, ""), *_lists(obj, spec, "")]
    if not _has_rules(spec):
        return causes
    if any(cause.reason in _BLOCKING for cause in causes):
        return [*causes, _NOT_CHECKED]
    return [*causes, *_rules(obj, spec, "", old)]


def _invalid(field: str, shown: Any, text: str, *, what: str = "Invalid") -> Cause:
    message = f"Invalid value: {_json(shown)}: {text}"
    return Cause(reason=f"FieldValue{what}", message=message, field=field)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _value(value: Any, spec: Spec, path: str) -> Iterator[Cause]:
    if value is None and spec.get("nullable"):
        return
    wrong = _type_problem(value, spec, path)
    if wrong is not None:
        yield wrong
        return
    if "enum" in spec and not any(typed.same(value, one) for one in spec["enum"]):
        allowed = ", ".join(_json(one) for one in spec["enum"])
        text = f"Unsupported value: {_json(value)}: supported values: {allowed}"
        yield Cause(reason="FieldValueNotSupported", message=text, field=path)
    if isinstance(value, str):
        yield from _text(value, spec, path)
    elif isinstance(value, list):
        yield from _items(value, spec, path)
    elif isinstance(value, dict):
        yield from _properties(value, spec, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, spec, path)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    names = {str: "string", float: "number", list: "array", dict: "object"}
    return names[type(value)]


def _type_problem(value: Any, spec: Spec, path: str) -> Cause | None:
    allowed = spec.get("type", "")
    if spec.get("x-kubernetes-int-or-string"):
        allowed = "integer,string"
    kind = _kind(value)
    fits = not allowed or kind in allowed.split(",")
    if fits or (allowed == "number" and kind == "integer"):
        return None
    text = f'{path} in body must be of type {allowed}: "{kind}"'
    return _invalid(path, kind, text, what="TypeInvalid")


def _text(value: str, spec: Spec, path: str) -> Iterator[Cause]:
    longest = spec.get("maxLength")
    if longest is not None and len(value) > longest:
        text = f"Too long: may not be more than {longest} bytes"
        yield Cause(reason="FieldValueTooLong", message=text, field=path)
        return
    shortest = spec.get("minLength", 0)
    if len(value) < shortest:
        text = f"{path} in body should be at least {shortest} chars long"
        yield _invalid(path, value, text)
    pattern = spec.get("pattern")
    if pattern is not None and not re.search(pattern, value):
        yield _invalid(path, value, f"{path} in body should match '{pattern}'")
    if spec.get("format") == "date-time" and not _is_time(value):
        text = f"{path} in body must be of type date-time: {_json(value)}"
        yield _invalid(path, value, text, what="TypeInvalid")


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _number(value: float, spec: Spec, path: str) -> Iterator[Cause]:
    low, high = spec.get("minimum"), spec.get("maximum")
    if low is not None:
        exclusive = spec.get("exclusiveMinimum", False)
        if value < low or (exclusive and value == low):
            than = "greater than" + ("" if exclusive else " or equal to")
            yield _invalid(path, value, f"{path} in body should be {than} {low}")
    if high is not None:
        exclusive = spec.get("exclusiveMaximum", False)
        if value > high or (exclusive and value == high):
            than = "less than" + ("" if exclusive else " or equal to")
            yield _invalid(path, value, f"{path} in body should be {than} {high}")
    factor = spec.get("multipleOf")
    if factor and value % factor:
        yield _invalid(path, value, f"{path} in body should be a multiple of {factor}")


def _items(value: list[Any], spec: Spec, path: str) -> Iterator[Cause]:
    most, least = spec.get("maxItems"), spec.get("minItems", 0)
    if most is not None and len(value) > most:
        text = f"Too many: {len(value)}: must have at most {most} items"
        yield Cause(reason="FieldValueTooMany", message=text, field=path)
    if len(value) < least:
        text = f"{path} in body should have at least {least} items"
        yield _invalid(path, len(value), text)
    for index, item in enumerate(value):
        yield from _value(item, spec.get("items", {}), f"{path}[{index}]")


def _properties(value: Mapping[str, Any], spec: Spec, path: str) -> Iterator[Cause]:
    most = spec.get("maxProperties")
    if most is not None and len(value) > most:
        text = f"Too many: {len(value)}: must have at most {most} items"
        yield Cause(reason="FieldValueTooMany", message=text, field=path)
    for name in spec.get("required", ()):
        if name not in value:
            yield Cause(
                reason="FieldValueRequired",
                message="Required value",
                field=_below(path, name),
            )
    declared = spec.get("properties", {})
    others = spec.get("additionalProperties")
    for name, child in value.items():
        if name in declared:
            yield from _value(child, declared[name], _below(path, name))
        elif isinstance(others, dict):
            yield from _value(child, others, _below(path, name))


def _parts(value: Any, spec: Spec, path: str) -> Iterator[tuple[Any, Spec, str, str]]:
    """What is in a value: each with its schema, its path and its own name."""
    if isinstance(value, dict):
        declared = spec.get("properties", {})
        others = spec.get("additionalProperties")
        for name, child in value.items():
            child_spec = declared.get(name, others)
            if isinstance(child_spec, dict):
                yield child, child_spec, _below(path, name), name
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield item, spec.get("items", {}), f"{path}[{index}]", ""


def _lists(value: Any, spec: Spec, path: str) -> Iterator[Cause]:
    """Items that are twice in a set or in a list with keys."""
    list_type = spec.get("x-kubernetes-list-type")
    if isinstance(value, list) and list_type in {"set", "map"}:
        keys = spec.get("x-kubernetes-list-map-keys", ())
        seen: list[Any] = []
        for index, item in enumerate(value):
            own = item
            if list_type == "map" and isinstance(item, dict):
                own = {key: item[key] for key in keys if key in item}
            if any(typed.same(own, one) for one in seen):
                text = f"Duplicate value: {_json(own)}"
                field = f"{path}[{index}]"
                yield Cause(reason="FieldValueDuplicate", message=text, field=field)
            seen.append(own)
    for child, child_spec, below, _ in _parts(value, spec, path):
        yield from _lists(child, child_spec, below)


def _has_rules(spec: Spec) -> bool:
    inner = [*spec.get("properties", {}).values(), spec.get("items")]
    inner.append(spec.get("additionalProperties"))
    return _RULES in spec or any(isinstance(s, dict) and _has_rules(s) for s in inner)


def _rules(value: Any, spec: Spec, path: str, old: Any) -> Iterator[Cause]:
    for rule in spec.get(_RULES, ()):
        if old is None and "oldSelf" in rule["rule"]:
            continue
        problem = _broken(rule, value, old)
        if problem:
            field = path + rule.get("fieldPath", "")
            reason = rule.get("reason", "FieldValueInvalid")
            text = f"Invalid value: {problem}"
            yield Cause(reason=reason, message=text, field=field or "<nil>")
    for child, child_spec, below, name in _parts(value, spec, path):
        before = old.get(name) if name and isinstance(old, dict) else None
        yield from _rules(child, child_spec, below, before)


def _broken(rule: Mapping[str, Any], value: Any, old: Any) -> str:
    """The message of a rule that does not hold; empty if it does."""
    text = rule["rule"].strip()
    try:
        holds = program(text).execute({"self": value, "oldSelf": old})
    except Exception as exc:  # the library raises whatever the expression led to
        return f"rule evaluation error: {exc}"
    if holds is True:
        return ""
    return str(rule.get("message") or f"failed rule: {text}")


@cache
def program(text: str) -> Any:
    """A compiled CEL expression, to be executed with its variables."""
    import cel  # 0.15 s, which a sandbox without such rules saves

    return cel.compile(text)

"""Whether an applied object is of its type, in structured-merge-diff's words."""

from collections.abc import Iterator, Sequence
from typing import Any

from gitops_wf.sandbox.fields import fieldset
from gitops_wf.sandbox.fields.schema import Schema
from gitops_wf.sandbox.fields.typed import (
    KeyFieldError,
    atom,
    go_type_name,
    go_value,
    is_atomic,
    item_element,
)

Violation = tuple[str, str]
"""A path (`.spec.replicas`) and what is wrong there."""


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


def _go(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else go_value(value)

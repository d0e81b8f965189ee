"""Custom resources, against the recorded answers about a CRD with many rules."""

import copy
from typing import Any

import pytest

from gitops_wf.sandbox.fields.apply import server_side_apply
from gitops_wf.sandbox.fields.defaults import apply_defaults
from gitops_wf.sandbox.fields.errors import Cause, FieldError
from gitops_wf.sandbox.fields.managed import track_update
from gitops_wf.sandbox.fields.patch import json_patch, merge_patch
from gitops_wf.sandbox.fields.schema import Schema, Schemas
from gitops_wf.sandbox.fields.stored import stored_form
from gitops_wf.sandbox.fields.validate import check_decoding, validate
from tests.recorded_kubernetes import Step, step

SCHEMAS = Schemas.bundled()
CRD = step("41", 1).body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
WIDGET = SCHEMAS.for_custom(
    "demo.example.com/v1", "Widget", CRD, status_subresource=True
)
OWN = ("uid", "resourceVersion", "generation", "creationTimestamp", "namespace")


def stored(obj: dict[str, Any], schema: Schema = WIDGET) -> dict[str, Any]:
    return apply_defaults(stored_form(obj, schema), schema)


def as_causes(recorded: Step) -> list[Cause]:
    return [Cause(**cause) for cause in recorded.answer["details"]["causes"]]


@pytest.mark.parametrize("n", [*range(8, 21), 36])
def test_a_broken_rule_of_the_schema_has_the_recorded_causes(n: int) -> None:
    recorded = step("41", n)
    body = recorded.body
    if recorded.method == "PATCH":
        body = merge_patch(recorded.live or {}, body)
    assert validate(stored(body), WIDGET) == as_causes(recorded)


@pytest.mark.parametrize("n", [4, 21, 22, 23, 24, 26])
def test_a_create_is_stored_and_tracked_as_recorded(n: int) -> None:
    recorded = step("41", n)
    obj = stored(recorded.body)
    assert validate(obj, WIDGET) == []
    made = track_update(None, obj, manager="recorder", schema=WIDGET, now="<time>")
    expected = copy.deepcopy(recorded.answer)
    for name in OWN:
        expected["metadata"].pop(name, None)
    assert made == expected


def test_unknown_fields_are_warnings_and_pruned() -> None:
    assert check_decoding(step("41", 4).body, WIDGET) == [
        'unknown field "spec.parts[0].z"',
        'unknown field "spec.unknown"',
    ]


def test_strict_refuses_unknown_fields_as_recorded() -> None:
    recorded = step("41", 6)
    with pytest.raises(FieldError) as refused:
        check_decoding(recorded.body, WIDGET, validation="Strict")
    assert refused.value.message == recorded.answer["message"]


@pytest.mark.parametrize("n", [33, 35])
def test_a_patch_is_tracked_as_recorded(n: int) -> None:
    recorded = step("41", n)
    live = recorded.live or {}
    patch = merge_patch if n == 33 else json_patch
    new = stored(patch(live, recorded.body))
    made = track_update(live, new, manager="recorder", schema=WIDGET, now="<time>")
    assert made["spec"] == recorded.answer["spec"]
    assert (
        made["metadata"]["managedFields"]
        == recorded.answer["metadata"]["managedFields"]
    )


@pytest.mark.parametrize("n", [4, 5, 6, 8])
def test_an_apply_merges_by_the_list_types_of_the_schema(n: int) -> None:
    recorded = step("42", n)
    made = server_side_apply(
        recorded.live,
        recorded.body,
        manager=recorded.manager,
        force=False,
        schema=WIDGET,
        now="<time>",
    )
    assert made["spec"] == recorded.answer["spec"]
    assert (
        made["metadata"]["managedFields"]
        == recorded.answer["metadata"]["managedFields"]
    )


@pytest.mark.parametrize("n", [7, 10, 11])
def test_a_refused_apply_has_the_recorded_text(n: int) -> None:
    recorded = step("42", n)
    with pytest.raises(FieldError) as refused:
        server_side_apply(
            recorded.live,
            recorded.body,
            manager=recorded.manager,
            force=False,
            schema=WIDGET,
            now="<time>",
        )
    assert refused.value.message == recorded.answer["message"]


def test_the_status_subresource_tracks_nothing_but_status() -> None:
    recorded = step("42", 12)
    live = recorded.live or {}
    new = stored(merge_patch(live, recorded.body))
    made = track_update(
        live, new, manager="recorder", schema=WIDGET, now="<time>", subresource="status"
    )
    assert (
        made["metadata"]["managedFields"]
        == recorded.answer["metadata"]["managedFields"]
    )


def test_a_rule_on_the_old_value_holds_only_in_an_update() -> None:
    rule = {"rule": "self >= oldSelf", "message": "may not shrink"}
    spec = {"type": "integer", "x-kubernetes-validations": [rule]}
    openapi = {"type": "object", "properties": {"size": spec}}
    schema = SCHEMAS.for_custom(
        "a.example.com/v1", "A", openapi, status_subresource=False
    )
    assert validate({"size": 1}, schema) == []
    assert validate({"size": 3}, schema, {"size": 2}) == []
    assert validate({"size": 1}, schema, {"size": 2}) == [
        Cause(
            reason="FieldValueInvalid",
            message="Invalid value: may not shrink",
            field="size",
        )
    ]


def test_a_kind_without_a_schema_is_merged_by_key() -> None:
    schema = SCHEMAS.for_kind("free.example.com/v1", "Free")
    first = {
        "apiVersion": "free.example.com/v1",
        "kind": "Free",
        "metadata": {"name": "a"},
    }
    one = server_side_apply(
        None,
        first | {"spec": {"a": {"b": 1}, "l": [1]}},
        manager="one",
        force=False,
        schema=schema,
        now="t",
    )
    two = server_side_apply(
        one,
        first | {"spec": {"a": {"c": 2}}},
        manager="two",
        force=False,
        schema=schema,
        now="t",
    )
    assert two["spec"] == {"a": {"b": 1, "c": 2}, "l": [1]}
    owned = {e["manager"]: e["fieldsV1"] for e in two["metadata"]["managedFields"]}
    assert owned["one"]["f:spec"] == {".": {}, "f:a": {".": {}, "f:b": {}}, "f:l": {}}


def field_schema(spec: dict[str, Any]) -> Schema:
    openapi = {"type": "object", "properties": {"f": spec}}
    return SCHEMAS.for_custom(
        "a.example.com/v1", "A", openapi, status_subresource=False
    )


@pytest.mark.parametrize(
    ("spec", "value", "reason", "message"),
    [
        ({"type": "string", "minLength": 2}, "a", "Invalid", 'Invalid value: "a": f in body should be at least 2 chars long'),
        ({"type": "number", "multipleOf": 2}, 3, "Invalid", "Invalid value: 3: f in body should be a multiple of 2"),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, 1, "Invalid", "Invalid value: 1: f in body should be greater than 1"),
        ({"type": "number", "maximum": 1, "exclusiveMaximum": True}, 1, "Invalid", "Invalid value: 1: f in body should be less than 1"),
        ({"type": "array", "maxItems": 1, "items": {"type": "string"}}, ["a", "b"], "TooMany", "Too many: 2: must have at most 1 items"),
        ({"type": "array", "minItems": 1, "items": {"type": "string"}}, [], "Invalid", "Invalid value: 0: f in body should have at least 1 items"),
        ({"type": "object", "maxProperties": 1, "additionalProperties": {"type": "string"}}, {"a": "1", "b": "2"}, "TooMany", "Too many: 2: must have at most 1 items"),
        ({"type": "boolean"}, 1, "TypeInvalid", 'Invalid value: "integer": f in body must be of type boolean: "integer"'),
        ({"type": "integer"}, True, "TypeInvalid", 'Invalid value: "boolean": f in body must be of type integer: "boolean"'),
    ],
)  # fmt: skip
def test_a_value_outside_its_rule_is_named(
    spec: dict[str, Any], value: Any, reason: str, message: str
) -> None:
    cause = Cause(reason=f"FieldValue{reason}", message=message, field="f")
    assert validate({"f": value}, field_schema(spec)) == [cause]


def test_values_of_a_free_map_have_a_schema_too() -> None:
    spec = {"type": "object", "additionalProperties": {"type": "string"}}
    [cause] = validate({"f": {"a": 1}}, field_schema(spec))
    assert (cause.reason, cause.field) == ("FieldValueTypeInvalid", "f.a")


def test_a_rule_that_cannot_be_evaluated_refuses_the_object() -> None:
    spec = {"type": "object", "x-kubernetes-validations": [{"rule": "self.none > 1"}]}
    [cause] = validate({"f": {}}, field_schema(spec | {"properties": {}}))
    assert cause.message.startswith("Invalid value: rule evaluation error")


def test_a_rule_without_a_message_is_shown_itself() -> None:
    spec = {"type": "integer", "x-kubernetes-validations": [{"rule": "self > 1"}]}
    [cause] = validate({"f": 1}, field_schema(spec))
    assert cause.message == "Invalid value: failed rule: self > 1"


def test_defaults_are_set_in_items_and_inside_of_defaults() -> None:
    item = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}
    spec = {"type": "array", "items": item, "default": [{}]}
    assert stored({"metadata": {"name": "a"}}, field_schema(spec))["f"] == [{"n": 1}]
